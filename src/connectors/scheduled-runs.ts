/**
 * Runs connections at their times, and on demand.
 *
 * `next_run_at` says when a connection runs next; one that is due is claimed by one worker:
 *
 * ```
 *   planned ──its time comes, or run_connection──▶ due ──claim──▶ run_token, run_until ──finish──▶ planned, or not
 *                                                   ▲                    │
 *                                                   └── run_until passes ┘  (its worker was killed)
 * ```
 *
 * The claim leaves `next_run_at` as it is, so a run that is not finished is due again when its lease has passed. The
 * finish sets the next time after now, whatever was missed before. A disabled connection or integration, and a connector
 * that is not approved, stay due and run once when they may again.
 */
import type pg from 'pg'
import { listen, productionChannel } from '../database/notifications.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { ConnectorKind } from './manifest.ts'
import { type ProducingConnection, producing, producingColumns, runnableConnections } from './producing.ts'
import { nextRun, retryRun } from './schedule.ts'

export interface DueConnection extends ProducingConnection {
  /** Of the lease. */
  readonly run_token: string
}

export interface RunSummary {
  readonly succeeded: boolean
  /** For people. */
  readonly message: string | null
}

/** What runs connections of some kinds. */
export interface ScheduledRunner {
  readonly kinds: readonly ConnectorKind[]
  /** @param signal aborts when the worker stops or has lost the lease. What it throws is a defect of ours: it is run again. */
  run(connection: DueConnection, signal: AbortSignal): Promise<RunSummary>
}

export interface ScheduledRunsOptions {
  readonly pool: pg.Pool
  readonly log: Log
  readonly runners: readonly ScheduledRunner[]
  /** Connections at the same time. @default 4 */
  readonly concurrency?: number
  /** How often it looks unasked, in milliseconds. @default 1000 */
  readonly pollMs?: number
  /** A killed worker's run is taken over after so many milliseconds. @default 30 000 */
  readonly leaseMs?: number
  /** After a run that ended in a defect of ours. @default 30 000 */
  readonly retryMs?: number
}

export interface ScheduledRuns {
  /** Stops what runs and gives it back. */
  close(): Promise<void>
}

export function startScheduledRuns({
  pool,
  log,
  runners,
  concurrency = 4,
  pollMs = 1000,
  leaseMs = 30_000,
  retryMs = 30_000,
}: ScheduledRunsOptions): ScheduledRuns {
  const kinds = [...new Set(runners.flatMap((runner) => runner.kinds))]
  const ending = new AbortController()
  const running = new Set<Promise<void>>()
  let looking: Promise<void> | undefined
  let again = false

  const look = async (): Promise<void> => {
    await planConnections(pool, new Date())
    while (!ending.signal.aborted && running.size < concurrency) {
      again = false
      const claimed = await claimDue(pool, { kinds, most: concurrency - running.size, leaseMs })
      for (const connection of claimed) {
        const one = run(connection).finally(() => {
          running.delete(one)
          wake()
        })
        running.add(one)
      }
      if (claimed.length === 0 && !again) return
    }
  }
  const wake = (): void => {
    again = true
    if (looking || ending.signal.aborted) return
    looking = look()
      .catch((error) => log.warn({ error: messageOf(error) }, 'connections that are due could not be looked for'))
      .finally(() => {
        looking = undefined
      })
  }

  const run = async (due: DueConnection): Promise<void> => {
    const lost = new AbortController()
    const signal = AbortSignal.any([ending.signal, lost.signal])
    const startedAt = new Date()
    const renewing = setInterval(() => {
      renewRun(pool, due, leaseMs).then(
        (held) => held || lost.abort(),
        (error) => log.warn({ error: messageOf(error) }, 'the lease of a run could not be renewed'),
      )
    }, leaseMs / 3)
    try {
      const summary = await runAll(runners, due, signal)
      if (signal.aborted) await giveBack(pool, due, 0)
      else await finishRun(pool, due, { ...summary, startedAt })
    } catch (error) {
      if (!ending.signal.aborted) {
        log.error({ err: error, connection: due.connection.id }, 'a connection could not be run; it is tried again')
      }
      await giveBack(pool, due, ending.signal.aborted ? 0 : retryMs).catch((failure) =>
        log.warn({ error: messageOf(failure) }, 'a run could not be given back; it is taken over after its lease'),
      )
    } finally {
      clearInterval(renewing)
    }
  }

  const listener = listen({ pool, channel: productionChannel, log, onNotify: wake })
  const timer = setInterval(wake, pollMs)
  return {
    async close() {
      clearInterval(timer)
      ending.abort()
      await listener.close()
      await looking
      await Promise.all(running)
    },
  }
}

/** A connector of several kinds runs as each of them. */
async function runAll(
  runners: readonly ScheduledRunner[],
  due: DueConnection,
  signal: AbortSignal,
): Promise<RunSummary> {
  const said: RunSummary[] = []
  for (const runner of runners) {
    if (signal.aborted) break
    if (runner.kinds.some((kind) => due.connector.manifest.kinds.includes(kind)))
      said.push(await runner.run(due, signal))
  }
  const messages = said.flatMap(({ message }) => message ?? [])
  return { succeeded: said.every(({ succeeded }) => succeeded), message: messages.join(' ') || null }
}

/** Works out when connections run next whose schedule is new or was changed. */
export async function planConnections(pool: pg.Pool, now: Date): Promise<void> {
  const { rows } = await pool.query<{ id: string; schedule: string; time_zone: string }>({
    name: 'connections: without a plan',
    text: 'select id, schedule, time_zone from connections where schedule is not null and next_run_at is null limit 500',
  })
  for (const { id, schedule, time_zone } of rows) {
    await pool.query({
      name: 'connections: plan',
      text: 'update connections set next_run_at = $4 where id = $1 and schedule = $2 and time_zone = $3 and next_run_at is null',
      values: [id, schedule, time_zone, nextRun({ schedule, time_zone }, now)],
    })
  }
}

interface Claim {
  readonly kinds: readonly string[]
  readonly most: number
  readonly leaseMs: number
}

/** @internal exported for its test */
export async function claimDue(pool: pg.Pool, { kinds, most, leaseMs }: Claim): Promise<readonly DueConnection[]> {
  const { rows } = await pool.query<DueConnection>({
    name: 'connections: claim due',
    text: `
      with due as materialized (
        select c.id from ${runnableConnections}
         where c.next_run_at <= now() and (c.run_until is null or c.run_until < now()) and c.enabled
           and k.manifest -> 'kinds' ?| $1::text[]
         order by c.next_run_at limit $2
           for no key update of c skip locked
      ), claimed as (
        update connections c set run_token = gen_random_uuid(), run_until = now() + $3 * interval '1 millisecond'
          from due where c.id = due.id
        returning c.id, c.run_token
      )
      select claimed.run_token, ${producingColumns}
        from claimed, ${runnableConnections} where c.id = claimed.id`,
    values: [kinds, most, leaseMs],
  })
  return rows.map(producing)
}

async function renewRun(pool: pg.Pool, { connection, run_token }: DueConnection, leaseMs: number): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'connections: renew run',
    text: `update connections set run_until = now() + $3 * interval '1 millisecond' where id = $1 and run_token = $2`,
    values: [connection.id, run_token, leaseMs],
  })
  return rowCount === 1
}

async function finishRun(
  pool: pg.Pool,
  { connection, run_token }: DueConnection,
  { succeeded, message, startedAt }: RunSummary & { readonly startedAt: Date },
): Promise<void> {
  const now = new Date()
  const next = nextRun(connection, now)
  const retry = succeeded || next === null ? null : retryRun(await failedFetches(pool, connection.id), next, now)
  await pool.query({
    name: 'connections: finish run',
    text: `
      update connections
         set run_token = null, run_until = null, last_run_at = $3, last_run_status = $4::run_status, last_run_message = $5,
             next_run_at = case when schedule is not distinct from $6 and time_zone = $7 then $8::timestamptz end
       where id = $1 and run_token = $2`,
    values: [
      connection.id,
      run_token,
      startedAt,
      succeeded ? 'succeeded' : 'failed',
      message?.replaceAll('\0', '\ufffd').slice(0, 4000) ?? null,
      connection.schedule,
      connection.time_zone,
      retry ?? next,
    ],
  })
}

/** How many fetches failed one after the other, as far as anybody asks. */
async function failedFetches(pool: pg.Pool, connectionId: string): Promise<number> {
  const { rows } = await pool.query<{ failures: number }>({
    name: 'connections: failed fetches',
    text: `
      select coalesce(min(place) filter (where status = 'succeeded') - 1, count(*))::int as failures
        from (select status, row_number() over (order by started_at desc) as place
                from (select status, started_at from connector_runs
                       where connection_id = $1 and method = 'getRawSources' order by started_at desc limit 5) last) placed`,
    values: [connectionId],
  })
  return rows[0]?.failures ?? 0
}

async function giveBack(pool: pg.Pool, { connection, run_token }: DueConnection, afterMs: number): Promise<void> {
  await pool.query({
    name: 'connections: give run back',
    text: `update connections
              set run_token = null, run_until = case when $3 > 0 then now() + $3 * interval '1 millisecond' end
            where id = $1 and run_token = $2`,
    values: [connection.id, run_token, afterMs],
  })
}
