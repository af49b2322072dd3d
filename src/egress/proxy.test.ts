import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { loopbackCertificate, otherKey, receiverCertificate, receiverKey } from './certificate.fixture.ts'
import { readProxy } from './proxy.ts'
import { failure, openGround } from './receivers.fixture.ts'

const { open, listening, receiver, rawReceiver } = openGround()

/**
 * A forward proxy as RFC 9110 has it. Whatever it is asked for, it connects to
 * `upstream`: the addresses of the tests are public ones, which it pretends to reach.
 */
async function startProxy({ upstream, password }: { upstream: number; password?: string }) {
  const asked: { authority: string; authorization: string | undefined }[] = []
  const server = createServer()
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    const authorization = request.headers['proxy-authorization']
    asked.push({ authority: request.url ?? '', authorization })
    client.on('error', () => undefined)
    if (password !== undefined && authorization !== `Basic ${Buffer.from(password).toString('base64')}`) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n')
      return
    }
    const target = connect(upstream, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      target.pipe(client).pipe(target)
    })
    target.on('error', () => client.destroy())
  })
  const port = await listening(server)
  return { asked, url: `http://127.0.0.1:${port}` }
}

async function secureReceiver() {
  const names: (string | false | null)[] = []
  const server = createSecureServer({ key: receiverKey, cert: receiverCertificate }, (_request, response) => {
    response.end('through')
  })
  server.on('secureConnection', (socket) => names.push(socket.servername))
  return { port: await listening(server), names }
}

const resolve = async () => ['93.184.215.14']

test('a proxy is sent the checked address, and TLS reaches to the receiver', async () => {
  const { port, names } = await secureReceiver()
  const proxy = await startProxy({ upstream: port, password: 'sluice:geheim' })
  const withPassword = proxy.url.replace('//', '//sluice:geheim@')
  const egress = open({ allow: [], resolve, ca: receiverCertificate, proxy: withPassword })
  const answer = await egress.request({ url: 'https://receiver.test:8443/' })
  expect(answer).toMatchObject({ status: 200, address: '93.184.215.14', tls: { subject: 'CN=receiver.test' } })
  expect(answer.body.toString()).toBe('through')
  expect(Object.keys(answer.phases)).toEqual(['dns', 'connect', 'tls', 'first_byte', 'total'])
  expect(names).toEqual(['receiver.test'])
  await egress.request({ url: 'https://receiver.test:8443/' })
  expect(proxy.asked).toEqual([
    { authority: '93.184.215.14:8443', authorization: `Basic ${Buffer.from('sluice:geheim').toString('base64')}` },
  ])
})

test('a private address does not even reach the proxy', async () => {
  const proxy = await startProxy({ upstream: 1 })
  const egress = open({ allow: [], resolve: async () => ['93.184.215.14', '10.0.0.7'], proxy: proxy.url })
  for (const url of ['https://receiver.test/', 'https://169.254.169.254/', 'https://[::1]/', 'https://localhost/']) {
    expect(await failure(egress.request({ url }))).toMatchObject({ errorClass: 'blocked' })
  }
  expect(proxy.asked).toEqual([])
})

test('a name that is rebound between two calls is judged each time, behind a proxy too', async () => {
  const { port } = await secureReceiver()
  const proxy = await startProxy({ upstream: port })
  const answers = [['93.184.215.14'], ['127.0.0.1']]
  const egress = open({
    allow: [],
    resolve: async () => answers.shift() ?? [],
    ca: receiverCertificate,
    proxy: proxy.url,
    connectionLifeMs: 1,
  })
  expect((await egress.request({ url: 'https://receiver.test/' })).status).toBe(200)
  const born = performance.now()
  await expect.poll(() => performance.now() - born).toBeGreaterThan(2)
  expect(await failure(egress.request({ url: 'https://receiver.test/' }))).toMatchObject({ errorClass: 'blocked' })
  expect(proxy.asked).toHaveLength(1)
})

test('a proxy that decides by name is sent the name; literal addresses are judged here all the same', async () => {
  const { port } = await secureReceiver()
  const proxy = await startProxy({ upstream: port })
  let looked = 0
  const egress = open({
    allow: [],
    resolve: async () => {
      looked++
      return []
    },
    ca: receiverCertificate,
    proxy: proxy.url,
    proxyResolves: true,
  })
  expect(await egress.request({ url: 'https://receiver.test/' })).toMatchObject({ status: 200, address: '' })
  expect(await failure(egress.request({ url: 'https://10.0.0.1/' }))).toMatchObject({ errorClass: 'blocked' })
  expect(await failure(egress.request({ url: 'https://metadata.google.internal/' }))).toMatchObject({
    errorClass: 'blocked',
  })
  expect(await failure(egress.request({ url: 'http://receiver.test/' }))).toMatchObject({ errorClass: 'blocked' })
  expect(await egress.explain('https://receiver.test/')).toMatchObject({ way: 'proxy', findings: [] })
  expect({ looked, asked: proxy.asked.map(({ authority }) => authority) }).toEqual({
    looked: 0,
    asked: ['receiver.test:443'],
  })
})

test('networks that the operator lists are called directly', async () => {
  const direct = await receiver((_request, response) => response.end('direct'))
  const proxy = await startProxy({ upstream: 1 })
  const answer = await open({ proxy: proxy.url }).request({ url: direct.url })
  expect(answer.body.toString()).toBe('direct')
  expect(proxy.asked).toEqual([])
})

test.each([
  ['HTTP/1.1 403 Forbidden\r\n\r\n', 'blocked', 'refuses'],
  ['HTTP/1.1 407 Request rejected\r\nX-Smokescreen-Error: denied\r\ncontent-length: 0\r\n\r\n', 'blocked', 'refuses'],
  ['HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', 'connect', 'other credentials'],
  ['HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n', 'connect', 'status 502'],
  ['HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\n\r\n', 'connect', 'status 302'],
  ['HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\nforged', 'connect', 'no way'],
  ['220 mail.test ESMTP\r\n', 'connect', 'could not be used'],
  [`HTTP/1.1 200 OK\r\nx-long: ${'x'.repeat(65_536)}\r\n\r\n`, 'connect', 'could not be used'],
])('a proxy that answers %j is a failure of class %s', async (text, errorClass, message) => {
  const proxy = await rawReceiver((socket) => socket.once('data', () => socket.end(text)))
  const egress = open({ allow: [], resolve, proxy: proxy.url })
  expect(await failure(egress.request({ url: 'https://receiver.test/', timeoutMs: 30_000 }))).toMatchObject({
    errorClass,
    address: '93.184.215.14',
    message: expect.stringContaining(message),
  })
})

test('a proxy that says nothing, or hangs up, is bounded', async () => {
  const silent = await rawReceiver(() => undefined)
  const late = open({ allow: [], resolve, proxy: silent.url, deadlines: { connect: 60 } })
  expect(await failure(late.request({ url: 'https://receiver.test/' }))).toMatchObject({
    errorClass: 'timeout',
    message: expect.stringMatching(/forward proxy .* within \d\d ms/),
  })
  const rude = await rawReceiver((socket) => socket.once('data', () => socket.destroy()))
  expect(
    await failure(open({ allow: [], resolve, proxy: rude.url }).request({ url: 'https://receiver.test/' })),
  ).toMatchObject({ errorClass: 'connect' })
})

test.each([
  ['whose certificate is its own', otherKey, loopbackCertificate],
  ['whose certificate is for another name', receiverKey, receiverCertificate],
])('a proxy reached over TLS, %s', async (_what, key, cert) => {
  const { port } = await secureReceiver()
  const server = createSecureServer({ key, cert })
  server.on('connect', (_request: IncomingMessage, client: Socket) => {
    const target = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      target.pipe(client).pipe(target)
    })
    client.on('error', () => target.destroy())
    target.on('error', () => client.destroy())
  })
  const proxy = `https://127.0.0.1:${await listening(server)}`
  const egress = open({ allow: [], resolve, ca: `${receiverCertificate}\n${loopbackCertificate}`, proxy })
  const call = egress.request({ url: 'https://receiver.test/' })
  if (cert === loopbackCertificate) expect((await call).body.toString()).toBe('through')
  else {
    expect(await failure(call)).toMatchObject({ errorClass: 'connect', message: expect.stringContaining('proxy') })
  }
})

test.each([
  'proxy.example:3128',
  'socks5://proxy.example',
  'http://proxy.example/path',
  'http://u:geheim%zz@proxy.example',
  'http://u:geheim@proxy.example?x',
])('%s is no proxy, and the message keeps its password', (text) => {
  expect(() => readProxy(text)).toThrow('EGRESS_PROXY')
  expect(() => readProxy(text)).not.toThrow('geheim')
})

test('the server that the tests use as a proxy is one', async () => {
  const { port } = await receiver((_request, response) => response.end('ok'))
  const proxy = await startProxy({ upstream: port })
  const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1')
  socket.write('CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n')
  const [head] = await once(socket, 'data')
  expect(String(head)).toContain('200')
  socket.destroy()
})
