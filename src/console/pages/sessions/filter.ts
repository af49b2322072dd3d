/** What the list is narrowed to, as it stands in the page's address, and the condition that it becomes. */
import { kinds, type SessionKind, type SessionStatus, statuses } from './queries.ts'

/** Hours back from now. */
export const spans = { hour: 1, day: 24, week: 168, month: 720 } as const
export type Span = keyof typeof spans

export interface Filter {
  readonly search: string
  readonly flow: string | null
  readonly status: SessionStatus | null
  readonly kind: SessionKind | null
  readonly span: Span | null
  /** The end of the page before: rows that come after it in the list, which is from new to old. */
  readonly before: Place | null
}

/** A row's place in the list. */
export interface Place {
  readonly submitted_at: string
  readonly id: string
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function readFilter(address: URLSearchParams): Filter {
  const oneOf = <Value extends string>(name: string, values: readonly Value[]) =>
    values.find((value) => value === address.get(name)) ?? null
  const flow = address.get('flow')
  const [submitted_at = '', id = ''] = (address.get('before') ?? '').split('_')
  return {
    search: address.get('q') ?? '',
    flow: flow && uuid.test(flow) ? flow : null,
    status: oneOf('status', statuses),
    kind: oneOf('kind', kinds),
    span: oneOf('since', Object.keys(spans) as Span[]),
    before: uuid.test(id) && !Number.isNaN(Date.parse(submitted_at)) ? { submitted_at, id } : null,
  }
}

/** @returns the text of `Filter.before` in an address. */
export function placeText({ submitted_at, id }: Place): string {
  return `${submitted_at}_${id}`
}

/** Whether anything is left out of the list. */
export function narrows({ search, flow, status, kind, span }: Filter): boolean {
  return Boolean(search.trim() || flow || status || kind || span)
}

/** @param now the moment from which `span` counts back. */
export function conditionOf(team: string, filter: Filter, now: number): object {
  const { search, flow, status, kind, span, before } = filter
  const parts: object[] = [{ team_id: { _eq: team } }]
  if (flow) parts.push({ flow_id: { _eq: flow } })
  if (status) parts.push({ status: { _eq: status } })
  if (kind) parts.push({ kind: { _eq: kind } })
  if (span) parts.push({ submitted_at: { _gte: new Date(now - spans[span] * 3_600_000).toISOString() } })
  if (search.trim()) parts.push(searchFor(search.trim()))
  if (before) {
    parts.push({
      _or: [
        { submitted_at: { _lt: before.submitted_at } },
        { submitted_at: { _eq: before.submitted_at }, id: { _lt: before.id } },
      ],
    })
  }
  return { _and: parts }
}

/** A payment id or its beginning; an id, or its beginning as lists show it: all ids that start so lie between two. */
function searchFor(text: string): object {
  const payment = { payment_id: { _like: `${text.replaceAll(/[\\%_]/g, '\\$&')}%` } }
  const range = idRange(text)
  return range ? { _or: [payment, { id: { _gte: range[0], _lte: range[1] } }] } : payment
}

/** The first and the last uuid that begin with this text; null where it begins none. Fewer than 4 digits say nothing. */
export function idRange(text: string): readonly [string, string] | null {
  const digits = text.toLowerCase().replaceAll('-', '').replace(/…$/, '')
  if (!/^[0-9a-f]{4,32}$/.test(digits)) return null
  const full = (filler: string) =>
    digits.padEnd(32, filler).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return [full('0'), full('f')]
}
