import { createClient as createSseClient } from 'graphql-sse'
import { createClient as createSocketClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { aSession, basic, buildWorld, type World } from './ground/world.ts'

let world: World
beforeAll(async () => {
  world = await buildWorld()
})
afterAll(() => world?.close())

type Live = {
  iterator: AsyncIterableIterator<{ data?: Record<string, unknown> | null; errors?: readonly unknown[] }>
  dispose(): void
}

function overSocket(authorization: string, query: string, variables?: Record<string, unknown>): Live {
  const client = createSocketClient({
    url: `${world.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: authorization },
    retryAttempts: 0,
  })
  return { iterator: client.iterate({ query, variables }), dispose: () => void client.dispose() }
}

function overSse(authorization: string, query: string, variables?: Record<string, unknown>): Live {
  const client = createSseClient({ url: `${world.url}/graphql`, headers: { authorization }, retryAttempts: 0 })
  return { iterator: client.iterate({ query, variables }) as Live['iterator'], dispose: () => client.dispose() }
}

const watch =
  'subscription ($from: timestamptz!) { sessions(where: { submitted_at: { _gte: $from } }, order_by: { submitted_at: asc }) { id status } }'

describe.each([
  ['graphql-transport-ws', overSocket],
  ['server-sent events', overSse],
])('a live query over %s', (_, open) => {
  it('gives the result at start and again when a session is submitted', async () => {
    const from = new Date().toISOString()
    const { iterator, dispose } = open(basic(world.camden.granted.consumer), watch, { from })
    expect((await iterator.next()).value).toEqual({ data: { sessions: [] } })
    const first = await world.submit(aSession(world.camden))
    expect((await iterator.next()).value).toEqual({ data: { sessions: [{ id: first.id, status: 'submitted' }] } })
    dispose()
  })

  it('says nothing of sessions that are not granted, and sees writes of plain SQL', async () => {
    const from = new Date().toISOString()
    const { iterator, dispose } = open(basic(world.camden.granted.consumer), watch, { from })
    await iterator.next()
    await world.submit(aSession(world.lambeth))
    const mine = await world.submit(aSession(world.camden))
    // The next result is the one with our own session: the other team's changed nothing.
    expect((await iterator.next()).value).toEqual({ data: { sessions: [{ id: mine.id, status: 'submitted' }] } })
    await world.database.pool.query('update session_grants set revoked_at = now() where session_id = $1', [mine.id])
    expect((await iterator.next()).value).toEqual({ data: { sessions: [] } })
    dispose()
  })

  it('answers a subscription that is not valid with an error and leaves the connection usable', async () => {
    const { iterator, dispose } = open(basic(world.camden.granted.consumer), 'subscription { sessions { nothing } }')
    const error = await iterator.next().then(
      ({ value }) => JSON.stringify(value),
      (thrown) => JSON.stringify(thrown.map?.((one: Error) => one.message) ?? thrown.message),
    )
    expect(error).toMatch(/Cannot query field \\?"nothing/)
    dispose()
  })
})

describe('the socket', () => {
  it('runs queries and mutations too', async () => {
    const { iterator, dispose } = overSocket(
      basic(world.source),
      'mutation ($object: submit_session_input!) { submit_session(object: $object) { created } }',
      {
        object: aSession(world.camden),
      },
    )
    expect((await iterator.next()).value).toEqual({ data: { submit_session: { created: true } } })
    dispose()
  })

  it('keeps sibling operations alive when one is refused', async () => {
    const client = createSocketClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: basic(world.camden.granted.consumer) },
      lazy: false,
      retryAttempts: 0,
    })
    const from = new Date().toISOString()
    const live = client.iterate<Record<string, unknown>>({ query: watch, variables: { from } })
    await live.next()
    const deep = `subscription { flows { ${'sessions { flow { '.repeat(8)} id ${'} }'.repeat(8)} } }`
    await expect(client.iterate({ query: deep }).next()).rejects.toMatchObject([
      { message: expect.stringMatching(/at most 12/) },
    ])
    const { id } = await world.submit(aSession(world.camden))
    expect((await live.next()).value).toEqual({ data: { sessions: [{ id, status: 'submitted' }] } })
    await client.dispose()
  })

  it('is closed with 4403 and a reason when the secret is wrong', async () => {
    const closed = new Promise<{ code: number; reason: string }>((resolve) => {
      const client = createSocketClient({
        url: `${world.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { Authorization: basic({ ...world.camden.granted.consumer, secret: 'wrong' }) },
        lazy: false,
        retryAttempts: 0,
        onNonLazyError: () => undefined,
        on: { closed: (event) => resolve(event as { code: number; reason: string }) },
      })
      void client
    })
    expect(await closed).toMatchObject({ code: 4403, reason: expect.stringMatching(/key or the secret is wrong/) })
  })
})
