/** The folder of one installation that runs embedded parts, `.sluice` unless `SLUICE_HOME` says otherwise. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { commandOf } from '../database/embedded-process.ts'
import { SluiceError } from '../errors.ts'

export interface Home {
  readonly folder: string
  readonly postgres: string
  readonly files: string
  readonly mail: string
  readonly logs: string
  readonly secretKey: string
  /** Names the process that uses this home now. */
  readonly lock: string
  /** Addresses and credentials of the demo, for scripts. */
  readonly demo: string
}

export function homeAt(folder: string): Home {
  const inside = (name: string) => path.join(folder, name)
  return {
    folder,
    postgres: inside('postgres'),
    files: inside('files'),
    mail: inside('mail'),
    logs: inside('logs'),
    secretKey: inside('secret.key'),
    lock: inside('lock'),
    demo: inside('demo.json'),
  }
}

/** A path as short as it can be from where the person is. */
export function forPeople(place: string): string {
  const relative = path.relative('', place)
  return relative.startsWith('..') ? place : relative
}

/** Others may pass through to what they own (the account that Postgres runs under, when we are root), and list nothing. */
export async function makeHome(home: Home): Promise<void> {
  await makeFolder(home.folder).catch((cause) => notOurs(home, cause))
  // Root could, but would leave files behind that the owner cannot read.
  if ((await stat(home.folder)).uid !== process.getuid?.()) notOurs(home)
  for (const folder of [home.files, home.mail, home.logs]) await mkdir(folder, { recursive: true, mode: 0o700 })
}

/**
 * Parents first, each once. Node's own `recursive` never ends where a folder is there and takes none (`/proc`): it makes
 * the parent, finds it there, and begins again.
 */
async function makeFolder(folder: string): Promise<void> {
  const make = () => mkdir(folder, { mode: 0o711 })
  try {
    await make()
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return
    const parent = path.dirname(folder)
    if (code !== 'ENOENT' || parent === folder || existsSync(parent)) throw error
    await makeFolder(parent)
    await make()
  }
}

function notOurs(home: Home, cause?: Error): never {
  throw new SluiceError(
    'CONFIGURATION',
    `${home.folder} ${cause ? `cannot be made (${cause.message})` : 'belongs to another user'}. Start as the user who owns it, or set SLUICE_HOME to another folder.`,
    { cause },
  )
}

/** The key that seals secrets at rest; made at the first start, because losing it loses them. 32 bytes, base64. */
export async function keptSecretKey({ secretKey }: Home): Promise<string> {
  if (!existsSync(secretKey)) {
    await writeFile(secretKey, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' })
  }
  return (await readFile(secretKey, 'utf8')).trim()
}

/** The process that uses the home now, or undefined. */
export async function ownerOf({ lock }: Home): Promise<number | undefined> {
  const pid = Number(await readFile(lock, 'utf8').catch(() => ''))
  if (pid === process.pid) return undefined
  return (await commandOf(pid))?.includes('main.ts') ? pid : undefined
}

/**
 * Makes this process the owner of the home.
 *
 * @returns whether an earlier owner ended without giving it up: then something of it may still be ending.
 * @throws SluiceError CONFLICT when another process owns it.
 */
export async function takeHome(home: Home): Promise<{ readonly wasLeftBehind: boolean; release(): Promise<void> }> {
  const take = () => writeFile(home.lock, `${process.pid}\n`, { flag: 'wx' })
  let wasLeftBehind = false
  try {
    await take()
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error
    const owner = await ownerOf(home)
    if (owner !== undefined) throw inUse(home, owner)
    wasLeftBehind = true
    await rm(home.lock, { force: true })
    await take()
  }
  return { wasLeftBehind, release: () => rm(home.lock, { force: true }) }
}

export function inUse(home: Home, owner: number): SluiceError {
  return new SluiceError(
    'CONFLICT',
    `Sluice already runs in ${home.folder} (process ${owner}). Stop that one with Ctrl-C or "kill ${owner}", or set SLUICE_HOME and the ports to run a second one.`,
  )
}
