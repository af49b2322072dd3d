/**
 * Submitting a session. One statement writes the session, its grants, its event,
 * one delivery per matching target and the audit entry: either all of it is
 * there or none.
 */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reaches } from '../access/reach.ts'
import { inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { type EventType, targetsOf } from './announce.ts'
import { judgeData, type SchemaFacts, type SchemaParts, schemaFacts } from './payload-schemas.ts'
import type { Problem } from './schema-checker.ts'
import { modifiersFor } from './settling-intake.ts'
import { contentHash, parseSubmission, type Submission } from './submission.ts'
import { type FlowDestination, matchingTargets, type Target } from './targets.ts'
import { linkToTrip } from './trips.ts'

export interface SubmitContext extends SchemaParts {
  readonly principal: Principal
  /** Days after submission, where the team has not set its own. */
  readonly retentionDays: number
  /** For the audit entry. */
  readonly address?: string | null
  readonly requestId?: string | null
  /**
   * Argument of `merge_extension_data`: what the connector that made the session keeps with it, so that it is there
   * before anybody hears of it.
   */
  readonly extension?: unknown
}

export interface SubmitResult {
  readonly id: string
  /**
   * `submitted`; `settling`: its modifiers see it first, then it is opened and announced; or `invalid`: kept, shown to
   * editors, opened to nobody and announced to nobody.
   */
  readonly status: string
  /** False when this very submission was already here. */
  readonly created: boolean
  readonly revision: number
  readonly submitted_at: string
  readonly expires_at: string
  /** Null while the session is invalid, or settling. */
  readonly event_id: string | null
  /** Integrations that the session was opened to. */
  readonly grants: number
  /** Webhooks and connections that it is announced or pushed to. */
  readonly deliveries: number
  /** Why it is invalid; null when it is not. */
  readonly problems: readonly Problem[] | null
}

export const submittedEvent: EventType = 'session.submitted'

/**
 * Takes a finished session in. Submitting the same `id` with the same content
 * again returns the first result.
 *
 * Data that does not follow the flow's schema is kept as `invalid`: the applicant is done and can do nothing about it,
 * editors and the source can.
 *
 * @throws SluiceError VALIDATION_FAILED, NOT_FOUND (team or flow), FORBIDDEN, CONFLICT (same id, other content), GONE (same id, purged).
 */
export async function submitSession(input: unknown, context: SubmitContext): Promise<SubmitResult> {
  const submission = parseSubmission(input)
  const flow = await findFlow(submission, context)
  const config = submission.config ?? {}
  const data = JSON.stringify(submission.data)
  const { team_id, flow_schema_url: required, schemas: facts } = flow
  const stated = submission.schema_url ?? null
  const { schema_url: schemaUrl, problems } = await judgeData({ team_id, required, stated, facts, data }, context)
  const event = { type: submittedEvent, team: submission.team, flow: submission.flow, kind: submission.kind, config }
  const isValid = problems.length === 0
  const modifiers = isValid ? modifiersFor(event, schemaUrl, flow.destinations, flow.targets) : []
  const targets = isValid && modifiers.length === 0 ? hearersOf(event, flow) : []
  return (
    (await insertLinked({ submission, data, schemaUrl, flow, modifiers, targets, problems }, context)) ??
    repeatedSession(submission, context)
  )
}

function hearersOf(event: Parameters<typeof matchingTargets>[0], { destinations, targets }: FlowFacts) {
  return matchingTargets(event, destinations, targets).filter(({ kind }) => kind !== 'modifier')
}

interface FlowFacts {
  team_id: string
  flow_id: string | null
  flow_schema_url: string | null
  schemas: SchemaFacts | null
  destinations: FlowDestination[]
  targets: Target[]
}

const destinationsOfFlow = 'select d.integration_id from destinations d where d.flow_id = f.id'

async function findFlow(
  { team, flow, schema_url }: Submission,
  { database, principal }: SubmitContext,
): Promise<FlowFacts & { flow_id: string }> {
  const { rows } = await database.pool.query<FlowFacts>({
    name: 'find-flow',
    text: `
      select t.id as team_id, f.id as flow_id, f.schema_url as flow_schema_url,
             ${schemaFacts('f.schema_url', '$3::text', 't.id')} as schemas,
             coalesce((select json_agg(json_build_object('integration_id', d.integration_id, 'config', d.config))
                         from destinations d join integrations i on i.id = d.integration_id and i.status = 'active'
                        where d.flow_id = f.id), '[]') as destinations,
             ${targetsOf(destinationsOfFlow)} as targets
        from teams t left join flows f on f.team_id = t.id and f.slug = $2
       where t.slug = $1`,
    values: [team, flow, schema_url ?? null],
  })
  const found = rows[0]
  if (!found) {
    throw new SluiceError('NOT_FOUND', `There is no team "${team}". Check the slug; teams lists those you may use.`, {
      path: 'object.team',
    })
  }
  if (!reaches(principal, found.team_id)) {
    throw new SluiceError('FORBIDDEN', `This credential may not submit sessions for the team "${team}".`, {
      path: 'object.team',
    })
  }
  if (!found.flow_id) {
    throw new SluiceError(
      'NOT_FOUND',
      `The team "${team}" has no flow "${flow}". Check the slug; flows lists the team's.`,
      { path: 'object.flow' },
    )
  }
  return { ...found, flow_id: found.flow_id }
}

/** A booking and its place in a trip in one transaction; anything else stays one statement. */
function insertLinked(made: NewSession, context: SubmitContext): Promise<SubmitResult | null> {
  const { pool } = context.database
  const { submission } = made
  if (submission.kind !== 'booking') return insertSession(pool, made, context)
  return inTransaction(pool, async (client) => {
    const result = await insertSession(client, made, context)
    if (result) await linkToTrip(client, result.id, submission)
    return result
  })
}

interface InsertedRow {
  id: string
  status: string
  revision: number
  submitted_at: Date
  expires_at: Date
  event_id: string | null
  grants: number
  deliveries: number
  problems: readonly Problem[] | null
}

interface NewSession {
  readonly submission: Submission
  /** JSON text. */
  readonly data: string
  readonly schemaUrl: string | null
  readonly flow: FlowFacts
  /** Ids of connections that are to see it before anybody hears of it. */
  readonly modifiers: readonly string[]
  readonly targets: readonly Target[]
  readonly problems: readonly Problem[]
}

/**
 * One statement. The files that were uploaded under the session's id become its
 * own with it. Null when there is already a session with this id.
 */
async function insertSession(
  client: Pick<pg.ClientBase, 'query'>,
  { submission, data, schemaUrl, flow, modifiers, targets, problems }: NewSession,
  { retentionDays, principal, address = null, requestId = null, extension }: SubmitContext,
): Promise<SubmitResult | null> {
  const isValid = problems.length === 0
  const settles = modifiers.length > 0
  const { rows } = await client.query<InsertedRow>({
    name: settles ? 'insert-settling-session' : 'insert-session',
    text: `
      with session as (
        insert into sessions (id, team_id, flow_id, kind, status, payment_id, config, data, schema_url, problems, content_hash, author_kind, author_id, expires_at, connector_data)
        select coalesce($1::uuid, uuid_v7()), $2, $3, $4::session_kind, $5::session_status, $6, $7::jsonb, $8::jsonb, $9, $10::jsonb, $11, $12, $13,
               now() + make_interval(secs => 86400 * coalesce(t.retention_days, $14)),
               case when $23::jsonb is not null then merge_extension_data(null, $23::jsonb) end
          from teams t where t.id = $2
        on conflict (id) do nothing
        returning id, status, revision, submitted_at, expires_at, problems
      ),
      granted as (
        insert into session_grants (session_id, integration_id, team_id, config, expires_at)
        select session.id, d.integration_id, $2, d.config, session.expires_at
          from session, destinations d
         where d.flow_id = $3 and d.integration_id = any($15::uuid[]) and session.status in ('submitted', 'settling')
           -- Who removes the destination at this moment waits for these grants, or we find it gone.
           for key share of d
        returning integration_id
      ),
      event as (
        insert into session_events (type, session_id, team_id, flow_id, payment_id, config)
        select $16, session.id, $2, $3, $6, $7::jsonb from session where session.status = 'submitted'
        returning id, position
      ),
      bound as (
        insert into deliveries (event_id, session_id, team_id, integration_id, webhook_id, connection_id, event_position)
        select event.id, session.id, $2, granted.integration_id,
               case when target.kind = 'webhook' then target.id end,
               case when target.kind = 'connection' then target.id end,
               event.position
          from session, event, unnest($17::uuid[], $18::text[], $19::uuid[]) as target(id, kind, integration_id)
          join granted on granted.integration_id = target.integration_id
        returning 1
      ),
      ${settles ? settlingSession : ''}
      uploaded as (
        delete from file_uploads u using session
         where u.session_id = session.id and u.team_id = $2 and u.flow_id = $3 and u.status <> 'used'
        returning u.*
      ),
      files as (
        insert into session_files (id, session_id, name, type, size, sha256, status, reason, stored_at, upload_expires_at, object_key, created_at)
        select id, session_id, name, type, size, sha256, status::text::file_status, reason,
               case when status <> 'pending' then created_at end,
               case when status = 'pending' then expires_at end, object_key, created_at
          from uploaded
      ),
      audited as (
        insert into audit_entries (team_id, actor_kind, actor_id, role, operation, outcome, session_ids, address, request_id)
        select $2, $12, $13, $20, 'submit_session', 'granted', array[session.id], $21, $22 from session
      )
      select session.*, (select id from event) as event_id,
             (select count(*)::int from granted) as grants, (select count(*)::int from bound) as deliveries
        from session`,
    values: [
      submission.id ?? null,
      flow.team_id,
      flow.flow_id,
      submission.kind,
      settles ? 'settling' : isValid ? 'submitted' : 'invalid',
      submission.payment_id ?? null,
      JSON.stringify(submission.config ?? {}),
      data,
      schemaUrl,
      isValid ? null : JSON.stringify(problems),
      contentHash(submission),
      principal.kind,
      principal.id,
      retentionDays,
      isValid ? flow.destinations.map((destination) => destination.integration_id) : [],
      submittedEvent,
      targets.map((target) => target.id),
      targets.map((target) => target.kind),
      targets.map((target) => target.integration_id),
      principal.role,
      address,
      requestId,
      extension === undefined ? null : JSON.stringify(extension),
      ...(settles ? [modifiers] : []),
    ],
  })
  return rows[0] ? resultOf(rows[0], true) : null
}

/** Its event is written by the settling engine, when its modifiers have seen it. */
const settlingSession = `
      settling as (
        insert into session_settlings (session_id, event_type, connection_ids)
        select session.id, $16, $24::uuid[] from session
      ),`

/** The result of the first submission, when this one says the same. */
async function repeatedSession(submission: Submission, { database, principal }: SubmitContext): Promise<SubmitResult> {
  const { rows } = await database.pool.query<InsertedRow & { same: boolean; purged_at: Date | null; team_id: string }>(
    `select s.id, s.status, s.revision, s.submitted_at, s.expires_at, s.problems, s.purged_at, s.team_id,
            e.id as event_id,
            -- Modifiers and updates may have changed it since: what counts is what was submitted.
            coalesce((select r.content_hash from session_revisions r where r.session_id = s.id and r.revision = 1),
                     s.content_hash) = $2 or s.content_hash = $2 as same,
            (select count(*)::int from session_grants g where g.session_id = s.id) as grants,
            (select count(*)::int from deliveries d where d.event_id = e.id) as deliveries
       from sessions s
       left join lateral (select id from session_events e where e.session_id = s.id order by position limit 1) e on true
      where s.id = $1`,
    [submission.id, contentHash(submission)],
  )
  const existing = rows[0]
  const isOwn = existing && reaches(principal, existing.team_id)
  if (isOwn && existing.purged_at) {
    throw new SluiceError(
      'GONE',
      `The session ${submission.id} was here and was purged on ${existing.purged_at.toISOString()}. Submit a new session under an id of its own.`,
      { path: 'object.id' },
    )
  }
  if (!existing?.same) {
    throw new SluiceError(
      'CONFLICT',
      `There is already a session ${submission.id} with other content. Nothing was changed; change it with update_session, or submit a new session under an id of its own.`,
      { path: 'object.id' },
    )
  }
  return resultOf(existing, false)
}

function resultOf(row: InsertedRow, created: boolean): SubmitResult {
  return {
    id: row.id,
    status: row.status,
    created,
    revision: row.revision,
    submitted_at: row.submitted_at.toISOString(),
    expires_at: row.expires_at.toISOString(),
    event_id: row.event_id,
    grants: row.grants,
    deliveries: row.deliveries,
    problems: row.problems,
  }
}
