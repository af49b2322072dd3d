/** The console's rows of a pattern mean what the gateway finds in its JSON. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fromJson, toJson } from '../../src/console/pages/webhook-new/pattern/pattern.ts'
import { parsePattern } from '../../src/tables/event-shape.ts'
import { evaluate } from '../../src/tables/predicate-memory.ts'
import { anEvent, aPattern } from '../ground/patterns.ts'

it('a pattern means the same after a visit to the rows', () => {
  fc.assert(
    fc.property(anEvent, aPattern, (event, pattern) => {
      const truth = (given: unknown) => evaluate(parsePattern(given), { ...event }, {})
      expect(truth(toJson(fromJson(pattern)))).toBe(truth(pattern))
    }),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 1000) },
  )
})
