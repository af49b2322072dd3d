/** Which webhooks and connections an event goes to: a function of values. */

import { type EventVariables, parsePattern } from '../tables/event-shape.ts'
import type { Predicate } from '../tables/predicate.ts'
import { matches } from '../tables/predicate-memory.ts'

export interface Target {
  readonly id: string
  readonly kind: 'webhook' | 'connection'
  readonly integration_id: string
  readonly pattern: unknown
}

export interface FlowDestination {
  readonly integration_id: string
  readonly config: Readonly<Record<string, unknown>>
}

export interface EventFacts {
  readonly type: string
  readonly team: string
  readonly flow: string
  readonly kind: string
  readonly config: Readonly<Record<string, unknown>>
}

/**
 * The targets whose integration is a destination of the flow and whose pattern
 * matches. A pattern sees the session's configuration with the destination's
 * over it, so that an editor's choice has the last word.
 */
export function matchingTargets(
  event: EventFacts,
  destinations: readonly FlowDestination[],
  targets: readonly Target[],
): readonly Target[] {
  const configOf = new Map(destinations.map((destination) => [destination.integration_id, destination.config]))
  return targets.filter((target) => {
    const config = configOf.get(target.integration_id)
    if (!config) return false
    const variables: EventVariables = { ...event, config: { ...event.config, ...config } }
    return matches(compiled(target.pattern), { ...variables })
  })
}

const patterns = new Map<string, Predicate>()

/** Patterns are few and submitted sessions many, so each is parsed once. */
function compiled(pattern: unknown): Predicate {
  const text = JSON.stringify(pattern)
  const known = patterns.get(text)
  if (known) return known
  if (patterns.size >= 10_000) patterns.clear()
  const parsed = parsePattern(pattern)
  patterns.set(text, parsed)
  return parsed
}
