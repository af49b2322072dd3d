/**
 * Taking files in: by a pre-signed PUT straight to the storage, or through us as a stream. Either way the content is
 * checked as it passes, and nobody gets a file before that.
 */
import type { Readable } from 'node:stream'
import type pg from 'pg'
import { z } from 'zod'
import type { Principal } from '../access/principal.ts'
import { reaches } from '../access/reach.ts'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { type ContentFacts, createContentCheck, tooLarge } from './content.ts'
import { incomingKey, newObjectKey } from './keys.ts'
import { checkedFileName } from './names.ts'
import { findPlace } from './place.ts'
import { addFile, dropPendingFile, type FileRow, findFile, type Settlement, settleFile } from './rows.ts'
import type { Scanner } from './scanner.ts'
import type { FileStore } from './store.ts'
import { declaredType, type FileType, typeOfMime } from './types.ts'

/** What an installation takes. */
export interface FileRules {
  readonly taken: readonly FileType[]
  readonly maxBytes: number
  /** How long an upload link works, in seconds. */
  readonly uploadSeconds: number
  /** How long a file waits for its session to be submitted, in days. */
  readonly waitDays: number
}

export interface FileParts {
  readonly pool: pg.Pool
  readonly files: FileStore
  /** Null where there is none: a file that is what it says is then stored. */
  readonly scanner: Scanner | null
  readonly rules: FileRules
  readonly log: Log
}

/** What a source is told of its file. */
export interface FileState {
  readonly id: string
  readonly session_id: string
  readonly name: string
  readonly type: string
  readonly size: number | null
  readonly sha256: string | null
  readonly status: FileRow['status']
  readonly reason: string | null
}

export interface UploadTicket {
  readonly id: string
  readonly url: string
  readonly method: 'PUT'
  readonly headers: Readonly<Record<string, string>>
  readonly expires_at: string
}

const text = z.string().min(1).max(500)
const uploadInput = z.object({
  team: text,
  flow: text,
  session_id: z.uuid().toLowerCase(),
  name: z.string(),
  type: z.string().max(200),
  size: z.coerce.number().int().min(1).nullish(),
  sha256: z
    .string()
    .toLowerCase()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
    .nullish(),
})

/**
 * Makes a link to which the source PUTs the file's content; `completeUpload` then takes it in.
 *
 * @throws SluiceError VALIDATION_FAILED, UNSUPPORTED, TOO_LARGE, FORBIDDEN, NOT_FOUND, CONFLICT, GONE.
 */
export async function createUpload(parts: FileParts, object: unknown, principal: Principal): Promise<UploadTicket> {
  const { pool, files, rules } = parts
  const input = uploadInput.safeParse(object)
  if (!input.success) {
    const [issue] = input.error.issues
    const path = `object.${issue?.path.join('.') ?? ''}`
    throw new SluiceError('VALIDATION_FAILED', `${path} ${issue?.message ?? 'is wrong'}.`, { path })
  }
  const { team, flow, session_id, size = null, sha256 = null, ...given } = input.data
  const name = checkedFileName(given.name)
  const type = declaredType(name, given.type, rules.taken)
  if (size !== null && size > rules.maxBytes) throw tooLarge(rules.maxBytes)
  const place = await findPlace(pool, { team, flow, session_id }, principal)
  const seconds = rules.uploadSeconds
  const { row, expires_at, replaced } = await addFile(pool, place, { name, type: type.mime, size, sha256, seconds })
  await removeObjects(
    parts,
    replaced.flatMap((key) => [key, incomingKey(key)]),
  )
  const url = await files.presignedPut(incomingKey(row.object_key), seconds)
  return {
    id: row.id,
    url,
    method: 'PUT',
    headers: { 'content-type': type.mime },
    expires_at: expires_at.toISOString(),
  }
}

/**
 * Takes in what was PUT to the link: checks it, has it scanned, and says what became of it. Asking again is harmless.
 *
 * @throws SluiceError NOT_FOUND, CONFLICT (nothing was PUT yet), UNAVAILABLE (the storage).
 */
export async function completeUpload(parts: FileParts, id: string, principal: Principal): Promise<FileState> {
  const row = await findFile(parts.pool, id)
  const own = row && reaches(principal, row.team_id)
  if (!own) throw new SluiceError('NOT_FOUND', 'There is no such upload. It may have expired; make a new one.')
  const taken = await takeIn(parts, row)
  if (taken) return stateOf(taken)
  if (row.status === 'pending') {
    throw new SluiceError(
      'CONFLICT',
      'Nothing was uploaded yet. PUT the content to the url of this upload, then complete it.',
    )
  }
  return stateOf(row)
}

/**
 * Goes on with a pending file as far as it can: takes its content in, or has it scanned again.
 *
 * @returns undefined when it is not pending, or nothing was uploaded yet.
 */
export async function takeIn(parts: FileParts, row: FileRow): Promise<FileRow | undefined> {
  const { files, rules } = parts
  if (row.status !== 'pending') return undefined
  // Objects come to their key only once they were checked, so this one waits for the scanner.
  if (await files.stat(row.object_key)) {
    return judge(parts, row, row.object_key, { size: Number(row.size), sha256: row.sha256 ?? '', problem: null })
  }
  const incoming = incomingKey(row.object_key)
  const uploaded = await files.stat(incoming)
  if (!uploaded) return undefined
  const key = newObjectKey(row, row.id, row.name)
  try {
    const settled = await judge(parts, row, key, await fetched())
    await removeObjects(parts, [incoming])
    return settled
  } catch (error) {
    await removeObjects(parts, [key])
    throw error
  }

  async function fetched(): Promise<ContentFacts> {
    if ((uploaded?.size ?? 0) > rules.maxBytes) {
      return { size: uploaded?.size ?? 0, sha256: '', problem: tooLarge(rules.maxBytes).message }
    }
    await files.copy(incoming, key, { contentType: row.type, downloadAs: row.name })
    return inspect(parts, key, row)
  }
}

export interface ReceivedUpload {
  readonly team: string | null
  readonly flow: string | null
  readonly session_id: string
  readonly name: string
  readonly type: string | null
  readonly stream: Readable
}

/**
 * Takes a file in as a stream, at the pace of the storage. When the stream fails or is too long, nothing is left of it.
 *
 * @returns its state; a file that is unfit is there as `refused` or `quarantined`, with the reason.
 * @throws SluiceError as `createUpload`, and whatever the stream failed with.
 */
export async function receiveUpload(
  parts: FileParts,
  upload: ReceivedUpload,
  principal: Principal,
): Promise<FileState> {
  const { pool, files, rules } = parts
  const name = checkedFileName(upload.name, 'file')
  const type = declaredType(name, upload.type, rules.taken)
  const place = await findPlace(pool, upload, principal)
  const seconds = rules.uploadSeconds
  const { row, replaced } = await addFile(pool, place, { name, type: type.mime, size: null, sha256: null, seconds })
  const key = newObjectKey(place, row.id, name)
  try {
    await removeObjects(
      parts,
      replaced.flatMap((key) => [key, incomingKey(key)]),
    )
    const check = createContentCheck({ type, maxBytes: rules.maxBytes })
    await files.put(key, passing(upload.stream, check.take), { contentType: type.mime, downloadAs: name })
    const settled = await judge(parts, row, key, await check.finish())
    if (settled) return stateOf(settled)
  } catch (error) {
    await removeObjects(parts, [key])
    await dropPendingFile(pool, row.object_key)
    throw error
  }
  throw new SluiceError(
    'CONFLICT',
    'The file was replaced by another of its name, or its session ended, while it was uploaded.',
  )
}

async function* passing(stream: Readable, see: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    see(chunk)
    yield chunk
  }
}

/** Reads the object once. What it finds against what was announced is a problem as well. */
async function inspect({ files, rules }: FileParts, key: string, row: FileRow): Promise<ContentFacts> {
  const type = typeOfMime(row.type)
  if (!type) throw new Error(`A file of the unknown type ${row.type} was let in.`)
  const check = createContentCheck({ type, maxBytes: rules.maxBytes })
  for await (const chunk of (await files.get(key)) as AsyncIterable<Buffer>) check.take(chunk)
  const facts = await check.finish()
  if (row.size !== null && Number(row.size) !== facts.size) {
    return { ...facts, problem: `The file has ${facts.size} bytes, and ${row.size} were announced.` }
  }
  if (row.sha256 !== null && row.sha256 !== facts.sha256) {
    return { ...facts, problem: `The file has the SHA-256 ${facts.sha256}, and ${row.sha256} was announced.` }
  }
  return facts
}

/** A scanner that is away is asked again by a job; the file waits for so long at least. */
const scanWaitSeconds = 7 * 86_400

/** Settles a file whose content is at `key`; undefined when it is not expected any more, and its content is removed then. */
async function judge(parts: FileParts, row: FileRow, key: string, facts: ContentFacts): Promise<FileRow | undefined> {
  const { pool, files, scanner, rules, log } = parts
  const settle = (status: Settlement['status'], reason: string | null, seconds = rules.waitDays * 86_400) =>
    settleFile(pool, row.object_key, {
      status,
      reason,
      size: facts.size,
      sha256: facts.sha256 || null,
      object_key: key,
      seconds,
    })
  if (facts.problem) {
    const settled = await settle('refused', facts.problem)
    await removeObjects(parts, [key])
    return settled
  }
  let settled: FileRow | undefined
  try {
    const result = scanner ? await scanner.scan(await files.get(key)) : { clean: true as const }
    settled = await (result.clean ? settle('stored', null) : settle('quarantined', result.reason))
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'UNAVAILABLE') throw error
    log.warn({ error: messageOf(error), file: row.id }, 'a file could not be scanned, and waits')
    settled = await settle('pending', 'It waits to be scanned for viruses.', scanWaitSeconds)
  }
  if (!settled) await removeObjects(parts, [key])
  return settled
}

/** What stays because the storage is away is found by a job. */
async function removeObjects({ files, log }: FileParts, keys: readonly string[]): Promise<void> {
  try {
    await files.removeAll(keys)
  } catch (error) {
    log.warn(
      { error: messageOf(error), objects: keys.length },
      'objects could not be removed, and are left to housekeeping',
    )
  }
}

function stateOf({ id, session_id, name, type, size, sha256, status, reason }: FileRow): FileState {
  return { id, session_id, name, type, size: size === null ? null : Number(size), sha256, status, reason }
}
