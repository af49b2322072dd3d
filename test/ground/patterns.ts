/** Random events, destinations and patterns out of few words, so that they often meet. */
import fc from 'fast-check'
import type { EventFacts, FlowDestination, Target } from '../../src/sessions/targets.ts'

const word = fc.constantFrom('a', 'b', 'c')
const key = fc.constantFrom('region', 'office', 'size')
const value = fc.oneof(word, fc.constantFrom(0, -0, 1, 2.5, true, false, null), fc.constantFrom({ x: 1 }, ['a'], []))
const config = fc.dictionary(key, value, { maxKeys: 3 })
const integration = fc.constantFrom('i1', 'i2', 'i3')

const textTests = fc.oneof(
  fc.record({ _eq: word }),
  fc.record({ _neq: word }),
  fc.record({ _in: fc.array(word, { maxLength: 3 }) }),
  fc.record({ _nin: fc.array(word, { maxLength: 2 }) }),
  fc.record({ _gt: word, _lte: word }),
  fc.record({ _like: fc.constantFrom('a%', '%', '_') }),
  fc.record({ _is_null: fc.boolean() }),
  fc.constant({}),
)
const configTests = fc.oneof(
  fc.record({ _contains: config }),
  fc.record({ _contains: config, _has_key: key }),
  fc.record({ _has_keys_any: fc.array(key, { maxLength: 2 }) }),
  fc.record({ _contained_in: config }),
  fc.record({ _eq: config }),
  fc.record({ _contains: value.filter((given) => given !== null) }),
)
const eventType = fc.constantFrom('session.submitted', 'session.updated')

/** A pattern in its JSON form. */
export const aPattern = fc.letrec<{ tree: Record<string, unknown>; leaf: Record<string, unknown> }>((tie) => ({
  leaf: fc
    .record(
      { flow: textTests, team: textTests, kind: textTests, type: textTests, config: configTests },
      { requiredKeys: [] },
    )
    .map((given) => given as Record<string, unknown>),
  tree: fc.oneof(
    { maxDepth: 3 },
    tie('leaf'),
    fc.record({ _and: fc.array(tie('tree'), { maxLength: 3 }) }),
    fc.record({ _or: fc.array(tie('tree'), { maxLength: 3 }) }),
    fc.record({ _and: tie('tree') }),
    fc.record({ _not: tie('tree') }),
    fc.tuple(tie('leaf'), tie('tree')).map(([leaf, tree]) => ({ ...leaf, ...tree })),
  ),
})).tree

export const anEvent: fc.Arbitrary<EventFacts> = fc.record({
  type: eventType,
  team: word,
  flow: word,
  kind: word,
  config,
})

export const someDestinations: fc.Arbitrary<FlowDestination[]> = fc.uniqueArray(
  fc.record({ integration_id: integration, config }),
  { selector: ({ integration_id }) => integration_id, maxLength: 3 },
)

export const someTargets: fc.Arbitrary<Target[]> = fc
  .array(
    fc.record({
      kind: fc.constantFrom('webhook' as const, 'connection' as const),
      integration_id: integration,
      pattern: aPattern,
      events: fc.option(fc.subarray(['session.submitted', 'session.updated'], { minLength: 1 })),
    }),
    { maxLength: 12 },
  )
  .map((targets) => targets.map((target, index) => ({ id: `t${index}`, ...target })))
