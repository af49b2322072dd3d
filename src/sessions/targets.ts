/**
 * Which webhooks and connections an event goes to: a function of values.
 *
 * Patterns are not tried one after the other. Each is filed under one equality
 * that it asks for (`flow = "a"`, `config.region = "north"`), so that an event
 * looks its own values up and only what is found there is asked in full; see
 * also `live/dependency-index.ts`. The index of a set of targets is kept until
 * one of them changes.
 */
import { defaultEvents, type EventVariables, parsePattern } from '../tables/event-shape.ts'
import type { Predicate } from '../tables/predicate.ts'
import { matches } from '../tables/predicate-memory.ts'

export interface Target {
  readonly id: string
  /** A connection of a modifier is a `modifier`; one whose connector is a consumer as well is there twice. */
  readonly kind: 'webhook' | 'connection' | 'modifier'
  readonly integration_id: string
  readonly pattern: unknown
  /** Types of event that it hears; only submissions, if not given. */
  readonly events?: readonly string[] | null
  /** Changes with every change of the row, such as Postgres's `xmin`; saves reading the pattern again. */
  readonly version?: string | number
  /** Of a modifier: which sessions it understands; all, if not given. */
  readonly accepts?: Accepts | null
}

/** What a manifest says under `accepts`. */
export interface Accepts {
  readonly kinds?: readonly string[] | null
  readonly schemas?: readonly string[] | null
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
 * The targets that hear this type of event, whose integration is a destination
 * of the flow, and whose pattern matches; in their order. A pattern sees the
 * session's configuration with the destination's over it, so that an editor's
 * choice has the last word.
 *
 * @example
 * matchingTargets(
 *   { type: 'session.submitted', team: 'camden', flow: 'apply', kind: 'application', config: {} },
 *   [{ integration_id, config: { region: 'north' } }],
 *   [{ id, kind: 'webhook', integration_id, pattern: { config: { _contains: { region: 'north' } } } }],
 * )
 */
export function matchingTargets<T extends Target>(
  event: EventFacts,
  destinations: readonly FlowDestination[],
  targets: readonly T[],
): readonly T[] {
  if (targets.length === 0 || destinations.length === 0) return []
  const configOf = new Map(destinations.map(({ integration_id, config }) => [integration_id, config]))
  const variablesOf = new Map<string, EventVariables>()
  const variables = (integrationId: string): EventVariables | null => {
    const known = variablesOf.get(integrationId)
    if (known) return known
    const config = configOf.get(integrationId)
    if (!config) return null
    const made = { ...event, config: { ...event.config, ...config } }
    variablesOf.set(integrationId, made)
    return made
  }
  const index = indexOf(targets)
  const found: number[] = []
  for (const place of index.candidates(event, destinations)) {
    const { integration_id } = targets[place] as T
    const { predicate, events } = index.entries[place] as Entry
    const seen = variables(integration_id)
    if (seen && events.includes(event.type) && matches(predicate, seen as unknown as Record<string, unknown>)) {
      found.push(place)
    }
  }
  return found.sort((a, b) => a - b).map((place) => targets[place] as T)
}

interface Entry {
  readonly predicate: Predicate
  readonly events: readonly string[]
}

interface PatternIndex {
  /** At the places of the targets. */
  readonly entries: readonly Entry[]
  /** Places of all targets that could match, and of some that do not; each once. */
  candidates(event: EventFacts, destinations: readonly FlowDestination[]): Iterable<number>
}

/** Indexes by what makes their set of targets; a flow has one, so these are flows that are busy at present. */
const kept = new Map<string, PatternIndex>()
/** Targets in all kept indexes: some 1 KB each. */
const mostKept = 20_000
let keptTargets = 0

function indexOf(targets: readonly Target[]): PatternIndex {
  let name = ''
  for (const target of targets) {
    name += target.kind === 'modifier' ? `~${target.id}` : target.id
    name += target.version === undefined ? JSON.stringify([target.pattern, target.events]) : `@${target.version};`
  }
  const known = kept.get(name)
  if (known) return known
  if (keptTargets + targets.length > mostKept) {
    kept.clear()
    keptTargets = 0
  }
  const made = buildIndex(targets)
  kept.set(name, made)
  keptTargets += targets.length
  return made
}

/** The words of an event that are one text each, the narrowest first. `config` is narrower still. */
const words = ['flow', 'kind', 'team'] as const

function buildIndex(targets: readonly Target[]): PatternIndex {
  const entries = targets.map(({ pattern, events }) => ({
    predicate: parsePattern(pattern),
    events: events ?? defaultEvents,
  }))
  const open: number[] = []
  const byWord = new Map<(typeof words)[number], Map<string, number[]>>()
  const byConfig = new Map<string, Map<string, number[]>>()
  const file = <K>(filed: Map<K, Map<string, number[]>>, key: K, values: readonly string[], place: number) => {
    const places = filed.get(key) ?? new Map<string, number[]>()
    filed.set(key, places)
    for (const value of new Set(values)) {
      const there = places.get(value)
      if (there) there.push(place)
      else places.set(value, [place])
    }
  }
  for (const [place, { predicate }] of entries.entries()) {
    const { config, texts } = equalitiesOf(predicate)
    const word = words.find((each) => texts.has(each))
    if (config) file(byConfig, config.key, [config.value], place)
    else if (word) file(byWord, word, texts.get(word) as readonly string[], place)
    else open.push(place)
  }

  return {
    entries,
    *candidates(event, destinations) {
      yield* open
      for (const [word, places] of byWord) yield* places.get(event[word]) ?? []
      for (const [key, places] of byConfig) {
        // What the session says, and what any destination says instead of it.
        const values = new Set<string>()
        for (const config of [event.config, ...destinations.map((each) => each.config)]) {
          const value = Object.hasOwn(config, key) ? scalarKey(config[key]) : null
          if (value !== null) values.add(value)
        }
        for (const value of values) yield* places.get(value) ?? []
      }
    },
  }
}

interface Equalities {
  readonly texts: ReadonlyMap<string, readonly string[]>
  /** One entry that `config` must hold. */
  readonly config: { readonly key: string; readonly value: string } | null
}

/** What must be equal for the predicate to hold: of its own comparisons and those that all must hold. */
function equalitiesOf(predicate: Predicate): Equalities {
  const texts = new Map<string, readonly string[]>()
  let config: Equalities['config'] = null
  const visit = (part: Predicate): void => {
    if (part.kind === 'and') for (const inner of part.of) visit(inner)
    if (part.kind !== 'compare' || part.operand.kind !== 'value') return
    const { operator, column, operand } = part
    if (column === 'config') {
      if (operator === '_contains') config ??= entryOf(operand.value)
    } else if (operator === '_eq' && !texts.has(column)) {
      texts.set(column, [operand.value as string])
    } else if (operator === '_in' && !texts.has(column)) {
      texts.set(column, operand.value as readonly string[])
    }
  }
  visit(predicate)
  return { texts, config }
}

/** Containment of an object asks that each entry whose value is no object or list be there and equal. */
function entryOf(part: unknown): Equalities['config'] {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return null
  for (const [key, value] of Object.entries(part)) {
    const scalar = scalarKey(value)
    if (scalar !== null) return { key, value: scalar }
  }
  return null
}

/** Equal values, equal keys; null for objects and lists, which are not filed. */
function scalarKey(value: unknown): string | null {
  if (typeof value === 'object' && value !== null) return null
  return `${typeof value}:${value === 0 ? 0 : value}`
}
