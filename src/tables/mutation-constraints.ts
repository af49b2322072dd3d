/** Unique keys by the names that Prisma gives them in Postgres. */
import type { VisibleTable } from './role-view.ts'

/** `flows_team_id_slug_key` → `['team_id', 'slug']`. */
export function constraintsOf({ table }: VisibleTable): ReadonlyMap<string, readonly string[]> {
  return new Map([
    [`${table.name}_pkey`, table.primaryKey],
    ...table.uniques.map((columns): [string, readonly string[]] => [`${table.name}_${columns.join('_')}_key`, columns]),
  ])
}

/** Whether a row that this role inserts can meet one that is there: some unique key is all its own to set. */
export function mayConflict(visible: VisibleTable): boolean {
  const { insert } = visible.writes
  if (!insert) return false
  return [...constraintsOf(visible).values()].some((columns) =>
    columns.every((column) => insert.columns.has(column) || insert.presets.has(column)),
  )
}
