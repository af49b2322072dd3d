/** Which installation a command works on: that of the configuration, or of a `sluice start` that runs here now. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { reachDatabase } from '../database/reach.ts'
import { SluiceError } from '../errors.ts'
import { homeAt, ownerOf } from './home.ts'
import { readSettings } from './settings.ts'

type Env = Readonly<Record<string, string | undefined>>

/**
 * DATABASE_URL, or the embedded PostgreSQL of a `sluice start` that runs now.
 *
 * @throws SluiceError CONFIGURATION
 */
export async function databaseUrlOf(env: Env): Promise<string> {
  if (env.DATABASE_URL) {
    // A command says in a sentence why it cannot work, before its pool says it in a stack.
    await (await reachDatabase(env.DATABASE_URL)).end()
    return env.DATABASE_URL
  }
  const { SLUICE_HOME, EMBEDDED_POSTGRES_PORT: port } = readSettings(env)
  const home = homeAt(SLUICE_HOME)
  const password = await readFile(path.join(home.postgres, 'password'), 'utf8').catch(() => null)
  if (password && port !== 0 && (await ownerOf(home)) !== undefined) {
    return `postgres://sluice:${password.trim()}@127.0.0.1:${port}/sluice`
  }
  throw new SluiceError(
    'CONFIGURATION',
    'DATABASE_URL is missing, and no "npm start" with an embedded database runs here. Set it, or start Sluice first.',
  )
}

/**
 * What seals secrets at rest: SLUICE_SECRET_KEY, or the key of the embedded installation.
 *
 * @throws SluiceError CONFIGURATION
 */
export async function secretKeyOf(env: Env): Promise<string> {
  if (env.SLUICE_SECRET_KEY) return env.SLUICE_SECRET_KEY
  const home = homeAt(readSettings(env).SLUICE_HOME)
  const key = env.DATABASE_URL ? null : await readFile(home.secretKey, 'utf8').catch(() => null)
  if (key) return key.trim()
  throw new SluiceError('CONFIGURATION', 'SLUICE_SECRET_KEY is missing; it is the one that the gateways run with.')
}
