/** What webhook and connection patterns speak of: the event's own words. */
import { z } from 'zod'
import { type Predicate, parsePredicate, type Shape } from './predicate.ts'

/** What can happen to a session. */
export const sessionEventTypes = ['session.submitted', 'session.updated', 'session.expiring', 'session.purged'] as const

/** What can happen to a target, told to whoever wants to hear it. */
export const operationalEventTypes = [
  'webhook.failing',
  'webhook.disabled',
  'webhook.recovered',
  'connection.failing',
  'connection.disabled',
  'connection.recovered',
  'connection.modifier_loop',
  'connection.payload_missing',
  'delivery.exhausted',
] as const

export const eventTypes = [...sessionEventTypes, ...operationalEventTypes] as const

/** What a target hears of when nobody said otherwise. */
export const defaultEvents: readonly string[] = ['session.submitted']

/** The `events` of a webhook or connection: each type once, at least one. */
export const eventList = z
  .array(z.enum(eventTypes, { message: `may hold ${eventTypes.join(', ')}` }))
  .min(1, { message: 'must name at least one type of event; to hear nothing, disable it' })
  .refine((types) => new Set(types).size === types.length, { message: 'names a type of event twice' })

/** Strictly in order, and at most so many deliveries a second; null is unlimited. */
export const deliverySettings = {
  ordered: z.boolean(),
  rate_per_second: z
    .number()
    .min(0.01, { message: 'may be 0.01 to 1000 a second, or null for no limit' })
    .max(1000, { message: 'may be 0.01 to 1000 a second, or null for no limit' })
    .nullable(),
}

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

/** The path at which a pattern stands in error messages and explanations. */
export const patternPath = 'pattern'

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
  return parsePredicate(pattern, eventShape, { path: patternPath, inMemory: true })
}
