import fc from 'fast-check'
import { expect, it } from 'vitest'
import { matchingTargets } from '../src/sessions/targets.ts'
import { parsePattern } from '../src/tables/event-shape.ts'
import { evaluate } from '../src/tables/predicate-memory.ts'
import { decide } from '../src/webhooks/decide.ts'
import { explainTarget, type TargetFacts } from '../src/webhooks/explain.ts'
import { anEvent, aPattern, someDestinations, someTargets } from './ground/patterns.ts'

const runs = { numRuns: Number(process.env.FUZZ_RUNS ?? 1000) }

it('explains what would happen, and that happens', () => {
  fc.assert(
    fc.property(anEvent, someDestinations, someTargets, (event, destinations, targets) => {
      const explained = targets.map((target) => {
        const destination = destinations.find((each) => each.integration_id === target.integration_id)
        const facts: TargetFacts = {
          ...target,
          kind: target.kind === 'webhook' ? 'webhook' : 'connection',
          name: target.id,
          integration: target.integration_id,
          integration_active: true,
          is_platform: false,
          enabled: true,
          health: 'active',
          state_reason: null,
          events: target.events ?? null,
          destination: destination?.config ?? null,
        }
        return explainTarget(event, facts, false)
      })
      const matching = matchingTargets(event, destinations, targets).map(({ id }) => id)
      expect(explained.filter(({ matches }) => matches).map(({ id }) => id)).toEqual(matching)
      for (const { matches, reasons } of explained) expect(reasons.length === 0).toBe(matches)
    }),
    runs,
  )
})

it('finds the truth that the pattern has, and names comparisons that decided it', () => {
  fc.assert(
    fc.property(anEvent, aPattern, (event, pattern) => {
      const { truth, clauses } = decide(pattern, event)
      expect(truth).toBe(evaluate(parsePattern(pattern), { ...event }, {}))
      if (truth !== true) expect(clauses).not.toEqual([])
    }),
    runs,
  )
})

it('says where in the pattern it failed, what was expected there and what came', () => {
  const event = { type: 'session.submitted', team: 'camden', flow: 'apply', kind: 'application', config: { a: 1 } }
  const pattern = {
    team: { _eq: 'camden' },
    _or: [{ flow: { _in: ['x', 'y'] } }, { _not: { config: { _contains: { a: 1 } } } }],
  }
  expect(decide(pattern, event)).toEqual({
    truth: false,
    clauses: [
      { path: 'pattern._or[0].flow', operator: '_in', expected: ['x', 'y'], got: 'apply' },
      { path: 'pattern._or[1]._not.config', operator: '_contains', expected: { a: 1 }, got: { a: 1 } },
    ],
  })
  expect(decide({ _or: [] }, event)).toMatchObject({ truth: false, clauses: [{ path: 'pattern', operator: '_or' }] })
  expect(decide({}, event)).toEqual({ truth: true, clauses: [] })
})
