import { migrate } from '../database/migrate.ts'
import { SluiceError } from '../errors.ts'

/** Command `migrate`: needs DATABASE_URL only. */
export async function runMigrate(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  if (!env.DATABASE_URL) {
    throw new SluiceError(
      'CONFIGURATION',
      'DATABASE_URL is missing; it looks like postgres://user:password@host:5432/database. "npm start" migrates its embedded database itself.',
    )
  }
  const applied = await migrateDatabase(env.DATABASE_URL)
  console.log(applied.length === 0 ? 'The database is up to date.' : `Applied ${applied.join(', ')}.`)
}

/** Codes of Postgres and of the network that say that this address leads to no database we may use. */
const unreachable = new Set(['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'EHOSTUNREACH', '28P01', '28000', '3D000'])

/**
 * `migrate`, with a plain sentence for a database that cannot be reached.
 *
 * @throws SluiceError CONFIGURATION
 */
export async function migrateDatabase(url: string): Promise<readonly string[]> {
  try {
    return await migrate(url)
  } catch (cause) {
    const { code = '', message } = cause as { code?: string; message: string }
    if (!unreachable.has(code)) throw cause
    throw new SluiceError(
      'CONFIGURATION',
      `The database at ${withoutPassword(url)} cannot be used: ${message || code}. Check DATABASE_URL and that the server runs.`,
      { cause },
    )
  }
}

export function withoutPassword(url: string): string {
  const parsed = new URL(url)
  parsed.password = ''
  return parsed.href
}
