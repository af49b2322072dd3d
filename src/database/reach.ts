import pg from 'pg'
import { SluiceError } from '../errors.ts'

/**
 * One connection to the database of `url`, for who cannot go on without; whoever asked ends it.
 *
 * @throws SluiceError CONFIGURATION when `url` is no address of a PostgreSQL, or leads to no database that may be used. It
 * holds no password.
 */
export async function reachDatabase(url: string): Promise<pg.Client> {
  const client = clientOf(url)
  try {
    await client.connect()
    return client
  } catch (cause) {
    await client.end().catch(() => undefined)
    const { code, message } = cause as { code?: string; message: string }
    throw new SluiceError(
      'CONFIGURATION',
      `The database at ${withoutPassword(url)} cannot be used: ${message || code}. Check DATABASE_URL and that the server runs.`,
      { cause },
    )
  }
}

/** The address, for people to read. */
export function withoutPassword(url: string): string {
  return url.replace(/^(\w+:\/\/[^:@/]*):.*@/, '$1@').replace(/([?&]password=)[^&]*/g, '$1…')
}

function clientOf(url: string): pg.Client {
  try {
    if (/^postgres(ql)?:\/\//.test(url)) return new pg.Client({ connectionString: url })
  } catch {
    // What cannot be read may have a password anywhere, and its error quotes it.
  }
  throw new SluiceError(
    'CONFIGURATION',
    'DATABASE_URL cannot be read. It looks like postgres://user:password@host:5432/database; signs such as # / ? @ in a password are written %23 %2F %3F %40.',
  )
}
