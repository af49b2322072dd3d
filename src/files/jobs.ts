/** Housekeeping of files: what is unfinished goes on or ends, and the bucket and the rows are kept in agreement. */
import type { Schedule } from '../delivery/jobs.ts'
import { messageOf } from '../errors.ts'
import { incomingKey, sessionOf } from './keys.ts'
import type { FileRow } from './rows.ts'
import { storeItemOf, sweepStores } from './store-items.ts'
import { type FileParts, takeIn } from './uploads.ts'

/** An object this young may belong to an upload whose row is not written yet, or is being settled. */
const orphanMs = 6 * 60 * 60_000

export function fileSchedules(parts: FileParts & { readonly retentionDays: number }): readonly Schedule[] {
  const { log } = parts
  const schedule = (name: string, cron: string, work: () => Promise<number>, done: string): Schedule => ({
    name,
    cron,
    async run() {
      const files = await work()
      if (files > 0) log.info({ files }, done)
    },
  })
  return [
    schedule('settle_pending_files', '*/2 * * * *', () => settlePending(parts), 'settled files that were waiting'),
    schedule('expire_uploads', '*/10 * * * *', () => expireUploads(parts), 'gave up uploads whose time was over'),
    schedule('sweep_stores', '*/10 * * * *', () => sweepStores(parts, parts), 'removed what connections had stored'),
    schedule('remove_orphan_objects', '41 2 * * *', () => removeOrphans(parts), 'removed objects that no file has'),
    schedule('find_missing_files', '11 3 * * *', () => findMissing(parts), 'found files whose content is gone'),
  ]
}

/**
 * Pending files whose content is there: scans again what the scanner could not, and takes in what was PUT and never
 * completed. It takes them in any order and for a limited time, so that no file stands in the way of others.
 *
 * @returns how many are not pending any more.
 */
export async function settlePending(parts: FileParts, budgetMs = 90_000): Promise<number> {
  const end = Date.now() + budgetMs
  const { rows } = await parts.pool.query<FileRow>({
    name: 'files: pending',
    text: `
      select * from (
      select id, session_id, name, type, size, sha256, status::text, reason, object_key, team_id, flow_id
        from file_uploads where status = 'pending' and expires_at > now()
      union all
      select f.id, f.session_id, f.name, f.type, f.size, f.sha256, f.status::text, f.reason, f.object_key, s.team_id, s.flow_id
        from session_files f join sessions s on s.id = f.session_id
       where f.status = 'pending' and f.upload_expires_at > now()
       ) waiting order by random() limit 500`,
  })
  let settled = 0
  for (const row of rows) {
    if (Date.now() > end) break
    try {
      const taken = await takeIn(parts, row)
      if (taken && taken.status !== 'pending') settled++
    } catch (error) {
      parts.log.warn({ error: messageOf(error), file: row.id }, 'a pending file could not be settled')
    }
  }
  return settled
}

/**
 * Uploads whose session never came go, with their content; a session's file that was never uploaded becomes `missing`.
 *
 * @returns how many.
 */
export async function expireUploads({ pool, files }: FileParts, batch = 500): Promise<number> {
  const { rows } = await pool.query<{ object_key: string }>({
    name: 'files: expire',
    text: `
      with over as (
        delete from file_uploads where id in (
          select id from file_uploads where expires_at <= now() order by expires_at limit $1 for update skip locked)
        returning object_key, status
      ), missing as (
        update session_files set status = 'missing', reason = coalesce(reason, 'It was announced and never uploaded.'), upload_expires_at = null
         where id in (select id from session_files where status = 'pending' and upload_expires_at <= now() limit $1)
        returning object_key
      )
      select object_key from over where status <> 'used' union all select object_key from missing`,
    values: [batch],
  })
  // Rows first: an object that stays behind because the storage is away is an orphan, and found as such.
  await files.removeAll(rows.flatMap(({ object_key }) => [object_key, incomingKey(object_key)]))
  return rows.length
}

/**
 * Walks the bucket and removes objects of sessions' files and of connections' stores that no row speaks of. Other objects are
 * left alone.
 *
 * @returns how many were removed.
 */
export async function removeOrphans(
  { pool, files }: Pick<FileParts, 'pool' | 'files'>,
  now = new Date(),
): Promise<number> {
  let removed = 0
  let page: { readonly key: string; readonly session: string }[] = []
  const checkPage = async () => {
    const { rows } = await pool.query<{ object_key: string; status: string }>({
      name: 'files: keys of sessions',
      text: `select object_key, status::text from file_uploads where session_id = any($1::uuid[])
             union all
             select object_key, status::text from session_files where session_id = any($1::uuid[])`,
      values: [[...new Set(page.map(({ session }) => session))]],
    })
    const kept = new Set(
      rows.flatMap(({ object_key, status }) =>
        status === 'pending'
          ? [object_key, incomingKey(object_key)]
          : ['purged', 'refused'].includes(status)
            ? []
            : [object_key],
      ),
    )
    const orphans = page.map(({ key }) => key).filter((key) => !kept.has(key))
    await files.removeAll(orphans)
    removed += orphans.length
    page = []
  }
  const items: string[] = []
  for await (const { key, modifiedAt } of files.list('')) {
    if (now.getTime() - modifiedAt.getTime() < orphanMs) continue
    if (storeItemOf(key)) items.push(key)
    const session = sessionOf(key)
    if (!session) continue
    page.push({ key, session })
    if (page.length === 1000) await checkPage()
  }
  if (page.length > 0) await checkPage()
  for (let at = 0; at < items.length; at += 1000)
    removed += await removeUnknownItems({ pool, files }, items.slice(at, at + 1000))
  return removed
}

/** @returns how many were removed. */
async function removeUnknownItems(
  { pool, files }: Pick<FileParts, 'pool' | 'files'>,
  keys: readonly string[],
): Promise<number> {
  const { rows } = await pool.query<{ key: string }>({
    name: 'files: items of stores',
    text: `select 'connections/' || connection_id || '/' || name as key from store_items where connection_id = any($1::uuid[])`,
    values: [[...new Set(keys.flatMap((key) => storeItemOf(key)?.connection_id ?? []))]],
  })
  const known = new Set(rows.map(({ key }) => key))
  const unknown = keys.filter((key) => !known.has(key))
  await files.removeAll(unknown)
  return unknown.length
}

/**
 * Asks the storage for every stored file; those that it does not have become `missing`.
 *
 * @returns how many are missing.
 */
export async function findMissing({ pool, files }: FileParts): Promise<number> {
  let after = '00000000-0000-0000-0000-000000000000'
  let missing = 0
  for (;;) {
    const { rows } = await pool.query<{ id: string; object_key: string }>({
      name: 'files: stored',
      text: `select id, object_key from session_files where status = 'stored' and id > $1 order by id limit 500`,
      values: [after],
    })
    const gone: string[] = []
    for (let at = 0; at < rows.length; at += 8) {
      const some = rows.slice(at, at + 8)
      const found = await Promise.all(some.map(({ object_key }) => files.stat(object_key)))
      gone.push(...some.filter((_, index) => !found[index]).map(({ object_key }) => object_key))
    }
    if (gone.length > 0) {
      const { rowCount } = await pool.query(
        `update session_files set status = 'missing', reason = 'Its content is no longer in the file storage.'
          where object_key = any($1) and status = 'stored'`,
        [gone],
      )
      missing += rowCount ?? 0
    }
    const last = rows.at(-1)
    if (!last) return missing
    after = last.id
  }
}
