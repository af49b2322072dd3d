import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { createClamAvScanner } from './clamav.ts'
import { startTestClamd, type TestClamd, type TestClamdOptions } from './clamd.fixture.ts'
import { eicar } from './samples.fixture.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function clamd(options?: TestClamdOptions): Promise<TestClamd> {
  const peer = await startTestClamd(options)
  closing.push(() => peer.close())
  return peer
}

const streamOf = (content: Buffer, pieces = 64 * 1024) =>
  Readable.from(
    (function* () {
      for (let at = 0; at < content.length; at += pieces) yield content.subarray(at, at + pieces)
    })(),
  )

test('finds a virus that is split over chunks, and passes what is clean', async () => {
  const { url, scanned } = await clamd()
  const scanner = createClamAvScanner({ url })
  const infected = Buffer.concat([Buffer.alloc(300_000, 'a'), eicar, Buffer.alloc(10)])
  expect(await scanner.scan(streamOf(infected, 300_020))).toEqual({
    clean: false,
    reason: 'The virus scanner found Eicar-Test-Signature.',
  })
  expect(await scanner.scan(streamOf(Buffer.alloc(5_000_000)))).toEqual({ clean: true })
  expect(await scanner.scan(streamOf(Buffer.alloc(0)))).toEqual({ clean: true })
  expect(scanned).toEqual([infected.length, 5_000_000, 0])
})

test('speaks over a unix socket as well', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-clamd-'))
  closing.push(() => rm(folder, { recursive: true }))
  const { url } = await clamd({ path: path.join(folder, 'clamd.ctl') })
  expect(await createClamAvScanner({ url }).scan(streamOf(eicar))).toMatchObject({ clean: false })
})

test('a file larger than the scanner takes is not clean', async () => {
  const { url } = await clamd({ maxLength: 100_000 })
  expect(await createClamAvScanner({ url }).scan(streamOf(Buffer.alloc(4_000_000)))).toEqual({
    clean: false,
    reason: expect.stringMatching(/StreamMaxLength/),
  })
})

test.each<[string, TestClamdOptions, RegExp]>([
  ['says nothing', { answer: null }, /did not answer for 100 ms/],
  ['fails', { answer: "stream: Can't allocate memory ERROR" }, /allocate memory/],
  ['speaks of something else', { answer: 'PONG' }, /could not scan/],
  ['talks without end', { answer: 'x'.repeat(10_000) }, /too long/],
])('a scanner that %s is unavailable, and lets nothing through', async (_, options, message) => {
  const { url } = await clamd(options)
  const scan = createClamAvScanner({ url, idleMs: 100 }).scan(streamOf(Buffer.from('clean')))
  await expect(scan).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringMatching(message) })
})

test('a scanner that is not there is unavailable, and one that takes too long is given up', async () => {
  const gone = await startTestClamd()
  await gone.close()
  await expect(createClamAvScanner({ url: gone.url }).scan(streamOf(eicar))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  })
  const { url } = await clamd({ answer: null })
  const scan = createClamAvScanner({ url, totalMs: 100 }).scan(streamOf(eicar))
  await expect(scan).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(/longer than 100 ms/),
  })
})

test('a stream that fails is not mistaken for a clean file', async () => {
  const { url } = await clamd()
  const failing = Readable.from(
    (function* () {
      yield Buffer.from('half')
      throw new Error('the storage went away')
    })(),
  )
  await expect(createClamAvScanner({ url }).scan(failing)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('an address of another kind is refused with what it should look like', () => {
  for (const url of ['http://localhost:3310', 'localhost:3310', 'unix:relative']) {
    expect(() => createClamAvScanner({ url })).toThrow('CLAMAV_URL must look like tcp://host:3310')
  }
})
