/** One connection pool per process, shared by the two ways in: plain SQL (`pool`) and typed writes (`prisma`). */
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import type { Log } from '../log.ts'
import { PrismaClient } from './generated/prisma/client.ts'

export interface Database {
  readonly pool: pg.Pool
  readonly prisma: PrismaClient
  close(): Promise<void>
}

export interface DatabaseOptions {
  readonly url: string
  /** @default 10 */
  readonly poolSize?: number
  readonly log: Log
  /** Shown in `pg_stat_activity`. */
  readonly applicationName?: string
}

/**
 * Opens the pool; no connection is made before the first query. Sessions run in
 * UTC, which Prisma's adapter relies on when it reads a `timestamptz`.
 */
export function openDatabase({ url, poolSize = 10, log, applicationName = 'sluice' }: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: applicationName,
    options: '-c timezone=UTC -c idle_in_transaction_session_timeout=60000',
  })
  // An idle connection that Postgres closes (a restart) is replaced at the next query.
  pool.on('error', (error) => log.warn({ error: error.message }, 'an idle database connection was lost'))
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })
  return {
    pool,
    prisma,
    async close() {
      await prisma.$disconnect()
      await pool.end()
    },
  }
}

/** Runs `work` in one transaction on one connection; rolls back when it throws. */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((rollbackError: Error) => {
      broken = rollbackError
    })
    throw error
  } finally {
    client.release(broken)
  }
}
