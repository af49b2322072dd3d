/** What the form of a webhook holds, and what the API takes of it. */
import { z } from 'zod'
import { readObject } from './pattern/pattern.ts'
import type { Draft, StoredWebhook, WebhookSettings } from './queries.ts'

export const sessionEvents = ['session.submitted', 'session.updated', 'session.expiring', 'session.purged'] as const
export const operationalEvents = [
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

export interface HeaderRow {
  readonly key: string
  readonly name: string
  readonly value: string
}

/** Named as the API names them, so that a refusal finds its field; `fixed_config` alone is not, as patterns have a `config` too. */
export interface WebhookValues {
  integration_id: string | null
  name: string
  url: string
  events: string[]
  /** JSON, as text. */
  pattern: string
  /** JSON, as text. */
  fixed_config: string
  headers: HeaderRow[]
  /** Null leaves those that are there. */
  secret_headers: HeaderRow[] | null
  signatures: string[]
  ordered: boolean
  rate_per_second: number | string
  concurrency: number | string
  /** Seconds. */
  timeout_ms: number | string
  /** One that the receiver has already; empty makes one. */
  secret: string
}

let rows = 0
export function headerRow(name = '', value = ''): HeaderRow {
  rows += 1
  return { key: `header-${rows}`, name, value }
}

export function valuesOf(webhook: StoredWebhook | null, integration: string | null): WebhookValues {
  return {
    integration_id: webhook?.integration_id ?? integration,
    name: webhook?.name ?? '',
    url: webhook?.url ?? '',
    events: [...(webhook?.events ?? ['session.submitted'])],
    pattern: JSON.stringify(webhook?.pattern ?? {}, null, 2),
    fixed_config: isEmpty(webhook?.config) ? '' : JSON.stringify(webhook?.config, null, 2),
    headers: Object.entries(webhook?.headers ?? {}).map(([name, value]) => headerRow(name, value)),
    secret_headers: webhook && webhook.secret_header_names.length > 0 ? null : [],
    signatures: [...(webhook?.signatures ?? ['v1'])],
    ordered: webhook?.ordered ?? false,
    rate_per_second: webhook?.rate_per_second ?? '',
    concurrency: webhook?.concurrency ?? 8,
    timeout_ms: (webhook?.timeout_ms ?? 20_000) / 1000,
    secret: '',
  }
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || Object.keys(value).length === 0
}

/** Only of a form that has passed its schema. */
export function settingsOf(values: WebhookValues): WebhookSettings {
  const { name, url, events, pattern, fixed_config, headers, signatures, ordered } = values
  return {
    name: name.trim(),
    url: url.trim(),
    events,
    pattern: readObject(pattern),
    config: readObject(fixed_config),
    headers: headersOf(headers),
    signatures,
    ordered,
    rate_per_second: values.rate_per_second === '' ? null : Number(values.rate_per_second),
    concurrency: Number(values.concurrency),
    timeout_ms: Math.round(Number(values.timeout_ms) * 1000),
  }
}

export function headersOf(rows: readonly HeaderRow[]): Record<string, string> {
  return Object.fromEntries(rows.filter(({ name }) => name.trim() !== '').map((row) => [row.name.trim(), row.value]))
}

/** What `explain_event` can be asked about meanwhile; null while that is not enough for it. */
export function draftOf(values: WebhookValues, webhook: StoredWebhook | null): Draft | null {
  const pattern = readObject(values.pattern)
  if (!values.integration_id || !pattern || values.events.length === 0) return null
  return {
    ...(webhook ? { id: webhook.id } : {}),
    integration_id: values.integration_id,
    name: values.name,
    enabled: webhook?.enabled ?? true,
    events: values.events,
    pattern,
  }
}

type Told =
  | 'integration.missing'
  | 'name.missing'
  | 'name.long'
  | 'url.missing'
  | 'events.missing'
  | 'json.invalid'
  | 'headers.incomplete'
  | 'rate.range'
  | 'concurrency.range'
  | 'timeout.range'
  | 'signatures.missing'

/** What can be said before the API is asked; it has the last word. */
export function schemaOf(t: (key: Told) => string) {
  const json = z.string().refine((text) => readObject(text) !== null, t('json.invalid'))
  const number = (least: number, most: number, message: string) =>
    z
      .union([z.number(), z.string()])
      .refine((value) => value !== '' && Number(value) >= least && Number(value) <= most, message)
  const headers = z
    .array(z.object({ key: z.string(), name: z.string(), value: z.string() }))
    .refine((rows) => rows.every(({ name, value }) => (name.trim() === '') === (value === '')), t('headers.incomplete'))
  return z.object({
    integration_id: z.string(t('integration.missing')),
    name: z.string().trim().min(1, t('name.missing')).max(200, t('name.long')),
    url: z.string().trim().min(1, t('url.missing')),
    events: z.array(z.string()).min(1, t('events.missing')),
    pattern: json,
    fixed_config: json,
    headers,
    secret_headers: headers.nullable(),
    signatures: z.array(z.string()).min(1, t('signatures.missing')),
    ordered: z.boolean(),
    rate_per_second: z.union([z.literal(''), number(0.01, 1000, t('rate.range'))], t('rate.range')),
    concurrency: number(1, 64, t('concurrency.range')),
    timeout_ms: number(1, 30, t('timeout.range')),
    secret: z.string(),
  })
}
