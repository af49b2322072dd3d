/**
 * Announcing: writes an event of a session, and one delivery for every target that hears it, in the transaction of
 * whatever it tells of. So nothing is announced that did not happen, and nothing that happened is not announced.
 */
import type pg from 'pg'
import type { sessionEventTypes } from '../tables/event-shape.ts'
import { type FlowDestination, matchingTargets, type Target } from './targets.ts'

/**
 * What can happen to a session.
 *
 * - `session.submitted`: a session is there for its destinations; with one that was invalid, once it is valid.
 * - `session.updated`: it has a new revision.
 * - `session.expiring`: in three days nobody can have it any more.
 * - `session.purged`: its data is gone.
 */
export type EventType = (typeof sessionEventTypes)[number]

export interface Announcement {
  readonly event_id: string
  readonly session_id: string
  readonly position: string
  /** How many targets it goes to. */
  readonly deliveries: number
}

/** What decides who hears of a session. */
export interface SessionFacts {
  readonly id: string
  readonly team: string
  readonly flow: string
  readonly kind: string
  readonly schema_url: string | null
  /** It waits for its modifiers already: what is announced at the end, `` for nothing unless it changes; else null. */
  readonly settling: string | null
  readonly config: Readonly<Record<string, unknown>>
  readonly grants: FlowDestination[]
  readonly targets: Target[]
}

/**
 * SQL: the switched-on targets of the integrations that `from` selects as `integration_id`, as a JSON list of Target. A
 * connection is one as its connector is: a consumer gets deliveries, an approved modifier is asked before.
 */
export const targetsOf = (from: string) => `
  coalesce((select json_agg(target) from (
    select w.id, 'webhook' as kind, w.integration_id, w.pattern, w.events, w.xmin::text as version, null::jsonb as accepts
      from (${from}) heard
      join integrations i on i.id = heard.integration_id and i.status = 'active'
      join webhooks w on w.integration_id = heard.integration_id and w.enabled
    union all
    select c.id, part.kind, c.integration_id, c.pattern, c.events, c.xmin::text,
           case when part.kind = 'modifier' then k.manifest -> 'accepts' end
      from (${from}) heard
      join integrations i on i.id = heard.integration_id and i.status = 'active'
      join connections c on c.integration_id = heard.integration_id and c.enabled
      join connectors k on k.id = c.connector_id
     -- A function and no join on \`kinds\`, which the planner takes for so selective that it would begin with all connectors.
     cross join lateral unnest(array[
             case when 'consumer' = any(k.kinds) then 'connection' end,
             case when 'modifier' = any(k.kinds) and k.status = 'approved' then 'modifier' end]) as part(kind)
     where part.kind is not null) target), '[]')`

/** What is over is told to all who had it; everything else to those who have it. */
const heardBy = (type: EventType) =>
  `select g.integration_id from session_grants g
    where g.session_id = s.id and g.revoked_at is null ${
      type === 'session.purged'
        ? // Who has not heard that it is there need not hear that it is gone.
          `and not exists (select from session_settlings x where x.session_id = s.id and x.event_type = 'session.submitted')`
        : 'and g.expires_at > $2'
    }`

/**
 * Announces one event for each of the sessions, to the targets of their grants.
 *
 * @param client of the transaction that the event belongs to.
 */
export async function announce(
  client: Pick<pg.ClientBase, 'query'>,
  {
    type,
    sessionIds,
    now = new Date(),
  }: { readonly type: EventType; readonly sessionIds: readonly string[]; readonly now?: Date },
): Promise<readonly Announcement[]> {
  return announceTo(client, type, await sessionFacts(client, type, sessionIds, now))
}

/** Announces sessions of which the facts are known: to the targets among them, but for modifiers. */
export async function announceTo(
  client: Pick<pg.ClientBase, 'query'>,
  type: EventType,
  sessions: readonly SessionFacts[],
): Promise<readonly Announcement[]> {
  const bound = sessions.flatMap(({ id, grants, targets, ...event }) =>
    matchingTargets({ ...event, type }, grants, targets)
      .filter(({ kind }) => kind !== 'modifier')
      .map((target) => ({ session: id, target })),
  )
  const { rows } = await client.query<Announcement>({
    name: 'announce',
    text: `
      with event as (
        insert into session_events (type, session_id, team_id, flow_id, payment_id, revision, config)
        select $1, s.id, s.team_id, s.flow_id, s.payment_id, s.revision, s.config
          from sessions s where s.id = any($2::uuid[])
        returning id, session_id, team_id, position
      ), bound as (
        insert into deliveries (event_id, session_id, team_id, integration_id, webhook_id, connection_id, event_position)
        select event.id, event.session_id, event.team_id, target.integration_id,
               case when target.kind = 'webhook' then target.id end,
               case when target.kind = 'connection' then target.id end,
               event.position
          from unnest($3::uuid[], $4::uuid[], $5::text[], $6::uuid[]) as target(session_id, id, kind, integration_id)
          join event on event.session_id = target.session_id
        returning event_id
      )
      select event.id as event_id, event.session_id, event.position,
             (select count(*)::int from bound where bound.event_id = event.id) as deliveries
        from event order by event.position`,
    values: [
      type,
      sessions.map(({ id }) => id),
      bound.map(({ session }) => session),
      bound.map(({ target }) => target.id),
      bound.map(({ target }) => target.kind),
      bound.map(({ target }) => target.integration_id),
    ],
  })
  return rows
}

/** @param lock holds the sessions' rows until the transaction ends. */
export async function sessionFacts(
  client: Pick<pg.ClientBase, 'query'>,
  type: EventType,
  sessionIds: readonly string[],
  now: Date,
  lock = false,
): Promise<readonly SessionFacts[]> {
  const heard = heardBy(type)
  const { rows } = await client.query<SessionFacts>(
    `select s.id, t.slug as team, f.slug as flow, s.kind, s.config, s.schema_url,
            (select coalesce(x.event_type, '') from session_settlings x where x.session_id = s.id) as settling,
            coalesce((select json_agg(json_build_object('integration_id', g.integration_id, 'config', g.config))
                        from session_grants g where g.session_id = s.id and g.integration_id in (${heard})), '[]') as grants,
            ${targetsOf(heard)} as targets
       from sessions s join teams t on t.id = s.team_id join flows f on f.id = s.flow_id
      where s.id = any($1::uuid[]) and $2::timestamptz is not null ${lock ? 'for update of s' : ''}`,
    [sessionIds, now],
  )
  return rows
}
