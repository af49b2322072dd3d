/**
 * How a target (webhook or connection) fares.
 *
 * - `active`: as far as is known it answers.
 * - `failing`: several attempts in a row have failed. Deliveries go on by their schedules.
 * - `disabled`: it said that it is gone (no `probe_at`), or it has failed for so
 *   long that the disable policy gave it up (`probe_at` set). Then deliveries wait,
 *   and at `probe_at` one of them is sent.
 * - `probing`: that one is under way.
 *
 * A success makes it `active` from any state but gone, and releases what waits. A
 * failed probe makes it `disabled` again, with a later `probe_at`. A person may
 * enable it at any time.
 *
 * Each change of state between `active`, `failing` and `disabled` writes one
 * operational event in the statement that makes it. A probe that fails is no change.
 */
import type pg from 'pg'
import type { TargetKind } from './carrier.ts'

export interface Outcome {
  readonly kind: TargetKind
  readonly target_id: string
  readonly succeeded: boolean
  /** Set when the target is gone: the sentence that its editors read. */
  readonly gone?: string
  /** Why it failed, where these are our own words: what a connector says may quote a session, and would outlive it. */
  readonly error?: string
}

export interface FailingTarget {
  /** Since its first failure after the last success. */
  readonly failingForMs: number
  readonly consecutiveFailures: number
}

/** Whether a target that has just failed again is given up. */
export type DisablePolicy = (target: FailingTarget) => boolean

/** How long to wait before a target that has been disabled for so long is probed, again. */
export type ProbePolicy = (disabledForMs: number) => number

const hour = 3_600_000

/** @default five days, which is longer than the standard schedule of one delivery */
export const disableAfter =
  (ms = 120 * hour): DisablePolicy =>
  ({ failingForMs, consecutiveFailures }) =>
    consecutiveFailures > 1 && failingForMs >= ms

/** Waits grow with the time that it has been away: each half of it, within bounds. */
export const probeLessAndLess =
  ({ leastMs = hour, mostMs = 24 * hour } = {}): ProbePolicy =>
  (disabledForMs) =>
    Math.min(mostMs, Math.max(leastMs, disabledForMs / 2))

export interface HealthOptions {
  /** So many failures in a row are `failing`. */
  readonly failingAfter: number
  readonly disablePolicy: DisablePolicy
  readonly probePolicy: ProbePolicy
}

interface Change {
  readonly target_id: string
  /** Failures since the last success among the outcomes. */
  readonly failures: number
  readonly succeeded: boolean
  readonly gone: string | null
  readonly error: string | null
}

/** Folds outcomes, oldest first, to one change per target. */
export function changesOf(outcomes: readonly Outcome[]): readonly Change[] {
  const changes = new Map<string, Change>()
  for (const { target_id, succeeded, gone = null, error = null } of outcomes) {
    const before = changes.get(target_id) ?? { target_id, failures: 0, succeeded: false, gone: null, error: null }
    const after = succeeded ? { failures: 0, succeeded: true } : { failures: before.failures + 1, error }
    changes.set(target_id, { ...before, ...after, gone: gone ?? before.gone })
  }
  return [...changes.values()]
}

/** What the two kinds of target call their table, their state and themselves. */
const tables = {
  webhook: { table: 'webhooks', state: 'state' },
  connection: { table: 'connections', state: 'health' },
} as const

interface Failing {
  readonly target_id: string
  readonly state: string
  /** What it was before these outcomes. */
  readonly before: string
  readonly failing_ms: number
  readonly disabled_ms: number | null
  readonly consecutive_failures: number
}

/**
 * A healthy target that succeeds costs one index look-up and no write.
 *
 * @returns targets that a success has just released, so that what waits for them is claimed at once.
 */
export async function recordHealth(
  pool: pg.Pool,
  outcomes: readonly Outcome[],
  options: HealthOptions,
): Promise<readonly string[]> {
  const released: string[] = []
  for (const kind of ['webhook', 'connection'] as const) {
    const changes = changesOf(outcomes.filter((outcome) => outcome.kind === kind))
    if (changes.length === 0) continue
    const changed = await countOutcomes(pool, kind, changes, options.failingAfter)
    released.push(...changed.filter(({ state }) => state === 'active').map(({ target_id }) => target_id))
    await giveUp(pool, kind, changed, changes, options)
  }
  return released
}

/** A success or a failure counted, and the changes of state that follow from it alone. */
async function countOutcomes(
  pool: pg.Pool,
  kind: TargetKind,
  changes: readonly Change[],
  failingAfter: number,
): Promise<readonly Failing[]> {
  const { table, state } = tables[kind]
  const { rows } = await pool.query<Failing>({
    name: `count_outcomes ${kind}`,
    text: `
      with change as materialized (
        select c.target_id, c.gone, c.error, c.succeeded, t.${state} as before,
               case when c.succeeded then c.failures else t.consecutive_failures + c.failures end as failures
          from jsonb_to_recordset($1::jsonb) as c(target_id uuid, failures int, succeeded boolean, gone text, error text)
          join ${table} t on t.id = c.target_id
         where not (t.${state} = 'disabled' and t.probe_at is null)
           and (c.failures > 0 or t.consecutive_failures > 0 or t.${state} <> 'active')
         order by t.id
           for update of t
      ), next as materialized (
        select c.*,
               case when c.gone is not null then 'disabled'
                    when c.succeeded and c.failures = 0 then 'active'
                    when c.before in ('disabled', 'probing') then 'disabled'
                    when c.failures >= $2 then 'failing'
                    when c.succeeded then 'active'
                    else c.before::text end::webhook_state as after
          from change c
      ), changed as (
        update ${table} t
           set consecutive_failures = n.failures,
               ${state} = n.after,
               failing_since = case when n.failures = 0 then null
                                    when n.succeeded then now()
                                    else coalesce(t.failing_since, now()) end,
               disabled_at = case when n.after = 'disabled' then coalesce(t.disabled_at, now()) end,
               probe_at = case when n.gone is null and n.after = 'disabled' then t.probe_at end,
               state_reason = case when n.gone is not null then n.gone
                                   when n.after = 'failing' then n.failures || ' attempts in a row have failed.'
                                   when n.after = 'active' then null
                                   else t.state_reason end
          from next n
         where t.id = n.target_id
        returning t.*
      ), told as (
        insert into operational_events (type, team_id, ${kind}_id, detail)
        select '${kind}.' || case n.after when 'active' then 'recovered' else n.after::text end,
               t.team_id, t.id,
               jsonb_strip_nulls(jsonb_build_object(
                 'name', t.name, 'reason', t.state_reason, 'error', case when n.after <> 'active' then n.error end,
                 'consecutive_failures', nullif(n.failures, 0), 'failing_since', t.failing_since))
          from next n
          join changed t on t.id = n.target_id
         where n.after <> case n.before when 'probing' then 'disabled' else n.before end
      )
      select t.id as target_id, t.${state} as state, n.before, t.consecutive_failures,
             coalesce(extract(epoch from now() - t.failing_since) * 1000, 0)::float8 as failing_ms,
             (extract(epoch from now() - t.disabled_at) * 1000)::float8 as disabled_ms
        from changed t
        join next n on n.target_id = t.id`,
    values: [JSON.stringify(changes), failingAfter],
  })
  return rows
}

/** Those that the policy gives up, and those whose probe failed. Failing targets only, so seldom. */
async function giveUp(
  pool: pg.Pool,
  kind: TargetKind,
  changed: readonly Failing[],
  changes: readonly Change[],
  { disablePolicy, probePolicy }: HealthOptions,
): Promise<void> {
  const gone = new Set(changes.filter((change) => change.gone !== null).map(({ target_id }) => target_id))
  const given = changed.flatMap(({ target_id, state, before, consecutive_failures, failing_ms, disabled_ms }) => {
    if (gone.has(target_id)) return []
    // One that was under way when it was given up is no probe, and puts none off.
    if (state === 'disabled' && before === 'disabled') return []
    if (state === 'disabled') return [{ target_id, probe_ms: probePolicy(disabled_ms ?? 0) }]
    if (consecutive_failures === 0) return []
    const isGivenUp = disablePolicy({ failingForMs: failing_ms, consecutiveFailures: consecutive_failures })
    return isGivenUp ? [{ target_id, probe_ms: probePolicy(0) }] : []
  })
  if (given.length === 0) return
  const { table, state } = tables[kind]
  await pool.query({
    name: `give_up ${kind}`,
    text: `
      with given as materialized (
        select g.target_id, g.probe_ms, t.${state} as before
          from jsonb_to_recordset($1::jsonb) as g(target_id uuid, probe_ms float8)
          join ${table} t on t.id = g.target_id
         where t.consecutive_failures > 0
         order by t.id
           for update of t
      ), changed as (
        update ${table} t
           set ${state} = 'disabled',
               disabled_at = coalesce(t.disabled_at, now()),
               probe_at = now() + g.probe_ms * interval '1 millisecond',
               state_reason = 'Every attempt since ' || to_char(t.failing_since, 'YYYY-MM-DD HH24:MI') || ' UTC has failed. '
                 || 'Deliveries wait; one is tried from time to time, and a success releases them.'
          from given g
         where t.id = g.target_id
        returning t.*
      )
      insert into operational_events (type, team_id, ${kind}_id, detail)
      select '${kind}.disabled', t.team_id, t.id,
             jsonb_build_object('name', t.name, 'reason', t.state_reason, 'probe_at', t.probe_at,
                                'consecutive_failures', t.consecutive_failures, 'failing_since', t.failing_since)
        from changed t
        join given g on g.target_id = t.id
       where g.before not in ('disabled', 'probing')`,
    values: [JSON.stringify(given)],
  })
}
