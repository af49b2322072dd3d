/** Writes what became of leased deliveries: attempts and new states of a whole batch in one statement. */
import type pg from 'pg'
import { storableJson } from '../database/storable.ts'
import type { AttemptReport } from './carrier.ts'

/** The end of one lease. */
export interface Settlement {
  readonly delivery_id: string
  readonly lease_token: string
  readonly status: 'succeeded' | 'waiting' | 'exhausted' | 'cancelled'
  /** Until the next attempt, when `waiting`. The database's clock counts, so that clocks need not agree. */
  readonly delay_ms?: number
  readonly last_error?: string
  /** The target asked to be left alone for so long: nothing is claimed for it meanwhile. */
  readonly pause_ms?: number
  /** Absent when nothing was attempted. */
  readonly attempt?: {
    readonly number: number
    readonly started_at: Date
    readonly duration_ms: number
    readonly report: AttemptReport
  }
}

const mostMessageLength = 1000
const mostBodyLength = 16_384

/**
 * A result of a lease that is no longer held changes no state: somebody else has
 * the delivery by then. Its attempt is recorded all the same, because it was made.
 * So it is when the delivery was cancelled meanwhile: that stays so.
 *
 * Who exhausts a delivery writes the operational event of it, in the same
 * statement, so once. One that itself tells of an operational event is not told
 * of, or a dead endpoint would hear of itself for ever.
 *
 * The commit does not wait for the disk unless `$2`: a result that a crash of the
 * server takes with it (the last half second at most) is a delivery made again,
 * under the same id. Only strict order needs to be sure before it goes on.
 */
const statement = `
with durability as materialized (
  select set_config('synchronous_commit', 'off', true) where not $2::boolean
), result as materialized (
  select r.* from jsonb_to_recordset($1::jsonb) as r(
    delivery_id uuid, lease_token uuid, status delivery_status, delay_ms float8, pause_ms float8, last_error text,
    number int, outcome attempt_outcome, started_at timestamptz, duration_ms float8, status_code int,
    error_class text, error_message text, resolved_address text, request jsonb, response jsonb,
    response_body text, phases jsonb, tls jsonb)
    left join durability on true
), released as (
  delete from delivery_leases held
   using result r
   where held.delivery_id = r.delivery_id and held.token = r.lease_token
  returning held.delivery_id, held.target_id
), finished as (
  update deliveries d
     set status = r.status,
         due_at = case when r.status = 'waiting' then now() + r.delay_ms * interval '1 millisecond' end,
         finished_at = case when r.status <> 'waiting' then now() end,
         last_error = r.last_error,
         attempt_count = coalesce(r.number, d.attempt_count)
    from result r
    join released on released.delivery_id = r.delivery_id
   where d.id = r.delivery_id and d.due_at is not null
  returning d.id, d.status, d.team_id, d.webhook_id, d.connection_id, d.session_id, d.attempt_count, d.last_error,
            d.operational_event_id, r.status_code
), recorded as (
  insert into delivery_attempts (
    delivery_id, number, outcome, started_at, duration_ms, status_code, error_class, error_message,
    resolved_address, request, response, response_body, phases, tls)
  select r.delivery_id, r.number, r.outcome, r.started_at, r.duration_ms, r.status_code, r.error_class, r.error_message,
         r.resolved_address, r.request, r.response, r.response_body, r.phases, r.tls
    from result r
   where r.number is not null
     and (r.delivery_id in (select id from finished) or exists (select from deliveries d where d.id = r.delivery_id))
      on conflict (delivery_id, number) do nothing
), told as (
  insert into operational_events (type, team_id, webhook_id, connection_id, detail)
  select 'delivery.exhausted', f.team_id, f.webhook_id, f.connection_id,
         jsonb_strip_nulls(jsonb_build_object(
           'delivery_id', f.id, 'session_id', f.session_id, 'attempts', f.attempt_count,
           -- What a connector says may quote the session, and would outlive it here. Its run has it.
           'status_code', f.status_code, 'error', case when f.webhook_id is not null then f.last_error end))
    from finished f
   where f.status = 'exhausted' and f.operational_event_id is null
), paused as (
  update delivery_lanes l
     set paused_until = greatest(l.paused_until, now() + p.ms * interval '1 millisecond')
    from (select held.target_id, max(r.pause_ms) as ms
            from result r join released held using (delivery_id)
           where r.pause_ms is not null
           group by 1) as p
   where l.target_id = p.target_id
)
select delivery_id as id from released`

/** @returns ids of the deliveries whose lease was held to the end; the others' results came too late. */
export async function settleDeliveries(
  pool: pg.Pool,
  settlements: readonly Settlement[],
  { durable = false }: { readonly durable?: boolean } = {},
): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'settle_deliveries',
    text: statement,
    values: [storableJson(settlements.map(recordOf)), durable],
  })
  return new Set(rows.map((row) => row.id))
}

function recordOf({ attempt, ...state }: Settlement) {
  const last_error = state.last_error?.slice(0, mostMessageLength)
  if (!attempt) return { ...state, last_error }
  const { number, started_at, duration_ms, report } = attempt
  return {
    ...state,
    last_error,
    number,
    started_at,
    duration_ms,
    outcome: report.outcome,
    status_code: report.status_code,
    error_class: report.error_class,
    error_message: report.error_message?.slice(0, mostMessageLength),
    resolved_address: report.resolved_address,
    request: report.request,
    response: report.response,
    response_body: report.response_body?.slice(0, mostBodyLength),
    phases: report.phases,
    tls: report.tls,
  }
}
