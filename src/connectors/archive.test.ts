import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { BlobReader, ZipReader } from '@zip.js/zip.js'
import fc from 'fast-check'
import { Unzip, unzipSync } from 'fflate'
import { describe, expect, test } from 'vitest'
import { type ArchiveEntries, archiveOf } from './archive.ts'
import type { OpenedFile } from './run-files.ts'

const nobody = () => Promise.reject(new Error('no file'))
const mebibyte = 1024 * 1024

/** Files by name, of which each opening and reading is counted. */
function session(files: Readonly<Record<string, readonly Buffer[]>>) {
  const log: string[] = []
  const open = async (name: string): Promise<OpenedFile> => {
    const chunks = files[name]
    if (!chunks) throw new Error(`There is no ${name}.`)
    log.push(`open ${name}`)
    const read = () =>
      Readable.from(
        (async function* () {
          log.push(`read ${name}`)
          yield* chunks
        })(),
      )
    const size = chunks.reduce((sum, { length }) => sum + length, 0)
    const info = { id: name, name, type: 'application/pdf', size, sha256: null, status: 'stored' }
    return { ...info, stream: read(), again: async () => read() }
  }
  return { log, open }
}

async function made(entries: ArchiveEntries, open: (name: string) => Promise<OpenedFile> = nobody) {
  const { content, bytes } = await archiveOf(entries, open)
  const zip = await buffer(content)
  expect(zip.length).toBe(bytes)
  return zip
}

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString()

test('texts, bytes and files lie in the archive, with their checksums and dates', async () => {
  const plan = Buffer.alloc(200_000, 'plan')
  const { open, log } = session({ 'plan.pdf': [plan.subarray(0, 7), plan.subarray(7)], 'none.txt': [] })
  const zip = await made(
    [
      { path: 'proposal.xml', text: '<a>ü</a>' },
      { path: 'raw/0.bin', base64: 'AP8=' },
      { path: 'Pläne/Grundriß „1“.pdf', file: 'plan.pdf', date: '2026-03-29T01:30:00.000Z' },
      { path: 'empty.txt', text: '' },
      { path: 'none.txt', file: 'none.txt' },
    ],
    open,
  )
  const files = unzipSync(zip)
  expect(Object.keys(files)).toEqual(['proposal.xml', 'raw/0.bin', 'Pläne/Grundriß „1“.pdf', 'empty.txt', 'none.txt'])
  expect([text(files['proposal.xml']), [...(files['raw/0.bin'] ?? [])]]).toEqual(['<a>ü</a>', [0, 255]])
  expect(plan.equals(files['Pläne/Grundriß „1“.pdf'] ?? Buffer.of())).toBe(true)
  expect(files['none.txt']).toHaveLength(0)
  const entries = await new ZipReader(new BlobReader(new Blob([new Uint8Array(zip)]))).getEntries()
  expect(entries.map(({ crc32 }) => crc32)).toEqual(
    Object.values(files).map((content) => (content.length === 0 ? 0 : crc32(content))),
  )
  // In UTC also where the clock jumps at this time.
  expect([entries[0]?.rawLastModDate, entries[2]?.rawLastModDate]).toEqual([0x00210000, 0x5c7d0bc0])
  expect(log).toEqual([
    'open plan.pdf',
    'read plan.pdf',
    'open none.txt',
    'read none.txt',
    'read plan.pdf',
    'read none.txt',
  ])
})

test('a reader that does not look ahead finds size and checksum in front of each entry', async () => {
  const { open } = session({ 'a.pdf': [Buffer.from('of a')] })
  const zip = await made(
    [
      { path: 'a.pdf', file: 'a.pdf' },
      { path: 'b.txt', text: 'of b' },
    ],
    open,
  )
  // The first bit of a general purpose that matters is the one of a descriptor behind the content.
  expect([zip.readUInt16LE(6) & 8, zip.readUInt16LE(8), zip.readUInt32LE(14), zip.readUInt32LE(18)]).toEqual([
    0,
    0,
    crc32('of a'),
    4,
  ])
  const found: string[] = []
  const unzip = new Unzip((file) => {
    file.ondata = (_error, chunk) => found.push(`${file.name} ${file.originalSize} ${text(chunk)}`)
    file.start()
  })
  unzip.push(zip, true)
  expect(found.filter((each) => !each.endsWith(' '))).toEqual(['a.pdf 4 of a', 'b.txt 4 of b'])
})

test('the same entries make the same bytes', async () => {
  const { open } = session({ a: [Buffer.alloc(70_000, 'a')] })
  const entries = [
    { path: 'x', text: 'x' },
    { path: 'a', file: 'a', date: '2026-01-31' },
  ]
  expect((await made(entries, open)).equals(await made(entries, open))).toBe(true)
})

test('however slow the receiver is, little is read ahead of it, and one file is open at a time', async () => {
  let taken = 0
  let most = 0
  let received = 0
  const streams = new Set<Readable>()
  let mostStreams = 0
  const read = () => {
    const stream = Readable.from(
      (async function* () {
        // As storage hands it out.
        for (let count = 0; count < 64; count++) {
          taken += mebibyte / 16
          most = Math.max(most, taken - received)
          yield Buffer.alloc(mebibyte / 16)
        }
      })(),
      { highWaterMark: 1 },
    )
    streams.add(stream.once('close', () => streams.delete(stream)))
    mostStreams = Math.max(mostStreams, streams.size)
    return stream
  }
  const info = { id: 'f', name: 'f', type: 'text/plain', size: 4 * mebibyte, sha256: null, status: 'stored' }
  const entries = Array.from({ length: 4 }, (_, index) => ({ path: `${index}.bin`, file: 'f' }))
  const { content, bytes } = await archiveOf(entries, async () => ({
    ...info,
    stream: read(),
    again: async () => read(),
  }))
  expect(bytes).toBeGreaterThan(16 * mebibyte)
  taken = most = 0
  for await (const chunk of content) received += chunk.length
  expect(received).toBe(bytes)
  expect(most).toBeLessThan(4 * mebibyte)
  expect(mostStreams).toBeLessThanOrEqual(2)
})

describe('what cannot be sent is said before a byte is', () => {
  test.each([
    ['/etc/passwd', /must be relative/],
    ['C:plan.pdf', /must be relative/],
    ['a\\b', /folders are parted by/],
    ['../a', /must not hold empty names, "." or ".."/],
    ['a/../b', /must not hold/],
    ['a//b', /must not hold/],
    ['a/', /must not hold/],
    ['./a', /must not hold/],
    ['', /must have 1 to 500 letters/],
    ['a\nb', /a character that cannot be in a path/],
    ['a\ud800', /a character that cannot be in a path/],
  ])('the path %j', async (path, message) => {
    await expect(archiveOf([{ path, text: '' }], nobody)).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringMatching(message),
    })
  })

  test.each<[string, ArchiveEntries, RegExp]>([
    ['a long path', [{ path: `${'a/'.repeat(250)}a`, text: '' }], /must have 1 to 500 letters/],
    ['a long name', [{ path: 'ü'.repeat(128), text: '' }], /a name of more than 255 bytes/],
    ['none', [], /it has 0 entries/],
    ['too many', Array.from({ length: 1001 }, (_, index) => ({ path: `${index}`, text: '' })), /it has 1001 entries/],
    [
      'the same',
      [
        { path: 'a', text: '' },
        { path: 'a', text: '' },
      ],
      /there are two entries "a"/,
    ],
    [
      'the same for Windows',
      [
        { path: 'b/É', text: '' },
        { path: 'B/e\u0301', text: '' },
      ],
      /there are two entries/,
    ],
    [
      'a folder that is a file',
      [
        { path: 'a', text: '' },
        { path: 'a/b/c', text: '' },
      ],
      /both a file and a folder/,
    ],
    [
      'a file that is a folder',
      [
        { path: 'a/b/c', text: '' },
        { path: 'A/b', text: '' },
      ],
      /both a file and a folder/,
    ],
    ['no content', [{ path: 'a' }], /"a" must have either content or file/],
    ['two contents', [{ path: 'a', text: '', file: 'f' }], /"a" must have either content or file/],
    ['no date', [{ path: 'a', text: '', date: 'soon' }], /the date of "a"/],
    ['a date before all', [{ path: 'a', text: '', date: '1979-12-31' }], /the date of "a"/],
  ])('entries: %s', async (_what, entries, message) => {
    await expect(archiveOf(entries, nobody)).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringMatching(message),
    })
  })

  test('a file that is missing, shorter than it says, or breaks', async () => {
    const entries = [
      { path: 'a', text: 'a' },
      { path: 'b', file: 'b' },
    ]
    await expect(archiveOf(entries, session({}).open)).rejects.toThrow('There is no b.')
    const { open } = session({ b: [Buffer.from('whole')] })
    const short = async (name: string) => ({ ...(await open(name)), size: 7 })
    await expect(archiveOf(entries, short)).rejects.toThrow('A file has 5 bytes and should have 7.')
    const broken = async (name: string) => ({
      ...(await open(name)),
      stream: new Readable({
        read() {
          this.destroy(new Error('gone'))
        },
      }),
    })
    await expect(archiveOf(entries, broken)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })
})

test('a file that is another the second time breaks the archive off', async () => {
  const { open } = session({ b: [Buffer.from('first')] })
  const other = async (name: string) => ({
    ...(await open(name)),
    again: async () => Readable.from([Buffer.from('other')]),
  })
  const { content } = await archiveOf([{ path: 'b', file: 'b' }], other)
  await expect(buffer(content)).rejects.toThrow('A file changed while it was sent.')
})

test('whoever stops reading lets the file go', async () => {
  const closed = Promise.withResolvers<void>()
  const chunks = Array.from({ length: 16 }, () => Buffer.alloc(mebibyte / 4))
  const { open } = session({ b: chunks })
  const watched = async (name: string) => {
    const file = await open(name)
    return {
      ...file,
      again: async () => (await file.again()).once('close', () => closed.resolve()),
    }
  }
  const { content } = await archiveOf([{ path: 'b', file: 'b' }], watched)
  for await (const _ of content) break
  await closed.promise
})

test('any paths that are taken are found again, each with its content', async () => {
  const name = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom('__proto__', 'CON', 'a', 'A', 'é', '図', '\ud83d', '\u202e'),
  )
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
  await fc.assert(
    fc.asyncProperty(fc.array(path, { maxLength: 4 }), async (paths) => {
      const entries = paths.map((each, index) => ({ path: each, text: `content ${index}` }))
      const archive = await archiveOf(entries, nobody).catch((error) => {
        expect(error).toMatchObject({ code: 'INVALID' })
      })
      if (!archive) return
      const reader = new ZipReader(new BlobReader(new Blob([new Uint8Array(await buffer(archive.content))])))
      expect((await reader.getEntries()).map(({ filename }) => filename)).toEqual(paths)
    }),
    { numRuns: 10 },
  )
})
