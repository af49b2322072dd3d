/** Raw sources as a producer hands them over, and as they are kept. */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import { SluiceError } from '../errors.ts'
import { digestOfUniqueId } from './unique-ids.ts'

/** Of one call of `getRawSources`. A line to a sandbox's host is 8 MiB at most, so larger batches do not arrive. */
export const batchLimits = { sources: 1000, sourceBytes: 5 * 1024 * 1024, idLength: 500 } as const

/** One entry, as it was returned. */
export interface ProducedSource {
  readonly source: unknown
  readonly uniqueSourceId?: string | undefined
}

export interface ProducedBatch {
  readonly sources: readonly ProducedSource[]
  /** It asks to be called again. */
  readonly more: boolean
}

/**
 * Reads what `getRawSources` returned.
 *
 * @throws SluiceError VALIDATION_FAILED when it is no list, or too long a one.
 */
export function readBatch(returned: unknown): ProducedBatch {
  const { sources, more } = Array.isArray(returned) ? { sources: returned, more: false } : partsOf(returned)
  if (sources.length > batchLimits.sources) {
    throw refused(
      `getRawSources returned ${sources.length} sources at once. Return ${batchLimits.sources} at most, as {sources, more: true}; it is called again for the rest.`,
    )
  }
  return { sources: sources.map((each) => (isSource(each) ? each : { source: each })), more }
}

function partsOf(returned: unknown): { sources: unknown[]; more: boolean } {
  const { sources, more } = (returned ?? {}) as { readonly sources?: unknown; readonly more?: unknown }
  if (!Array.isArray(sources) || (more !== undefined && typeof more !== 'boolean')) {
    throw refused('getRawSources must return a list of sources, or {sources, more}.')
  }
  return { sources, more: more ?? false }
}

/** Anything with other keys is a JSON source that stands there without an id. */
function isSource(each: unknown): each is ProducedSource {
  if (typeof each !== 'object' || each === null || Array.isArray(each) || each instanceof Uint8Array) return false
  return 'source' in each && Object.keys(each).every((key) => key === 'source' || key === 'uniqueSourceId')
}

/** A source as it is kept. */
export interface KeptSource {
  readonly unique_id: string
  readonly content: Buffer
  /** Hex. */
  readonly sha256: string
  readonly mime: string | null
}

/** @returns the source, or in a sentence why it is none; so that one that is wrong is left out alone. */
export function keptSource({ source, uniqueSourceId }: ProducedSource): KeptSource | { readonly fault: string } {
  if (source === undefined || source === null) return { fault: 'it is empty' }
  const content = bytesOf(source)
  if (content.length === 0) return { fault: 'it is empty' }
  if (content.length > batchLimits.sourceBytes) {
    return { fault: `it has ${content.length} bytes, and ${batchLimits.sourceBytes} are the most` }
  }
  if (uniqueSourceId !== undefined && uniqueSourceId !== null && !isId(uniqueSourceId)) {
    return { fault: `its uniqueSourceId is no text of 1 to ${batchLimits.idLength} characters` }
  }
  const sha256 = createHash('sha256').update(content).digest('hex')
  const mime = typeof source === 'string' || source instanceof Uint8Array ? null : 'application/json'
  return { unique_id: uniqueSourceId ?? `sha256:${sha256}`, content, sha256, mime }
}

function bytesOf(source: unknown): Buffer {
  if (source instanceof Uint8Array) return Buffer.from(source)
  return Buffer.from(typeof source === 'string' ? source : JSON.stringify(source))
}

export function isId(id: unknown): id is string {
  return typeof id === 'string' && id !== '' && id.length <= batchLimits.idLength && !id.includes('\0')
}

export interface StoredBatch {
  /** Kept, and to be converted. */
  readonly added: number
  /** Seen before: counted, and not converted again. */
  readonly repeated: number
}

/**
 * Keeps what is new, and counts what was seen before; also what was purged since, of whose id a digest is left. Entries
 * of one id in the same batch are one.
 */
export async function storeSources(
  pool: pg.Pool,
  { connection_id, team_id }: { readonly connection_id: string; readonly team_id: string },
  sources: readonly KeptSource[],
): Promise<StoredBatch> {
  if (sources.length === 0) return { added: 0, repeated: 0 }
  const byId = new Map<string, KeptSource>()
  for (const each of sources) if (!byId.has(each.unique_id)) byId.set(each.unique_id, each)
  const unique = [...byId.values()]
  const { rows } = await pool.query<{ added: number }>({
    name: 'raw sources: store',
    text: storeSql,
    values: [
      connection_id,
      team_id,
      unique.map(({ unique_id }) => unique_id),
      unique.map(({ unique_id }) => digestOfUniqueId(unique_id)),
      unique.map(({ content }) => content),
      unique.map(({ sha256 }) => sha256),
      unique.map(({ mime }) => mime),
    ],
  })
  const added = rows[0]?.added ?? 0
  return { added, repeated: sources.length - added }
}

const storeSql = `
with given as (
  select * from unnest($3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[]) with ordinality
    as given(unique_id, digest, content, sha256, mime, place)
), purged as (
  update raw_sources r set repeats = r.repeats + 1 from given
   where r.connection_id = $1 and r.unique_id = given.digest and r.purged_at is not null
  returning given.place
), stored as (
  insert into raw_sources as r (connection_id, team_id, unique_id, content, size, sha256, mime, received_at)
  select $1, $2, given.unique_id, given.content, length(given.content), given.sha256, given.mime, now()
    from given where given.place not in (select place from purged)
   order by given.place
  on conflict (connection_id, unique_id) do update set repeats = r.repeats + 1
  returning r.xmax = 0 as is_new
)
select count(*) filter (where is_new)::int as added from stored`

/** Of these ids, those that the connection has seen. */
export async function knownIds(
  pool: pg.Pool,
  connectionId: string,
  ids: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'raw sources: known ids',
    text: `select id from unnest($2::text[], $3::text[]) as asked(id, digest)
            where exists (select from raw_sources r
                           where r.connection_id = $1 and (r.unique_id = asked.id or (r.unique_id = asked.digest and r.purged_at is not null)))`,
    values: [connectionId, ids, ids.map(digestOfUniqueId)],
  })
  return rows.map(({ id }) => id)
}

function refused(message: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', message)
}
