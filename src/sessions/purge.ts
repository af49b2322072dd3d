/**
 * The end of a session: every copy of what it said is removed, and a row stays that says that it was here. What goes
 * and what stays is listed in docs/sessions.md.
 *
 * Files and mails go first, the rows in one transaction after them: a process that dies in between leaves a session
 * that is still due, and the next run removes what is left. Files that are gone already are no error.
 */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import { inTransaction } from '../database/database.ts'
import { messageOf, SluiceError } from '../errors.ts'
import { type SessionPlace, sessionPrefix } from '../files/keys.ts'
import type { FileStore } from '../files/store.ts'
import { removeItemsOf } from '../files/store-items.ts'
import type { Log } from '../log.ts'
import { announce } from './announce.ts'
import { removeMails } from './purge-mails.ts'

export interface PurgeParts {
  readonly pool: pg.Pool
  readonly files: Pick<FileStore, 'removeUnder' | 'removeAll'>
  /** Where the embedded mail catcher keeps mails. */
  readonly mailFolder?: string | undefined
  readonly log: Log
}

export interface PurgeOptions {
  /** What is over at this moment is purged. @default now */
  readonly now?: Date
  /** Sessions of one transaction. @default 50 */
  readonly batch?: number
  /** Sessions of one run; the next run goes on. @default 5000 */
  readonly most?: number
}

/** A session is over when its own time is, or when the last grant that could still be used has ended. */
const isOver = (now: string) => `
  (s.expires_at <= ${now} or (
     exists (select from session_grants g where g.session_id = s.id and g.expires_at <= ${now})
     and not exists (select from session_grants g where g.session_id = s.id and g.revoked_at is null and g.expires_at > ${now})))`

/**
 * Purges what is over. Several workers may do it at once.
 *
 * @returns how many sessions were purged.
 */
export async function purgeDue(
  parts: PurgeParts,
  { now = new Date(), batch = 50, most = 5000 }: PurgeOptions = {},
): Promise<number> {
  let purged = 0
  while (purged < most) {
    const due = await dueSessions(parts.pool, now, Math.min(batch, most - purged))
    if (due.length === 0) break
    const emptied = await removeObjects(due, parts)
    const done = await purgeRows(parts.pool, { ids: emptied, reason: 'retention', now, unless: 'live' })
    purged += done
    if (done > 0) parts.log.info({ purged: done, inAll: purged }, 'purged sessions whose retention has ended')
    // Others are at it, or the storage refuses: the next run comes soon.
    if (done === 0) break
  }
  return purged
}

/**
 * By the two ways in which a session ends; each is a range of an index (purged_at, expires_at) in which what was purged
 * comes after. Ordering by both columns tells the planner so: among 400,000 sessions 1.7 ms and not 299 ms.
 */
async function dueSessions(pool: pg.Pool, now: Date, limit: number): Promise<readonly SessionPlace[]> {
  const { rows } = await pool.query<SessionPlace>({
    name: 'due-sessions',
    text: `
      with ended as (
        (select s.id from sessions s where s.purged_at is null and s.expires_at <= $1 order by s.purged_at, s.expires_at limit $2)
        union
        (select g.session_id from session_grants g
          where g.purged_at is null and g.expires_at <= $1
            and not exists (select from session_grants o
                             where o.session_id = g.session_id and o.revoked_at is null and o.expires_at > $1)
          order by g.purged_at, g.expires_at limit $2)
      )
      select s.id as session_id, s.team_id, s.flow_id
        from ended join sessions s on s.id = ended.id and s.purged_at is null limit $2`,
    values: [now, limit],
  })
  return rows
}

/** @returns the sessions of which nothing is left in the storage. */
async function removeObjects(places: readonly SessionPlace[], parts: PurgeParts): Promise<readonly string[]> {
  const emptied: string[] = []
  for (const place of places) {
    try {
      await parts.files.removeUnder(sessionPrefix(place))
      await removeItemsOf(parts, [place.session_id])
      emptied.push(place.session_id)
    } catch (error) {
      parts.log.warn({ session: place.session_id, error: messageOf(error) }, 'files of a session could not be removed')
    }
  }
  if (parts.mailFolder) await removeMails(parts.mailFolder, await deliveriesOf(parts.pool, emptied))
  return emptied
}

async function deliveriesOf(pool: pg.Pool, sessionIds: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ id: string }>('select id from deliveries where session_id = any($1::uuid[])', [
    sessionIds,
  ])
  return new Set(rows.map(({ id }) => id))
}

interface RowPurge {
  readonly ids: readonly string[]
  readonly reason: string
  readonly now: Date
  /** `live`: sessions that are not over are left alone. */
  readonly unless: 'live' | 'never'
}

/** @returns how many were purged; sessions that others hold are left to them. */
async function purgeRows(pool: pg.Pool, { ids, reason, now, unless }: RowPurge): Promise<number> {
  if (ids.length === 0) return 0
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `select s.id from sessions s
        where s.id = any($1::uuid[]) and s.purged_at is null and ($2::timestamptz is null or ${isOver('$2::timestamptz')})
        order by s.id for update of s ${unless === 'live' ? 'skip locked' : ''}`,
      [ids, unless === 'live' ? now : null],
    )
    const purged = rows.map(({ id }) => id)
    if (purged.length === 0) return 0
    // Before anything is blanked: patterns speak of the configuration.
    await announce(client, { type: 'session.purged', sessionIds: purged, now })
    await blankSessions(client, purged, reason, now)
    await blankTraces(client, purged)
    return purged.length
  })
}

async function blankSessions(client: pg.ClientBase, ids: readonly string[], reason: string, now: Date): Promise<void> {
  await client.query(
    `update sessions
        set status = 'purged', purged_at = $3, purge_reason = coalesce(purge_reason, $2), expires_at = least(expires_at, $3),
            data = null, connector_data = null, problems = null, config = '{}', content_hash = ''
      where id = any($1::uuid[])`,
    [ids, reason, now],
  )
  // Who never heard of a session that was settling when it ended, and never had it, does not learn of it by its grant.
  await client.query(
    `with settling as (
       delete from session_settlings where session_id = any($1::uuid[]) returning session_id, event_type
     )
     delete from session_grants g using settling x
      where g.session_id = x.session_id and x.event_type = 'session.submitted' and g.first_retrieved_at is null`,
    [ids],
  )
  await client.query(
    `update session_revisions set data = null, config = '{}', content_hash = '' where session_id = any($1::uuid[])`,
    [ids],
  )
  await client.query(`update session_events set config = '{}' where session_id = any($1::uuid[]) and config <> '{}'`, [
    ids,
  ])
  await client.query(
    `update session_grants set purged_at = $2, expires_at = least(expires_at, $2) where session_id = any($1::uuid[])`,
    [ids, now],
  )
  // A file's name may be a person's. What may still be uploaded by a link that is out is removed by removeLateUploads.
  await client.query(
    `update session_files
        set status = 'purged', purged_at = $2, name = id::text, sha256 = null, reason = null,
            object_key = left(object_key, length(object_key) - position('/' in reverse(object_key)) + 1) || id
      where session_id = any($1::uuid[])`,
    [ids, now],
  )
  await client.query(
    'delete from file_uploads u using sessions s where s.id = any($1::uuid[]) and u.session_id = s.id and u.team_id = s.team_id',
    [ids],
  )
  await client.query(
    `update trips t set title = null
      where t.title is not null and t.id in (select s.trip_id from sessions s where s.id = any($1::uuid[]))
        and not exists (select from sessions s where s.trip_id = t.id and s.purged_at is null)`,
    [ids],
  )
}

/** What deliveries and connector runs kept of it: answers, messages, logs. Those that announce the purge stay. */
async function blankTraces(client: Pick<pg.ClientBase, 'query'>, ids: readonly string[]): Promise<void> {
  const earlier = `select d.id from deliveries d join session_events e on e.id = d.event_id
                    where d.session_id = any($1::uuid[]) and e.type <> 'session.purged'`
  await client.query(
    `update deliveries d
        set last_error = case when d.status in ('pending', 'waiting') then 'The session was purged.' end,
            due_at = case when d.status in ('pending', 'waiting') then null else d.due_at end,
            finished_at = case when d.status in ('pending', 'waiting') then now() else d.finished_at end,
            status = case when d.status in ('pending', 'waiting') then 'cancelled' else d.status end
      where d.id in (${earlier})
        and (d.status in ('pending', 'waiting') or (d.last_error is not null and d.last_error <> 'The session was purged.'))`,
    [ids],
  )
  await client.query(
    `update delivery_attempts a
        set request = null, response = null, response_body = null, error_message = null
      where a.delivery_id in (${earlier})
        and num_nonnulls(a.request, a.response, a.response_body, a.error_message) > 0`,
    [ids],
  )
  // What a connection's last run said may be of one of them.
  await client.query(
    `update connections c set last_run_message = null
       from connector_runs r
      where r.session_id = any($1::uuid[]) and c.id = r.connection_id and c.last_run_message = left(r.message, 500)`,
    [ids],
  )
  await client.query(
    `update connector_runs r set message = null, log = '[]', calls = '[]'
      where (r.session_id = any($1::uuid[])
             or r.raw_source_id in (select id from raw_sources where session_id = any($1::uuid[])))
        and (r.message is not null or r.log <> '[]' or r.calls <> '[]')`,
    [ids],
  )
  await client.query(
    'select purge_raw_sources(array(select id from raw_sources where session_id = any($1::uuid[]) and purged_at is null))',
    [ids],
  )
}

/**
 * An attempt that was under way when its session was purged ends after it, and writes down what it heard. What sessions
 * purged within the last hour have of that is blanked again; no attempt takes that long.
 */
export async function blankLateTraces(
  parts: Pick<PurgeParts, 'pool' | 'mailFolder'>,
  { now = new Date() }: Pick<PurgeOptions, 'now'> = {},
): Promise<void> {
  const { rows } = await parts.pool.query<{ id: string }>(
    `select id from sessions where purged_at > $1::timestamptz - interval '1 hour'`,
    [now],
  )
  const ids = rows.map(({ id }) => id)
  for (let at = 0; at < ids.length; at += 500) await blankTraces(parts.pool, ids.slice(at, at + 500))
  if (parts.mailFolder && ids.length > 0) await removeMails(parts.mailFolder, await deliveriesOf(parts.pool, ids))
}

/** A link for uploading cannot be taken back. What it brought after the purge is removed when it has ended. */
export async function removeLateUploads(
  parts: Pick<PurgeParts, 'pool' | 'files'>,
  { now = new Date(), batch = 500 }: PurgeOptions = {},
): Promise<void> {
  const { rows } = await parts.pool.query<SessionPlace>(
    `select distinct s.id as session_id, s.team_id, s.flow_id
       from session_files f join sessions s on s.id = f.session_id
      where f.upload_expires_at < $1 and f.status = 'purged' limit $2`,
    [now, batch],
  )
  for (const place of rows) {
    await parts.files.removeUnder(sessionPrefix(place))
    await parts.pool.query(
      `update session_files set upload_expires_at = null where session_id = $1 and status = 'purged' and upload_expires_at < $2`,
      [place.session_id, now],
    )
  }
}

export interface PurgeResult {
  readonly id: string
  readonly purged_at: string
}

/**
 * Erasure on request: at once, whoever may still see the session.
 *
 * @param reason is kept for editors to see: a case number, say; never personal data.
 * @throws SluiceError NOT_FOUND; VALIDATION_FAILED; UNAVAILABLE when the file storage does not answer: then nobody can see the
 * session any more, and it is purged as soon as the storage is back.
 */
export async function purgeSession(
  { id, reason }: { readonly id: string; readonly reason: string },
  parts: PurgeParts & { readonly principal: Principal },
): Promise<PurgeResult> {
  const { pool, principal } = parts
  if (reason.trim() === '' || reason.length > 200) {
    throw new SluiceError('VALIDATION_FAILED', 'Say why in 1 to 200 characters, without personal data: it is kept.', {
      path: 'reason',
    })
  }
  const now = new Date()
  // Access ends first, so that nobody reads while the copies go.
  const reach = reachOf(principal)
  const { rows } = await pool.query<SessionPlace & { purged_at: Date | null }>(
    `with session as (
       select s.id, s.team_id, s.flow_id, s.purged_at from sessions s where s.id = $1 and ($2 or s.team_id = any($3::uuid[]))
     ), closed as (
       update session_grants g set expires_at = $4 from session
        where g.session_id = session.id and g.expires_at > $4
     ), ended as (
       -- Should this process end before it is done, the next run purges it, for this reason.
       update sessions s set expires_at = least(s.expires_at, $4), purge_reason = $5 from session
        where s.id = session.id and session.purged_at is null
     )
     select id as session_id, team_id, flow_id, purged_at from session`,
    [id, reach.everywhere, reach.teamIds, now, reason.trim()],
  )
  const [place] = rows
  if (!place) throw new SluiceError('NOT_FOUND', `You have no session ${id}.`, { path: 'id' })
  if (place.purged_at) return { id, purged_at: place.purged_at.toISOString() }
  const emptied = await removeObjects([place], parts)
  if (emptied.length === 0) {
    throw new SluiceError(
      'UNAVAILABLE',
      'Nobody can see the session any more, but its files could not be removed, so it is not purged yet. It will be, as soon as the file storage answers; call again to be sure.',
    )
  }
  await purgeRows(pool, { ids: emptied, reason: reason.trim(), now, unless: 'never' })
  const done = await pool.query<{ purged_at: Date }>('select purged_at from sessions where id = $1', [id])
  return { id, purged_at: (done.rows[0]?.purged_at ?? now).toISOString() }
}
