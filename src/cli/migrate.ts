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
  const applied = await migrate(env.DATABASE_URL)
  console.log(applied.length === 0 ? 'The database is up to date.' : `Applied ${applied.join(', ')}.`)
}
