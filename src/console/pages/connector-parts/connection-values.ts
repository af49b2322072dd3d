/** What people set of a connection beside the settings of its connector, as values of a form. Pure. */
import { configOf, rowsOf, type VariableRow } from '../../kit/variables.ts'
import { fetches, hearsEvents, makesSessions, runsByClock } from './manifest.ts'
import { looksLikeCron, ownTimeZone } from './schedule.ts'

export const sessionEvents = ['session.submitted', 'session.updated', 'session.expiring', 'session.purged'] as const

export interface ConnectionValues {
  readonly integration_id: string | null
  readonly name: string
  readonly flow_id: string | null
  /** '' runs on demand only. */
  readonly schedule: string
  readonly time_zone: string
  readonly events: readonly string[]
  /** JSON. */
  readonly pattern: string
  readonly run_order: number | string
  readonly concurrency: number | string
  readonly timeout_ms: number | string
  /** '' is unlimited. */
  readonly rate_per_second: number | string
  readonly ordered: boolean
  readonly config: readonly VariableRow[]
  readonly pending_hours: number | string
}

/** Columns of `connections` that the form is made from. */
export interface ConnectionColumns {
  readonly name: string
  readonly flow_id: string | null
  readonly schedule: string | null
  readonly time_zone: string
  readonly events: readonly string[]
  readonly pattern: unknown
  readonly run_order: number
  readonly concurrency: number
  readonly timeout_ms: number
  readonly rate_per_second: number | null
  readonly ordered: boolean
  readonly config: Readonly<Record<string, unknown>> | null
  readonly pending_hours: number
}

export function initialValues(
  row: ConnectionColumns | undefined,
  { name = '', integration_id = null }: { readonly name?: string; readonly integration_id?: string | null } = {},
): ConnectionValues {
  return {
    integration_id,
    name: row?.name ?? name,
    flow_id: row?.flow_id ?? null,
    schedule: row?.schedule ?? '',
    // One that has no schedule yet gets the person's own when they write one.
    time_zone: row?.schedule ? row.time_zone : ownTimeZone(),
    events: row?.events ?? ['session.submitted'],
    pattern: JSON.stringify(row?.pattern ?? {}, null, 2),
    run_order: row?.run_order ?? 0,
    concurrency: row?.concurrency ?? 1,
    timeout_ms: row?.timeout_ms ?? 60_000,
    rate_per_second: row?.rate_per_second ?? '',
    ordered: row?.ordered ?? false,
    config: rowsOf(row?.config),
    pending_hours: row?.pending_hours ?? 168,
  }
}

/** Columns to send: those that mean something for these kinds. */
export function columnsOf(values: ConnectionValues, kinds: readonly string[]) {
  const schedule = values.schedule.trim()
  return {
    name: values.name.trim(),
    ...(makesSessions(kinds) ? { flow_id: values.flow_id } : {}),
    ...(runsByClock(kinds) ? { schedule: schedule || null, ...(schedule ? { time_zone: values.time_zone } : {}) } : {}),
    ...(kinds.includes('consumer') ? { events: values.events } : {}),
    ...(hearsEvents(kinds) ? { pattern: JSON.parse(values.pattern || '{}') as unknown } : {}),
    ...(kinds.includes('modifier') ? { run_order: Number(values.run_order) || 0 } : {}),
    concurrency: Number(values.concurrency) || 1,
    timeout_ms: Number(values.timeout_ms) || 60_000,
    rate_per_second: values.rate_per_second === '' ? null : Number(values.rate_per_second),
    ordered: values.ordered,
    config: configOf(values.config),
  }
}

export type Wrong = 'name' | 'integration' | 'flow' | 'events' | 'pattern' | 'schedule'

/** What is wrong before anything is sent, by field. */
export function wrongIn(
  values: ConnectionValues,
  kinds: readonly string[],
  isNew: boolean,
): Partial<Record<keyof ConnectionValues, Wrong>> {
  const schedule = values.schedule.trim()
  return {
    ...(values.name.trim() ? {} : { name: 'name' }),
    ...(isNew && !values.integration_id ? { integration_id: 'integration' } : {}),
    ...(fetches(kinds) && !values.flow_id ? { flow_id: 'flow' } : {}),
    ...(kinds.includes('consumer') && values.events.length === 0 ? { events: 'events' } : {}),
    ...(hearsEvents(kinds) && !isObject(values.pattern) ? { pattern: 'pattern' } : {}),
    ...(runsByClock(kinds) && schedule && !looksLikeCron(schedule) ? { schedule: 'schedule' } : {}),
  }
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text || '{}')
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
