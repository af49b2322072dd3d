/** Takes due deliveries for this process: one statement, one round trip. */
import type pg from 'pg'
import type { LeasedDelivery, TargetKind } from './carrier.ts'

export interface ClaimOptions {
  /** What the process has carriers for. */
  readonly kinds: readonly TargetKind[]
  /** Names this process in leases. */
  readonly workerId: string
  /** At most so many deliveries. */
  readonly limit: number
  /** Targets that the process already works for, and how many more deliveries each may get; 0 leaves it out. */
  readonly room: ReadonlyMap<string, number>
  /** For every other target: at most so many, and not more than its own concurrency. */
  readonly share: number
  /** Fencing token of this claim. */
  readonly token: string
  readonly leaseMs: number
  /** Where the claim before stopped. @default the first target */
  readonly turn?: Turn
}

/** Whose turn it is, so that a claim that could not serve all targets is followed by one that serves the others. */
export interface Turn {
  /** Lanes after this one are looked at. */
  readonly after: string
  /** Of those that are looked at, the ones after this one come first. */
  readonly last: string
}

export const firstTurn: Turn = {
  after: '00000000-0000-0000-0000-000000000000',
  last: '00000000-0000-0000-0000-000000000000',
}

export interface Claim {
  readonly deliveries: readonly ClaimedDelivery[]
  /** More was due than was taken, and could be taken at once. */
  readonly more: boolean
  /** A target got as much as there was room for: it may have more. */
  readonly filled: boolean
  /** Lanes in which another process was claiming at this moment: worth another look soon. */
  readonly contended: boolean
  /** In so many milliseconds a target's rate or pause allows more. */
  readonly nextInMs: number | undefined
  /** The database's time when it claimed, in epoch milliseconds. */
  readonly databaseNow: number
  readonly turn: Turn
}

export interface ClaimedDelivery extends LeasedDelivery {
  /** Why it must not be delivered: its target is switched off, or the integration may no longer see the session. */
  readonly refusal: string | null
  /** The target takes one after the other, each only when the one before is final. */
  readonly ordered: boolean
  /** Milliseconds that lie between two attempts at least, or null. */
  readonly interval_ms: number | null
  /** The rate allows the attempt in so many milliseconds. */
  readonly start_in_ms: number
  /** Attempts of before it was sent again, which its schedule of retries does not count. @default 0 */
  readonly attempts_before_replay?: number
  /** A replay brought it: how long ago its event was says nothing of how long it waited. */
  readonly is_replayed?: boolean
}

/** Lanes that one claim looks at, some 40 µs each: half as many as it wants deliveries, within bounds. With more lanes than that, claims take turns. */
const leastLanes = 64
const mostLanes = 512
const window = `least(${mostLanes}, greatest(${leastLanes}, $7::int / 2))`
/** Rates are claimed for this long ahead, and kept by the process. */
const horizonMs = 250
/** Of an ordered lane at once: in hand they run one by one without a claim between. */
const orderedBatch = 16

/**
 * Four steps, in the words of the statement:
 *
 * - `visited`: the lanes (targets) that have unfinished deliveries, by a walk that
 *   jumps from lane to lane in the index on (target, due_at). Its cost is that of
 *   the lanes, not of the deliveries that wait in them, and of a
 *   bounded number of lanes.
 * - `offered`: how many deliveries each lane may give now. Leases of it are
 *   counted; a lane of which nobody else holds any is as wide as this process
 *   wants (it keeps the target's concurrency itself), otherwise all processes
 *   together keep it. An ordered lane, or one that is probed, gives nothing while
 *   any lease is out. The rate gives slots up to `horizonMs` ahead.
 * - `locked`: claiming in a lane takes its row. Who comes second passes on. A
 *   claim that committed after this statement's snapshot has raised `version`,
 *   which is checked on the locked row, so the count of leases cannot be too low.
 * - `picked` and `chosen`: the first deliveries of each lane, lanes and teams
 *   taking turns. Neither `deliveries` nor `delivery_queue` is written.
 *
 * An ordered lane is claimed from its head in order of position, as far as
 * everything is due and below the horizon under which nothing can still be
 * committed.
 *
 * A probe moves `probe_at` ahead, so that the next one does not come before its
 * result is counted, and comes if it never is.
 *
 * A lost claim costs nothing, so its commit does not wait for the disk.
 */
const statement = `
with recursive relaxed as materialized (
  select set_config('synchronous_commit', 'off', true)
), ring (target_id, due_at) as (
  (select d.target_id, d.due_at
     from delivery_queue d
    where d.target_id > $1
    order by d.target_id, d.due_at
    limit 1)
  union all
  select next.*
    from ring
   cross join lateral (
      select d.target_id, d.due_at
        from delivery_queue d
       where d.target_id > ring.target_id
       order by d.target_id, d.due_at
       limit 1) as next
), visited as materialized (
  select r.target_id, r.due_at from ring r limit ${window}
), held as materialized (
  select e.target_id,
         count(*) filter (where e.worker_id = $2) as own,
         count(*) filter (where e.worker_id <> $2) as others
    from delivery_leases e
   where e.leased_until > now()
   group by e.target_id
), lane as materialized (
  select l.target_id, l.version,
         greatest(l.next_slot_at, now()) as slot_at,
         extract(epoch from l.paused_until - now()) * 1000 as paused_ms,
         coalesce(w.team_id, n.team_id, l.target_id) as team_id,
         coalesce(w.ordered, n.ordered) as ordered,
         coalesce(w.rate_per_second, n.rate_per_second) as rate,
         coalesce(w.concurrency, n.concurrency) as concurrency,
         coalesce(w.consecutive_failures, n.consecutive_failures) > 0 as fails,
         coalesce(w.enabled, n.enabled) as enabled,
         coalesce(w.state, n.health) as state,
         coalesce(w.probe_at, n.probe_at) as probe_at,
         coalesce(held.own, 0) as own, coalesce(held.others, 0) as others
    from visited v
    join delivery_lanes l using (target_id)
    left join webhooks w on w.id = l.target_id
    left join connections n on n.id = l.target_id
    left join held using (target_id)
   cross join relaxed
   where v.due_at <= now()
     and l.target_id <> all ($3::uuid[])
     and case when w.id is null then 'connection' else 'webhook' end = any ($4::text[])
), offered as materialized (
  select lane.*,
         greatest(0, case when paused_ms > 0 then 0 else least(
           case
             when not enabled or state = 'disabled' and probe_at is null then $7
             when state in ('disabled', 'probing') then
               case when probe_at <= now() and own + others = 0 then 1 else 0 end
             when ordered then case when own + others > 0 then 0 when fails then 1 else ${orderedBatch} end
             when others = 0 then coalesce(known.room, least(concurrency, $6))
             else least(coalesce(known.room, $6), concurrency - own - others)
           end,
           case when rate is not null then
             floor((extract(epoch from now() - slot_at) + ${horizonMs / 1000}) * rate + 1e-6)::int + 1
           end) end) as room
    from lane
    left join unnest($5::uuid[], $8::int[]) as known(target_id, room) using (target_id)
), wanted as materialized (
  select o.*, greatest(1, 2 * $7 / count(*) over ()) as turn_size,
         row_number() over (order by o.target_id > $9 desc, o.target_id) as turn
    from offered o
   where o.room > 0
   order by o.target_id > $9 desc, o.target_id
   limit $7
), locked as materialized (
  select l.target_id
    from wanted o
    join delivery_lanes l using (target_id)
   where l.version = o.version
     for update of l skip locked
), picked as (
  select o.target_id, o.team_id, o.slot_at, o.rate, o.ordered, o.state, o.turn, o.room, o.turn_size, p.id, p.place
    from locked
    join wanted o using (target_id)
   cross join lateral (
      select q.id, row_number() over () as place
        from (select d.delivery_id as id
                from delivery_queue d
               where not o.ordered
                 and d.target_id = o.target_id
                 and d.due_at <= now()
                 and coalesce((select e.leased_until from delivery_leases e where e.delivery_id = d.delivery_id), '-infinity') <= now()
               order by d.due_at
               limit least(o.room, o.turn_size)) as q
      union all
      select q.id, q.place
        from (select h.id, row_number() over heads as place, bool_and(h.ready) over heads as ready
                from (select d.delivery_id as id, d.event_position,
                             d.due_at <= now() and coalesce(d.event_position < position_horizon(), true) as ready
                        from delivery_queue d
                       where o.ordered
                         and d.target_id = o.target_id
                       order by d.event_position, d.delivery_id
                       limit o.room) as h
              window heads as (order by h.event_position, h.id)) as q
       where q.ready) as p
), chosen as materialized (
  select p.*
    from picked p
   order by row_number() over (partition by p.team_id order by p.place, p.turn), p.turn
   limit $7
), given as materialized (
  select c.target_id, c.slot_at, c.rate, c.room, c.turn_size, count(*) as taken from chosen c group by 1, 2, 3, 4, 5
), numbered as materialized (
  select c.*, greatest(d.attempt_count, e.attempt) + 1 as attempt
    from chosen c
    join deliveries d on d.id = c.id
    left join delivery_leases e on e.delivery_id = c.id
), leased as (
  insert into delivery_leases (delivery_id, target_id, worker_id, token, attempt, leased_until)
  select c.id, c.target_id, $2, $10, c.attempt, now() + $11::float8 * interval '1 millisecond'
    from numbered c
      on conflict (delivery_id) do update
     set worker_id = excluded.worker_id, token = excluded.token, leased_until = excluded.leased_until,
         attempt = excluded.attempt
), moved as (
  update delivery_lanes l
     set version = l.version + 1,
         next_slot_at = case when t.rate is not null then t.slot_at + t.taken / t.rate * interval '1 second' end
    from given t
   where l.target_id = t.target_id
), probing_webhooks as (
  update webhooks w
     set state = 'probing', probe_at = now() + (w.timeout_ms + 60000) * interval '1 millisecond'
    from chosen c
   where w.id = c.target_id and c.state in ('disabled', 'probing') and w.enabled and w.probe_at is not null
), probing_connections as (
  update connections n
     set health = 'probing', probe_at = now() + (n.timeout_ms + 60000) * interval '1 millisecond'
    from chosen c
   where n.id = c.target_id and c.state in ('disabled', 'probing') and n.enabled and n.probe_at is not null
), summary as (
  select extract(epoch from now())::float8 * 1000 as database_now,
         (select count(*) from visited) = ${window} as window_full,
         (select max(target_id::text) from visited) as last_visited,
         (select target_id::text from chosen order by turn desc limit 1) as last_served,
         (select count(*) from wanted) > (select count(*) from locked) as contended,
         coalesce((select bool_or(taken >= turn_size and turn_size < room) from given), false) as shared_out,
         coalesce((select bool_or(taken >= room) from given), false) as filled,
         (select min(greatest(20, case when paused_ms > 0 then paused_ms
                                       else extract(epoch from slot_at - now()) * 1000 + room * 1000 / rate - ${horizonMs / 2}
                                  end))::float8
            from offered where paused_ms > 0 or rate is not null) as next_in_ms
)
select s.*, d.id, c.attempt, d.webhook_id, d.connection_id, d.team_id, d.integration_id, d.session_id, d.event_id,
       coalesce(w.concurrency, n.concurrency) as concurrency,
       coalesce(w.timeout_ms, n.timeout_ms) as timeout_ms,
       coalesce(w.xmin, n.xmin)::text as target_version,
       c.ordered,
       1000 / c.rate as interval_ms,
       coalesce(extract(epoch from c.slot_at - now()) * 1000 + (c.place - 1) * 1000 / c.rate, 0)::float8 as start_in_ms,
       e.type, e.payment_id, e.config, e.created_at, t.slug as team, f.slug as flow,
       o.id as operational_id, o.type as operational_type, o.created_at as operational_created_at,
       jsonb_strip_nulls(jsonb_build_object('webhook_id', o.webhook_id, 'connection_id', o.connection_id)) || o.detail as detail,
       d.attempts_before_replay, d.replay_id is not null as is_replayed,
       case
         -- A person asked how it fares now, switched off or not.
         when o.type = 'webhook.test' then null
         when i.status = 'disabled' then 'The integration is disabled.'
         when not coalesce(w.enabled, n.enabled) then 'The ' || case when w.id is null then 'connection' else 'webhook' end || ' is disabled.'
         when coalesce(w.state, n.health) = 'disabled' and coalesce(w.probe_at, n.probe_at) is null
           then 'The ' || case when w.id is null then 'connection' else 'webhook' end || ' was switched off. ' || coalesce(w.state_reason, n.state_reason, '')
         -- That a session is gone is told to those who had it.
         when d.session_id is not null and e.type <> 'session.purged'
              and not exists (select from session_grants g
                               where g.session_id = d.session_id and g.integration_id = d.integration_id
                                 and g.revoked_at is null and g.expires_at > now())
           then 'The integration may no longer see the session.'
       end as refusal
  from summary s
  left join (numbered c
    join deliveries d on d.id = c.id
    join integrations i on i.id = d.integration_id
    left join session_events e on e.id = d.event_id
    left join flows f on f.id = e.flow_id
    left join operational_events o on o.id = d.operational_event_id
    left join teams t on t.id = coalesce(e.team_id, o.team_id)
    left join webhooks w on w.id = d.webhook_id
    left join connections n on n.id = d.connection_id) on true
 order by c.place, c.turn`

interface Row {
  readonly database_now: number
  readonly window_full: boolean
  readonly last_visited: string | null
  readonly last_served: string | null
  readonly contended: boolean
  readonly shared_out: boolean
  readonly filled: boolean
  readonly next_in_ms: number | null
  /** Null when nothing was taken; then all that follows is. */
  readonly id: string | null
  readonly attempt: number
  readonly webhook_id: string | null
  readonly connection_id: string | null
  readonly team_id: string | null
  readonly integration_id: string
  readonly session_id: string | null
  readonly event_id: string | null
  readonly concurrency: number
  readonly timeout_ms: number
  readonly target_version: string
  readonly ordered: boolean
  readonly interval_ms: number | null
  readonly start_in_ms: number
  readonly type: string | null
  readonly payment_id: string | null
  readonly config: unknown
  readonly created_at: Date
  readonly team: string | null
  readonly flow: string | null
  readonly operational_id: string
  readonly operational_type: string
  readonly detail: unknown
  readonly operational_created_at: Date
  readonly attempts_before_replay: number
  readonly is_replayed: boolean
  readonly refusal: string | null
}

export async function claimDeliveries(
  pool: pg.Pool,
  { kinds, workerId, limit, room, share, token, leaseMs, turn = firstTurn }: ClaimOptions,
): Promise<Claim> {
  const full = [...room].filter(([, left]) => left <= 0).map(([target]) => target)
  const known = [...room].filter(([, left]) => left > 0)
  const { rows } = await pool.query<Row>({
    name: 'claim_deliveries',
    text: statement,
    values: [
      turn.after,
      workerId,
      full,
      kinds,
      known.map(([target]) => target),
      share,
      limit,
      known.map(([, left]) => left),
      turn.last,
      token,
      leaseMs,
    ],
  })
  const [first] = rows
  const deliveries = rows.flatMap((row) => (row.id === null ? [] : [deliveryOf(row, row.id)]))
  // A walk that did not begin with the first lane has not seen those before.
  const goesOn = first?.window_full === true || turn.after !== firstTurn.after
  return {
    deliveries,
    more: deliveries.length >= limit || goesOn || first?.shared_out === true,
    filled: first?.filled ?? false,
    contended: first?.contended ?? false,
    nextInMs: first?.next_in_ms ?? undefined,
    databaseNow: first?.database_now ?? Date.now(),
    turn: {
      after: first?.window_full ? (first.last_visited ?? firstTurn.after) : firstTurn.after,
      last: first?.last_served ?? turn.last,
    },
  }
}

function deliveryOf(row: Row, id: string): ClaimedDelivery {
  const isOperational = row.event_id === null
  return {
    id,
    kind: row.webhook_id === null ? 'connection' : 'webhook',
    target_id: row.webhook_id ?? row.connection_id ?? '',
    target_version: row.target_version,
    team_id: row.team_id ?? '',
    integration_id: row.integration_id,
    session_id: row.session_id ?? '',
    attempt: row.attempt,
    timeout_ms: row.timeout_ms,
    concurrency: row.concurrency,
    refusal: row.refusal,
    ordered: row.ordered,
    interval_ms: row.interval_ms,
    start_in_ms: row.start_in_ms,
    attempts_before_replay: row.attempts_before_replay,
    is_replayed: row.is_replayed,
    event: {
      id: row.event_id ?? row.operational_id,
      type: row.type ?? row.operational_type,
      session_id: row.session_id ?? '',
      team: row.team ?? '',
      flow: row.flow ?? '',
      payment_id: row.payment_id,
      config: row.config,
      created_at: isOperational ? row.operational_created_at : row.created_at,
    },
    ...(isOperational ? { operational: { detail: row.detail } } : {}),
  }
}
