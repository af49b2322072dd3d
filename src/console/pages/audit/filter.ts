/** What the list is narrowed to, as it stands in the page's address, and the condition that it becomes. */
import { type ActorKind, actorKinds, type Outcome, outcomes } from './queries.ts'

/** Hours back from now. */
export const spans = { hour: 1, day: 24, week: 168, month: 720 } as const
export type Span = keyof typeof spans

export interface Filter {
  /** A kind of actor, or the id of one. */
  readonly actor: { readonly kind: ActorKind } | { readonly id: string } | null
  readonly operation: string
  readonly outcome: Outcome | null
  /** Of a session; what is no id finds nothing, and the field says so. */
  readonly session: string
  readonly span: Span | null
  /** The end of the page before: entries that come after it in the list, which is from new to old. */
  readonly before: Place | null
}

export interface Place {
  readonly at: string
  readonly id: string
}

export type FilterName = 'actor' | 'operation' | 'outcome' | 'session' | 'since' | 'before'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export const isId = (text: string): boolean => uuid.test(text)

export function readFilter(address: URLSearchParams): Filter {
  const oneOf = <Value extends string>(value: string | null, values: readonly Value[]) =>
    values.find((known) => known === value) ?? null
  const actor = address.get('actor') ?? ''
  const kind = oneOf(actor, actorKinds)
  const [at = '', id = ''] = (address.get('before') ?? '').split('_')
  return {
    actor: kind ? { kind } : /^\S{1,100}$/.test(actor) ? { id: actor } : null,
    operation: address.get('operation') ?? '',
    outcome: oneOf(address.get('outcome'), outcomes),
    session: address.get('session')?.trim() ?? '',
    span: oneOf(address.get('since'), Object.keys(spans) as Span[]),
    before: isId(id) && !Number.isNaN(Date.parse(at)) ? { at, id } : null,
  }
}

/** @returns the text of `Filter.before` in an address. */
export function placeText({ at, id }: Place): string {
  return `${at}_${id}`
}

/** Whether anything is left out of the list. */
export function narrows({ actor, operation, outcome, session, span }: Filter): boolean {
  return Boolean(actor || operation.trim() || outcome || session || span)
}

/**
 * @param owner what `team_id` is compared with.
 * @param now the moment from which `span` counts back.
 */
export function conditionOf(owner: object, filter: Filter, now: number): object {
  const { actor, operation, outcome, session, before } = filter
  const from = fromOf(filter, now)
  const parts: object[] = [{ team_id: owner }]
  if (actor) parts.push('kind' in actor ? { actor_kind: { _eq: actor.kind } } : { actor_id: { _eq: actor.id } })
  if (operation.trim()) parts.push({ operation: { _ilike: `%${operation.trim().replaceAll(/[\\%_]/g, '\\$&')}%` } })
  if (outcome) parts.push({ outcome: { _eq: outcome } })
  if (isId(session)) parts.push({ session_ids: { _contains: [session] } })
  if (from) parts.push({ at: { _gte: from } })
  if (before) {
    parts.push({ _or: [{ at: { _lt: before.at } }, { at: { _eq: before.at }, id: { _lt: before.id } }] })
  }
  return { _and: parts }
}

/** The beginning of the chosen span. */
export function fromOf({ span }: Filter, now: number): string | null {
  return span && new Date(now - spans[span] * 3_600_000).toISOString()
}
