import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matches } from '../tables/predicate-memory.ts'
import { aPredicate, aRow, columns } from './live.fixture.ts'
import { mayMatch } from './may-match.ts'

describe('whether a row may satisfy a predicate', () => {
  it('is never denied when some way to fill in what is not known satisfies it', () => {
    let satisfied = 0
    fc.assert(
      fc.property(aPredicate, aRow, fc.subarray(Object.keys(columns)), (predicate, row, hidden) => {
        const known = Object.fromEntries(Object.entries(row).filter(([name]) => !hidden.includes(name)))
        if (!matches(predicate, row, { related: () => [] })) return
        satisfied += 1
        expect(mayMatch(predicate, known)).toBe(true)
      }),
      { numRuns: 20_000 },
    )
    expect(satisfied).toBeGreaterThan(2_000)
  })

  it('is the truth itself for a whole row and a predicate that memory can decide', () => {
    fc.assert(
      fc.property(aPredicate, aRow, (predicate, row) => {
        if (JSON.stringify(predicate).includes('"exists"')) return
        expect(mayMatch(predicate, row)).toBe(matches(predicate, row))
      }),
      { numRuns: 5_000 },
    )
  })

  it('stays open for what time decides', () => {
    const expired = { expires_at: '2001-01-01T00:00:00+00:00' }
    const lives = {
      kind: 'compare',
      column: 'expires_at',
      type: 'timestamptz',
      list: false,
      operator: '_gt',
      operand: { kind: 'now' },
    } as const
    expect(mayMatch(lives, expired)).toBe(true)
    expect(mayMatch({ kind: 'not', of: lives }, expired)).toBe(true)
  })
})
