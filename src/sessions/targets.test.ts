import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anEvent, someDestinations, someTargets } from '../../test/ground/patterns.ts'
import { parsePattern } from '../tables/event-shape.ts'
import { matches } from '../tables/predicate-memory.ts'
import { type EventFacts, type FlowDestination, matchingTargets, type Target } from './targets.ts'

const event: EventFacts = {
  type: 'session.submitted',
  team: 'camden',
  flow: 'apply',
  kind: 'application',
  config: { region: 'north' },
}

/** One target after the other, without an index. */
function plainly(event: EventFacts, destinations: readonly FlowDestination[], targets: readonly Target[]) {
  return targets.filter(({ integration_id, pattern, events }) => {
    const destination = destinations.find((each) => each.integration_id === integration_id)
    if (!destination || !(events ?? ['session.submitted']).includes(event.type)) return false
    return matches(parsePattern(pattern), { ...event, config: { ...event.config, ...destination.config } })
  })
}

test('the index finds what asking every target finds, in the same order', () => {
  fc.assert(
    fc.property(anEvent, someDestinations, someTargets, (event, destinations, targets) => {
      expect(matchingTargets(event, destinations, targets)).toEqual(plainly(event, destinations, targets))
    }),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 1500) },
  )
})

test('a changed pattern, set of events or version is seen at once', () => {
  const destinations = [{ integration_id: 'i', config: {} }]
  const ids = (target: object) =>
    matchingTargets(event, destinations, [{ id: 't', kind: 'webhook', integration_id: 'i', pattern: {}, ...target }])
  expect(ids({ pattern: { flow: { _eq: 'apply' } } })).toHaveLength(1)
  expect(ids({ pattern: { flow: { _eq: 'other' } } })).toHaveLength(0)
  expect(ids({ events: ['session.updated'] })).toHaveLength(0)
  expect(ids({ pattern: { flow: { _eq: 'other' } }, version: '1' })).toHaveLength(0)
  expect(ids({ pattern: { flow: { _eq: 'apply' } }, version: '2' })).toHaveLength(1)
})

test("the destination's configuration has the last word, for its own integration only", () => {
  const pattern = { config: { _contains: { region: 'south' } } }
  const targets = ['i', 'j'].map(
    (integration_id): Target => ({ id: integration_id, kind: 'webhook', integration_id, pattern }),
  )
  const destinations = [
    { integration_id: 'i', config: { region: 'south' } },
    { integration_id: 'j', config: {} },
  ]
  expect(matchingTargets(event, destinations, targets).map(({ id }) => id)).toEqual(['i'])
})

test('a thousand patterns are matched in well under a millisecond', () => {
  const destinations = Array.from({ length: 20 }, (_, n) => ({ integration_id: `i${n}`, config: { office: n } }))
  const targets = Array.from(
    { length: 1000 },
    (_, n): Target => ({
      id: crypto.randomUUID(),
      kind: 'webhook',
      integration_id: `i${n % 20}`,
      version: String(n),
      pattern:
        n % 2
          ? { flow: { _eq: `flow-${n}` } }
          : { team: { _eq: 'camden' }, config: { _contains: { region: `r${n % 50}` } } },
    }),
  )
  const times = Array.from({ length: 300 }, (_, n) => {
    const from = performance.now()
    matchingTargets({ ...event, flow: `flow-${n}`, config: { region: `r${n % 50}` } }, destinations, targets)
    return performance.now() - from
  }).sort((a, b) => a - b)
  const median = times[150] as number
  expect(median).toBeLessThan(0.5)
})
