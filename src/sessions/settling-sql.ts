/** What the settling engine asks of the database: each statement one operation. */
import type pg from 'pg'
import { storableJson } from '../database/storable.ts'
import { targetsOf } from './announce.ts'
import type { SchemaFacts } from './payload-schemas.ts'
import { schemaFacts } from './payload-schemas.ts'
import { lastPending, newest } from './pending-revisions.ts'
import type { FlowDestination, Target } from './targets.ts'

/** A connection that may modify the session: enabled, approved, with a live grant. Columns in the database's words. */
export interface SettlingModifier {
  readonly id: string
  /** Changes with the connection and with its connector. */
  readonly version: string
  readonly name: string
  readonly integration_id: string
  readonly timeout_ms: number
  readonly concurrency: number
  /** What the editor said of this destination. */
  readonly grant_config: Readonly<Record<string, unknown>>
  /** `implementation@version` */
  readonly connector: string
}

/** A session that waits for its modifiers, leased. Columns in the database's words. */
export interface ClaimedSettling {
  readonly session_id: string
  readonly lease_token: string
  readonly version: number
  /** What is announced at the end; null announces `session.updated`, and only if something has changed. */
  readonly event_type: 'session.submitted' | 'session.updated' | null
  readonly asked: readonly string[]
  readonly attempts: number
  readonly restarts: number
  readonly session: {
    readonly team_id: string
    readonly team: string
    readonly team_name: string
    readonly flow: string
    readonly flow_name: string
    readonly kind: 'application' | 'booking'
    readonly status: 'submitted' | 'settling'
    readonly payment_id: string | null
    readonly config: Readonly<Record<string, unknown>>
    readonly schema_url: string | null
    /** With the updates that wait, of which the last is what all this says. */
    readonly revision: number
    /** Which readers have. */
    readonly written: number
    readonly author_kind: string | null
    readonly author_id: string | null
    /** ISO 8601. */
    readonly submitted_at: string
    readonly connector_data: Readonly<Record<string, unknown>> | null
    readonly trip: { readonly id: string; readonly reference: string; readonly title: string | null } | null
  }
  /** JSON text. */
  readonly data: string
  /** Arguments of `merge_extension_data` that the updates brought, in their order. */
  readonly extensions: readonly unknown[]
  /** Of the flow. */
  readonly required: string | null
  readonly schemas: SchemaFacts | null
  /** In the order in which they run. */
  readonly modifiers: readonly SettlingModifier[]
  readonly grants: readonly FlowDestination[]
  readonly targets: readonly Target[]
}

export interface ClaimOptions {
  readonly most: number
  readonly leaseMs: number
  /** Who was claimed more often without an end is not handed to modifiers any more. */
  readonly mostAttempts: number
  /** Days that a grant still lasts after its first retrieval, where the team has not set its own. */
  readonly retentionAfterRetrievalDays: number
}

const liveGrant = 'g.revoked_at is null and g.expires_at > now()'
const heard = `select g.integration_id from session_grants g where g.session_id = s.id and ${liveGrant}`

/**
 * Leases sessions that wait, the longest waiting first, and reads all that their modifiers need, each through its
 * integration's live grant. The same statement writes an audit row for each that is handed the data. A grant's short
 * clock starts only for a connector that can hand something on (it has permissions): what one without any reads does not
 * leave the installation.
 *
 * The commit waits for the disk only for such a one, so that no data leaves without its audit row. A claim of others that a
 * crash of the server takes with it was none: whatever came of it is written later, and with it the claim.
 */
export async function claimSettlings(
  pool: Pick<pg.ClientBase, 'query'>,
  options: ClaimOptions,
): Promise<readonly ClaimedSettling[]> {
  const { rows } = await pool.query<ClaimedSettling>({
    name: 'claim-settlings',
    text: claimSql,
    values: [options.most, options.leaseMs, options.mostAttempts, options.retentionAfterRetrievalDays],
  })
  return rows
}

/** SQL: the connections `c` that are asked about the waiting `s` (`id`, `connection_ids`, `asked`) as things are now. */
export const askable = `
    join connections c on c.id = any(s.connection_ids || s.asked) and c.enabled
     and not (c.health = 'disabled' and c.probe_at is null)
    join connectors k on k.id = c.connector_id and k.status = 'approved' and 'modifier' = any(k.kinds)
    join integrations i on i.id = c.integration_id and i.status = 'active'
    join session_grants g on g.session_id = s.id and g.integration_id = c.integration_id and ${liveGrant}`

const claimSql = `
with due as materialized (
  select x.session_id from session_settlings x
   where x.due_at <= now() order by x.due_at limit $1 for update skip locked
), claimed as (
  update session_settlings x
     set lease_token = gen_random_uuid(), due_at = now() + $2 * interval '1 millisecond', attempts = x.attempts + 1
    from due
   where x.session_id = due.session_id
     and exists (select from sessions s where s.id = x.session_id and s.status in ('submitted', 'settling') and s.data is not null)
  returning x.*
), session as materialized (
  select s.*, x.lease_token, x.version as settling_version, x.event_type, x.connection_ids, x.asked, x.attempts, x.restarts
    from claimed x join sessions s on s.id = x.session_id
), over as (
  delete from session_settlings x using due
   where x.session_id = due.session_id
     and not exists (select from sessions s where s.id = x.session_id and s.status in ('submitted', 'settling') and s.data is not null)
), modifier as materialized (
  select s.id as session_id, s.attempts, c.id, c.team_id, c.integration_id, c.name, c.timeout_ms, c.concurrency, c.run_order,
         c.xmin::text || '.' || k.xmin::text as version, k.implementation || '@' || k.version as connector,
         g.id as grant_id, g.config as grant_config,
         cardinality(k.permissions) > 0 as may_tell, g.first_retrieved_at is null as is_first
    from session s ${askable}
), retrieved as (
  update session_grants g
     set first_retrieved_at = now(), expires_at = least(g.expires_at, now() + retention_after_retrieval(g.team_id, $4))
    from (select distinct grant_id from modifier where may_tell and is_first and attempts <= $3) m
   where g.id = m.grant_id and g.first_retrieved_at is null
), audited as (
  insert into audit_entries (team_id, integration_id, actor_kind, actor_id, operation, outcome, session_ids, detail)
  select m.team_id, m.integration_id, 'connection', m.id::text, 'retrieve', 'granted', array[m.session_id],
         jsonb_build_object('method', 'modify', 'attempt', m.attempts, 'connector', m.connector)
    from modifier m
   where m.attempts <= $3
), relaxed as materialized (
  select set_config('synchronous_commit', 'off', true)
   where not exists (select from modifier m where m.may_tell and m.attempts <= $3)
)
select s.id as session_id, s.lease_token, s.settling_version as version, s.event_type, s.asked, s.attempts, s.restarts,
       json_build_object(
         'team_id', s.team_id, 'team', t.slug, 'team_name', t.name, 'flow', f.slug, 'flow_name', f.name, 'kind', s.kind,
         'status', s.status, 'payment_id', ${newest('payment_id')}, 'config', ${newest('config')}, 'schema_url', ${newest('schema_url')},
         'revision', ${newest('revision')}, 'written', s.revision,
         'author_kind', ${newest('author_kind')}, 'author_id', ${newest('author_id')},
         'submitted_at', to_char(s.submitted_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
         'connector_data', s.connector_data,
         'trip', case when p.id is not null then json_build_object(
           'id', p.id, 'reference', p.reference, 'title', p.title) end) as session,
       (${newest('data')})::text as data, f.schema_url as required,
       ${schemaFacts('f.schema_url', newest('schema_url'), 's.team_id')} as schemas,
       coalesce((select json_agg(p.extension order by p.revision) from pending_revisions p
                  where p.session_id = s.id and p.extension is not null), '[]') as extensions,
       coalesce((select json_agg(json_build_object(
                   'id', m.id, 'version', m.version, 'name', m.name, 'integration_id', m.integration_id,
                   'timeout_ms', m.timeout_ms, 'concurrency', m.concurrency, 'grant_config', m.grant_config,
                   'connector', m.connector) order by m.run_order, m.id)
                   from modifier m where m.session_id = s.id), '[]') as modifiers,
       coalesce((select json_agg(json_build_object('integration_id', g.integration_id, 'config', g.config))
                   from session_grants g where g.session_id = s.id and ${liveGrant}), '[]') as grants,
       ${targetsOf(heard)} as targets
  from session s join teams t on t.id = s.team_id join flows f on f.id = s.flow_id left join trips p on p.id = s.trip_id
  ${lastPending}
  left join relaxed on true`

/** A row of `connector_runs`, of one call of a modifier. */
export interface ModifierRun {
  readonly connection_id: string
  readonly attempt: number
  readonly status: 'succeeded' | 'failed'
  readonly message: string | null
  readonly log: unknown
  readonly calls: unknown
  readonly connector: string
  readonly revision: number
  /** ISO 8601. */
  readonly started_at: string
  readonly duration_ms: number
}

export interface SettledChange {
  /** JSON text. */
  readonly data: string
  /** SHA-256. */
  readonly hash: Buffer
  /** Id of the connection. */
  readonly author: string
}

export interface SettlingEnd {
  readonly settling: Pick<ClaimedSettling, 'session_id' | 'lease_token' | 'version'>
  /** `session.written` when it was claimed: it must be so still. */
  readonly written: number
  readonly changes: readonly SettledChange[]
  readonly schemaUrl: string | null
  /** What is announced; null for nothing. */
  readonly type: 'session.submitted' | 'session.updated' | null
  readonly targets: readonly Target[]
  readonly runs: readonly ModifierRun[]
  /** Argument of `merge_extension_data`; null for none. */
  readonly extension: unknown
  /** Into which the changes move the session; null where it stays. */
  readonly trip: { readonly reference: string; readonly title: string | null } | null
  /** `detail` of the operational event that tells of a loop that was cut; null for none. */
  readonly loop: { readonly connection_id: string; readonly [key: string]: unknown } | null
  /** Its modifiers have not had their turn: they are asked behind the announcement. */
  readonly askAgain: boolean
}

export interface Settled {
  readonly revision: number
  readonly event_id: string | null
  readonly deliveries: number
}

/**
 * Writes the end of a chain, all of it or nothing: updates that waited, revisions, runs, extension data, the session's new state, one event
 * and its deliveries, and the end of the waiting. The session must be at the revision with which the chain began, the
 * lease still held, and whoever changed something still let in.
 *
 * The session's row is locked before that of the waiting, as updates do.
 *
 * @returns undefined when something newer came in, or another has the lease: nothing was written.
 */
export async function finishSettling(pool: pg.Pool, end: SettlingEnd): Promise<Settled | undefined> {
  const { settling, targets } = end
  const { rows } = await pool.query<Settled>({
    name: 'finish-settling',
    text: finishSql,
    values: [
      settling.session_id,
      settling.lease_token,
      settling.version,
      end.written,
      changesOf(end.changes),
      end.schemaUrl,
      end.type,
      targets.map((target) => target.id),
      targets.map((target) => target.kind),
      targets.map((target) => target.integration_id),
      storableJson(end.runs),
      end.extension === null ? null : storableJson(end.extension),
      end.loop === null ? null : storableJson(end.loop),
      end.askAgain,
      end.trip?.reference ?? null,
      end.trip?.title ?? null,
    ],
  })
  return rows[0]
}

/** The data is JSON text already. */
function changesOf(changes: readonly SettledChange[]): string {
  const parts = changes.map(
    ({ data, hash, author }) => `{"author":"${author}","hash":"${hash.toString('hex')}","data":${data}}`,
  )
  return `[${parts.join(',')}]`
}

/** `$runs` of `$session`, of connections that are still there. */
const insertRuns = (session: string, runs: string, from: string) => `
  insert into connector_runs
    (connection_id, session_id, attempt, status, message, log, calls, connector, revision, method, started_at, duration_ms)
  select c.id, ${session}, r.attempt, r.status::run_status, r.message, r.log, r.calls, r.connector, r.revision, 'modify',
         r.started_at, r.duration_ms
    from ${from} jsonb_to_recordset(${runs}) as r(connection_id uuid, attempt int, status text, message text, log jsonb,
         calls jsonb, connector text, revision int, started_at timestamptz, duration_ms float8)
    join connections c on c.id = r.connection_id`

/**
 * What the last of `$runs` of each connection says goes into its `last_run_*`, as with the runs of consumers: when the status
 * changes, and else once a minute. A row that somebody else is writing is left to them: chains would wait for each other,
 * and each knows its connections in an order of its own.
 */
const tellLastRuns = (runs: string, from: string) => `
  update connections c
     set last_run_at = ran.started_at, last_run_status = ran.status, last_run_message = left(ran.message, 500)
    from (select l.*
            from (select distinct on (r.connection_id) r.connection_id, r.status::run_status as status, r.message, r.started_at
                    from ${from} jsonb_to_recordset(${runs}) as r(connection_id uuid, status text, message text, started_at timestamptz)
                   order by r.connection_id, r.started_at desc) l
            join connections c on c.id = l.connection_id
           where c.last_run_status is distinct from l.status or c.last_run_at < l.started_at - interval '1 minute'
             for no key update of c skip locked) ran
   where c.id = ran.connection_id`

const finishSql = `
with old as materialized (
  select s.*, x.connection_ids
    from sessions s join session_settlings x on x.session_id = s.id
   where s.id = $1 and s.revision = $4 and s.status in ('submitted', 'settling') and s.data is not null
     and x.lease_token = $2 and x.version = $3
     and not exists (
       select from jsonb_array_elements($5::jsonb) as change
        where not exists (
          select from connections c
            join connectors k on k.id = c.connector_id and k.status = 'approved'
            join integrations i on i.id = c.integration_id and i.status = 'active'
            join session_grants g on g.session_id = s.id and g.integration_id = c.integration_id and ${liveGrant}
           where c.id = (change ->> 'author')::uuid and c.enabled))
     for no key update of s, x
), change as materialized (
  select number::int, each -> 'data' as data, decode(each ->> 'hash', 'hex') as hash, each ->> 'author' as author
    from jsonb_array_elements($5::jsonb) with ordinality as e(each, number)
), total as materialized (
  select count(*)::int as changes from change
), waited as materialized (
  select p.*, p.revision = max(p.revision) over () as is_last from pending_revisions p join old o on o.id = p.session_id
), base as materialized (
  -- What the chain began with: the last update that waited, or what readers have.
  select s.id, s.team_id, s.flow_id, ${newest('payment_id')} as payment_id, ${newest('config')} as config, ${newest('data')} as data,
         ${newest('schema_url')} as schema_url, ${newest('content_hash')} as content_hash, ${newest('revision')} as revision,
         ${newest('author_kind')} as author_kind, ${newest('author_id')} as author_id,
         case when u.session_id is null then s.revised_at else u.created_at end as revised_at
    from old s left join waited u on u.is_last
), kept as (
  insert into session_revisions (session_id, revision, payment_id, config, data, schema_url, content_hash, author_kind, author_id, created_at)
  select o.id, o.revision, o.payment_id, o.config, o.data, o.schema_url, o.content_hash, coalesce(o.author_kind, 'system'),
         o.author_id, coalesce(o.revised_at, o.submitted_at)
    from old o, base b, total t where b.revision + t.changes > o.revision
  union all
  select w.session_id, w.revision, w.payment_id, w.config, w.data, w.schema_url, w.content_hash, w.author_kind, w.author_id, w.created_at
    from waited w, total t where not w.is_last or t.changes > 0
  union all
  select b.id, b.revision + c.number, b.payment_id, b.config, c.data, $6, c.hash, 'connection', c.author, now()
    from base b, change c, total t where c.number < t.changes
), named as (
  insert into trips as p (team_id, reference, title)
  select o.team_id, $15, $16 from old o where $15::text is not null
  on conflict (team_id, reference) do update set title = coalesce(excluded.title, p.title)
  returning p.id
), written as (
  update sessions s
     set revision = b.revision + t.changes, trip_id = coalesce((select id from named), s.trip_id),
         payment_id = b.payment_id, config = b.config,
         data = case when t.changes > 0 then c.data when b.revision > s.revision then b.data else s.data end,
         content_hash = coalesce(c.hash, b.content_hash),
         schema_url = case when t.changes > 0 then $6 else b.schema_url end,
         author_kind = case when t.changes > 0 then 'connection' else b.author_kind end,
         author_id = case when t.changes > 0 then c.author else b.author_id end,
         revised_at = case when t.changes > 0 then now() else b.revised_at end,
         connector_data = case when $12::jsonb is null then s.connector_data else merge_extension_data(s.connector_data, $12::jsonb) end,
         status = 'submitted',
         -- Whoever follows sessions by position sees it from now on.
         position = case when s.status = 'settling' then next_position() else s.position end
    from base b cross join total t left join change c on c.number = t.changes
   where s.id = b.id and (b.revision + t.changes > s.revision or s.status = 'settling' or $12::jsonb is not null)
), event as (
  insert into session_events (type, session_id, team_id, flow_id, payment_id, revision, config)
  select $7, b.id, b.team_id, b.flow_id, b.payment_id, b.revision + t.changes, b.config
    from base b, total t where $7::text is not null
  returning id, session_id, team_id, position
), bound as (
  insert into deliveries (event_id, session_id, team_id, integration_id, webhook_id, connection_id, event_position)
  select event.id, event.session_id, event.team_id, target.integration_id,
         case when target.kind = 'webhook' then target.id end,
         case when target.kind = 'connection' then target.id end,
         event.position
    from event
   cross join unnest($8::uuid[], $9::text[], $10::uuid[]) as target(id, kind, integration_id)
    join session_grants g on g.session_id = event.session_id and g.integration_id = target.integration_id and ${liveGrant}
  returning 1
), ran as (${insertRuns('o.id', '$11::jsonb', 'old o cross join')}
), last as (${tellLastRuns('$11::jsonb', 'old o cross join')}
), told as (
  insert into operational_events (type, team_id, connection_id, detail)
  select 'connection.modifier_loop', o.team_id, c.id, $13::jsonb - 'connection_id'
    from old o join connections c on c.id = ($13::jsonb ->> 'connection_id')::uuid
), ended as (
  delete from session_settlings x using old o where x.session_id = o.id and not $14::boolean
), again as (
  update session_settlings x
     set event_type = null, asked = x.connection_ids || x.asked, due_at = now(), lease_token = null, attempts = 0, restarts = 0,
         version = x.version + 1
    from old o where x.session_id = o.id and $14::boolean
), cleared as (
  -- Those of a row that ends go with it.
  delete from pending_revisions p using old o where p.session_id = o.id and $14::boolean
)
select b.revision + t.changes as revision, (select id from event) as event_id, (select count(*)::int from bound) as deliveries
  from base b, total t`

/**
 * Gives a lease back, and keeps what ran: due at once when something newer came in, else after a while. The session's
 * row, which the runs name, is held before that of the waiting, as everywhere.
 */
export async function releaseSettling(
  pool: pg.Pool,
  { session_id, lease_token }: Pick<ClaimedSettling, 'session_id' | 'lease_token'>,
  release: { readonly runs: readonly ModifierRun[]; readonly delayMs: number; readonly restarted: boolean },
): Promise<void> {
  await pool.query({
    name: 'release-settling',
    text: `
      with held as materialized (
        select id from sessions where id = $1 for key share
      ), released as (
        update session_settlings x
           set lease_token = null, due_at = now() + $4 * interval '1 millisecond',
               attempts = case when $5 then 0 else attempts end, restarts = restarts + case when $5 then 1 else 0 end
          from held
         where x.session_id = held.id and x.lease_token = $2
      ), last as (${tellLastRuns('$3::jsonb', '(select from held) held cross join')}
      )
      ${insertRuns('s.id', '$3::jsonb', 'sessions s cross join')}
       where s.id = $1 and s.purged_at is null`,
    values: [session_id, lease_token, storableJson(release.runs), release.delayMs, release.restarted],
  })
}

/** Leases that were not begun: others may have them, and nothing counts. */
export async function returnSettlings(pool: pg.Pool, tokens: readonly string[]): Promise<void> {
  await pool.query({
    name: 'return-settlings',
    text: `update session_settlings set lease_token = null, due_at = now(), attempts = greatest(attempts - 1, 0)
            where lease_token = any($1::uuid[])`,
    values: [tokens],
  })
}

/** Keeps the leases of what runs. */
export async function renewSettlings(pool: pg.Pool, tokens: readonly string[], leaseMs: number): Promise<void> {
  await pool.query({
    name: 'renew-settlings',
    text: `update session_settlings set due_at = now() + $2 * interval '1 millisecond' where lease_token = any($1::uuid[])`,
    values: [tokens, leaseMs],
  })
}
