/** Writes what became of leased deliveries: attempts and new states of a whole batch in one statement. */
import type pg from 'pg'
import type { AttemptReport } from './carrier.ts'

/** The end of one lease. */
export interface Settlement {
  readonly delivery_id: string
  readonly lease_token: string
  readonly status: 'succeeded' | 'waiting' | 'exhausted' | 'cancelled'
  /** Until the next attempt, when `waiting`. The database's clock counts, so that clocks need not agree. */
  readonly delay_ms?: number
  readonly last_error?: string
  /** Absent when nothing was attempted; the attempt that the claim counted is then taken back. */
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
 */
const statement = `
with result as materialized (
  select * from jsonb_to_recordset($1::jsonb) as r(
    delivery_id uuid, lease_token uuid, status delivery_status, delay_ms float8, last_error text,
    number int, outcome attempt_outcome, started_at timestamptz, duration_ms float8, status_code int,
    error_class text, error_message text, resolved_address text, request jsonb, response jsonb,
    response_body text, phases jsonb)
), finished as (
  update deliveries d
     set status = r.status,
         due_at = case when r.status = 'waiting' then now() + r.delay_ms * interval '1 millisecond' end,
         finished_at = case when r.status <> 'waiting' then now() end,
         lease_token = null,
         last_error = r.last_error,
         attempt_count = case when r.number is null then d.attempt_count - 1 else d.attempt_count end
    from result r
   where d.id = r.delivery_id and d.lease_token = r.lease_token and d.status = 'leased'
  returning d.id
), recorded as (
  insert into delivery_attempts (
    delivery_id, number, outcome, started_at, duration_ms, status_code, error_class, error_message,
    resolved_address, request, response, response_body, phases)
  select r.delivery_id, r.number, r.outcome, r.started_at, r.duration_ms, r.status_code, r.error_class, r.error_message,
         r.resolved_address, r.request, r.response, r.response_body, r.phases
    from result r
    join deliveries d on d.id = r.delivery_id
   where r.number is not null
      on conflict (delivery_id, number) do nothing
)
select id from finished`

/** @returns ids of the deliveries whose state was changed; the others' leases were lost. */
export async function settleDeliveries(
  pool: pg.Pool,
  settlements: readonly Settlement[],
): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'settle_deliveries',
    text: statement,
    values: [JSON.stringify(settlements.map(recordOf), storable)],
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
  }
}

/** Postgres stores neither NUL nor half a surrogate pair; both become U+FFFD. */
function storable(_key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  const text = value.isWellFormed() ? value : value.toWellFormed()
  return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text
}
