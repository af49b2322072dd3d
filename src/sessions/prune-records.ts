/** The last of a session: what a purge left, which says that it was here. */
import type pg from 'pg'
import { deleteInBatches } from '../database/batches.ts'

export interface PruneRecordsOptions {
  /** Sessions that were purged before then. */
  readonly before: Date
  /** Of one statement; each takes its events, grants, deliveries and the rest with it. @default 200 */
  readonly batch?: number
}

/**
 * Removes the records of sessions that were purged long ago, and trips that are as old and have none. Audit entries stay. From
 * then on nobody knows that there was such a session, and its id may be used again.
 *
 * @returns how many sessions.
 */
export async function pruneRecords(pool: pg.Pool, { before, batch = 200 }: PruneRecordsOptions): Promise<number> {
  const removed = await deleteInBatches(
    pool,
    `delete from sessions where id in (
       select id from sessions where purged_at < $1 order by purged_at, expires_at limit $2 for update skip locked)`,
    before,
    batch,
  )
  await pool.query(
    'delete from trips t where t.created_at < $1 and not exists (select from sessions s where s.trip_id = t.id)',
    [before],
  )
  return removed
}
