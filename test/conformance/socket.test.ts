/** The graphql-transport-ws protocol, case by case, with a socket that knows nothing of it. */
import { once } from 'node:events'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkPassword, personPrincipal } from '../../src/access/people.ts'
import { createTokens } from '../../src/access/tokens.ts'
import { aSession, basic, buildWorld, type World } from '../ground/world.ts'
import { type BareSocket, openAcknowledged, openSocket } from './bare-socket.ts'
import { signIn } from './sign-in.ts'

let world: World
let consumer: string
/** Waits for its end while the other cases run. */
let neverInitialised: BareSocket
beforeAll(async () => {
  world = await buildWorld({ config: { MAX_BODY_BYTES: '20000' } })
  consumer = basic(world.camden.granted.consumer)
  neverInitialised = await openSocket(world.url)
})
afterAll(() => world?.close())

const subscribe = (id: string, query: string, variables?: object) => ({
  type: 'subscribe',
  id,
  payload: { query, variables },
})
const live = 'subscription ($from: timestamptz!) { sessions(where: { submitted_at: { _gte: $from } }) { id } }'
const now = () => ({ from: new Date().toISOString() })

describe('before the connection is acknowledged', () => {
  it.each([['/nowhere'], ['/graphql/'], ['//'], ['/%zz']])(
    'the path %s is answered with 404 and no socket',
    async (path) => {
      const { hostname, port } = new URL(world.url)
      const upgrade = request({
        hostname,
        port,
        path,
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        },
      })
      upgrade.end()
      const [response] = await once(upgrade, 'response')
      expect(response.statusCode).toBe(404)
      response.resume()
      const plain = request({ hostname, port, path })
      plain.end()
      const [answer] = await once(plain, 'response')
      expect(answer.statusCode).toBe(404)
      answer.resume()
    },
  )

  it.each([['graphql-ws'], ['something-else'], [null]])('the subprotocol %s is closed with 4406', async (protocol) => {
    const bare = await openSocket(world.url, { protocol })
    expect(await bare.closed()).toEqual({ code: 4406, reason: 'Subprotocol not acceptable' })
  })

  it('a subscription is closed with 4401', async () => {
    const bare = await openSocket(world.url)
    bare.send(subscribe('1', '{ sessions { id } }'))
    expect(await bare.closed()).toEqual({ code: 4401, reason: 'Unauthorized' })
  })

  it('a subscription right behind the initialisation is closed with 4401: clients wait for the acknowledgement', async () => {
    const bare = await openSocket(world.url)
    bare.send({ type: 'connection_init', payload: { Authorization: consumer } }, subscribe('1', '{ sessions { id } }'))
    expect(await bare.closed()).toMatchObject({ code: 4401 })
  })

  it('a second initialisation is closed with 4429', async () => {
    const bare = await openSocket(world.url)
    const init = { type: 'connection_init', payload: { Authorization: consumer } }
    bare.send(init, init)
    expect(await bare.closed()).toEqual({ code: 4429, reason: 'Too many initialisation requests' })
  })

  it.each([
    ['no credentials', {}, /^Send "Authorization/],
    ['a broken token', { Authorization: 'Bearer nonsense' }, /access token is not valid/],
    ['a number for credentials', { Authorization: 7 }, /^Send "Authorization/],
    [
      'another role than its own',
      () => ({ Authorization: consumer, headers: { 'X-Hasura-Role': 'admin' } }),
      /"admin"/,
    ],
  ])('%s: closed with 4403 and what to send', async (_, payload, reason) => {
    const bare = await openSocket(world.url)
    bare.send({ type: 'connection_init', payload: typeof payload === 'function' ? payload() : payload })
    expect(await bare.closed()).toEqual({ code: 4403, reason: expect.stringMatching(reason) })
  })

  it.each([
    ['connection_init', () => ({ payload: { authorization: consumer } })],
    ['headers in connection_init, as Hasura has them', () => ({ payload: { headers: { Authorization: consumer } } })],
    ['the headers of the upgrade', () => ({})],
  ])('credentials are taken from %s', async (from, init) => {
    const bare = await openSocket(world.url, from.includes('upgrade') ? { headers: { authorization: consumer } } : {})
    bare.send({ type: 'connection_init', ...init() })
    expect(await bare.next()).toEqual({ type: 'connection_ack' })
    bare.socket.terminate()
  })

  it('a ping is answered already', async () => {
    const bare = await openSocket(world.url)
    bare.send({ type: 'ping' })
    expect(await bare.next()).toEqual({ type: 'pong' })
    bare.socket.terminate()
  })
})

describe('a message that is none', () => {
  it.each([
    ['no JSON', 'hello'],
    ['nothing', ''],
    ['a list', '[]'],
    ['null', 'null'],
    ['no type', '{}'],
    ['an unknown type', '{"type":"start","id":"1"}'],
    ['a type that is a number', '{"type":1}'],
    ['a subscription without id', '{"type":"subscribe","payload":{"query":"{a}"}}'],
    ['a subscription with an empty id', '{"type":"subscribe","id":"","payload":{"query":"{a}"}}'],
    ['a subscription without payload', '{"type":"subscribe","id":"1"}'],
    ['a subscription without query', '{"type":"subscribe","id":"1","payload":{}}'],
    ['variables that are a list', '{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}'],
    ['an operation name that is a number', '{"type":"subscribe","id":"1","payload":{"query":"{a}","operationName":1}}'],
    ['a completion without id', '{"type":"complete"}'],
    ['a ping whose payload is a text', '{"type":"ping","payload":"hello"}'],
    ['a binary frame that is no JSON', Buffer.from([0, 1, 2, 255])],
  ])('%s: closed with 4400', async (_, message) => {
    const bare = await openAcknowledged(world.url, consumer)
    bare.send(message)
    expect(await bare.closed()).toEqual({ code: 4400, reason: 'Invalid message received' })
  })

  it.each([
    ['next', { type: 'next', id: '1', payload: {} }],
    ['error', { type: 'error', id: '1', payload: [{ message: 'x' }] }],
    ['connection_ack', { type: 'connection_ack' }],
  ])('%s, which only a server sends: closed with 4400', async (_, message) => {
    const bare = await openAcknowledged(world.url, consumer)
    bare.send(message)
    expect(await bare.closed()).toEqual({ code: 4400, reason: 'Invalid message received' })
  })

  it('a message over the limit of bodies is closed with 1009', async () => {
    const bare = await openAcknowledged(world.url, consumer)
    bare.send(subscribe('1', `{ sessions { id } } # ${'x'.repeat(20_000)}`))
    expect(await bare.closed()).toMatchObject({ code: 1009 })
  })
})

describe('an acknowledged connection', () => {
  it('reads a binary frame as its text', async () => {
    const bare = await openAcknowledged(world.url, consumer)
    bare.send(Buffer.from(JSON.stringify(subscribe('1', '{ whoami { role } }'))))
    expect(await bare.next()).toMatchObject({ type: 'next', id: '1' })
    bare.socket.terminate()
  })

  it('gives a ping its payload back, and takes a pong nobody asked for', async () => {
    const bare = await openAcknowledged(world.url, consumer)
    bare.send({ type: 'pong', payload: { a: 1 } }, { type: 'ping', payload: { b: [2, 'é'] } })
    expect(await bare.next()).toEqual({ type: 'pong', payload: { b: [2, 'é'] } })
    bare.socket.terminate()
  })

  it.each([
    ['tables', '{ a: sessions(limit: 0) { id } }', { a: [] }],
    ['other fields', '{ whoami { role } }', { whoami: { role: 'consumer' } }],
  ])('answers a query of %s once and completes it', async (_, query, data) => {
    const bare = await openAcknowledged(world.url, consumer)
    bare.send(subscribe('one', query))
    expect(await bare.next()).toEqual({ type: 'next', id: 'one', payload: { data } })
    expect(await bare.next()).toEqual({ type: 'complete', id: 'one' })
    bare.socket.terminate()
  })

  it('answers a refused operation with an error message alone, and lets its id be used again', async () => {
    const bare = await openAcknowledged(world.url, consumer)
    bare.send(subscribe('1', '{ nothing }'))
    expect(await bare.next()).toMatchObject({
      type: 'error',
      id: '1',
      payload: [{ message: expect.stringMatching(/Cannot query field/) }],
    })
    expect(await bare.said()).toEqual([])
    bare.send(subscribe('1', '{ whoami { role } }'))
    expect(await bare.next()).toMatchObject({ type: 'next', id: '1' })
    bare.socket.terminate()
  })

  it('answers a failed operation with a result that has errors, and completes it', async () => {
    const bare = await openAcknowledged(world.url, consumer)
    bare.send(subscribe('1', '{ sessions(limit: -1) { id } }'))
    const { type, payload } = await bare.next()
    expect([type, payload.errors[0].extensions.code]).toEqual(['next', 'VALIDATION_FAILED'])
    expect(await bare.next()).toEqual({ type: 'complete', id: '1' })
    bare.socket.terminate()
  })

  it('is closed with 4409 when an id is taken twice', async () => {
    const bare = await openAcknowledged(world.url, consumer)
    bare.send(subscribe('same', live, now()))
    await bare.next()
    bare.send(subscribe('same', live, now()))
    expect(await bare.closed()).toEqual({ code: 4409, reason: 'Subscriber for same already exists' })
  })

  it('says nothing more of a subscription that the client completed', async () => {
    const bare = await openAcknowledged(world.url, consumer)
    const from = now()
    bare.send(subscribe('ended', live, from), subscribe('other', live, from))
    expect(new Set([(await bare.next()).id, (await bare.next()).id])).toEqual(new Set(['ended', 'other']))
    bare.send({ type: 'complete', id: 'ended' })
    const { id } = await world.submit(aSession(world.camden))
    expect(await bare.next()).toEqual({ type: 'next', id: 'other', payload: { data: { sessions: [{ id }] } } })
    expect(await bare.said()).toEqual([])
    bare.socket.terminate()
  })

  it('takes a completion of what is over, or never was', async () => {
    const bare = await openAcknowledged(world.url, consumer)
    bare.send({ type: 'complete', id: 'never' }, { type: 'complete', id: '__proto__' })
    expect(await bare.said()).toEqual([])
    bare.socket.terminate()
  })

  it('lets an id be used again at once after its completion', async () => {
    const bare = await openAcknowledged(world.url, consumer)
    bare.send(subscribe('again', live, now()))
    await bare.next()
    for (let round = 0; round < 5; round += 1) {
      bare.send({ type: 'complete', id: 'again' }, subscribe('again', live, now()))
      expect(await bare.next()).toEqual({ type: 'next', id: 'again', payload: { data: { sessions: [] } } })
    }
    const { id } = await world.submit(aSession(world.camden))
    expect(await bare.next()).toEqual({ type: 'next', id: 'again', payload: { data: { sessions: [{ id }] } } })
    bare.socket.terminate()
  })

  it('runs 100 operations at once and refuses more, until one is completed', async () => {
    const bare = await openAcknowledged(world.url, consumer)
    const from = now()
    for (let i = 0; i < 100; i += 1) bare.send(subscribe(`s${i}`, live, from))
    for (let i = 0; i < 100; i += 1) expect((await bare.next()).type).toBe('next')
    bare.send(subscribe('one more', live, from))
    expect(await bare.next()).toMatchObject({
      type: 'error',
      id: 'one more',
      payload: [
        { message: expect.stringMatching(/may run 100 operations at once/), extensions: { code: 'LIMIT_OPERATIONS' } },
      ],
    })
    bare.send({ type: 'complete', id: 's0' }, subscribe('in its place', live, from))
    expect(await bare.next()).toMatchObject({ type: 'next', id: 'in its place' })
    bare.socket.terminate()
  })
})

describe('the end of access', () => {
  it('closes the socket with 4403 when the token ends', async () => {
    const { database, sealer, config, camden } = world
    const tokens = await createTokens({ database, sealer, issuer: config.PUBLIC_URL, seconds: 1 })
    const { email, password } = camden.editor
    const { userId } = await checkPassword(database, email, password)
    const { token } = await tokens.issue(await personPrincipal(database, userId as string))
    const bare = await openAcknowledged(world.url, `Bearer ${token}`)
    expect(await bare.closed()).toEqual({ code: 4403, reason: expect.stringMatching(/token has ended; connect again/) })
  })

  it('closes the sockets of a revoked credential with 4403, and no other', async () => {
    const { key, secret } = world.camden.other.consumer
    const mine = await openAcknowledged(world.url, basic({ key, secret }))
    const other = await openAcknowledged(world.url, consumer)
    await world.database.pool.query('update api_credentials set revoked_at = now() where integration_id = $1', [
      world.camden.other.id,
    ])
    expect(await mine.closed()).toEqual({ code: 4403, reason: expect.stringMatching(/^This access was revoked/) })
    expect(await other.said()).toEqual([])
    other.socket.terminate()
  })

  it('closes the sockets of a disabled person with 4403', async () => {
    const bare = await openAcknowledged(world.url, await signIn(world, world.lambeth.viewer))
    await world.database.pool.query('update users set disabled_at = now() where email = $1', [
      world.lambeth.viewer.email,
    ])
    expect(await bare.closed()).toMatchObject({ code: 4403 })
  })
})

it('a connection that is not initialised in time is closed with 4408', async () => {
  expect(await neverInitialised.closed()).toEqual({ code: 4408, reason: 'Connection initialisation timeout' })
})

it('closing the gateway closes its sockets with 1012, so that clients connect again', async () => {
  const closing = await buildWorld()
  const authorization = basic(closing.camden.granted.consumer)
  const idle = await openSocket(closing.url)
  const busy = await openAcknowledged(closing.url, authorization)
  busy.send(subscribe('1', live, now()))
  await busy.next()
  const closed = closing.close()
  expect(await busy.closed()).toEqual({ code: 1012, reason: 'The gateway restarts; connect again.' })
  expect(await idle.closed()).toMatchObject({ code: 1012 })
  await closed
})
