/** Releases what replays hold: a job that every worker runs, each replay by one of them at a time. */
import type pg from 'pg'
import { changesChannel, createNotifier, deliveriesChannel } from '../database/notifications.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Repeating, repeat } from './repeat.ts'
import { openDelivery } from './replay.ts'

export interface Release {
  /** Deliveries that became due. */
  readonly released: number
  /** In so many milliseconds a replay may release more; undefined when none is known to. */
  readonly nextInMs: number | undefined
}

/** Replays that one statement serves. */
const mostReplays = 16
/** Items of one replay that one statement takes. */
const mostItems = 500
/** After a pause nothing is made up for but this much. */
const burstMs = 250

/**
 * One statement, in these steps:
 *
 * - `due`: replays whose rate allows a release and whose target is switched on.
 *   Their rows are locked; another worker passes them by, and `cancel_replay`
 *   waits or is waited for, so that nothing is released behind its answer.
 * - `gone`: their first items are deleted. Whoever deletes an item counts it, and
 *   nobody else can: another worker whose snapshot still has it deletes nothing.
 *   By their place in the table, which never changes: a join by key read the whole
 *   of a long replay (80 ms of 200,000 items, now 1 ms).
 * - `again`, `anew`: what they named becomes pending, or gets its first delivery.
 *   What is under way anyway, or closed to the integration by now, is left out.
 * - `moved`: the counts, and the end, with the last item.
 *
 * A worker that dies has either committed all of it or nothing.
 */
const statement = `
with due as materialized (
  select r.id, r.webhook_id, r.connection_id, r.rate_per_second as rate,
         greatest(r.next_release_at, now() - interval '${burstMs} milliseconds') as slot_at
    from replays r
   where r.status = 'running' and r.next_release_at <= now()
     and (exists (select from webhooks w join integrations i on i.id = w.integration_id
                   where w.id = r.webhook_id and w.enabled and i.status = 'active'
                     and not (w.state = 'disabled' and w.probe_at is null))
       or exists (select from connections n join integrations i on i.id = n.integration_id
                   where n.id = r.connection_id and n.enabled and i.status = 'active'
                     and not (n.health = 'disabled' and n.probe_at is null)))
   order by r.next_release_at
   limit ${mostReplays}
     for update of r skip locked
), picked as materialized (
  select item.place
    from due d
   cross join lateral (
      select i.ctid as place
        from replay_items i
       where i.replay_id = d.id
       order by i.ordinal
       limit least(${mostItems}, floor(extract(epoch from now() - d.slot_at) * d.rate + 1e-6)::int + 1)) as item
), gone as (
  delete from replay_items i
   where i.ctid = any (array(select place from picked))
  returning i.replay_id, i.delivery_id, i.event_id
), again as (
  update deliveries d
     set status = 'pending', due_at = now(), finished_at = null, last_error = null, replay_id = gone.replay_id,
         attempts_before_replay = d.attempt_count
    from gone
   where d.id = gone.delivery_id and d.due_at is null and ${openDelivery('d')}
  returning gone.replay_id
), anew as (
  insert into deliveries (event_id, event_position, session_id, team_id, integration_id, webhook_id, connection_id, replay_id)
  select e.id, e.position, e.session_id, e.team_id, g.integration_id, d.webhook_id, d.connection_id, d.id
    from gone
    join due d on d.id = gone.replay_id
    left join webhooks w on w.id = d.webhook_id
    left join connections n on n.id = d.connection_id
    join session_events e on e.id = gone.event_id
    join session_grants g on g.session_id = e.session_id and g.integration_id = coalesce(w.integration_id, n.integration_id)
                         and g.revoked_at is null and g.expires_at > now()
   where not exists (select from deliveries o
                      where o.event_id = e.id and coalesce(o.webhook_id, o.connection_id) = coalesce(d.webhook_id, d.connection_id))
  returning replay_id
), tally as (
  select d.id, d.rate, d.slot_at,
         (select count(*) from gone where replay_id = d.id)::int as taken,
         (select count(*) from again where replay_id = d.id)::int + (select count(*) from anew where replay_id = d.id)::int as released
    from due d
), moved as (
  update replays r
     set released = r.released + t.released,
         skipped = r.skipped + t.taken - t.released,
         next_release_at = t.slot_at + greatest(1, t.taken) / t.rate * interval '1 second',
         status = case when r.released + r.skipped + t.taken >= r.total then 'finished'::replay_status else r.status end,
         finished_at = case when r.released + r.skipped + t.taken >= r.total then now() end
    from tally t
   where r.id = t.id
  returning r.status, r.next_release_at
)
select (select coalesce(sum(released), 0)::int from tally) as released,
       (select extract(epoch from min(next_release_at) - now()) * 1000 from moved where status = 'running')::float8 as next_in_ms`

export async function releaseReplays(pool: Pick<pg.Pool, 'query'>): Promise<Release> {
  const { rows } = await pool.query<{ readonly released: number; readonly next_in_ms: number | null }>({
    name: 'release_replays',
    text: statement,
  })
  return { released: rows[0]?.released ?? 0, nextInMs: rows[0]?.next_in_ms ?? undefined }
}

export interface ReplaysOptions {
  readonly pool: pg.Pool
  readonly log: Log
  /** How often it is looked for new replays. @default 1000 */
  readonly pollMs?: number
}

/** Rates above this many a second are served in bunches. */
const shortestPauseMs = 20

/**
 * @example
 * const replays = startReplays({ pool, log })
 * await replays.close()
 */
export function startReplays({ pool, log, pollMs = 1000 }: ReplaysOptions): Repeating {
  const notifier = createNotifier({ pool, channels: [deliveriesChannel, changesChannel], log })
  const job = repeat({
    everyMs: pollMs,
    onError: (error) => log.error({ error: messageOf(error) }, 'replays could not be released; trying again'),
    async job() {
      const { released, nextInMs } = await releaseReplays(pool)
      if (released > 0) notifier.notify()
      return nextInMs === undefined ? undefined : Math.min(pollMs, Math.max(shortestPauseMs, nextInMs))
    },
  })
  return {
    async close() {
      await job.close()
      await notifier.close()
    },
  }
}
