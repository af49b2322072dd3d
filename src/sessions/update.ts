/**
 * New revisions of a session. What was is kept in `session_revisions`; readers of the session get the newest. An update
 * is written only onto the revision that it was made from, so of two at the same time none is lost. One that modifiers are
 * to see waits for them (`pending-revisions.ts`): readers have the revision before it until then.
 */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import { inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { announceTo } from './announce.ts'
import { judgeData, type SchemaFacts, type SchemaParts, schemaFacts } from './payload-schemas.ts'
import { addPending, lastPending, type NewRevision, newest } from './pending-revisions.ts'
import { publish } from './publish.ts'
import type { Problem } from './schema-checker.ts'
import { announceOrSettle, factsOfUpdate } from './settling-intake.ts'
import { contentHash, parseChange, type SessionChange, type SessionContent } from './submission.ts'
import { linkToTrip } from './trips.ts'

export interface UpdateContext extends SchemaParts {
  readonly principal: Principal
  /** Argument of `merge_extension_data`: written with the new revision, if there is one. */
  readonly extension?: unknown
}

export interface UpdateResult {
  readonly id: string
  readonly status: string
  /** While it settles: the one that it will be. */
  readonly revision: number
  /** False when the session said so already. */
  readonly changed: boolean
  /** Null when nothing was announced, or not yet. */
  readonly event_id: string | null
  readonly deliveries: number
  readonly problems: readonly Problem[] | null
  /** Its modifiers see it first: readers have the revision before it until they have settled, and it is announced then. */
  readonly settling?: boolean
}

/** Others who update the same session at the same time go first so often before it is told. */
const attempts = 10

/**
 * Changes what the caller names of a session; `data` and `config` are replaced whole. Announced to those who have a live
 * grant as `session.updated`, once its modifiers have settled. A session that is invalid and now valid is published
 * instead.
 *
 * @throws SluiceError NOT_FOUND; GONE when it has expired or was purged; CONFLICT when `expected_revision` is not the
 * present one; VALIDATION_FAILED when a session that is valid would not be valid any more.
 */
export async function updateSession(input: unknown, context: UpdateContext): Promise<UpdateResult> {
  const change = parseChange(input)
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const result = await tryUpdate(change, context)
    if (result) return result
  }
  throw new SluiceError(
    'CONFLICT',
    'Others are updating this session at the same time. Nothing was written; try again.',
  )
}

interface Present extends SessionContent {
  readonly team_id: string
  readonly status: 'submitted' | 'settling' | 'invalid' | 'purged'
  /** The last one, with updates that wait for their modifiers. */
  readonly revision: number
  /** The one that readers have. */
  readonly written: number
  readonly over: boolean
  readonly problems: readonly Problem[] | null
  readonly required: string | null
  readonly schemas: SchemaFacts | null
}

/** Undefined when another revision was written meanwhile. */
async function tryUpdate(change: SessionChange, context: UpdateContext): Promise<UpdateResult | undefined> {
  const { database, principal } = context
  const present = await presentSession(change, context)
  const { id, expected_revision: expected, ...changes } = change
  if (present.over) {
    throw new SluiceError(
      'GONE',
      `The session ${id} is over: its retention has ended, and nobody could read a new revision.`,
      {
        path: 'object.id',
      },
    )
  }
  if (expected != null && expected !== present.revision) {
    const hint =
      present.written === expected
        ? 'What it says there can be read as soon as its modifiers have settled, within seconds; then update that.'
        : 'Read it again and update what it says now.'
    throw new SluiceError('CONFLICT', `The session is at revision ${present.revision}, not ${expected}. ${hint}`, {
      path: 'object.expected_revision',
      details: { revision: present.revision },
    })
  }
  const content = { ...present, ...changes } as SessionContent
  const hash = contentHash(content)
  const unchanged = {
    id,
    status: present.status,
    revision: present.revision,
    changed: false,
    event_id: null,
    deliveries: 0,
  }
  if (hash.equals(contentHash(present))) return { ...unchanged, problems: present.problems }

  const data = JSON.stringify(content.data)
  const stated = content.schema_url ?? null
  const { schema_url: schemaUrl, problems } = await judgeData(
    { team_id: present.team_id, required: present.required, stated, facts: present.schemas, data },
    context,
  )
  const isValid = problems.length === 0
  if (!isValid && present.status !== 'invalid') {
    const [first] = problems
    throw new SluiceError(
      'VALIDATION_FAILED',
      `The data does not follow the schema, so revision ${present.revision} stays: ${first?.path || 'the whole'} ${first?.message}`,
      { path: 'object.data', details: { problems } },
    )
  }
  const next: NewRevision = {
    ...{ id, written: present.written, from: present.revision, data, hash, schemaUrl, extension: context.extension },
    payment_id: content.payment_id ?? null,
    config: content.config ?? {},
  }
  return inTransaction(database.pool, async (client) => {
    const heard = present.status === 'submitted' ? await factsOfUpdate(client, next) : undefined
    if (heard?.waits) {
      const revision = await addPending(client, next, heard.modifiers, principal)
      if (revision === undefined) return undefined
      return { ...unchanged, revision, changed: true, problems: null, settling: true }
    }
    const revision = await writeRevision(client, next, { status: present.status, problems }, principal)
    if (revision === undefined) return undefined
    await linkToTrip(client, id, content)
    if (!isValid) return { ...unchanged, revision, changed: true, problems }
    const event = heard
      ? (await announceTo(client, 'session.updated', [heard.facts]))[0]
      : present.status === 'invalid'
        ? await publish(client, id)
        : await announceOrSettle(client, 'session.updated', id)
    return {
      id,
      status: event ? 'submitted' : await statusOf(client, id),
      revision,
      changed: true,
      event_id: event?.event_id ?? null,
      deliveries: event?.deliveries ?? 0,
      problems: null,
      ...(event ? {} : { settling: true }),
    }
  })
}

async function statusOf(client: pg.ClientBase, id: string): Promise<string> {
  const { rows } = await client.query<{ status: string }>('select status from sessions where id = $1', [id])
  return rows[0]?.status ?? 'submitted'
}

async function presentSession(
  { id, schema_url }: SessionChange,
  { database, principal }: UpdateContext,
): Promise<Present> {
  const reach = reachOf(principal)
  const { rows } = await database.pool.query<Present>(
    `select s.team_id, t.slug as team, f.slug as flow, s.kind, ${newest('data')} as data, ${newest('payment_id')} as payment_id,
            ${newest('config')} as config, ${newest('schema_url')} as schema_url, s.status, ${newest('revision')} as revision,
            s.revision as written, s.problems, f.schema_url as required,
            s.purged_at is not null or s.expires_at <= now()
              or (s.status in ('submitted', 'settling') and exists (select from session_grants g where g.session_id = s.id)
                  and not exists (select from session_grants g
                                   where g.session_id = s.id and g.revoked_at is null and g.expires_at > now())) as over,
            ${schemaFacts('f.schema_url', `coalesce($4::text, ${newest('schema_url')})`, 's.team_id')} as schemas
       from sessions s join teams t on t.id = s.team_id join flows f on f.id = s.flow_id ${lastPending}
      where s.id = $1 and ($2 or s.team_id = any($3::uuid[]))`,
    [id, reach.everywhere, reach.teamIds, schema_url ?? null],
  )
  const [present] = rows
  if (!present) throw new SluiceError('NOT_FOUND', `You have no session ${id}.`, { path: 'object.id' })
  return present
}

/** The new revision's number; undefined when the session is not any more as it was read. The caller holds its row, or none waits. */
async function writeRevision(
  client: pg.ClientBase,
  { id, from, payment_id, config, data, hash, schemaUrl, extension }: NewRevision,
  { status, problems }: Pick<Present, 'status'> & { readonly problems: readonly Problem[] },
  principal: Principal,
): Promise<number | undefined> {
  const { rows } = await client.query<{ revision: number }>(
    `with old as materialized (
       select * from sessions s
        where s.id = $1 and s.revision = $2 and s.status = $12::session_status
          and not exists (select from pending_revisions p where p.session_id = s.id)
          for update
     ), kept as (
       insert into session_revisions (session_id, revision, payment_id, config, data, schema_url, content_hash, author_kind, author_id, created_at)
       select id, revision, payment_id, config, data, schema_url, content_hash, coalesce(author_kind, 'system'), author_id,
              coalesce(revised_at, submitted_at)
         from old
     )
     update sessions s
        set revision = s.revision + 1, data = $3::jsonb, payment_id = $4, config = $5::jsonb, schema_url = $6,
            content_hash = $7, problems = $8::jsonb, author_kind = $9, author_id = $10, revised_at = now(),
            connector_data = case when $11::jsonb is null then s.connector_data
                                  else merge_extension_data(s.connector_data, $11::jsonb) end
       from old where s.id = old.id
     returning s.revision`,
    [
      id,
      from,
      data,
      payment_id,
      JSON.stringify(config),
      schemaUrl,
      hash,
      problems.length > 0 ? JSON.stringify(problems) : null,
      principal.kind,
      principal.id,
      extension === undefined ? null : JSON.stringify(extension),
      status,
    ],
  )
  return rows[0]?.revision
}
