import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Client } from 'minio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestStorage, testStorage } from '../../test/ground/storage.ts'
import { startEmbeddedS3 } from './embedded-s3.ts'
import { createFileStore } from './store.ts'

let storage: TestStorage
beforeAll(async () => {
  storage = await testStorage()
})
afterAll(() => storage.close())

const key = 'sessions/01/site plan ø.pdf'
const content = Buffer.from('%PDF-1.7 a plan')

describe('a file store', () => {
  test('gives back a buffer with its type and metadata', async () => {
    await storage.files.put(key, content, { contentType: 'application/pdf', meta: { session: '01' } })
    expect(await buffer(await storage.files.get(key))).toEqual(content)
    const found = await storage.files.stat(key)
    expect(found).toMatchObject({ size: content.length, contentType: 'application/pdf' })
    expect(found?.meta).toMatchObject({ session: '01' })
    expect(Date.now() - (found?.modifiedAt.getTime() ?? 0)).toBeLessThan(60_000)
  })

  test('takes a stream of unknown length', async () => {
    const parts = Array.from({ length: 300 }, (_, index) => Buffer.alloc(10_000, index))
    await storage.files.put('streamed', Readable.from(parts))
    expect((await buffer(await storage.files.get('streamed'))).equals(Buffer.concat(parts))).toBe(true)
  })

  test('holds no more than two parts of a long stream in memory', async () => {
    const piece = Buffer.alloc(64 * 1024, 'x')
    const pieces = (60 * 1024 * 1024) / piece.length
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    collectGarbage()
    let most = 0
    const before = process.memoryUsage().arrayBuffers
    async function* long() {
      for (let index = 0; index < pieces; index++) {
        if (index % 80 === 0) {
          collectGarbage()
          most = Math.max(most, process.memoryUsage().arrayBuffers - before)
        }
        yield Buffer.from(piece)
      }
    }
    await storage.files.put('long', long())
    expect((await storage.files.stat('long'))?.size).toBe(pieces * piece.length)
    expect(most / 1024 / 1024).toBeLessThan(40)
    await storage.files.remove('long')
  })

  test('keeps nothing of a stream that fails, before or after its first part', async () => {
    for (const bytes of [100, 12_000_000]) {
      async function* failing() {
        for (let sent = 0; sent < bytes; sent += 100_000) yield Buffer.alloc(Math.min(bytes, 100_000))
        throw new Error('the client went away')
      }
      await expect(storage.files.put('broken', failing())).rejects.toThrow('the client went away')
      expect(await storage.files.stat('broken')).toBeUndefined()
    }
  })

  test('copies with another type and name, lists and removes what is under a prefix', async () => {
    await storage.files.put('t/f/s/incoming/1', content, { contentType: 'text/html' })
    await storage.files.copy('t/f/s/incoming/1', 't/f/s/1-é.pdf', {
      contentType: 'application/pdf',
      downloadAs: 'é.pdf',
    })
    const response = await fetch(await storage.files.presignedGet('t/f/s/1-é.pdf', 60))
    expect(response.headers.get('content-type')).toBe('application/pdf')
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename=_.pdf; filename*=UTF-8''%C3%A9.pdf`)
    await storage.files.put('t/f/s2/1', content)
    expect((await Array.fromAsync(storage.files.list('t/f/s/'))).map(({ key, size }) => [key, size])).toEqual([
      ['t/f/s/1-é.pdf', content.length],
      ['t/f/s/incoming/1', content.length],
    ])
    expect(await storage.files.removeUnder('t/f/s/')).toBe(2)
    expect(await storage.files.stat('t/f/s2/1')).toBeDefined()
    await expect(storage.files.removeUnder('t/f/s')).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await expect(storage.files.copy('nothing/here', 'a', {})).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('knows nothing of a removed file, and removes it twice without complaint', async () => {
    await storage.files.put('short-lived', content)
    await storage.files.remove('short-lived')
    await storage.files.remove('short-lived')
    expect(await storage.files.stat('short-lived')).toBeUndefined()
    await expect(storage.files.get('short-lived')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('refuses a key that could leave the bucket', async () => {
    await expect(storage.files.put('a/../../secret', content)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    expect(() => storage.files.presignedPut('../secret', 60)).toThrow('no file key')
  })

  test('makes its bucket once', async () => {
    const other = createFileStore({ ...storage.config, S3_BUCKET: 'another' })
    await Promise.all([other.ensureBucket(), other.ensureBucket()])
    await other.put('a', content)
    expect(await storage.files.stat('a')).toBeUndefined()
  })

  test('says that the storage is unavailable when it refuses the keys or does not answer', async () => {
    const wrong = createFileStore({ ...storage.config, S3_SECRET_KEY: 'wrong' })
    await expect(wrong.put('a', content)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const nowhere = createFileStore({ ...storage.config, S3_ENDPOINT: 'http://127.0.0.1:1' })
    await expect(nowhere.get('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('a link', () => {
  test('reads the file without credentials, under the name it was given', async () => {
    await storage.files.put(key, content)
    const response = await fetch(await storage.files.presignedGet(key, 60, { downloadAs: 'Site plan (é).pdf' }))
    expect(Buffer.from(await response.arrayBuffer())).toEqual(content)
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="Site plan ___.pdf"')
  })

  test('writes the file without credentials', async () => {
    const link = await storage.files.presignedPut('uploaded', 60)
    expect((await fetch(link, { method: 'PUT', body: content })).status).toBe(200)
    expect((await storage.files.stat('uploaded'))?.size).toBe(content.length)
  })

  test('opens nothing once it was changed, has expired, or lost its signature', async () => {
    await storage.files.put(key, content)
    await storage.files.put('other', content)
    const link = await storage.files.presignedGet(key, 60)
    const moved = new URL(link)
    moved.pathname = moved.pathname.replace(/[^/]+$/, 'other')
    expect((await fetch(link.replace('X-Amz-Expires=60', 'X-Amz-Expires=6000'))).status).toBe(403)
    expect((await fetch(moved)).status).toBe(403)
    expect((await fetch(link.split('?')[0] ?? '')).status).toBe(403)
    expect((await fetch(storage.config.S3_ENDPOINT)).status).toBe(403)

    const { hostname: endPoint, port } = new URL(storage.config.S3_ENDPOINT)
    const { S3_ACCESS_KEY: accessKey, S3_SECRET_KEY: secretKey, S3_REGION: region } = storage.config
    const client = new Client({ endPoint, port: Number(port), useSSL: false, accessKey, secretKey, region })
    const twoMinutesAgo = new Date(Date.now() - 120_000)
    const old = await client.presignedGetObject(storage.config.S3_BUCKET, key, 60, {}, twoMinutesAgo)
    expect((await fetch(old)).status).toBe(403)
  })

  test('carries the public address where clients need another one', async () => {
    const files = createFileStore({ ...storage.config, S3_PUBLIC_ENDPOINT: 'https://files.example.org' })
    expect(await files.presignedGet('a/b', 60)).toMatch(/^https:\/\/files\.example\.org\/sluice\/a\/b\?/)
  })
})

test('the embedded S3 names the variable to change when its port is taken', async () => {
  const port = Number(new URL(storage.config.S3_ENDPOINT).port)
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-test-s3-'))
  await expect(startEmbeddedS3({ folder, port })).rejects.toThrow('EMBEDDED_S3_PORT')
  await rm(folder, { recursive: true })
})
