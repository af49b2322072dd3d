/**
 * Files that connectors keep for their connections, and their end. An item may hold whatever the sessions said whose runs wrote
 * it, so it goes with the first of them that is purged, unless its connector says that it holds nothing of any session
 * (docs/decisions/0019-stores-end-with-sessions.md). Rows are written before objects and removed after them, so what lies in the
 * storage is known, whoever dies when.
 */
import type pg from 'pg'
import type { FileStore } from './store.ts'

export interface StoreItemsParts {
  readonly pool: Pick<pg.Pool, 'query'>
  readonly files: Pick<FileStore, 'removeAll'>
}

interface Item {
  readonly connection_id: string
  readonly name: string
  readonly written_at: Date
}

/** Everything of one connection begins with this. */
export const storePrefix = (connectionId: string): string => `connections/${connectionId}/`

export const storeKey = (connectionId: string, name: string): string => `${storePrefix(connectionId)}${name}`

/** The item of an object; undefined for keys that are no connection's. */
export function storeItemOf(key: string): { readonly connection_id: string; readonly name: string } | undefined {
  const [, connection_id, name] = /^connections\/([0-9a-f-]{36})\/([^/]+)$/.exec(key) ?? []
  return connection_id && name ? { connection_id, name } : undefined
}

/**
 * Removes what runs for these sessions have written, and for the raw sources that they were made of.
 *
 * @throws SluiceError UNAVAILABLE when the storage does not answer: the rows stay, to be removed again.
 */
export async function removeItemsOf(parts: StoreItemsParts, sessionIds: readonly string[]): Promise<number> {
  return removed(
    parts,
    `select distinct i.connection_id, i.name, i.written_at
       from store_item_origins o join store_items i using (connection_id, name)
      where not i.keep
        and o.origin_id = any(array(select unnest($1::uuid[])
                                    union all select r.id from raw_sources r where r.session_id = any($1::uuid[])))`,
    [sessionIds],
  )
}

/** Items of one pass. */
const batch = 1000

/**
 * Removes what should not be there any more: of connections that are gone or whose connector is uninstalled; of raw sources that
 * were purged by themselves, and of sessions that were purged before their runs had written, within a day; and what runs without a session wrote and have not written again
 * for as long as a session of the team would be kept.
 *
 * @param retentionDays where the team has not set its own.
 * @returns how many items.
 */
export async function sweepStores(
  parts: StoreItemsParts,
  { retentionDays, now = new Date() }: { readonly retentionDays: number; readonly now?: Date },
): Promise<number> {
  let all = 0
  for (;;) {
    const some = await removed(parts, dueSql, [now, retentionDays])
    all += some
    if (some < batch) return all
  }
}

const dueSql = `
  (select i.connection_id, i.name, i.written_at
     from store_items i
     left join connections c on c.id = i.connection_id
     left join connectors k on k.id = c.connector_id
    where c.id is null or k.uninstalled_at is not null
    limit ${batch})
  union
  (select i.connection_id, i.name, i.written_at
     from (select s.id from sessions s where s.purged_at > $1::timestamptz - interval '1 day'
           union all
           select r.id from raw_sources r where r.purged_at > $1::timestamptz - interval '1 day') ended
     join store_item_origins o on o.origin_id = ended.id
     join store_items i on i.connection_id = o.connection_id and i.name = o.name and not i.keep
    limit ${batch})
  union
  (select i.connection_id, i.name, i.written_at
     from store_items i
     join connections c on c.id = i.connection_id
     left join teams t on t.id = c.team_id
    where not i.keep and i.written_at < $1::timestamptz - make_interval(secs => 86400 * coalesce(t.retention_days, $2))
      and not exists (select from store_item_origins o where o.connection_id = i.connection_id and o.name = i.name)
    limit ${batch})
  limit ${batch}`

/** Objects first. What was written again meanwhile keeps its row, and is looked at again. */
async function removed({ pool, files }: StoreItemsParts, due: string, values: readonly unknown[]): Promise<number> {
  const { rows } = await pool.query<Item>(due, [...values])
  if (rows.length === 0) return 0
  await files.removeAll(rows.map(({ connection_id, name }) => storeKey(connection_id, name)))
  await pool.query(
    `delete from store_items i
      using unnest($1::uuid[], $2::text[], $3::timestamptz[]) as gone(connection_id, name, written_at)
      where i.connection_id = gone.connection_id and i.name = gone.name and i.written_at <= gone.written_at`,
    [
      rows.map(({ connection_id }) => connection_id),
      rows.map(({ name }) => name),
      rows.map(({ written_at }) => written_at),
    ],
  )
  return rows.length
}
