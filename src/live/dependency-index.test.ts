import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Change } from './change-feed.ts'
import type { Dependency } from './dependencies.ts'
import { createDependencyIndex } from './dependency-index.ts'
import { aRoutedPredicate, aRow, columns } from './live.fixture.ts'
import { mayMatch } from './may-match.ts'

const aTable = fc.constantFrom('things', 'others')
const aDependency: fc.Arbitrary<Dependency> = fc.record({ table: aTable, predicate: aRoutedPredicate })
/** Images lack the columns that the change log does not keep. */
const anImage = fc
  .tuple(aRow, fc.subarray(Object.keys(columns), { maxLength: 2 }))
  .map(([row, hidden]) => Object.fromEntries(Object.entries(row).filter(([name]) => !hidden.includes(name))))
const aChange: fc.Arbitrary<Change> = fc
  .record({ table: aTable, old: fc.option(anImage), new: fc.option(anImage) })
  .map((change) => ({ ...change, operation: 'update', key: {} }))

describe('the index of dependencies', () => {
  it('finds exactly those whom asking everybody finds, while owners come and go', () => {
    let found = 0
    fc.assert(
      fc.property(
        fc.array(fc.array(aDependency, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 }),
        fc.array(aChange, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        (owners, changes, leaving) => {
          const index = createDependencyIndex<number>()
          const present = new Map(owners.entries())
          for (const [owner, dependencies] of present) index.add(owner, dependencies)
          const compare = () => {
            for (const change of changes) {
              const naive = [...present].filter(([, dependencies]) => dependencies.some((one) => concerns(one, change)))
              const expected = naive.map(([owner]) => owner)
              found += expected.length
              expect([...index.concernedBy(change)].sort((a, b) => a - b)).toEqual(expected)
            }
          }
          compare()
          for (const number of leaving) {
            const owner = number % owners.length
            index.remove(owner)
            present.delete(owner)
          }
          compare()
        },
      ),
      { numRuns: 1_000 },
    )
    expect(found).toBeGreaterThan(1_000)
  })

  it('asks of ten thousand only the few that its values lead to', () => {
    const index = createDependencyIndex<number>()
    const ids = Array.from(
      { length: 10_000 },
      (_, owner) => `0198f000-0000-7000-8000-${String(owner).padStart(12, '0')}`,
    )
    ids.forEach((id, owner) => {
      const predicate = { kind: 'compare', column: 'id', type: 'uuid', list: false, operator: '_eq' } as const
      index.add(owner, [{ table: 'things', predicate: { ...predicate, operand: { kind: 'value', value: id } } }])
    })
    const began = performance.now()
    for (const [owner, id] of ids.entries()) {
      const change = { table: 'things', operation: 'insert', key: { id }, old: null, new: { id } } as const
      expect(index.concernedBy(change)).toEqual(new Set([owner]))
    }
    // Asking everybody would be a hundred million questions.
    expect(performance.now() - began).toBeLessThan(5_000)
  })
})

function concerns({ table, predicate }: Dependency, change: Change): boolean {
  return table === change.table && [change.old, change.new].some((image) => image && mayMatch(predicate, image))
}
