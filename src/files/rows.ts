/**
 * The two tables that a file may be a row of, and how it moves through its states.
 *
 * `file_uploads` holds files of sessions that are not submitted yet; submitting turns them into `session_files`, under
 * the same object key. An upload may run while that happens, so states are set by object key, in both tables.
 *
 * ```
 * pending ──▶ stored        checked and, where there is a scanner, clean
 *    │  ├────▶ refused       not what it says, too large, not what was announced: its content is removed
 *    │  └────▶ quarantined   the scanner found something: its content stays, and is handed to nobody
 *    └───────▶ missing       never uploaded, or its content is gone from the storage (also from stored)
 * ```
 * A pending file whose object is at its key was checked and waits for the scanner. `purged` is set when the session is
 * purged, `used` where an upload became a session's file.
 */
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { SluiceError } from '../errors.ts'
import { newObjectKey } from './keys.ts'
import type { Place } from './place.ts'

export type StoredStatus = 'pending' | 'stored' | 'quarantined' | 'refused' | 'missing' | 'purged' | 'used'

/** Columns of both tables, in the database's words. */
export interface FileRow {
  readonly id: string
  readonly team_id: string
  readonly flow_id: string
  readonly session_id: string
  readonly name: string
  readonly type: string
  /** In bytes; of a pending file what was announced. */
  readonly size: string | null
  readonly sha256: string | null
  readonly status: StoredStatus
  readonly reason: string | null
  readonly object_key: string
}

export interface NewFile {
  readonly name: string
  readonly type: string
  readonly size: number | null
  readonly sha256: string | null
  /** How long the upload may take, in seconds. */
  readonly seconds: number
}

export interface AddedFile {
  readonly row: FileRow
  readonly expires_at: Date
  /** Objects of the unfinished or unfit file of this name that it takes the place of. */
  readonly replaced: readonly string[]
}

/**
 * Adds a pending file. One of the same name that was never finished, or was found unfit, gives way.
 *
 * @throws SluiceError CONFLICT when the name is taken.
 */
export async function addFile(pool: pg.Pool, place: Place, file: NewFile): Promise<AddedFile> {
  const id = randomUUID()
  const { team_id, flow_id, session_id, submitted } = place
  const { name, type, size, sha256, seconds } = file
  const common = [id, session_id, name, type, size, sha256, newObjectKey(place, id, name), seconds]
  const { rows } = await pool
    .query<FileRow & { expires_at: Date; replaced: string[] | null }>({
      name: submitted ? 'files: add to session' : 'files: add upload',
      text: submitted ? addToSessionSql : addUploadSql,
      values: submitted ? common : [...common, team_id, flow_id],
    })
    .catch((error: { code?: string }) => {
      if (error.code !== '23505') throw error
      throw new SluiceError('CONFLICT', `This session already has a file "${name}". Give this one another name.`, {
        path: 'object.name',
      })
    })
  const added = rows[0]
  if (!added) throw new SluiceError('GONE', 'This session has ended; nothing can be added to it.')
  const { expires_at, replaced, ...row } = added
  return { row: { ...row, team_id, flow_id }, expires_at, replaced: replaced ?? [] }
}

const givingWay = `status in ('pending', 'refused', 'quarantined')`
const fileColumns = 'id, session_id, name, type, size, sha256, status::text as status, reason, object_key'

// The insert reads `gone`, so that the row that gives way is deleted before.
const addUploadSql = `
with gone as (
  delete from file_uploads where session_id = $2 and team_id = $9 and flow_id = $10 and name = $3 and ${givingWay}
  returning object_key
)
insert into file_uploads (id, team_id, flow_id, session_id, name, type, size, sha256, object_key, expires_at)
select $1, $9, $10, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8)
  from (select count(*) from gone) before
returning ${fileColumns}, expires_at, (select array_agg(object_key) from gone) as replaced`

const addToSessionSql = `
with gone as (
  delete from session_files where session_id = $2 and name = $3 and (${givingWay} or status = 'missing')
  returning object_key
)
insert into session_files (id, session_id, name, type, size, sha256, object_key, upload_expires_at)
select $1, s.id, $3, $4, $5, $6, $7, now() + make_interval(secs => $8)
  from (select count(*) from gone) before, sessions s
 where s.id = $2 and s.purged_at is null
returning ${fileColumns}, upload_expires_at as expires_at, (select array_agg(object_key) from gone) as replaced`

/** A file of either table, by its id. */
export async function findFile(pool: pg.Pool, id: string): Promise<FileRow | undefined> {
  const { rows } = await pool.query<FileRow>({
    name: 'files: find',
    text: `
      select ${fileColumns}, team_id, flow_id from file_uploads where id = $1 and status <> 'used'
      union all
      select f.id, f.session_id, f.name, f.type, f.size, f.sha256, f.status::text, f.reason, f.object_key, s.team_id, s.flow_id
        from session_files f join sessions s on s.id = f.session_id where f.id = $1`,
    values: [id],
  })
  return rows[0]
}

export interface Settlement {
  readonly status: 'pending' | 'stored' | 'quarantined' | 'refused'
  readonly reason: string | null
  readonly size: number | null
  readonly sha256: string | null
  /** Where its content is from now on. */
  readonly object_key: string
  /** How long an upload still waits: for its session, or for the scanner. In seconds. */
  readonly seconds: number
}

/**
 * Sets what became of the pending file whose key is `key`.
 *
 * @returns undefined when it is not pending any more: replaced, purged, or settled by another.
 */
export async function settleFile(pool: pg.Pool, key: string, settlement: Settlement): Promise<FileRow | undefined> {
  const { status, reason, size, sha256, object_key, seconds } = settlement
  const { rows } = await pool.query<FileRow>({
    name: 'files: settle',
    text: settleSql,
    values: [key, status, reason, size, sha256, object_key, seconds],
  })
  return rows[0]
}

// A session's file that is purged while it is checked is no longer pending, and so not brought back.
const settleSql = `
with waiting as (
  update file_uploads
     set status = $2::upload_status, reason = $3, size = $4, sha256 = $5, object_key = $6,
         expires_at = greatest(expires_at, now() + make_interval(secs => $7))
   where object_key = $1 and status = 'pending'
  returning ${fileColumns}, team_id, flow_id
), submitted as (
  update session_files f
     set status = $2::text::file_status, reason = $3, size = $4, sha256 = $5, object_key = $6,
         stored_at = case when $2::text = 'stored' then now() end,
         upload_expires_at = case when $2::text = 'pending' then now() + make_interval(secs => $7) end
    from sessions s
   where f.object_key = $1 and f.status = 'pending' and s.id = f.session_id
  returning f.id, f.session_id, f.name, f.type, f.size, f.sha256, f.status::text, f.reason, f.object_key, s.team_id, s.flow_id
)
select * from waiting union all select * from submitted`

/** Takes back a file that was never received. */
export async function dropPendingFile(pool: pg.Pool, key: string): Promise<void> {
  await pool.query(
    `with waiting as (delete from file_uploads where object_key = $1 and status = 'pending')
     delete from session_files where object_key = $1 and status = 'pending'`,
    [key],
  )
}
