import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { removeEmbeddedPostgres, stopLeftoverPostgres } from '../database/embedded.ts'
import { SluiceError } from '../errors.ts'
import { silentLog } from '../log.ts'
import { type Home, homeAt, inUse, ownerOf } from './home.ts'
import { readSettings } from './settings.ts'

export interface ResetOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Do not ask. */
  readonly yes: boolean
}

/**
 * Deletes the home with all that the embedded parts keep, and the database where it lives elsewhere.
 *
 * @throws SluiceError CONFLICT while Sluice runs there; CONFIGURATION when the folder is no home of Sluice, or nobody can be asked.
 */
export async function reset({ env, yes }: ResetOptions): Promise<void> {
  const home = homeAt(readSettings(env).SLUICE_HOME)
  if (!existsSync(home.folder)) return console.log(`There is nothing to delete: ${home.folder} does not exist.`)
  const owner = await ownerOf(home)
  if (owner !== undefined) throw inUse(home, owner)
  if (![home.postgres, home.secretKey, home.logs].some((place) => existsSync(place))) {
    throw new SluiceError(
      'CONFIGURATION',
      `${home.folder} was not made by Sluice, so it is left alone. Check SLUICE_HOME.`,
    )
  }
  if (!yes && !(await confirmed(home))) return console.log('Nothing was deleted.')
  await stopLeftoverPostgres({ folder: home.postgres, log: silentLog })
  const elsewhere = (await removeEmbeddedPostgres(home.postgres)).filter((folder) => folder !== home.postgres)
  await rm(home.folder, { recursive: true })
  console.log(`Deleted ${[home.folder, ...elsewhere].join(' and ')}. "npm start" begins with an empty installation.`)
}

async function confirmed({ folder }: Home): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new SluiceError(
      'CONFIGURATION',
      'There is no terminal to ask in; say "npm run reset -- --yes" to delete without asking.',
    )
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answer = await terminal.question(`Delete ${folder} with its database, files, mails and keys? Type yes: `)
    return answer.trim().toLowerCase() === 'yes'
  } finally {
    terminal.close()
  }
}
