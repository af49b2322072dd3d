/**
 * What a run may do with files: read those of its session, and keep some of the
 * connection's own. A session's file is opened through the integration's live
 * grant, which the same statement checks and audits, each time.
 */
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type pg from 'pg'
import { SluiceError } from '../errors.ts'
import { storeKey, storePrefix } from '../files/store-items.ts'
import { CallRefused } from './sandbox/process.ts'

export interface FileInfo {
  readonly id: string
  readonly name: string
  /** MIME type, as its content was found to be. */
  readonly type: string
  /** In bytes; null where it was never received. */
  readonly size: number | null
  /** Of its content, hex. */
  readonly sha256: string | null
  /** Only a `stored` file can be read. */
  readonly status: string
}

export interface OpenedFile extends FileInfo {
  readonly size: number
  /** Read it to its end or destroy it. */
  readonly stream: Readable
  /** The same content from its start, for a body that is read twice. It belongs to this opening and is not audited again. */
  readonly again: () => Promise<Readable>
}

/** Files of one run's session. Every method throws CallRefused. */
export interface RunFiles {
  list(): Promise<readonly FileInfo[]>
  /** By name or id. */
  open(nameOrId: string): Promise<OpenedFile>
}

export interface StoredItem {
  readonly name: string
  /** In bytes. */
  readonly size: number
}

/** The connection's own files. Every method throws CallRefused. */
export interface RunStore {
  list(): Promise<readonly StoredItem[]>
  /** Undefined when there is none. */
  get(name: string): Promise<Buffer | undefined>
  /** @param keep nothing of a session is in it, so it stays when sessions are purged. */
  put(name: string, content: Buffer, keep: boolean): Promise<void>
  remove(name: string): Promise<void>
}

/** The part of the file storage that runs use. */
export interface ObjectStore {
  get(key: string): Promise<Readable>
  put(key: string, body: Buffer, options?: { readonly contentType?: string }): Promise<unknown>
  list(prefix: string): AsyncIterable<{ readonly key: string; readonly size: number }>
  remove(key: string): Promise<void>
}

export interface RunFilesOptions {
  readonly pool: pg.Pool
  readonly objects: ObjectStore
  readonly connection_id: string
  readonly session_id: string
  readonly delivery_id: string
}

export function sessionFiles({ pool, objects, connection_id, session_id, delivery_id }: RunFilesOptions): RunFiles {
  return {
    async list() {
      const { rows } = await pool.query<FileInfo>({
        name: 'connectors: list files',
        text: listSql,
        values: [connection_id, session_id],
      })
      return rows
    },
    async open(nameOrId) {
      const { rows } = await pool.query<FileInfo & { object_key: string; reason: string | null }>({
        name: 'connectors: open file',
        text: openSql,
        values: [connection_id, session_id, nameOrId, delivery_id],
      })
      const [found] = rows
      if (!found) throw new CallRefused('BLOCKED', 'The grant for this session has ended, so its files are closed.')
      if (found.id === null) throw new CallRefused('NOT_FOUND', `The session has no file "${nameOrId.slice(0, 100)}".`)
      const { object_key, reason, ...file } = found
      if (file.status !== 'stored') {
        throw new CallRefused('NOT_FOUND', `The file "${file.name}" is ${file.status}. ${reason ?? ''}`.trim())
      }
      const read = () => answered(() => objects.get(object_key))
      return { ...file, size: file.size ?? 0, stream: await read(), again: read }
    },
  }
}

/** The live grant of the connection's integration. */
const grantedSql = `
  select c.id as connection_id, c.team_id, c.integration_id, g.id as grant_id
    from connections c
    left join integrations i on i.id = c.integration_id and i.status = 'active'
    left join session_grants g on g.session_id = $2 and g.integration_id = i.id and c.enabled
          and g.revoked_at is null and g.expires_at > now()
          and exists (select from sessions s where s.id = g.session_id and s.purged_at is null)
   where c.id = $1`

const listSql = `
with granted as (${grantedSql})
select f.id, f.name, f.type, f.size::float8 as size, f.sha256, f.status::text as status
  from granted g join session_files f on f.session_id = $2
 where g.grant_id is not null
 order by f.name
 limit 1000`

const openSql = `
with granted as (${grantedSql}),
found as (
  select f.id, f.name, f.type, f.size::float8 as size, f.sha256, f.status::text as status, f.reason, f.object_key
    from granted g
    left join session_files f on f.session_id = $2 and (f.name = $3 or f.id::text = $3)
   where g.grant_id is not null
), entry as (
  insert into audit_entries (team_id, integration_id, actor_kind, actor_id, operation, outcome, session_ids, detail)
  select g.team_id, g.integration_id, 'connection', g.connection_id::text, 'read_file',
         case when g.grant_id is null then 'refused' else 'granted' end, array[$2::uuid],
         jsonb_build_object('delivery_id', $4::uuid, 'file', f.id)
    from granted g left join found f on true
   where g.grant_id is null or f.status = 'stored'
)
select * from found`

/** Largest single file of a connection's own, all of them together, and how many. */
export const storeLimits = { itemBytes: 4 * 1024 * 1024, totalBytes: 64 * 1024 * 1024, items: 200 } as const

export interface ConnectionStoreOptions {
  readonly pool: pg.Pool
  readonly objects: ObjectStore
  readonly connection_id: string
  /** The session, or the raw source, that the run is for; undefined for runs that have none. */
  readonly origin_id: string | undefined
}

/**
 * Files under a prefix of the connection's own. They outlive runs; whose data may be in them is noted, and ends them
 * (`files/store-items.ts`).
 */
export function connectionStore({ pool, objects, connection_id, origin_id }: ConnectionStoreOptions): RunStore {
  const prefix = storePrefix(connection_id)
  const keyOf = (name: string) => {
    if (/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/.test(name)) return storeKey(connection_id, name)
    throw new CallRefused(
      'INVALID',
      'A name in the store is 1 to 100 letters, digits and ._-, not beginning with a dot.',
    )
  }
  const list = async () => {
    const found: StoredItem[] = []
    for await (const { key, size } of objects.list(prefix)) found.push({ name: key.slice(prefix.length), size })
    return found
  }
  return {
    list: () => answered(list),
    get: (name) =>
      answered(async () => {
        const stream = await objects.get(keyOf(name)).catch((error) => {
          if (error instanceof SluiceError && error.code === 'NOT_FOUND') return undefined
          throw error
        })
        return stream && buffer(stream)
      }),
    put: (name, content, keep) =>
      answered(async () => {
        const key = keyOf(name)
        checkRoom(await list(), name, content.length)
        const { rowCount } = await pool.query({
          name: 'connectors: note store item',
          text: noteItemSql,
          values: [connection_id, name, keep, origin_id ?? null],
        })
        if (rowCount === 0) throw new CallRefused('UNREACHABLE', 'The connection was deleted, and its store with it.')
        await objects.put(key, content)
      }),
    remove: (name) =>
      answered(async () => {
        const key = keyOf(name)
        await pool.query({
          name: 'connectors: forget store item',
          text: 'delete from store_items where connection_id = $1 and name = $2',
          values: [connection_id, name],
        })
        await objects.remove(key)
      }),
  }
}

/**
 * Before its content is stored, so that nothing lies there of which nobody knows. Who wrote it before may still be in it: runs
 * read what they write anew. A session's run is handed the bookings of its trip, so they are noted with it.
 */
const noteItemSql = `
with item as (
  insert into store_items as i (connection_id, name, keep)
  select c.id, $2, $3 from connections c join connectors k on k.id = c.connector_id and k.uninstalled_at is null where c.id = $1
  on conflict (connection_id, name) do update set keep = excluded.keep, written_at = now()
  returning i.connection_id, i.name
), freed as (
  delete from store_item_origins o using item where $3 and o.connection_id = item.connection_id and o.name = item.name
), noted as (
  insert into store_item_origins (connection_id, name, origin_id)
  select item.connection_id, item.name, origin.id
    from item cross join (
      select $4::uuid as id
      union
      select other.id from sessions s join sessions other on other.trip_id = s.trip_id and other.purged_at is null
       where s.id = $4::uuid) origin
   where not $3 and origin.id is not null
  on conflict do nothing
)
select from item`

/** @throws CallRefused LIMIT */
export function checkRoom(items: readonly StoredItem[], name: string, bytes: number): void {
  const { itemBytes, totalBytes, items: most } = storeLimits
  const others = items.filter((item) => item.name !== name)
  if (bytes > itemBytes) throw new CallRefused('LIMIT', `A file in the store has at most ${itemBytes} bytes.`)
  if (others.length >= most) throw new CallRefused('LIMIT', `The store holds at most ${most} files. Remove some first.`)
  if (others.reduce((sum, { size }) => sum + size, bytes) > totalBytes) {
    throw new CallRefused('LIMIT', `The store holds at most ${totalBytes} bytes together. Remove something first.`)
  }
}

async function answered<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw refusalOf(error)
  }
}

/** What the storage said, in a connector's words. Anything unexpected stays what it is, and is told as INTERNAL. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof SluiceError)) return error
  return new CallRefused(error.code === 'NOT_FOUND' ? 'NOT_FOUND' : 'UNREACHABLE', error.message, { cause: error })
}
