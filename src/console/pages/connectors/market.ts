/** One entry for each connector, whatever the number of its versions. Pure. */
import { newerFirst } from '../connector-parts/manifest.ts'
import type { MarketRow } from './queries.ts'

export interface MarketEntry {
  /** What is shown: the newest approved version, else the newest that is there. */
  readonly shown: MarketRow
  /** Versions that wait for an admin. */
  readonly waiting: readonly MarketRow[]
  /** Of all versions. */
  readonly connections: MarketRow['connections']
}

/** In the order of names. */
export function entriesOf(rows: readonly MarketRow[]): readonly MarketEntry[] {
  const byImplementation = Map.groupBy(rows, ({ implementation }) => implementation)
  return [...byImplementation.values()].flatMap((versions) => {
    const sorted = versions.toSorted((a, b) => newerFirst(a.version, b.version))
    const shown = sorted.find(({ status }) => status === 'approved') ?? sorted[0]
    if (!shown) return []
    return [
      {
        shown,
        waiting: sorted.filter(({ status }) => status === 'submitted'),
        connections: sorted.flatMap(({ connections }) => connections),
      },
    ]
  })
}
