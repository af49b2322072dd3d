/**
 * Submitting a session. One statement writes the session, its grants, its event
 * and one delivery per matching target: either all of it is there or none.
 */
import type { Principal } from '../access/principal.ts'
import type { Database } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { contentHash, parseSubmission, type Submission } from './submission.ts'
import { type FlowDestination, matchingTargets, type Target } from './targets.ts'

export interface SubmitContext {
  readonly database: Database
  readonly principal: Principal
  readonly retentionDays: number
}

export interface SubmitResult {
  readonly id: string
  readonly status: string
  /** False when this very submission was already here. */
  readonly created: boolean
  readonly revision: number
  readonly submitted_at: string
  readonly expires_at: string
  readonly event_id: string
  /** Integrations that the session was opened to. */
  readonly grants: number
  /** Webhooks and connections that it is announced or pushed to. */
  readonly deliveries: number
}

export const submittedEvent = 'session.submitted'

/**
 * Takes a finished session in. Submitting the same `id` with the same content
 * again returns the first result.
 *
 * @throws SluiceError VALIDATION_FAILED, NOT_FOUND (team or flow), FORBIDDEN, CONFLICT (same id, other content).
 */
export async function submitSession(input: unknown, context: SubmitContext): Promise<SubmitResult> {
  const submission = parseSubmission(input)
  const flow = await findFlow(submission, context)
  const config = submission.config ?? {}
  const event = { type: submittedEvent, team: submission.team, flow: submission.flow, kind: submission.kind, config }
  const targets = matchingTargets(event, flow.destinations, flow.targets)
  return (await insertSession(submission, flow, targets, context)) ?? repeatedSession(submission, context)
}

interface FlowFacts {
  team_id: string
  flow_id: string | null
  destinations: FlowDestination[]
  targets: Target[]
}

async function findFlow(
  { team, flow }: Submission,
  { database, principal }: SubmitContext,
): Promise<FlowFacts & { flow_id: string }> {
  const { rows } = await database.pool.query<FlowFacts>({
    name: 'find-flow',
    text: `
      select t.id as team_id, f.id as flow_id,
             coalesce((select json_agg(json_build_object('integration_id', d.integration_id, 'config', d.config))
                         from destinations d join integrations i on i.id = d.integration_id and i.status = 'active'
                        where d.flow_id = f.id), '[]') as destinations,
             coalesce((select json_agg(target) from (
               select w.id, 'webhook' as kind, w.integration_id, w.pattern
                 from destinations d
                 join integrations i on i.id = d.integration_id and i.status = 'active'
                 join webhooks w on w.integration_id = d.integration_id
                where d.flow_id = f.id and w.enabled
               union all
               select c.id, 'connection', c.integration_id, c.pattern
                 from destinations d
                 join integrations i on i.id = d.integration_id and i.status = 'active'
                 join connections c on c.integration_id = d.integration_id
                where d.flow_id = f.id and c.enabled) target), '[]') as targets
        from teams t left join flows f on f.team_id = t.id and f.slug = $2
       where t.slug = $1`,
    values: [team, flow],
  })
  const found = rows[0]
  if (!found) {
    throw new SluiceError('NOT_FOUND', `There is no team "${team}". Check the slug; teams lists those you may use.`, {
      path: 'object.team',
    })
  }
  if (principal.role !== 'admin' && !principal.variables['x-hasura-team-ids']?.includes(found.team_id)) {
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

interface InsertedRow {
  id: string
  status: string
  revision: number
  submitted_at: Date
  expires_at: Date
  event_id: string
  grants: number
  deliveries: number
}

/** Null when there is already a session with this id. */
async function insertSession(
  submission: Submission,
  flow: FlowFacts,
  targets: readonly Target[],
  { database, retentionDays }: SubmitContext,
): Promise<SubmitResult | null> {
  const { rows } = await database.pool.query<InsertedRow>({
    name: 'insert-session',
    text: `
      with session as (
        insert into sessions (id, team_id, flow_id, kind, payment_id, config, data, schema_url, content_hash, expires_at)
        values (coalesce($1::uuid, uuid_v7()), $2, $3, $4::session_kind, $5, $6::jsonb, $7::jsonb, $8, $9, now() + make_interval(secs => $10))
        on conflict (id) do nothing
        returning id, status, revision, submitted_at, expires_at
      ),
      granted as (
        insert into session_grants (session_id, integration_id, team_id, config, expires_at)
        select session.id, d.integration_id, $2, d.config, session.expires_at
          from session, destinations d
         where d.flow_id = $3 and d.integration_id = any($11::uuid[])
        returning integration_id
      ),
      event as (
        insert into session_events (type, session_id, team_id, flow_id, payment_id, config)
        select $12, session.id, $2, $3, $5, $6::jsonb from session
        returning id
      ),
      bound as (
        insert into deliveries (event_id, session_id, team_id, integration_id, webhook_id, connection_id)
        select event.id, session.id, $2, granted.integration_id,
               case when target.kind = 'webhook' then target.id end,
               case when target.kind = 'connection' then target.id end
          from session, event, unnest($13::uuid[], $14::text[], $15::uuid[]) as target(id, kind, integration_id)
          join granted on granted.integration_id = target.integration_id
        returning 1
      )
      select session.*, event.id as event_id,
             (select count(*)::int from granted) as grants, (select count(*)::int from bound) as deliveries
        from session, event`,
    values: [
      submission.id ?? null,
      flow.team_id,
      flow.flow_id,
      submission.kind,
      submission.payment_id ?? null,
      JSON.stringify(submission.config ?? {}),
      JSON.stringify(submission.data),
      submission.schema_url ?? null,
      contentHash(submission),
      retentionDays * 86_400,
      flow.destinations.map((destination) => destination.integration_id),
      submittedEvent,
      targets.map((target) => target.id),
      targets.map((target) => target.kind),
      targets.map((target) => target.integration_id),
    ],
  })
  return rows[0] ? resultOf(rows[0], true) : null
}

/** The result of the first submission, when this one says the same. */
async function repeatedSession(submission: Submission, { database }: SubmitContext): Promise<SubmitResult> {
  const { rows } = await database.pool.query<InsertedRow & { same: boolean }>(
    `select s.id, s.status, s.revision, s.submitted_at, s.expires_at, e.id as event_id, s.content_hash = $2 as same,
            (select count(*)::int from session_grants g where g.session_id = s.id) as grants,
            (select count(*)::int from deliveries d where d.event_id = e.id) as deliveries
       from sessions s
       join lateral (select id from session_events e where e.session_id = s.id order by position limit 1) e on true
      where s.id = $1`,
    [submission.id, contentHash(submission)],
  )
  const existing = rows[0]
  if (!existing?.same) {
    throw new SluiceError(
      'CONFLICT',
      `There is already a session ${submission.id} with other content. Nothing was changed; submit a new session under an id of its own.`,
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
  }
}
