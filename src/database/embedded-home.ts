/**
 * Where the embedded Postgres keeps its data: in the folder it is given, unless
 * the account it runs under cannot get there (root, in a clone that only root can
 * enter). Then the data lives in `/var/lib/sluice`, and the file `location` in
 * the given folder says where.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, lstat, mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { SluiceError } from '../errors.ts'
import { type Account, canReach } from './embedded-account.ts'

/** Makes the folder that will hold `data`, owned by the account. */
export async function chooseDataHome(folder: string, account: Account | undefined): Promise<string> {
  if (!account) return folder
  const home = (await keptLocation(folder)) ?? (await newHome(folder, account))
  await mkdir(home, { recursive: true, mode: 0o700 })
  if (home !== folder || !existsSync(path.join(home, 'data'))) await chown(home, account.uid, account.gid)
  return home
}

/** Drops the note of a data folder elsewhere, and returns that folder. */
export async function forgetDataHome(folder: string): Promise<string | undefined> {
  const home = await keptLocation(folder)
  return home && home !== folder && existsSync(home) ? home : undefined
}

async function newHome(folder: string, account: Account): Promise<string> {
  const name = `${path.basename(path.resolve(folder, '../..'))}-${digest(path.resolve(folder))}`
  const home = (await canReach(account, folder)) ? folder : path.join(await sharedFolder(account), name)
  await writeFile(pointer(folder), `${home}\n`)
  return home
}

async function keptLocation(folder: string): Promise<string | undefined> {
  const text = await readFile(pointer(folder), 'utf8').catch(() => '')
  return text.trim() || undefined
}

const pointer = (folder: string) => path.join(folder, 'location')
const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 10)

/**
 * A folder of root's that the account can reach: `/var/lib/sluice`, or one in the
 * temporary folder where `/var/lib` cannot be written.
 *
 * @throws SluiceError CONFIGURATION when neither can be used.
 */
export async function sharedFolder(account: Account): Promise<string> {
  for (const candidate of ['/var/lib/sluice', path.join(tmpdir(), 'sluice-root'), '/tmp/sluice-root']) {
    try {
      await mkdir(candidate, { recursive: true })
      const { uid } = await lstat(candidate)
      // In a folder that everybody may write to, somebody else may have been first.
      if (uid !== 0) continue
      await chmod(candidate, 0o755)
      if (await canReach(account, candidate)) return candidate
    } catch {
      // Read-only, or not ours: the next one.
    }
  }
  throw new SluiceError(
    'CONFIGURATION',
    `The embedded Postgres runs as "${account.name}" and needs a folder that this user can reach; neither /var/lib nor the temporary folder serves. Start as an ordinary user, or set DATABASE_URL.`,
  )
}
