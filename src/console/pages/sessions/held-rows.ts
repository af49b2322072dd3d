/** A live list that somebody is reading does not move under their eyes: what is new waits until they want it. */
import type { Place } from './filter.ts'

export interface Held<Row> {
  readonly rows: readonly Row[]
  /** New ones that are not shown yet; no more than the list's limit. */
  readonly waiting: number
}

/**
 * @param rows the newest, as the gateway has them now.
 * @param shown what was shown before, while it was held.
 * @param top the first row at the moment the reader came; null lets everything through.
 */
export function held<Row extends Place>(rows: readonly Row[], shown: readonly Row[], top: Place | null): Held<Row> {
  if (!top) return { rows, waiting: 0 }
  const isNewer = (row: Place) =>
    row.submitted_at === top.submitted_at
      ? row.id > top.id
      : Date.parse(row.submitted_at) > Date.parse(top.submitted_at)
  const known = new Map(rows.map((row) => [row.id, row]))
  const had = new Set(shown.map(({ id }) => id))
  const waiting = rows.filter(isNewer).length
  return {
    // Those that newer ones have pushed off the end stay as they were last seen.
    rows: [
      ...shown.flatMap((row) => known.get(row.id) ?? (waiting > 0 ? row : [])),
      ...rows.filter((row) => !isNewer(row) && !had.has(row.id)),
    ],
    waiting,
  }
}
