/** Deletes much in statements that each take few rows, so that none runs long. */
import type pg from 'pg'

type Pool = Pick<pg.Pool, 'query'>

/**
 * Repeats a statement until it finds less than a batch.
 *
 * @param text deletes at most `$2` of the rows that `$1` names.
 * @returns how many rows were removed.
 */
export async function deleteInBatches(pool: Pool, text: string, which: unknown, batch: number): Promise<number> {
  let removed = 0
  for (;;) {
    const { rowCount } = await pool.query(text, [which, batch])
    removed += rowCount ?? 0
    if ((rowCount ?? 0) < batch) return removed
  }
}

/**
 * Walks the ids before `end` once, from the first: for what is deleted from among rows that stay.
 *
 * @param text looks at the next `$3` rows after `$1` and before `$2`; further values are `$4` and so on. It returns one row:
 * `last`, the id to go on from, null at the end, and `removed`, how many of them it deleted.
 * @returns how many rows were removed.
 */
export async function deleteAlong(
  pool: Pool,
  text: string,
  { end, batch, values = [] }: { readonly end: string; readonly batch: number; readonly values?: readonly unknown[] },
): Promise<number> {
  let after = '00000000-0000-0000-0000-000000000000'
  let removed = 0
  for (;;) {
    const { rows } = await pool.query<{ last: string | null; removed: number }>(text, [after, end, batch, ...values])
    removed += rows[0]?.removed ?? 0
    const last = rows[0]?.last
    if (!last) return removed
    after = last
  }
}

/** No UUIDv7 made before `at` is larger (RFC 9562, 5.7: 48 bits of milliseconds come first). */
export function firstIdOf(at: Date): string {
  const hex = Math.max(0, at.getTime()).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`
}
