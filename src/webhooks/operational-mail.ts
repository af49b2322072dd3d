/** Mails to a team about its targets: one for all that happened in a while. */
import type pg from 'pg'
import type { Mail, Mailer } from '../egress/mail.ts'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Happening, operationalMail } from './operational-text.ts'

export interface OperationalMailOptions {
  readonly pool: pg.Pool
  readonly mailer: Pick<Mailer, 'send'>
  /** Of the console, without a slash at the end. */
  readonly publicUrl: string
  readonly log: Log
  /** How long the first event of a mail waits for others. @default 20000 */
  readonly gatherMs?: number
  /** Between two mails to one team at least. @default 300000 */
  readonly everyMs?: number
}

/** Events that one mail tells of; the rest is in the next. */
const mostEvents = 20_000
/** The first key of the advisory locks that this file takes. */
export const mailLocks = 7_250_106

/**
 * Writes to every team that has news.
 *
 * A worker holds a team's advisory lock while it reads the news, sends the mail and
 * marks them (`mailed_at`); others pass the team by. The lock ends with the worker's
 * database connection, so a worker that dies in between leaves the news to the next,
 * which sends them again: each is mailed at least once, and twice only then, with the
 * same Message-ID. Nothing is locked in tables meanwhile: an open transaction would
 * hold back live queries until the mail server answers.
 *
 * @returns how many mails were sent, and how many teams are to be written to again.
 */
export async function mailOperational(
  options: OperationalMailOptions,
): Promise<{ readonly sent: number; readonly failed: number }> {
  const { pool, log, gatherMs = 20_000, everyMs = 300_000 } = options
  const { rows } = await pool.query<{ readonly team_id: string | null }>({
    name: 'teams_to_mail',
    text: `
      select e.team_id
        from operational_events e
       where e.mailed_at is null
       group by e.team_id
      having min(e.created_at) <= now() - $1::float8 * interval '1 millisecond'
         and not exists (select from operational_events o
                          where (o.team_id = e.team_id or o.team_id is null and e.team_id is null) and o.type <> 'webhook.test'
                            and o.mailed_at > now() - $2::float8 * interval '1 millisecond')`,
    values: [gatherMs, everyMs],
  })
  let sent = 0
  let failed = 0
  for (const { team_id } of rows) {
    try {
      if (await mailTeam(options, team_id, everyMs)) sent += 1
    } catch (error) {
      failed += 1
      log.warn({ team: team_id, error: messageOf(error) }, 'a team could not be told of its targets; trying again')
    }
  }
  return { sent, failed }
}

async function mailTeam(options: OperationalMailOptions, teamId: string | null, everyMs: number): Promise<boolean> {
  const { pool } = options
  const client = await pool.connect()
  let broken: Error | undefined
  // Lost while the mail server takes its time: the next statement fails, and that is soon enough.
  const onLost = (error: Error) => {
    broken = error
  }
  client.on('error', onLost)
  try {
    const lock = [mailLocks, teamId ?? '']
    const { rows } = await client.query<{ locked: boolean }>(
      'select pg_try_advisory_lock($1, hashtext($2)) as locked',
      lock,
    )
    if (!rows[0]?.locked) return false
    try {
      return await mailLocked(client, options, teamId, everyMs)
    } finally {
      await client.query('select pg_advisory_unlock($1, hashtext($2))', lock)
    }
  } catch (error) {
    if (!(error instanceof SluiceError)) broken ??= error as Error
    throw error
  } finally {
    // A connection that failed is not used again, and with it goes the lock.
    client.off('error', onLost)
    client.release(broken)
  }
}

async function mailLocked(
  client: pg.PoolClient,
  { mailer, publicUrl, log }: OperationalMailOptions,
  teamId: string | null,
  everyMs: number,
): Promise<boolean> {
  const news = await readNews(client, teamId, everyMs)
  if (news.ids.length === 0) return false
  const to = await recipientsOf(client, teamId)
  if (to.length > 0) {
    const mail = operationalMail({ ...news, publicUrl })
    try {
      await mailer.send({
        ...mail,
        to,
        messageId: `<${news.ids[0]}.operational@${new URL(publicUrl).hostname}>`,
      } satisfies Mail)
    } catch (error) {
      // Refused for good: the same mail would be refused again.
      if (!(error instanceof SluiceError) || error.code !== 'VALIDATION_FAILED') throw error
      log.error(
        { team: teamId, error: error.message },
        'a mail about targets was refused; its news are in operational_events',
      )
    }
  } else {
    log.info({ team: teamId, events: news.ids.length }, 'nobody is there to be mailed about targets')
  }
  await client.query(
    'update operational_events set mailed_at = now() where id = any($1::uuid[]) and mailed_at is null',
    [news.ids],
  )
  return to.length > 0
}

interface News {
  readonly team: string | null
  readonly ids: readonly string[]
  readonly happenings: readonly Happening[]
}

/** What is still news now that the lock is held; none when another worker has just written. */
async function readNews(client: pg.PoolClient, teamId: string | null, everyMs: number): Promise<News> {
  const { rows } = await client.query<News>(
    `with news as materialized (
       select e.id, e.type, e.webhook_id, e.connection_id, e.detail, e.created_at, e.position
         from operational_events e
        where e.mailed_at is null and e.team_id is not distinct from $1
          and not exists (select from operational_events o
                           where (o.team_id = $1 or o.team_id is null and $1::uuid is null) and o.type <> 'webhook.test'
                             and o.mailed_at > now() - $2::float8 * interval '1 millisecond')
        order by e.position
        limit ${mostEvents}
     ), grouped as (
       select n.webhook_id, n.connection_id, n.type, count(*)::int as count, min(n.created_at) as first_at,
              max(n.created_at) as last_at, max(n.position) as position,
              (array_agg(n.detail order by n.position desc))[1:5] as details
         from news n
        group by n.webhook_id, n.connection_id, n.type
     ), told as (
       select g.*, case when g.webhook_id is null then 'connection' else 'webhook' end as kind,
              coalesce(w.id, c.id) as target_id,
              i.team_id is null and $1::uuid is not null as is_platform,
              coalesce(w.name, c.name) as name, i.name as integration,
              coalesce(w.enabled, c.enabled) as enabled, coalesce(w.state, c.health)::text as state,
              coalesce(w.state_reason, c.state_reason) as reason,
              coalesce(w.failing_since, c.failing_since) as failing_since,
              coalesce(w.probe_at, c.probe_at) as probe_at,
              (select count(*)::int from (select from delivery_queue q
                where q.target_id = coalesce(w.id, c.id)
                limit 100000) as waiting) as waiting
         from grouped g
         left join webhooks w on w.id = g.webhook_id
         left join connections c on c.id = g.connection_id
         left join integrations i on i.id = coalesce(w.integration_id, c.integration_id)
     )
     select (select name from teams where id = $1) as team,
            coalesce((select array_agg(id order by position) from news), '{}') as ids,
            coalesce((select json_agg(told order by told.position) from told), '[]') as happenings`,
    [teamId, everyMs],
  )
  return rows[0] ?? { team: null, ids: [], happenings: [] }
}

/** The team's own address, or its admins and editors; for what is the platform's, its administrators. */
async function recipientsOf(client: pg.PoolClient, teamId: string | null): Promise<readonly string[]> {
  const { rows } = await client.query<{ email: string }>(
    `select t.notification_email as email from teams t where t.id = $1 and t.notification_email <> ''
     union
     select u.email from users u
      where u.disabled_at is null
        and case when $1::uuid is null then u.is_admin
                 else not exists (select from teams t where t.id = $1 and t.notification_email <> '')
                  and exists (select from team_members m where m.user_id = u.id and m.team_id = $1 and m.role in ('admin', 'editor')) end
      order by email
      limit 100`,
    [teamId],
  )
  return rows.map(({ email }) => email)
}
