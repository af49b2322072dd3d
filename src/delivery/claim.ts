/** Takes due deliveries for this process: one statement, one round trip. */
import type pg from 'pg'
import type { LeasedDelivery, TargetKind } from './carrier.ts'

export interface ClaimOptions {
  /** What the process has carriers for. */
  readonly kinds: readonly TargetKind[]
  /** At most so many deliveries. */
  readonly limit: number
  /** Targets that the process already works for, and how many more deliveries each may get; 0 leaves it out. */
  readonly room: ReadonlyMap<string, number>
  /** For every other target: at most so many, and not more than its own concurrency. */
  readonly share: number
  /** Fencing token of this claim. */
  readonly token: string
  readonly leaseMs: number
}

export interface Claim {
  readonly deliveries: readonly ClaimedDelivery[]
  /** More was due than was taken. */
  readonly more: boolean
}

export interface ClaimedDelivery extends LeasedDelivery {
  /** Why it must not be delivered: its target is switched off, or the integration may no longer see the session. */
  readonly refusal: string | null
}

/**
 * The oldest due deliveries are looked at first, expired leases among them (see
 * `due_at` in the schema). Of these each target gets its share, first ones first,
 * so a target with a long queue takes its room and no more. Rows that another
 * process is claiming at this moment are passed over.
 *
 * A full target's own backlog is still walked over in the index; a partial index
 * on (target, due_at) is what a very deep backlog will want.
 */
const statementFor = (isWanted: string) => `
with candidate as materialized (
  select d.id, coalesce(d.webhook_id, d.connection_id) as target_id, d.due_at
    from deliveries d
   where d.due_at <= now()
     and coalesce(d.webhook_id, d.connection_id) <> all ($1::uuid[])
     ${isWanted}
   order by d.due_at
   limit $2
     for update skip locked
), ranked as (
  select c.*, row_number() over (partition by c.target_id order by c.due_at) as place from candidate c
), picked as (
  select r.id
    from ranked r
    left join unnest($3::uuid[], $4::int[]) as known(target_id, room) using (target_id)
    left join webhooks w on w.id = r.target_id
    left join connections n on n.id = r.target_id
   where r.place <= coalesce(known.room, least(w.concurrency, n.concurrency, $5::int))
   order by r.place, r.due_at
   limit $6
), leased as (
  update deliveries d
     set status = 'leased',
         lease_token = $7,
         due_at = now() + $8::float8 * interval '1 millisecond',
         attempt_count = d.attempt_count + 1
    from picked p
   where d.id = p.id
  returning d.*
)
select l.id, l.attempt_count, l.webhook_id, l.connection_id, l.team_id, l.integration_id, l.session_id, l.event_id,
       coalesce(w.concurrency, n.concurrency) as concurrency,
       coalesce(w.timeout_ms, n.timeout_ms) as timeout_ms,
       coalesce(w.xmin, n.xmin)::text as target_version,
       e.type, e.payment_id, e.config, e.created_at, t.slug as team, f.slug as flow,
       case
         when i.status = 'disabled' then 'The integration is disabled.'
         when not coalesce(w.enabled, n.enabled) then 'The ' || case when w.id is null then 'connection' else 'webhook' end || ' is disabled.'
         when w.state = 'disabled' then 'The webhook was switched off. ' || coalesce(w.state_reason, '')
         when not exists (select from session_grants g
                           where g.session_id = l.session_id and g.integration_id = l.integration_id
                             and g.revoked_at is null and g.expires_at > now())
           then 'The integration may no longer see the session.'
       end as refusal,
       (select count(*) from candidate)::int as candidates
  from leased l
  join session_events e on e.id = l.event_id
  join teams t on t.id = e.team_id
  join flows f on f.id = e.flow_id
  join integrations i on i.id = l.integration_id
  left join webhooks w on w.id = l.webhook_id
  left join connections n on n.id = l.connection_id
 order by l.created_at, l.id`

/** Written out, not passed in: with an opaque filter the planner expects few rows and reads the whole table. */
const statements = new Map([
  ['webhook', statementFor('and d.webhook_id is not null')],
  ['connection', statementFor('and d.connection_id is not null')],
  ['connection webhook', statementFor('')],
])

interface Row {
  readonly id: string
  readonly attempt_count: number
  readonly webhook_id: string | null
  readonly connection_id: string | null
  readonly team_id: string
  readonly integration_id: string
  readonly session_id: string
  readonly event_id: string
  readonly concurrency: number
  readonly timeout_ms: number
  readonly target_version: string
  readonly type: string
  readonly payment_id: string | null
  readonly config: unknown
  readonly created_at: Date
  readonly team: string
  readonly flow: string
  readonly refusal: string | null
  readonly candidates: number
}

export async function claimDeliveries(
  pool: pg.Pool,
  { kinds, limit, room, share, token, leaseMs }: ClaimOptions,
): Promise<Claim> {
  const full = [...room].filter(([, left]) => left <= 0).map(([target]) => target)
  const known = [...room].filter(([, left]) => left > 0)
  // More are looked at than can be taken, so that a target's queue at the front leaves some for others.
  const looked = limit + 64
  const wanted = [...kinds].sort().join(' ')
  const text = statements.get(wanted)
  if (text === undefined) return { deliveries: [], more: false }
  const { rows } = await pool.query<Row>({
    name: `claim_deliveries ${wanted}`,
    text,
    values: [
      full,
      looked,
      known.map(([target]) => target),
      known.map(([, left]) => left),
      share,
      limit,
      token,
      leaseMs,
    ],
  })
  const candidates = rows[0]?.candidates ?? 0
  return { deliveries: rows.map(deliveryOf), more: candidates > rows.length || candidates === looked }
}

function deliveryOf(row: Row): ClaimedDelivery {
  return {
    id: row.id,
    kind: row.webhook_id === null ? 'connection' : 'webhook',
    target_id: row.webhook_id ?? row.connection_id ?? '',
    target_version: row.target_version,
    team_id: row.team_id,
    integration_id: row.integration_id,
    session_id: row.session_id,
    attempt: row.attempt_count,
    timeout_ms: row.timeout_ms,
    concurrency: row.concurrency,
    refusal: row.refusal,
    event: {
      id: row.event_id,
      type: row.type,
      session_id: row.session_id,
      team: row.team,
      flow: row.flow,
      payment_id: row.payment_id,
      config: row.config,
      created_at: row.created_at,
    },
  }
}
