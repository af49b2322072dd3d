/**
 * Finds whom a change concerns without asking everybody: dependencies are filed
 * by one equality of theirs (`flow_id = X`), so a change looks up the values of
 * its row, before and after, and only the dependencies found there are asked in full.
 */
import type { Change } from './change-feed.ts'
import { type Dependency, equalitiesOf } from './dependencies.ts'
import { mayMatch } from './may-match.ts'

export interface DependencyIndex<Owner> {
  add(owner: Owner, dependencies: readonly Dependency[]): void
  remove(owner: Owner): void
  /** Every owner that the change may concern. */
  concernedBy(change: Change): Set<Owner>
}

interface Entry<Owner> {
  readonly owner: Owner
  readonly dependency: Dependency
}

interface TableEntries<Owner> {
  /** Dependencies without an equality: asked at every change of the table. */
  readonly open: Set<Entry<Owner>>
  /** By column, then by value. */
  readonly filed: Map<string, Map<string, Set<Entry<Owner>>>>
}

export function createDependencyIndex<Owner>(): DependencyIndex<Owner> {
  const tables = new Map<string, TableEntries<Owner>>()
  /** How to take an owner's entries out again. */
  const removals = new Map<Owner, (() => void)[]>()

  const file = (entry: Entry<Owner>): (() => void) => {
    const { table, predicate } = entry.dependency
    const entries = tables.get(table) ?? { open: new Set(), filed: new Map() }
    tables.set(table, entries)
    const equality = narrowest(equalitiesOf(predicate))
    if (!equality) {
      entries.open.add(entry)
      return () => entries.open.delete(entry)
    }
    const [column, values] = equality
    const byValue = entries.filed.get(column) ?? new Map<string, Set<Entry<Owner>>>()
    entries.filed.set(column, byValue)
    const keys = new Set(values.map(keyOf))
    for (const key of keys) byValue.set(key, (byValue.get(key) ?? new Set()).add(entry))
    return () => {
      for (const key of keys) {
        const members = byValue.get(key)
        members?.delete(entry)
        if (members?.size === 0) byValue.delete(key)
      }
      if (byValue.size === 0) entries.filed.delete(column)
    }
  }

  return {
    add(owner, dependencies) {
      removals.set(
        owner,
        dependencies.map((dependency) => file({ owner, dependency })),
      )
    },
    remove(owner) {
      for (const remove of removals.get(owner) ?? []) remove()
      removals.delete(owner)
    },
    concernedBy(change) {
      const concerned = new Set<Owner>()
      const entries = tables.get(change.table)
      if (!entries) return concerned
      const images = [change.old, change.new].filter((image) => image !== null)
      const ask = (members: Iterable<Entry<Owner>>) => {
        for (const { owner, dependency } of members) {
          if (!concerned.has(owner) && images.some((image) => mayMatch(dependency.predicate, image)))
            concerned.add(owner)
        }
      }
      ask(entries.open)
      for (const [column, byValue] of entries.filed) {
        for (const image of images) {
          if (!(column in image)) for (const members of byValue.values()) ask(members)
          else if (image[column] !== null) ask(byValue.get(keyOf(image[column])) ?? [])
        }
      }
      return concerned
    },
  }
}

/** The equality with the fewest values; among equals, the one of a column that names single rows. */
function narrowest(equalities: ReadonlyMap<string, readonly unknown[]>): [string, readonly unknown[]] | null {
  const ranked = [...equalities].sort(([a, mine], [b, theirs]) => mine.length - theirs.length || rank(a) - rank(b))
  return ranked[0] ?? null
}

function rank(column: string): number {
  if (column === 'id') return 0
  if (column === 'session_id' || column === 'delivery_id') return 1
  if (column === 'team_id') return 3
  return column.endsWith('_id') ? 2 : 4
}

/** UUIDs are compared without regard to case and hyphens, as Postgres reads them. */
function keyOf(value: unknown): string {
  const text = String(value)
  return /^[0-9a-f-]{32,36}$/i.test(text) ? text.replaceAll('-', '').toLowerCase() : text
}
