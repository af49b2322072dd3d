import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { openAcknowledged, openSocket } from './conformance/bare-socket.ts'
import { basic, buildWorld, type World } from './ground/world.ts'

let world: World
beforeAll(async () => {
  world = await buildWorld({
    config: {
      LIMIT_REQUESTS_PER_MINUTE: '5',
      LIMIT_REQUESTS_PER_MINUTE_ANONYMOUS: '3',
      LIMIT_COST_PER_MINUTE: '2000',
      LIMIT_SOCKETS: '1',
      LIMIT_STREAMS: '1',
      LIMIT_PER_SOCKET: '2',
      CORS_ORIGINS: 'https://console.example.org',
      PUBLIC_URL: 'https://gateway.example.org',
    },
  })
})
afterAll(() => world?.close())

const ask = (authorization: string | undefined, query = '{ sessions { id } }') =>
  fetch(`${world.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
    body: JSON.stringify({ query }),
  })

describe('a limited caller', () => {
  it('sees what is left, and is then told which limit, the figure, and when to come back', async () => {
    const authorization = basic(world.camden.granted.consumer)
    const first = await ask(authorization)
    expect(first.headers.get('ratelimit-policy')).toBe('"requests";q=5;w=60, "cost";q=2000;w=60')
    expect(first.headers.get('ratelimit')).toMatch(/^"requests";r=4;t=\d+, "cost";r=19\d\d;t=\d+$/)
    for (let n = 0; n < 4; n += 1) expect((await ask(authorization)).status).toBe(200)
    const refused = await ask(authorization)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(refused.headers.get('ratelimit')).toMatch(/^"requests";r=0;t=\d+$/)
    expect(await refused.json()).toEqual({
      errors: [
        {
          message: expect.stringMatching(/^The limit of 5 operations a minute is reached; come back in \d+ s\.$/),
          extensions: {
            code: 'RATE_LIMITED',
            details: { limit: 'requests', max: 5, retry_after_seconds: expect.any(Number) },
            requestId: refused.headers.get('x-request-id'),
          },
        },
      ],
    })
  })

  it('pays for what an operation may cost', async () => {
    const authorization = basic(world.lambeth.granted.consumer)
    expect((await ask(authorization, '{ sessions(limit: 900) { id } }')).status).toBe(200)
    expect((await ask(authorization, '{ sessions(limit: 900) { id } }')).status).toBe(200)
    const refused = await ask(authorization, '{ sessions(limit: 900) { id } }')
    expect(refused.status).toBe(429)
    expect(await refused.text()).toMatch(/The limit of 2000 cost of operations a minute/)
  })

  it('may open so many sockets, each with so many operations, and so many event streams', async () => {
    const authorization = basic(world.camden.other.consumer)
    const socket = await openAcknowledged(world.url, authorization)
    const second = await openSocket(world.url)
    second.send({ type: 'connection_init', payload: { authorization } })
    expect(await second.closed()).toMatchObject({
      code: 4429,
      reason: expect.stringMatching(/limit of 1 sockets at the same time/),
    })
    const subscribe = (id: string) =>
      socket.send({ type: 'subscribe', id, payload: { query: 'subscription { session_events { id } }' } })
    for (const id of ['a', 'b', 'c']) subscribe(id)
    const frames = [await socket.next(), await socket.next(), await socket.next()]
    expect(frames.find(({ id }) => id === 'c')).toMatchObject({
      type: 'error',
      payload: [{ message: expect.stringMatching(/may run 2 operations at once/) }],
    })
    socket.socket.close()
    await socket.closed()

    const stream = () =>
      fetch(`${world.url}/graphql?query=${encodeURIComponent('subscription { session_events { id } }')}`, {
        headers: { authorization, accept: 'text/event-stream' },
      })
    const open = await stream()
    expect(open.status).toBe(200)
    const refused = await stream()
    expect(refused.status).toBe(429)
    expect(await refused.text()).toMatch(/limit of 1 event streams/)
    await open.body?.cancel()
    // Given back with its end.
    await openAcknowledged(world.url, authorization).then(({ socket: again }) => again.close())
  })

  it('is told so over its socket, where the operation is', async () => {
    const socket = await openAcknowledged(world.url, basic(world.lambeth.other.consumer))
    for (let n = 1; n <= 6; n += 1) {
      socket.send({ type: 'subscribe', id: `q${n}`, payload: { query: '{ whoami { role } }' } })
      if (n === 6) break
      await socket.next()
      await socket.next()
    }
    expect(await socket.next()).toMatchObject({
      type: 'error',
      id: 'q6',
      payload: [{ extensions: { code: 'RATE_LIMITED', details: { limit: 'requests', max: 5 } } }],
    })
    socket.socket.close()
  })

  it('without a name is counted by address, and so is who gives a wrong one', async () => {
    const statuses: number[] = []
    for (let n = 0; n < 5; n += 1)
      statuses.push((await ask(n % 2 ? 'Bearer nonsense' : undefined, '{ whoami { role } }')).status)
    expect(statuses).toEqual([200, 401, 200, 429, 429])
  })
})

describe('browsers, where origins are named', () => {
  it('may read answers on pages of these origins only', async () => {
    const origin = async (value: string) => {
      const { headers } = await fetch(`${world.url}/healthz`, { headers: { origin: value } })
      return [headers.get('access-control-allow-origin'), headers.get('vary')]
    }
    expect(await origin('https://console.example.org')).toEqual(['https://console.example.org', 'origin'])
    expect(await origin('https://gateway.example.org')).toEqual(['https://gateway.example.org', 'origin'])
    expect(await origin('https://evil.example')).toEqual([null, 'origin'])
  })

  it('may open sockets from these only; who is no browser may', async () => {
    const connect = (origin: string | undefined) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(
          `${world.url.replace('http', 'ws')}/graphql`,
          'graphql-transport-ws',
          origin ? { origin } : {},
        )
        socket.on('open', () => {
          socket.close()
          resolve('open')
        })
        socket.on('error', ({ message }) => resolve(message))
      })
    expect(await connect('https://evil.example')).toMatch(/403/)
    expect(await connect('null')).toMatch(/403/)
    expect(await connect('https://console.example.org')).toBe('open')
    expect(await connect(undefined)).toBe('open')
  })

  it('are told what not to do with an answer, and with GraphiQL', async () => {
    const answer = await fetch(`${world.url}/healthz`)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'strict-transport-security': 'max-age=15552000',
    })
    expect(answer.headers.get('set-cookie')).toBeNull()
    const page = await fetch(`${world.url}/graphql`, { headers: { accept: 'text/html' } })
    expect(page.headers.get('content-security-policy')).toMatch(
      /script-src 'nonce-[^']+';.*connect-src 'self';.*frame-ancestors 'none'/,
    )
    expect(page.headers.get('x-frame-options') ?? 'DENY').toBe('DENY')
  })

  it('cannot send an operation by a form of another page: a body that is no JSON type is refused', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const response = await fetch(`${world.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': type, authorization: basic(world.source) },
        body: '{"query":"{ whoami { role } }"}',
      })
      expect(response.status).toBe(415)
    }
  })
})
