/** Receivers that misbehave on purpose: each is refused or bounded, in a class and a sentence of its own. */
import { once } from 'node:events'
import { createServer as createSecureServer } from 'node:https'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  expiredCertificate,
  loopbackCertificate,
  otherKey,
  receiverCertificate,
  receiverKey,
} from './certificate.fixture.ts'
import type { EgressRequest } from './egress.ts'
import { failure, openGround } from './receivers.fixture.ts'

const { open, listening, receiver, rawReceiver, closing } = openGround()

/** Calls a receiver that answers each request by what `speak` writes. */
async function call(speak: (socket: Socket) => void, request: Omit<EgressRequest, 'url'> = {}) {
  const { url } = await rawReceiver((socket) => socket.once('data', () => speak(socket)))
  return open().request({ timeoutMs: 30_000, ...request, url })
}

/** Writes as long as the other side reads. */
function flood(socket: Socket, text: string): void {
  const more = () => {
    while (socket.writable && socket.write(text));
  }
  socket.on('drain', more)
  more()
}

describe('heads', () => {
  const head = 'HTTP/1.1 200 OK\r\n'

  test.each([
    ['one header of 64 KiB', (socket: Socket) => socket.write(`${head}x: ${'x'.repeat(65_536)}\r\n\r\n`)],
    ['a header name of 64 KiB', (socket: Socket) => socket.write(`${head}${'x'.repeat(65_536)}: 1\r\n\r\n`)],
    [
      'headers without end',
      (socket: Socket) => {
        socket.write(head)
        flood(socket, 'x: 1\r\n'.repeat(100))
      },
    ],
    [
      'trailers without end',
      (socket: Socket) => {
        socket.write(`${head}transfer-encoding: chunked\r\n\r\n0\r\n`)
        flood(socket, 'x: 1\r\n'.repeat(100))
      },
    ],
  ])('%s', async (_what, speak) => {
    expect(await failure(call(speak))).toMatchObject({
      errorClass: 'response_too_large',
      message: expect.stringContaining('head of more than 16384 bytes'),
    })
  })

  test('a status line without end', async () => {
    const error = await failure(
      call((socket) => flood(socket, `HTTP/1.1 200 ${'K'.repeat(10_000)}`), { timeoutMs: 300 }),
    )
    expect(['protocol', 'response_too_large', 'timeout']).toContain(error.errorClass)
    expect(error.phases.total).toBeLessThan(20_000)
  })

  test('interim answers without end', async () => {
    expect(
      await failure(call((socket) => flood(socket, 'HTTP/1.1 103 Early Hints\r\nx: 1\r\n\r\n'.repeat(10)))),
    ).toMatchObject({
      errorClass: 'protocol',
      message: '127.0.0.1 sent interim answers without end.',
    })
  })

  test('a few interim answers are passed over', async () => {
    const answer = await call((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nx-hint: 1\r\n\r\n'.repeat(3))
      socket.write(`${head}content-length: 2\r\n\r\nok`)
    })
    expect(answer).toMatchObject({ status: 200, headers: { 'content-length': '2' } })
    expect(answer.body.toString()).toBe('ok')
  })

  test.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['HTTP/0.9', '<html>hello</html>\r\n'],
    ['HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a request', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'],
    [
      'another protocol it was not asked for',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
    ],
    ['a status that is no number', 'HTTP/1.1 2xx OK\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['two lengths', `${head}content-length: 2\r\ncontent-length: 3\r\n\r\nabc`],
    ['a length and chunks', `${head}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a negative length', `${head}content-length: -1\r\n\r\n`],
    ['a length that is no number', `${head}content-length: 1e3\r\n\r\n`],
    ['a space before the colon', `${head}content-length : 2\r\n\r\nok`],
    ['a NUL in a header', `${head}x: a\0b\r\n\r\n`],
  ])('%s', async (_what, text) => {
    expect(await failure(call((socket) => socket.end(text)))).toMatchObject({
      errorClass: 'protocol',
      address: '127.0.0.1',
    })
  })
})

describe('bodies', () => {
  const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'

  test.each([
    ['shorter than its length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'],
    ['a chunk size that is no number', `${chunked}zz\r\nabc\r\n0\r\n\r\n`],
    ['a chunk longer than it says', `${chunked}2\r\nabcdef\r\n0\r\n\r\n`],
    ['a chunk size beyond all numbers', `${chunked}ffffffffffffffffff\r\nabc`],
    ['chunks without an end', `${chunked}3\r\nabc\r\n`],
  ])('%s', async (_what, text) => {
    expect(await failure(call((socket) => socket.end(text)))).toMatchObject({ errorClass: 'protocol' })
  })

  test('a length of an exabyte is not believed', async () => {
    const speak = (socket: Socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1152921504606846976\r\n\r\n')
      flood(socket, 'x'.repeat(65_536))
    }
    expect(await failure(call(speak, { maxResponseBytes: 100_000 }))).toMatchObject({
      errorClass: 'response_too_large',
    })
    const start = await call(speak, { maxResponseBytes: 100_000, overflow: 'truncate' })
    expect(start).toMatchObject({ status: 200, truncated: true, body: { length: 100_000 } })
  })

  test('one byte a chunk, and chunk extensions without end, end with the deadline', async () => {
    const error = await failure(
      call((socket) => flood(socket, `${chunked}1;${'x'.repeat(10_000)}`), { timeoutMs: 200 }),
    )
    expect(['protocol', 'timeout', 'response_too_large']).toContain(error.errorClass)
    expect(error.phases.total).toBeLessThan(20_000)
  })

  test('an answer that was not asked for is not taken for the next one', async () => {
    const { url } = await rawReceiver((socket) =>
      socket.on('data', () => {
        socket.write(
          'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrueHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged',
        )
      }),
    )
    const egress = open()
    for (let count = 0; count < 5; count++) {
      const body = await egress.request({ url, timeoutMs: 3000 }).then(
        ({ body }) => body.toString(),
        () => 'refused',
      )
      expect(['true', 'refused']).toContain(body)
    }
  })

  const bombs = [
    ['gzip', gzipSync(Buffer.alloc(20_000_000))],
    ['deflate', deflateSync(Buffer.alloc(20_000_000))],
    ['deflate', deflateRawSync(Buffer.alloc(20_000_000))],
    ['br', brotliCompressSync(Buffer.alloc(20_000_000))],
    ['zstd', zstdCompressSync(Buffer.alloc(20_000_000))],
    ['X-GZIP', gzipSync(Buffer.alloc(20_000_000))],
  ] as const

  test.each(bombs)('a bomb of %s grows to the bound and no further', async (encoding, bomb) => {
    const { url } = await receiver((_request, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(bomb)
    })
    const request = { url, maxResponseBytes: 50_000 }
    expect(await failure(open().request(request))).toMatchObject({ errorClass: 'response_too_large' })
    const start = await open().request({ ...request, overflow: 'truncate' })
    expect({ truncated: start.truncated, length: start.body.length }).toEqual({ truncated: true, length: 50_000 })
  })

  const honest = [
    ['gzip', gzipSync('hello')],
    ['deflate', deflateSync('hello')],
    ['deflate', deflateRawSync('hello')],
    ['br', brotliCompressSync('hello')],
    ['zstd', zstdCompressSync('hello')],
    ['identity', Buffer.from('hello')],
    ['unheard-of', Buffer.from('hello')],
    ['constructor', Buffer.from('hello')],
  ] as const

  test.each(honest)('an honest body of %s is read', async (encoding, body) => {
    const { url } = await receiver((_request, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(body)
    })
    expect((await open().request({ url })).body.toString()).toBe('hello')
  })

  test('of a packed body that is cut off, the start is read', async () => {
    const text = Array.from({ length: 20_000 }, (_, index) => `line ${index * 7919}`).join('\n')
    const { url } = await receiver((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(text))
    })
    const { body, truncated } = await open().request({ url, maxResponseBytes: 5000, overflow: 'truncate' })
    expect(truncated).toBe(true)
    expect(body.length).toBe(5000)
    expect(text.startsWith(body.toString())).toBe(true)
  })

  test.each(['gzip', 'deflate', 'br', 'zstd'])('a body that is no %s though it says so', async (encoding) => {
    const { url } = await receiver((_request, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end('\x08hello, this was never packed')
    })
    expect(await failure(open().request({ url }))).toMatchObject({ errorClass: 'protocol' })
  })
})

describe('connections', () => {
  test('a host that never completes the handshake of TCP', async () => {
    // It listens, with room for two, and never accepts: what comes after is left without an answer.
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads')
       const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
         parentPort.postMessage(server.address().port)
         setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5000))
       })`,
      { eval: true },
    )
    closing.push(() => worker.terminate())
    const [port] = await once(worker, 'message')
    const filling = Array.from({ length: 8 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
    closing.push(async () => {
      for (const socket of filling) socket.destroy()
    })
    await once(filling[0] as Socket, 'connect')
    const egress = open({ deadlines: { connect: 150 } })
    const error = await failure(egress.request({ url: `http://127.0.0.1:${port}/`, timeoutMs: 60_000 }))
    expect(error).toMatchObject({ errorClass: 'timeout', address: '127.0.0.1' })
    expect(error.phases.connect ?? error.phases.total).toBeLessThan(30_000)
  })

  test('a name whose servers do not answer holds one lookup, however many ask', async () => {
    let lookups = 0
    const resolve = () => {
      lookups++
      return new Promise<never>(() => undefined)
    }
    const egress = open({ resolve, deadlines: { dns: 50 } })
    const calls = Array.from({ length: 20 }, () => failure(egress.request({ url: 'https://slow.test/' })))
    for (const error of await Promise.all(calls)) expect(error).toMatchObject({ errorClass: 'timeout' })
    expect(lookups).toBe(1)
  })

  test.each([
    [[], 'dns', 'has no address'],
    [['not an address'], 'blocked', 'unreadable'],
    [['fe80::1%eth0'], 'blocked', 'link-local'],
    [['93.184.215.14', '::1'], 'blocked', 'loopback'],
    [['2606:4700:4700::1111', '::ffff:10.0.0.1'], 'blocked', 'private'],
    [[...Array(500).fill('93.184.215.14'), '169.254.169.254'], 'blocked', 'metadata'],
  ])('a name that answers %j', async (addresses, errorClass, message) => {
    const egress = open({ allow: [], resolve: async () => addresses })
    expect(await failure(egress.request({ url: 'https://receiver.test/' }))).toMatchObject({
      errorClass,
      message: expect.stringContaining(message),
    })
  })

  test('a busy connection is given up after its life, and its host checked anew', async () => {
    const { port } = await receiver((_request, response) => response.end('ok'))
    let answer = ['127.0.0.1']
    const egress = open({ allow: ['127.0.0.1'], resolve: async () => answer, connectionLifeMs: 100 })
    const request = { url: `http://receiver.test:${port}/` }
    await egress.request(request)
    answer = ['127.0.0.2']
    // Checked when it was dialled, and young: used although the name says otherwise by now.
    expect((await egress.request(request)).phases.connect).toBeUndefined()
    const born = performance.now()
    let last: unknown
    while (!last && performance.now() - born < 30_000) {
      last = await egress.request(request).then(
        () => undefined,
        (error) => error,
      )
    }
    expect(last).toMatchObject({ errorClass: 'blocked', address: '127.0.0.2' })
  })
})

describe('certificates', () => {
  const resolve = async () => ['127.0.0.1']
  const secure = async (key: string, cert: string) =>
    listening(createSecureServer({ key, cert }, (_request, response) => response.end('ok')))

  test.each([
    ['expired', otherKey, expiredCertificate, expiredCertificate, 'expired', '2021-01-01T00:00:00.000Z'],
    [
      'for another name',
      otherKey,
      loopbackCertificate,
      loopbackCertificate,
      "does not match certificate's altnames",
      undefined,
    ],
    ['that nobody vouches for', receiverKey, receiverCertificate, undefined, 'self-signed', undefined],
  ])('one %s', async (_what, key, cert, ca, message, validTo) => {
    const port = await secure(key, cert)
    const egress = open({ resolve, ...(ca === undefined ? {} : { ca }) })
    const error = await failure(egress.request({ url: `https://receiver.test:${port}/` }))
    expect(error).toMatchObject({
      errorClass: 'tls',
      message: expect.stringContaining(message),
      tls: { protocol: 'TLSv1.3', subject: expect.stringContaining('CN=') },
    })
    if (validTo) expect(error.tls?.valid_to).toBe(validTo)
  })

  test('plain HTTP where TLS is expected, and nothing at all', async () => {
    const { port } = await rawReceiver((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    expect(await failure(open().request({ url: `https://127.0.0.1:${port}/` }))).toMatchObject({ errorClass: 'tls' })
    const { port: mute } = await rawReceiver((socket) => socket.destroy())
    expect(await failure(open().request({ url: `https://127.0.0.1:${mute}/` }))).toMatchObject({ errorClass: 'tls' })
  })

  test('versions of TLS before 1.2', async () => {
    const port = await listening(
      createSecureServer({
        key: receiverKey,
        cert: receiverCertificate,
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'ALL:@SECLEVEL=0',
      }),
    )
    const egress = open({ resolve, ca: receiverCertificate })
    expect(await failure(egress.request({ url: `https://receiver.test:${port}/` }))).toMatchObject({
      errorClass: 'tls',
    })
  })
})
