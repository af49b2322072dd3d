/** Taking a team's webhooks out and in again, in bulk. A webhook is known by its integration's slug and its name. */
import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { textWithNul } from '../database/client-errors.ts'
import { inTransaction } from '../database/database.ts'
import { isStorable } from '../database/storable.ts'
import { SluiceError } from '../errors.ts'
import { sealWebhookSecret } from './secrets.ts'
import { newSigningSecret } from './signing.ts'
import {
  readDocument,
  type TransferField,
  type TransferFormat,
  type TransferLine,
  type TransferRecord,
  transferFields,
  writeDocument,
} from './transfer-format.ts'
import { checkNewWebhook, checkWebhookChange, type WebhookParts } from './webhooks.ts'

/** A document of more belongs in parts: each webhook is checked by itself. */
const mostLines = 1000
const mostCharacters = 2_000_000

export interface ImportRequest {
  readonly team_id: string
  readonly format: TransferFormat
  readonly document: string
  /** Says what would happen and writes nothing. */
  readonly dry_run: boolean
  /** Writes the lines that are right although others are wrong. */
  readonly skip_errors: boolean
}

export interface ImportedLine {
  /** Where in the document, from 1. */
  readonly line: number
  readonly integration: string | null
  readonly name: string | null
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'error'
  readonly id: string | null
  /** The field that an error is about. */
  readonly column: string | null
  readonly message: string | null
  /** Of one that was made: its signing secret, which is not shown again. */
  readonly secret: string | null
}

export interface ImportResult {
  /** Whether anything was written. */
  readonly written: boolean
  readonly created: number
  readonly updated: number
  readonly unchanged: number
  readonly errors: number
  readonly lines: readonly ImportedLine[]
}

interface StoredWebhook extends TransferRecord {
  readonly id: string
}

/** The team's own webhooks; no secrets, and none of the platform. */
export async function exportWebhooks(pool: pg.Pool, teamId: string, format: TransferFormat): Promise<string> {
  const stored = await storedWebhooks(pool, teamId)
  return writeDocument(
    stored.map(({ id: _, ...record }) => record as TransferRecord),
    format,
  )
}

/**
 * Makes the team's webhooks as the document says: new ones are made, known ones
 * changed where they differ, others left alone; in a known one, a field that the
 * document leaves out stays. All lines or none, unless `skip_errors`.
 *
 * @throws SluiceError VALIDATION_FAILED for a document that cannot be read, TOO_LARGE.
 */
export async function importWebhooks(parts: WebhookParts, request: ImportRequest): Promise<ImportResult> {
  if (request.document.length > mostCharacters) throw tooLarge(`${mostCharacters} characters`)
  const lines = readDocument(request.document, request.format)
  if (lines.length > mostLines) throw tooLarge(`${mostLines} webhooks`)
  // URLs may have to be looked up, which is not done while rows are held.
  const checked = new Map<TransferLine, Checked>()
  for (const line of lines) checked.set(line, await checkLine(parts, line))

  return inTransaction(parts.database.pool, async (client) => {
    // Two imports of one team take turns: each name is there once.
    await client.query(`select pg_advisory_xact_lock(hashtextextended('import webhooks ' || $1, 0))`, [request.team_id])
    const { rows: integrations } = await client.query<{ readonly id: string; readonly slug: string }>(
      'select id, slug from integrations where team_id = $1',
      [request.team_id],
    )
    const idOf = new Map(integrations.map(({ id, slug }) => [slug, id]))
    const stored = await storedWebhooks(client, request.team_id)
    const steps = planned(lines, checked, idOf, stored)
    const errors = steps.filter(({ kind }) => kind === 'error').length
    const write = !request.dry_run && (errors === 0 || request.skip_errors)
    const done: ImportedLine[] = []
    for (const step of steps) done.push(write ? await take(client, parts, request.team_id, step) : told(step))
    const count = (outcome: ImportedLine['outcome']) => done.filter((line) => line.outcome === outcome).length
    const [created, updated] = [count('created'), count('updated')]
    return {
      written: write && created + updated > 0,
      created,
      updated,
      unchanged: count('unchanged'),
      errors,
      lines: done,
    }
  })
}

type Values = Readonly<Partial<Record<TransferField, unknown>>>
type Fault = { readonly column: string; readonly message: string }
/** What a line says in its normal form: with defaults for a new webhook, and alone for one that is there. */
type Checked = { readonly fault: Fault } | { readonly full: Values; readonly given: Values }

async function checkLine(parts: WebhookParts, { values, error }: TransferLine): Promise<Checked> {
  if (error) return { fault: error }
  for (const column of ['integration', 'name', 'url'] as const) {
    if (typeof values[column] !== 'string' || values[column].trim() === '') {
      return { fault: { column, message: 'must be there: a text' } }
    }
  }
  // The database would end the whole import, and a dry run would not know.
  const unstorable = Object.entries(values).find(([, value]) => !isStorable(value))
  if (unstorable) return { fault: { column: unstorable[0], message: textWithNul().message } }
  const { integration: _, ...rest } = values
  // A field that says null is at its default.
  const given = Object.fromEntries(
    Object.entries(rest).filter(([name, value]) => value !== null || name === 'rate_per_second'),
  )
  try {
    // Any id will do here: which integration it is, the database says.
    const {
      secret: _secret,
      secretHeaders: _headers,
      integration_id: _id,
      ...full
    } = await checkNewWebhook(parts, { ...given, integration_id: anyId })
    return { full, given: await checkWebhookChange(parts, given) }
  } catch (cause) {
    if (!(cause instanceof SluiceError)) throw cause
    const column = (cause.path ?? '').split('.')[0] ?? ''
    return { fault: { column, message: cause.message } }
  }
}

const anyId = '00000000-0000-4000-8000-000000000000'

interface StepBase {
  readonly line: number
  readonly integration: string | null
  readonly name: string | null
}

type Step = StepBase &
  (
    | { readonly kind: 'error'; readonly fault: Fault }
    | { readonly kind: 'create'; readonly integration_id: string; readonly values: Values }
    | { readonly kind: 'update'; readonly id: string; readonly values: Values }
    | { readonly kind: 'keep'; readonly id: string }
  )

function planned(
  lines: readonly TransferLine[],
  checked: ReadonlyMap<TransferLine, Checked>,
  idOf: ReadonlyMap<string, string>,
  stored: readonly StoredWebhook[],
): readonly Step[] {
  const seen = new Map<string, number>()
  return lines.map((line): Step => {
    const check = checked.get(line) as Checked
    const text = (value: unknown) => (typeof value === 'string' ? value.trim() : null)
    const base = { line: line.line, integration: text(line.values.integration), name: text(line.values.name) }
    const error = (column: string, message: string): Step => ({ ...base, kind: 'error', fault: { column, message } })
    if ('fault' in check) return { ...base, kind: 'error', fault: check.fault }
    const integration_id = idOf.get(base.integration ?? '')
    if (!integration_id) return error('integration', `The team has no integration with the slug "${base.integration}".`)
    const key = JSON.stringify([base.integration, base.name])
    const before = seen.get(key)
    if (before !== undefined) return error('name', `This webhook is on line ${before} already.`)
    seen.set(key, line.line)
    const there = stored.filter((each) => each.integration === base.integration && each.name === base.name)
    if (there.length > 1) {
      return error(
        'name',
        `The integration has ${there.length} webhooks of this name; give each a name of its own first.`,
      )
    }
    const [known] = there
    if (!known) return { ...base, kind: 'create', integration_id, values: check.full }
    const changed = Object.entries(check.given).filter(
      ([field, value]) => !isDeepStrictEqual(value, known[field as TransferField]),
    )
    if (changed.length === 0) return { ...base, kind: 'keep', id: known.id }
    return { ...base, kind: 'update', id: known.id, values: Object.fromEntries(changed) }
  })
}

const outcomes = { create: 'created', update: 'updated', keep: 'unchanged', error: 'error' } as const

/** What would happen. */
function told(step: Step): ImportedLine {
  const { line, integration, name, kind } = step
  return {
    line,
    integration,
    name,
    outcome: outcomes[kind],
    id: 'id' in step ? step.id : null,
    column: kind === 'error' ? step.fault.column || null : null,
    message: kind === 'error' ? step.fault.message : null,
    secret: null,
  }
}

async function take(
  client: pg.ClientBase,
  { sealer }: WebhookParts,
  teamId: string,
  step: Step,
): Promise<ImportedLine> {
  if (step.kind === 'create') {
    const secret = newSigningSecret()
    const columns = Object.keys(step.values)
    const { rows } = await client.query<{ readonly id: string }>(
      `with made as (
         insert into webhooks (integration_id, team_id, ${columns.join(', ')})
         values ($1, $2, ${columns.map((_, index) => `$${index + 4}`).join(', ')})
         returning id
       ), signed as (
         insert into webhook_secrets (webhook_id, sealed) select id, $3 from made
       )
       select id from made`,
      [
        step.integration_id,
        teamId,
        sealWebhookSecret(sealer, secret),
        ...columns.map((column) => stored(step.values, column)),
      ],
    )
    return { ...told(step), id: rows[0]?.id ?? null, secret }
  }
  if (step.kind === 'update') {
    const columns = Object.keys(step.values)
    await client.query(
      `update webhooks set ${columns.map((column, index) => `${column} = $${index + 2}`).join(', ')}, updated_at = now() where id = $1`,
      [step.id, ...columns.map((column) => stored(step.values, column))],
    )
  }
  return told(step)
}

/** Column names come from the schema of settings and from nowhere else. */
function stored(values: Values, column: string): unknown {
  const value = values[column as TransferField]
  return column === 'config' || column === 'pattern' || column === 'headers' ? JSON.stringify(value) : value
}

async function storedWebhooks(client: pg.Pool | pg.ClientBase, teamId: string): Promise<readonly StoredWebhook[]> {
  const fields = transferFields.filter((field) => field !== 'integration')
  const { rows } = await client.query<StoredWebhook>(
    `select i.slug as integration, ${fields.map((field) => `w.${field}`).join(', ')}, w.id
       from webhooks w join integrations i on i.id = w.integration_id
      where w.team_id = $1
      order by i.slug, w.name, w.id`,
    [teamId],
  )
  return rows
}

function tooLarge(what: string): SluiceError {
  return new SluiceError('TOO_LARGE', `The document may hold ${what} at most. Import it in parts.`, {
    path: 'document',
  })
}
