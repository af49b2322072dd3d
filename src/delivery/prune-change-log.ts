/** Removes what every reader of the change log has long read. */
import type pg from 'pg'

export interface ChangeLogPruner {
  /** @returns how many rows were removed. */
  prune(): Promise<number>
}

export interface PruneOptions {
  /** How long a row stays readable after the transactions before it have ended, in milliseconds. */
  readonly keepMs: number
  /** Rows of one statement, so that none runs long. @default 5000 */
  readonly batch?: number
  /** Milliseconds; injectable for tests. @default performance.now */
  readonly clock?: () => number
}

/**
 * A row becomes readable when its own transaction and all older ones have ended,
 * however long ago it was written. So it is not a row's age that counts: at each
 * run the horizon is noted, and what lies below a horizon that was noted
 * `keepMs` ago has been readable for that long. The first run only notes.
 */
export function createChangeLogPruner(
  pool: pg.Pool,
  { keepMs, batch = 5000, clock = () => performance.now() }: PruneOptions,
): ChangeLogPruner {
  let noted: { readonly at: number; readonly horizon: string }[] = []
  return {
    async prune() {
      const { rows } = await pool.query<{ horizon: string }>(
        'select pg_snapshot_xmin(pg_current_snapshot())::text as horizon',
      )
      noted.push({ at: clock(), horizon: rows[0]?.horizon ?? '0' })
      const passed = noted.findLast(({ at }) => clock() - at >= keepMs)
      if (!passed) return 0
      noted = noted.filter(({ at }) => at >= passed.at)
      return removeBelow(pool, passed.horizon, batch)
    },
  }
}

/** Works from the front of the log, in batches along its index. */
async function removeBelow(pool: pg.Pool, horizon: string, batch: number): Promise<number> {
  let removed = 0
  for (;;) {
    const { rowCount } = await pool.query(
      `delete from change_log where seq in (
         select seq from change_log where xid < $1::xid8 order by xid, seq limit $2)`,
      [horizon, batch],
    )
    removed += rowCount ?? 0
    if ((rowCount ?? 0) < batch) return removed
  }
}
