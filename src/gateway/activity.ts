/**
 * How much a team's sessions, deliveries and connector runs were, bucket by bucket, and what waits now. Figures come
 * from indexes by team and time, and are kept for seconds: however many look at them, each is counted once.
 */
import type pg from 'pg'
import { requireOwn } from '../access/own.ts'
import type { Principal } from '../access/principal.ts'
import { SluiceError } from '../errors.ts'

export interface ActivityBucket {
  /** Its beginning. */
  readonly at: string
  readonly sessions: number
  /** By when they were made. */
  readonly deliveries: number
  /** Of `deliveries`, those that were given up. */
  readonly exhausted: number
  /** Dry runs aside. */
  readonly runs: number
  readonly failed_runs: number
}

export interface OldestWaiting {
  readonly id: string
  readonly due_at: string
  readonly created_at: string
  readonly session_id: string | null
  readonly webhook_id: string | null
  readonly connection_id: string | null
}

export interface WaitingTarget {
  /** Of a webhook or a connection. */
  readonly id: string
  /** At most `mostWaiting`. */
  readonly waiting: number
}

export interface Activity {
  readonly buckets: readonly ActivityBucket[]
  /** At most `mostWaiting`. */
  readonly waiting_deliveries: number
  readonly oldest_waiting: OldestWaiting | null
  /** Those that something waits for. */
  readonly waiting_targets: readonly WaitingTarget[]
}

export interface ActivityAsk {
  readonly team_id: string
  /** How far back, in seconds. */
  readonly seconds: number
  /** Of one bucket, in seconds. */
  readonly bucket_seconds: number
}

export type ReadActivity = (ask: ActivityAsk, principal: Principal) => Promise<Activity>

const day = 86_400
const longest = 31 * day
const mostBuckets = 500
/** Beyond this many nobody counts further. */
export const mostWaiting = 10_000
const mostKept = 1_000

/**
 * @param now milliseconds; buckets begin at multiples of their length, in UTC.
 * @returns a reader that throws SluiceError NOT_FOUND for another's team, VALIDATION_FAILED for too many buckets.
 */
export function createActivity(pool: pg.Pool, now: () => number = Date.now): ReadActivity {
  const kept = new Map<string, { readonly until: number; readonly activity: Promise<Activity> }>()
  return async (ask, principal) => {
    checkAsk(ask)
    await requireOwn(pool, 'team', ask.team_id, principal, 'team_id')
    const key = `${ask.team_id} ${ask.seconds} ${ask.bucket_seconds}`
    const at = now()
    const known = kept.get(key)
    if (known && known.until > at) return known.activity
    for (const [old, { until }] of kept) if (until <= at || kept.size >= mostKept) kept.delete(old)
    const activity = queryActivity(pool, ask, at)
    kept.set(key, { until: at + keepSeconds(ask) * 1000, activity })
    activity.catch(() => kept.delete(key))
    return activity
  }
}

/** What reaches further back costs more, and changes less by what is new. */
function keepSeconds({ seconds }: ActivityAsk): number {
  return seconds <= 3_600 ? 2 : seconds <= day ? 10 : 60
}

function checkAsk({ seconds, bucket_seconds }: ActivityAsk): void {
  const refuse = (path: string, message: string) => {
    throw new SluiceError('VALIDATION_FAILED', message, { path })
  }
  if (!(bucket_seconds >= 60 && bucket_seconds <= day)) refuse('bucket_seconds', 'bucket_seconds: 60 to 86400.')
  if (!(seconds >= bucket_seconds && seconds <= longest)) {
    refuse('seconds', `seconds: from one bucket (${bucket_seconds}) to 31 days (${longest}).`)
  }
  if (seconds / bucket_seconds > mostBuckets) {
    refuse(
      'bucket_seconds',
      `At most ${mostBuckets} buckets: bucket_seconds of ${Math.ceil(seconds / mostBuckets)} or more.`,
    )
  }
}

async function queryActivity(
  pool: pg.Pool,
  { team_id, seconds, bucket_seconds }: ActivityAsk,
  now: number,
): Promise<Activity> {
  const length = bucket_seconds * 1000
  const last = Math.floor(now / length) * length
  const first = last - (Math.ceil(seconds / bucket_seconds) - 1) * length
  const { rows } = await pool.query<Activity>(activitySql, [
    team_id,
    new Date(first),
    new Date(last),
    `${bucket_seconds} seconds`,
    mostWaiting,
  ])
  return rows[0] as Activity
}

/**
 * Sessions and deliveries by the index (team_id, time) alone, what failed by the partial index of it, runs by
 * (connection_id, started_at) for each of the team's connections; what waits by (target_id, due_at) of the queue, one
 * row a target for the oldest. Platform targets have lanes of their own for every team and are not looked through.
 */
const activitySql = `
with own_connections as (select id from connections where team_id = $1),
     targets as (select id from webhooks where team_id = $1 union all select id from own_connections),
     session_counts as (
       select date_bin($4::interval, submitted_at, $2) as at, count(*)::int as n
         from sessions where team_id = $1 and submitted_at >= $2 group by 1),
     delivery_counts as (
       select date_bin($4::interval, created_at, $2) as at, count(*)::int as n
         from deliveries where team_id = $1 and created_at >= $2 group by 1),
     exhausted_counts as (
       select date_bin($4::interval, created_at, $2) as at, count(*)::int as n
         from deliveries
        where team_id = $1 and created_at >= $2 and last_error is not null and status = 'exhausted' group by 1),
     run_counts as (
       select date_bin($4::interval, r.started_at, $2) as at, count(*)::int as n,
              count(*) filter (where r.status = 'failed')::int as failed
         from own_connections c join connector_runs r on r.connection_id = c.id
        where r.started_at >= $2 and not r.dry_run group by 1),
     waiting as materialized (
       select t.id, (select count(*)::int from (select from delivery_queue q where q.target_id = t.id limit $5) w) as waiting
         from targets t),
     oldest as (
       select first.delivery_id, first.due_at
         from targets t,
              lateral (select delivery_id, due_at from delivery_queue q where q.target_id = t.id order by due_at limit 1) first
        order by first.due_at limit 1)
select (select json_agg(json_build_object(
                 'at', b.at, 'sessions', coalesce(s.n, 0), 'deliveries', coalesce(d.n, 0), 'exhausted', coalesce(e.n, 0),
                 'runs', coalesce(r.n, 0), 'failed_runs', coalesce(r.failed, 0)) order by b.at)
          from generate_series($2::timestamptz, $3::timestamptz, $4::interval) b(at)
          left join session_counts s using (at)
          left join delivery_counts d using (at)
          left join exhausted_counts e using (at)
          left join run_counts r using (at)) as buckets,
       (select least($5::bigint, coalesce(sum(waiting), 0))::int from waiting) as waiting_deliveries,
       (select coalesce(json_agg(w), '[]') from waiting w where w.waiting > 0) as waiting_targets,
       (select json_build_object('id', d.id, 'due_at', o.due_at, 'created_at', d.created_at, 'session_id', d.session_id,
                                 'webhook_id', d.webhook_id, 'connection_id', d.connection_id)
          from oldest o join deliveries d on d.id = o.delivery_id) as oldest_waiting`
