import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import {
  type AddressInfo,
  createServer as createSocketServer,
  type Socket,
  type Server as SocketServer,
} from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { receiverCertificate, receiverKey } from './certificate.fixture.ts'
import { createEgress, EgressError, type EgressOptions, type EgressRequest } from './egress.ts'

const closing: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const close of closing.reverse()) await close()
})

function open(options: Partial<EgressOptions> = {}) {
  const egress = createEgress({ allow: ['127.0.0.0/8'], ...options })
  closing.push(() => egress.close())
  return egress
}

async function listening<S extends Server | SocketServer>(server: S): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

async function receiver(answer: RequestListener) {
  const requests: { method: string; url: string; headers: NodeJS.Dict<string | string[]>; body: string }[] = []
  const port = await listening(
    createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
      await answer(request, response)
    }),
  )
  return { port, url: `http://127.0.0.1:${port}`, requests }
}

async function rawReceiver(speak: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const port = await listening(
    createSocketServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      speak(socket)
    }),
  )
  closing.push(async () => {
    for (const socket of sockets) socket.destroy()
  })
  return { port, url: `http://127.0.0.1:${port}` }
}

async function failure(promise: Promise<unknown>): Promise<EgressError> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  )
  expect(error).toBeInstanceOf(EgressError)
  return error
}

const ok: RequestListener = (_request, response) => {
  response.setHeader('X-Reply', 'yes')
  response.end('hello')
}

test('a call gives back status, headers, body, the dialled address and its phases', async () => {
  const { url, requests } = await receiver(ok)
  const answer = await open().request({ method: 'post', url: `${url}/a?b=c`, headers: { 'X-One': '1' }, body: 'hi' })
  expect(answer).toMatchObject({ status: 200, truncated: false, address: '127.0.0.1' })
  expect(answer.headers['x-reply']).toBe('yes')
  expect(answer.body.toString()).toBe('hello')
  expect(answer.phases).toEqual({
    connect: expect.any(Number),
    first_byte: expect.any(Number),
    total: expect.any(Number),
  })
  expect(requests).toMatchObject([{ method: 'POST', url: '/a?b=c', body: 'hi' }])
  expect(requests[0]?.headers).toMatchObject({ 'x-one': '1', 'accept-encoding': 'identity', 'content-length': '2' })
})

test('a connection is kept, and only the call that opened it shows its opening', async () => {
  const { port } = await receiver(ok)
  const egress = open({ resolve: async () => ['127.0.0.1'] })
  const first = await egress.request({ url: `http://receiver.test:${port}/` })
  const second = await egress.request({ url: `http://receiver.test:${port}/` })
  expect(Object.keys(first.phases).sort()).toEqual(['connect', 'dns', 'first_byte', 'total'])
  expect(Object.keys(second.phases).sort()).toEqual(['first_byte', 'total'])
  expect(second.address).toBe('127.0.0.1')
})

describe('what may not be dialled', () => {
  const spellings = `
    127.0.0.1 127.1 127.0.1 0 0.0.0.0 2130706433 0x7f000001 0x7f.1 0x7f.0.0.1 0177.0.0.1 017700000001 127.0.0.1. 127.000.000.001
    １２７.0.0.1 127。0。0。1 ①②⑦.0.0.1 %31%32%37.0.0.1 localhost LOCALHOST localhost. a.localhost
    [::1] [::] [0:0:0:0:0:0:0:1] [::127.0.0.1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:7F00:1] [64:ff9b::127.0.0.1] [2002:7f00:1::] [fe80::1] [fd00:ec2::254]
    169.254.169.254 2852039166 0xa9fea9fe 0251.0376.0251.0376 [::ffff:169.254.169.254] 168.63.129.16 100.100.100.200
    10.0.0.1 172.16.0.1 192.168.0.1 192.168.1 198.18.0.1 192.0.2.1 224.0.0.1 255.255.255.255 240.0.0.1
  `
    .split(/\s+/)
    .filter(Boolean)

  test.each(spellings)('https://%s/ is refused before anything is sent', async (host) => {
    const error = await failure(open({ allow: [] }).request({ url: `https://${host}/`, timeoutMs: 3000 }))
    expect(['blocked', 'dns']).toContain(error.errorClass)
    if (!host.includes('localhost')) expect(error).toMatchObject({ errorClass: 'blocked', code: 'BLOCKED' })
  })

  test('a receiver on a refused address hears nothing', async () => {
    const { url, requests } = await receiver(ok)
    const error = await failure(open({ allow: [], allowHttp: true }).request({ url }))
    expect(error).toMatchObject({ errorClass: 'blocked', address: '127.0.0.1' })
    expect(error.message).toContain('EGRESS_ALLOW')
    expect(requests).toEqual([])
  })

  test('a name with one private address among public ones is refused', async () => {
    const egress = open({ allow: [], resolve: async () => ['93.184.215.14', '10.0.0.7'] })
    expect(await failure(egress.request({ url: 'https://receiver.test/' }))).toMatchObject({
      errorClass: 'blocked',
      address: '10.0.0.7',
    })
  })

  test('a name that answers differently the next time is dialled at what was checked, and checked again', async () => {
    const { port, requests } = await receiver((_request, response) => {
      response.setHeader('connection', 'close')
      response.end()
    })
    const answers = [['127.0.0.1'], ['127.0.0.2']]
    let asked = 0
    const egress = open({ allow: ['127.0.0.1'], resolve: async () => answers[asked++] ?? [] })
    const first = await egress.request({ url: `http://receiver.test:${port}/` })
    expect({ asked, address: first.address }).toEqual({ asked: 1, address: '127.0.0.1' })
    expect(await failure(egress.request({ url: `http://receiver.test:${port}/` }))).toMatchObject({
      errorClass: 'blocked',
      address: '127.0.0.2',
    })
    expect(requests).toHaveLength(1)
  })

  test('plain http to a public address is refused', async () => {
    const egress = open({ resolve: async () => ['93.184.215.14'] })
    expect(await failure(egress.request({ url: 'http://receiver.test/' }))).toMatchObject({
      errorClass: 'blocked',
      message: expect.stringContaining('https'),
    })
  })

  test.each([
    ['https://user:secret@example.com/', 'user name or password'],
    ['ftp://example.com/', 'Only https'],
    ['file:///etc/passwd', 'Only https'],
    ['not a url', 'cannot be read'],
    ['https://[fe80::1%25eth0]/', 'cannot be read'],
  ])('%s is refused', async (url, message) => {
    const error = await failure(open().request({ url }))
    expect(error).toMatchObject({ errorClass: 'blocked', message: expect.stringContaining(message) })
    expect(error.message).not.toContain('secret')
  })

  test('a host that is not on the list of the caller is refused before its name is resolved', async () => {
    let asked = 0
    const { port } = await receiver(ok)
    const egress = open({
      resolve: async () => {
        asked++
        return ['127.0.0.1']
      },
    })
    const call = (url: string) => egress.request({ url, allowedHosts: ['api.test', `Other.test:${port}`] })
    for (const url of [
      'https://evil.test/',
      `http://api.test:${port}/`,
      'http://api.test.evil.test/',
      'https://api.test./',
    ]) {
      expect(await failure(call(url))).toMatchObject({ errorClass: 'blocked' })
    }
    expect(asked).toBe(0)
    expect((await call(`http://other.test:${port}/`)).status).toBe(200)
  })

  test('a redirect is an answer; where it points is not called', async () => {
    const target = await receiver(ok)
    const { url } = await receiver((_request, response) => {
      response.writeHead(302, { location: `${target.url}/internal` }).end()
    })
    const answer = await open().request({ url })
    expect(answer).toMatchObject({ status: 302, headers: { location: `${target.url}/internal` } })
    expect(target.requests).toEqual([])
  })

  test('headers that frame the message or name its host stay ours', async () => {
    const { url, port, requests } = await receiver(ok)
    await open().request({
      method: 'POST',
      url,
      body: 'abc',
      headers: {
        Host: 'internal',
        'Content-Length': '1',
        'Transfer-Encoding': 'chunked',
        Connection: 'upgrade',
        Upgrade: 'h2c',
      },
    })
    expect(requests[0]).toMatchObject({ body: 'abc', headers: { host: `127.0.0.1:${port}`, 'content-length': '3' } })
    expect(requests[0]?.headers['transfer-encoding']).toBeUndefined()
    expect(await failure(open().request({ url, headers: { 'x-a': 'b\r\nx-c: d' } }))).toMatchObject({
      errorClass: 'protocol',
    })
  })
})

describe('what is bounded', () => {
  const within = (request: EgressRequest) => failure(open().request(request))

  test('an answer that never starts', async () => {
    const { url } = await rawReceiver(() => undefined)
    const error = await within({ url, timeoutMs: 100 })
    expect(error).toMatchObject({
      errorClass: 'timeout',
      address: '127.0.0.1',
      message: '127.0.0.1 did not answer within 100 ms.',
    })
    expect(error.phases.total).toBeGreaterThanOrEqual(99)
  })

  test('an answer that drips', async () => {
    const { url } = await rawReceiver((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n')
      const drip = setInterval(() => socket.write('x'), 5)
      socket.on('close', () => clearInterval(drip))
    })
    expect(await within({ url, timeoutMs: 150 })).toMatchObject({
      errorClass: 'timeout',
      message: expect.stringContaining('finish'),
    })
  })

  test('a head that drips', async () => {
    const { url } = await rawReceiver((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const drip = setInterval(() => socket.write('x-drip: 1\r\n'), 5)
      socket.on('close', () => clearInterval(drip))
    })
    expect(await within({ url, timeoutMs: 150 })).toMatchObject({ errorClass: 'timeout' })
  })

  test('an endless head', async () => {
    const { url } = await rawReceiver((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nx-long: ${'x'.repeat(64 * 1024)}\r\n\r\n`)
    })
    expect(await within({ url })).toMatchObject({ errorClass: 'response_too_large' })
  })

  test('an endless body', async () => {
    const { url } = await receiver((_request, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', more)
      more()
    })
    expect(await within({ url, maxResponseBytes: 100_000 })).toMatchObject({ errorClass: 'response_too_large' })
    const answer = await open().request({ url, maxResponseBytes: 100_000, overflow: 'truncate' })
    expect(answer).toMatchObject({ status: 200, truncated: true })
    expect(answer.body).toHaveLength(100_000)
  })

  test('a small body that would grow to 50 MB', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000))
    const { url } = await receiver((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
    })
    expect(bomb.length).toBeLessThan(100_000)
    expect(await within({ url, maxResponseBytes: 100_000 })).toMatchObject({ errorClass: 'response_too_large' })
    expect(await open().request({ url, maxResponseBytes: 100_000, overflow: 'truncate' })).toMatchObject({
      truncated: true,
    })
  })

  test('a name that is not resolved in time', async () => {
    const egress = open({ resolve: () => new Promise(() => undefined), deadlines: { dns: 50 } })
    expect(await failure(egress.request({ url: 'https://receiver.test/' }))).toMatchObject({
      errorClass: 'timeout',
      phases: { dns: expect.any(Number) },
    })
  })

  test('a handshake that is never finished', async () => {
    const { port } = await rawReceiver(() => undefined)
    const egress = open({ deadlines: { tls: 50 } })
    expect(await failure(egress.request({ url: `https://127.0.0.1:${port}/` }))).toMatchObject({
      errorClass: 'timeout',
      message: expect.stringContaining('TLS'),
    })
  })

  test('a call that is cancelled', async () => {
    const { url } = await rawReceiver(() => undefined)
    const cancel = new AbortController()
    const call = failure(open().request({ url, signal: cancel.signal }))
    cancel.abort()
    expect(await call).toMatchObject({ errorClass: 'timeout', message: expect.stringContaining('cancelled') })
  })
})

test('a compressed answer is unpacked within the bound', async () => {
  const { url } = await receiver((_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"a":1}'))
  })
  expect((await open().request({ url })).body.toString()).toBe('{"a":1}')
})

describe('what fails says where', () => {
  test('no such name', async () => {
    const egress = open({ resolve: () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })) })
    expect(await failure(egress.request({ url: 'https://nowhere.test/' }))).toMatchObject({
      errorClass: 'dns',
      message: 'The name nowhere.test could not be resolved: there is no such name.',
    })
  })

  test('nobody listens', async () => {
    const server = createSocketServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    expect(await failure(open().request({ url: `http://127.0.0.1:${port}` }))).toMatchObject({
      errorClass: 'connect',
      address: '127.0.0.1',
      message: `127.0.0.1 (127.0.0.1, port ${port}) refused the connection.`,
    })
  })

  test('the second address is dialled when the first does not answer', async () => {
    const { port } = await receiver(ok)
    const egress = open({ allow: ['127.0.0.0/8', '::1'], resolve: async () => ['127.0.0.9', '127.0.0.1'] })
    const answer = await egress.request({ url: `http://receiver.test:${port}/` })
    expect(answer.address).toBe('127.0.0.1')
  })

  test('the other side does not speak HTTP, or hangs up', async () => {
    const { url } = await rawReceiver((socket) => socket.end('220 mail.test ESMTP\r\n'))
    expect(await failure(open().request({ url }))).toMatchObject({ errorClass: 'protocol' })
    const { url: silent } = await rawReceiver((socket) => socket.once('data', () => socket.destroy()))
    expect(await failure(open().request({ url: silent }))).toMatchObject({ errorClass: 'protocol' })
  })
})

describe('over TLS', () => {
  const names: (string | false | null)[] = []
  const server = createSecureServer({ key: receiverKey, cert: receiverCertificate }, ok)
  server.on('secureConnection', (socket) => names.push(socket.servername))

  test('the name is checked and sent, although an address is dialled', async () => {
    const port = await listening(server)
    const resolve = async () => ['127.0.0.1']
    const trusting = open({ resolve, ca: receiverCertificate })
    const answer = await trusting.request({ url: `https://receiver.test:${port}/` })
    expect(answer.status).toBe(200)
    expect(Object.keys(answer.phases)).toEqual(['dns', 'connect', 'tls', 'first_byte', 'total'])
    expect(names).toEqual(['receiver.test'])

    const facts = {
      protocol: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      subject: 'CN=receiver.test',
      issuer: 'CN=receiver.test',
      valid_to: '2126-10-29T00:17:37.000Z',
    }
    expect(answer.tls).toEqual(facts)
    expect((await trusting.request({ url: `https://receiver.test:${port}/` })).tls).toEqual(facts)

    // What was wrong with a certificate can be seen although it was refused.
    expect(await failure(open({ resolve }).request({ url: `https://receiver.test:${port}/` }))).toMatchObject({
      errorClass: 'tls',
      address: '127.0.0.1',
      tls: facts,
    })
    expect(await failure(trusting.request({ url: `https://other.test:${port}/` }))).toMatchObject({ errorClass: 'tls' })
    expect(await failure(trusting.request({ url: `https://127.0.0.1:${port}/` }))).toMatchObject({ errorClass: 'tls' })
  })
})
