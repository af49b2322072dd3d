/**
 * A zip as a connector sends it: entries of text, bytes and files of the session, stored as they are. Their content is
 * read twice, first to nowhere and then to the receiver. The first time tells checksums and length, and whether all of
 * it can be read before a byte is sent; so every entry has both in front of it, without which readers that do not look
 * ahead take no stored entry (java.util.zip.ZipInputStream), and the request has a Content-Length. Some 3 MiB
 * are held on the way, however large it is.
 *
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
import { Readable } from 'node:stream'
import { ReadableStream, TransformStream, type TransformStreamDefaultController } from 'node:stream/web'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import type { OpenedFile } from './run-files.ts'
import { CallRefused } from './sandbox/process.ts'

export const archiveSchema = z.array(
  z.strictObject({
    path: z.string(),
    /** What it holds: one of these three. */
    text: z.string().optional(),
    base64: z.base64().optional(),
    /** Name or id of a file of the session. */
    file: z.string().max(1000).optional(),
    /** ISO 8601. */
    date: z.string().optional(),
  }),
)

export type ArchiveEntries = z.output<typeof archiveSchema>

export interface Archive {
  /** Read it to its end or destroy it. It opens one file at a time, when it comes to it. */
  readonly content: Readable
  /** How long it is. */
  readonly bytes: number
}

/** Each file costs an audited opening and two reads; a session's list of files ends there too. */
const mostEntries = 1000
const mostPathLetters = 500
/** Of one folder's or file's name; what file systems take. */
const mostNameBytes = 255

/**
 * The same bytes for the same entries.
 *
 * @param open opens a file of the session; what it throws is passed on.
 * @throws CallRefused `INVALID` for entries that make no archive, `UNREACHABLE` for a file that cannot be read.
 */
export async function archiveOf(
  entries: ArchiveEntries,
  open: (nameOrId: string) => Promise<OpenedFile>,
): Promise<Archive> {
  checkEntries(entries)
  const sources: Source[] = []
  let bytes = 0
  for await (const chunk of zipped(firstReading(entries, open, sources))) bytes += chunk.length
  return { content: Readable.from(zipped(sources), { objectMode: false }), bytes }
}

interface Source {
  readonly path: string
  /** MS-DOS date and time. */
  readonly time: number
  readonly bytes: number
  readonly read: () => Promise<Readable>
  /** CRC-32; undefined while it is not known. */
  readonly checksum?: number
  /** Told of it at the end. */
  readonly learned?: (checksum: number) => void
}

/** @param known gets each entry once it was read. */
async function* firstReading(
  entries: ArchiveEntries,
  open: (nameOrId: string) => Promise<OpenedFile>,
  known: Source[],
): AsyncGenerator<Source> {
  for (const { path, date, file, text = '', base64 } of entries) {
    const entry = { path, time: dosTimeOf(date) }
    if (file === undefined) {
      const content = base64 === undefined ? Buffer.from(text) : Buffer.from(base64, 'base64')
      const read = async () => Readable.from([content])
      const source = { ...entry, bytes: content.length, checksum: crc32(content), read }
      yield source
      known.push(source)
    } else {
      const { size: bytes, stream, again } = await open(file)
      let checksum = 0
      yield {
        ...entry,
        bytes,
        read: async () => stream,
        learned: (sum) => {
          checksum = sum
        },
      }
      known.push({ ...entry, bytes, checksum, read: again })
    }
  }
}

/** Without checksums the archive is of the right length and otherwise wrong. */
async function* zipped(sources: Iterable<Source> | AsyncIterable<Source>): AsyncGenerator<Uint8Array> {
  // Only who sends archives waits for it: it takes longer to load than the rest of a connector's host.
  const { ZipWriter } = await import('@zip.js/zip.js')
  let output: TransformStreamDefaultController<Uint8Array> | undefined
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
    start: (controller) => {
      output = controller
    },
  })
  const zip = new ZipWriter(writable as WritableStream, {
    // As it is, with what is said of it: checksum and length stand before the content.
    passThrough: true,
    compressionMethod: 0,
    level: 0,
    extendedTimestamp: false,
    useWebWorkers: false,
    useCompressionStream: false,
  })
  let current: Readable | undefined
  const write = async () => {
    for await (const source of sources) {
      current = await source.read()
      const content = ReadableStream.from(verified(current, source))
      const reader = { readable: content as globalThis.ReadableStream, size: source.bytes }
      await zip.add(source.path, reader, {
        uncompressedSize: source.bytes,
        crc32: source.checksum ?? 0,
        rawLastModDate: source.time,
      })
    }
    await zip.close()
  }
  write().catch((error) => output?.error(error))
  try {
    yield* readable
  } finally {
    // Whoever stops reading lets the source stop too.
    current?.destroy()
  }
}

/** What is read must be what the entry says, both times: a receiver would find the archive broken. */
async function* verified(stream: Readable, { bytes, checksum, learned }: Source): AsyncGenerator<Uint8Array> {
  let read = 0
  let sum = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      read += chunk.length
      sum = crc32(chunk, sum)
      yield chunk
    }
  } catch (cause) {
    throw new CallRefused('UNREACHABLE', 'A file could not be read to its end.', { cause })
  }
  if (read !== bytes) throw new CallRefused('UNREACHABLE', `A file has ${read} bytes and should have ${bytes}.`)
  if (checksum !== undefined && sum !== checksum) {
    throw new CallRefused('UNREACHABLE', 'A file changed while it was sent.')
  }
  learned?.(sum)
}

/** @throws CallRefused `INVALID` */
function checkEntries(entries: ArchiveEntries): void {
  if (entries.length === 0 || entries.length > mostEntries) {
    throw invalid(`it has ${entries.length} entries, and 1 to ${mostEntries} are possible`)
  }
  /** As readers see them that know no case, so that none is written over another. */
  const files = new Set<string>()
  const folders = new Set<string>()
  for (const { path, text, base64, file, date } of entries) {
    const shown = JSON.stringify(path.slice(0, 100))
    const fault = pathFault(path)
    if (fault) throw invalid(`the path ${shown} ${fault}`)
    if ([text, base64, file].filter((each) => each !== undefined).length !== 1) {
      throw invalid(`${shown} must have either content or file`)
    }
    if (date !== undefined && !isDate(date)) {
      throw invalid(`the date of ${shown} is none of 1980 to 2107, such as 2026-01-31T09:30:00Z`)
    }
    const names = path.normalize('NFC').toLowerCase().split('/')
    const folded = names.join('/')
    const above = names.slice(1).map((_, index) => names.slice(0, index + 1).join('/'))
    if (files.has(folded)) throw invalid(`there are two entries ${shown}; letter case does not tell them apart`)
    if (folders.has(folded) || above.some((folder) => files.has(folder))) {
      throw invalid(`${shown} would be both a file and a folder`)
    }
    files.add(folded)
    for (const folder of above) folders.add(folder)
  }
}

/** Paths that every reader understands alike, and that lead nowhere else. */
function pathFault(path: string): string | undefined {
  if (path.length === 0 || path.length > mostPathLetters) return `must have 1 to ${mostPathLetters} letters`
  if (!path.isWellFormed() || /\p{Cc}/u.test(path)) return 'holds a character that cannot be in a path'
  if (path.includes('\\')) return 'holds "\\"; folders are parted by "/"'
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'must be relative'
  const names = path.split('/')
  if (names.some((name) => name === '' || name === '.' || name === '..'))
    return 'must not hold empty names, "." or ".."'
  if (names.some((name) => Buffer.byteLength(name) > mostNameBytes)) {
    return `holds a name of more than ${mostNameBytes} bytes`
  }
  return undefined
}

function invalid(fault: string): CallRefused {
  return new CallRefused('INVALID', `This archive cannot be made: ${fault}.`)
}

function isDate(text: string): boolean {
  const year = new Date(text).getUTCFullYear()
  return year >= 1980 && year <= 2107
}

/** In UTC, whatever the zone of the machine is; without a date the first that there is. */
function dosTimeOf(text = '1980-01-01'): number {
  const date = new Date(text)
  const day = ((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate()
  const time = (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1)
  return ((day << 16) | time) >>> 0
}
