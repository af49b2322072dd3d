/** Why a pattern matches an event, or does not: the comparisons that decided it. */
import { type EventVariables, parsePattern, patternPath } from '../tables/event-shape.ts'
import { evaluate, type Truth } from '../tables/predicate-memory.ts'

/** One comparison of a pattern, and what it met. */
export interface Clause {
  /** Its place: `pattern._or[1].flow`. */
  readonly path: string
  /** `_eq`, `_contains`, …; `_and`, `_or` and `_not` where they hold nothing. */
  readonly operator: string
  /** What stands on its right. */
  readonly expected: unknown
  /** What the event has there. */
  readonly got: unknown
}

export interface Decision {
  /** Unknown counts as no match. */
  readonly truth: Truth
  /** Those that made it so: of AND the ones that failed, of OR the one that held, and otherwise all. */
  readonly clauses: readonly Clause[]
}

/**
 * The same truth as `evaluate(parsePattern(pattern), event)`.
 *
 * @throws SluiceError VALIDATION_FAILED for a pattern that cannot be read.
 * @example decide({ flow: { _eq: 'apply' } }, event).clauses[0] // { path: 'pattern.flow', operator: '_eq', expected: 'apply', got: 'b' }
 */
export function decide(pattern: unknown, event: EventVariables): Decision {
  parsePattern(pattern)
  return expression(pattern as Json, patternPath, event)
}

type Json = Readonly<Record<string, unknown>>

function expression(input: Json, path: string, event: EventVariables): Decision {
  return all(Object.entries(input).map(([key, value]) => entry(key, value, path, event)))
}

function entry(key: string, value: unknown, path: string, event: EventVariables): Decision {
  const here = `${path}.${key}`
  if (key === '_and' || key === '_or') {
    const items = (Array.isArray(value) ? value : [value]) as readonly Json[]
    if (items.length === 0) {
      return { truth: key === '_and', clauses: [{ path, operator: key, expected: [], got: null }] }
    }
    const parts = items.map((item, index) => expression(item, `${here}[${index}]`, event))
    return key === '_and' ? all(parts) : any(parts)
  }
  if (key === '_not') {
    const { truth, clauses } = expression(value as Json, here, event)
    const opposite = truth === null ? null : !truth
    if (clauses.length > 0) return { truth: opposite, clauses }
    return { truth: opposite, clauses: [{ path, operator: key, expected: value, got: null }] }
  }
  return all(
    Object.entries(value as Json).map(([operator, expected]) => {
      const truth = evaluate(parsePattern({ [key]: { [operator]: expected } }), { ...event }, {})
      const got = event[key as keyof EventVariables]
      return { truth, clauses: [{ path: here, operator, expected, got }] }
    }),
  )
}

/** What is false decides; else what is unknown; else all of them together. */
function all(parts: readonly Decision[]): Decision {
  return (
    together(parts, false) ?? together(parts, null) ?? { truth: true, clauses: parts.flatMap(({ clauses }) => clauses) }
  )
}

/** The first that holds decides; else what is unknown; else that none held. */
function any(parts: readonly Decision[]): Decision {
  const held = parts.find(({ truth }) => truth === true)
  if (held) return held
  return together(parts, null) ?? { truth: false, clauses: parts.flatMap(({ clauses }) => clauses) }
}

function together(parts: readonly Decision[], truth: Truth): Decision | null {
  const those = parts.filter((part) => part.truth === truth)
  return those.length === 0 ? null : { truth, clauses: those.flatMap(({ clauses }) => clauses) }
}
