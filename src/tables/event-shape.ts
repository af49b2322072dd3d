/** What webhook and connection patterns speak of: the event's own words. */
import { type Predicate, parsePredicate, type Shape } from './predicate.ts'

export const eventShape: Shape = {
  name: 'an event',
  columns: new Map([
    ['type', { type: 'text', list: false }],
    ['team', { type: 'text', list: false }],
    ['flow', { type: 'text', list: false }],
    ['kind', { type: 'text', list: false }],
    ['config', { type: 'jsonb', list: false }],
  ]),
  relations: new Map(),
}

/** The variables of one event for one target: slugs, and the configuration of session and destination merged. */
export interface EventVariables {
  readonly type: string
  readonly team: string
  readonly flow: string
  readonly kind: string
  readonly config: Readonly<Record<string, unknown>>
}

/**
 * A webhook's or connection's pattern.
 *
 * Patterns are evaluated in memory, so regular expressions keep to the portable
 * dialect of `predicate-regex.ts`.
 *
 * @throws SluiceError VALIDATION_FAILED that says which words a pattern may use.
 * @example parsePattern({ team: { _eq: 'camden' }, config: { _contains: { region: 'north' } } })
 */
export function parsePattern(pattern: unknown): Predicate {
  return parsePredicate(pattern, eventShape, { path: 'pattern', inMemory: true })
}
