/** Removes the records of what was delivered, told and replayed long ago. What it was about is gone by then, or can be read itself. */
import type pg from 'pg'
import { deleteAlong, deleteInBatches, firstIdOf } from '../database/batches.ts'

export interface PruneHistoryOptions {
  /** What is older goes. */
  readonly before: Date
  /** Rows of one statement, so that none runs long. @default 1000 */
  readonly batch?: number
}

/**
 * Operational events, replays that have ended, deliveries whose session was purged before then, and webhooks' secrets that ended
 * before then. Keys are UUIDv7, so age is a range of the primary key; attempts, runs and items go with what they belong to.
 *
 * @returns how many rows were removed, of these tables.
 */
export async function pruneHistory(
  pool: pg.Pool,
  { before, batch = 1000 }: PruneHistoryOptions,
): Promise<{ readonly operational_events: number; readonly replays: number; readonly deliveries: number }> {
  const end = firstIdOf(before)
  await pool.query('delete from webhook_secrets where expires_at < $1', [before])
  return {
    operational_events: await removeOldest(pool, 'operational_events', 'true', end, batch),
    // Deliveries that it brought back name it, so few at a time.
    replays: await removeOldest(pool, 'replays', `status <> 'running'`, end, Math.min(batch, 20)),
    deliveries: await removeDeliveries(pool, before, batch),
  }
}

async function removeOldest(
  pool: pg.Pool,
  table: 'operational_events' | 'replays',
  which: string,
  end: string,
  batch: number,
): Promise<number> {
  return deleteInBatches(
    pool,
    `delete from ${table} where id in (select id from ${table} where id < $1 and ${which} order by id limit $2)`,
    end,
    batch,
  )
}

/** What stays in the range belongs to sessions that are not purged, of which there is an end. */
async function removeDeliveries(pool: pg.Pool, before: Date, batch: number): Promise<number> {
  return deleteAlong(
    pool,
    `with span as materialized (
       select id, session_id from deliveries where id > $1 and id < $2 order by id limit $3
     ), gone as (
       delete from deliveries d using span, sessions s
        where d.id = span.id and s.id = span.session_id and s.purged_at < $4
       returning d.id
     )
     select (select id from span order by id desc limit 1) as last, (select count(*) from gone)::int as removed`,
    { end: firstIdOf(before), batch, values: [before] },
  )
}
