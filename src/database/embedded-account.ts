/**
 * Postgres refuses to run as root. Where we are root, it runs under an
 * unprivileged account that the system already has.
 */
import { readFile, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { SluiceError } from '../errors.ts'

export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/**
 * @param data Its data folder. If there is one already, its owner stays the account, so that an installation
 * survives being started as root in between.
 * @returns undefined when we are not root: the server then runs as ourselves.
 * @throws SluiceError CONFIGURATION when no account can be found.
 */
export async function serverAccount(data: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const owner = await stat(data).catch(() => undefined)
  if (owner && owner.uid !== 0) return { name: `user ${owner.uid}`, uid: owner.uid, gid: owner.gid }
  const account = pickAccount(await readFile('/etc/passwd', 'utf8'))
  if (account) return account
  throw new SluiceError(
    'CONFIGURATION',
    'Postgres does not run as root, and this system has neither a user "postgres" nor "nobody". Start as an ordinary user, or set DATABASE_URL.',
  )
}

/** Account `postgres` (macOS: `_postgres`), else `nobody`. Numbers are unsigned: macOS writes `nobody` as -2. */
export function pickAccount(passwd: string): Account | undefined {
  const accounts = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 }))
    .filter(({ uid }) => uid > 0)
  for (const wanted of ['postgres', '_postgres', 'nobody']) {
    const found = accounts.find(({ name }) => name === wanted)
    if (found) return found
  }
  return undefined
}

/**
 * Whether the account may pass through every folder down to `target` and enter it
 * (or run it, if it is a file). No account: ourselves, who may.
 */
export async function canReach(account: Account | undefined, target: string): Promise<boolean> {
  if (!account) return true
  let place = await realpath(target)
  for (;;) {
    const { mode, uid, gid } = await stat(place)
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return false
    const parent = path.dirname(place)
    if (parent === place) return true
    place = parent
  }
}
