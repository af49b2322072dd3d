/** Removes the attempts of deliveries that succeeded long ago. What failed stays for longer, to be looked into. */
import type pg from 'pg'
import { deleteAlong, firstIdOf } from '../database/batches.ts'

export interface PruneAttemptsOptions {
  /** Attempts of deliveries that succeeded go when they began longer ago than this, in milliseconds. */
  readonly olderThanMs: number
  /** Those of the others, once they are final. @default for ever */
  readonly failedOlderThanMs?: number
  /** Rows of one statement, so that none runs long. @default 2000 */
  readonly batch?: number
}

/**
 * Keys are UUIDv7, so "older than" is a range of the primary key, walked once
 * from its start.
 *
 * @returns how many rows were removed.
 */
export async function pruneAttempts(
  pool: pg.Pool,
  { olderThanMs, failedOlderThanMs, batch = 2000 }: PruneAttemptsOptions,
): Promise<number> {
  const end = firstIdOf(new Date(Date.now() - olderThanMs))
  const failedEnd = firstIdOf(new Date(failedOlderThanMs === undefined ? 0 : Date.now() - failedOlderThanMs))
  return deleteAlong(
    pool,
    `with span as materialized (
       select id, delivery_id from delivery_attempts where id > $1 and id < $2 order by id limit $3
     ), gone as (
       delete from delivery_attempts a using span, deliveries d
        where a.id = span.id and d.id = span.delivery_id
          and (d.status = 'succeeded' or (a.id < $4 and d.due_at is null))
       returning a.id
     )
     select (select id from span order by id desc limit 1) as last, (select count(*) from gone)::int as removed`,
    { end, batch, values: [failedEnd] },
  )
}
