/**
 * Postgres's clock as this process sees it. Postgres notes when a transaction
 * committed (`track_commit_timestamp`, microseconds), we note when something
 * arrived; to subtract one from the other, both must be on one clock.
 */
import type pg from 'pg'

export interface DatabaseClock {
  /** Add it to `performance.now()` to get Postgres's time in epoch milliseconds. */
  readonly offsetMs: number
  /** The offset is right within this much: half of the fastest round trip. */
  readonly uncertaintyMs: number
}

/** Of many readings the one with the shortest round trip is the best (RFC 5905 filters in this way). */
export async function readClock(pool: pg.Pool, readings = 40): Promise<DatabaseClock> {
  let best: DatabaseClock = { offsetMs: Number.NaN, uncertaintyMs: Number.POSITIVE_INFINITY }
  const client = await pool.connect()
  try {
    for (let reading = 0; reading < readings; reading++) {
      const before = performance.now()
      const { rows } = await client.query<{ at: number }>({
        name: 'read-clock',
        text: 'select (extract(epoch from clock_timestamp()) * 1000)::float8 as at',
      })
      const after = performance.now()
      const uncertaintyMs = (after - before) / 2
      if (uncertaintyMs < best.uncertaintyMs) {
        best = { offsetMs: (rows[0]?.at ?? Number.NaN) - (before + after) / 2, uncertaintyMs }
      }
    }
  } finally {
    client.release()
  }
  return best
}
