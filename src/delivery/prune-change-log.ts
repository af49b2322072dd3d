/** Removes what every reader of the change log has long read. */
import type pg from 'pg'

export interface PruneOptions {
  /** Rows older than this go, in milliseconds. */
  readonly olderThanMs: number
  /** Rows of one statement, so that none runs long. @default 5000 */
  readonly batch?: number
}

/**
 * Works from the front of the log, so a log with nothing old in it costs the
 * reading of one batch.
 *
 * @returns how many rows were removed.
 */
export async function pruneChangeLog(pool: pg.Pool, { olderThanMs, batch = 5000 }: PruneOptions): Promise<number> {
  let removed = 0
  for (;;) {
    const { rowCount } = await pool.query(
      `with front as (
         select seq, created_at from change_log order by seq limit $2
       )
       delete from change_log c using front
        where c.seq = front.seq and front.created_at < now() - $1::float8 * interval '1 millisecond'`,
      [olderThanMs, batch],
    )
    removed += rowCount ?? 0
    if ((rowCount ?? 0) < batch) return removed
  }
}
