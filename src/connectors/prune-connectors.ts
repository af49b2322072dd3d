/** Removes what connectors have left behind long ago: runs, purged raw sources, labels, secrets that have ended. */
import type pg from 'pg'
import { deleteInBatches, firstIdOf } from '../database/batches.ts'

export interface PruneConnectorsOptions {
  /** Runs that are older go, and raw sources that were purged before then. */
  readonly before: Date
  /** Purged raw sources whose digest kept a producer from taking them again go when they were purged before then. */
  readonly forget: Date
  /** Rows of one statement, so that none runs long. @default 2000 */
  readonly batch?: number
}

/** Labels are asked for again when somebody wants to read them; their keys come from sessions. */
const labelDays = 30

/** @returns how many rows were removed. */
export async function pruneConnectors(
  pool: pg.Pool,
  { before, forget, batch = 2000 }: PruneConnectorsOptions,
): Promise<number> {
  const inBatches = (text: string, which: unknown) => deleteInBatches(pool, text, which, batch)
  // Keys are UUIDv7: age is a range of the primary key.
  const runs = await inBatches(
    'delete from connector_runs where id in (select id from connector_runs where id < $1 order by id limit $2)',
    firstIdOf(before),
  )
  const payloads = await inBatches(
    `delete from raw_sources where id in (
       select id from raw_sources where purged_at < $1 and unique_id is null order by purged_at limit $2)`,
    before,
  )
  const sources = await inBatches(
    'delete from raw_sources where id in (select id from raw_sources where purged_at < $1 order by purged_at limit $2)',
    forget,
  )
  const labels = await inBatches(
    `delete from connector_labels where (connector_id, locale, key) in (
       select connector_id, locale, key from connector_labels where created_at < $1 limit $2)`,
    new Date(Date.now() - labelDays * 86_400_000),
  )
  const secrets = await inBatches(
    'delete from inbound_secrets where id in (select id from inbound_secrets where expires_at < $1 limit $2)',
    before,
  )
  return runs + payloads + sources + labels + secrets
}
