/** A session's file as a stream, for who has already been allowed to read it. */
import type { Readable } from 'node:stream'
import type pg from 'pg'
import { SluiceError } from '../errors.ts'
import type { FileStore } from './store.ts'

export interface OpenedFile {
  readonly id: string
  readonly name: string
  readonly type: string
  /** In bytes. */
  readonly size: number
  readonly sha256: string
  readonly stream: Readable
}

/**
 * Opens a stored file of a session, by its name or id. The caller has retrieved the session (grant, audit, clock), and
 * reads the stream to its end or destroys it.
 *
 * @throws SluiceError NOT_FOUND with the reason, when there is none or it cannot be had; UNAVAILABLE (the storage).
 */
export async function openSessionFile(
  { pool, files }: { readonly pool: pg.Pool; readonly files: FileStore },
  session_id: string,
  nameOrId: string,
): Promise<OpenedFile> {
  const { rows } = await pool.query<
    Omit<OpenedFile, 'stream' | 'size'> & { size: string; status: string; reason: string | null; object_key: string }
  >({
    name: 'files: open',
    text: `select id, name, type, size, sha256, status::text, reason, object_key
             from session_files where session_id = $1 and (name = $2 or id::text = $2)`,
    values: [session_id, nameOrId],
  })
  const found = rows[0]
  if (!found) throw new SluiceError('NOT_FOUND', `The session has no file "${nameOrId.slice(0, 100)}".`)
  const { object_key, status, reason, size, ...file } = found
  if (status !== 'stored')
    throw new SluiceError('NOT_FOUND', `The file "${file.name}" is ${status}. ${reason ?? ''}`.trim())
  return { ...file, size: Number(size), stream: await files.get(object_key) }
}
