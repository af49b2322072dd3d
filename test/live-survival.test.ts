/** Live queries and streams through what goes wrong: outages, slow readers, access that ends. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createClient } from 'graphql-ws'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import WebSocket from 'ws'
import { createPerson } from '../src/access/people.ts'
import { createSealer } from '../src/access/seal.ts'
import { readConfig } from '../src/config.ts'
import { openDatabase } from '../src/database/database.ts'
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../src/database/embedded.ts'
import { migrate } from '../src/database/migrate.ts'
import { startGateway } from '../src/gateway/gateway.ts'
import { silentLog } from '../src/log.ts'
import { aSession, basic, buildWorld, type World } from './ground/world.ts'

let world: World
beforeAll(async () => {
  world = await buildWorld()
})
afterAll(() => world?.close())

function connect(url: string, authorization: string) {
  const events = { closed: 0 }
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: authorization },
    retryAttempts: 0,
    on: {
      closed: () => {
        events.closed += 1
      },
    },
  })
  return { client, events }
}

test('a restart of Postgres is a pause: sockets stay, live queries and streams go on with the right result', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-outage-'))
  await chmod(folder, 0o711)
  const start = (port: number) => startEmbeddedPostgres({ folder, port, log: silentLog, durable: true })
  await using stack = new AsyncDisposableStack()
  stack.defer(async () => {
    await removeEmbeddedPostgres(folder)
    await rm(folder, { recursive: true, force: true })
  })
  let postgres = await start(0)
  stack.defer(() => postgres.stop())
  await migrate(postgres.url)
  const database = openDatabase({ url: postgres.url, log: silentLog })
  stack.defer(() => database.close())
  const person = { email: 'admin@sluice.test', password: 'admin password' }
  await createPerson(database, { ...person, name: 'Admin', isAdmin: true })
  const config = readConfig({
    DATABASE_URL: postgres.url,
    GATEWAY_PORT: '0',
    SLUICE_ENVIRONMENT: 'test',
    SLUICE_SECRET_KEY: randomBytes(32).toString('base64'),
    S3_ENDPOINT: 'http://127.0.0.1:1',
    S3_ACCESS_KEY: 'unused',
    S3_SECRET_KEY: 'unused',
    SMTP_URL: 'smtp://127.0.0.1:1',
  })
  const sealer = createSealer(config.SLUICE_SECRET_KEY)
  const gateway = await startGateway({ config, database, sealer, log: silentLog })
  stack.defer(() => gateway.close())
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      query: `mutation { sign_in(email: "${person.email}", password: "${person.password}") { token } }`,
    }),
  })
  const { data } = (await response.json()) as { data: { sign_in: { token: string } } }
  const { client, events } = connect(gateway.url, `Bearer ${data.sign_in.token}`)
  stack.defer(() => client.dispose())
  const insert = async (slug: string) => {
    const direct = new pg.Client({ connectionString: postgres.url })
    await direct.connect()
    await direct.query(
      `with team as (insert into teams (id, slug, name) values (gen_random_uuid(), $1, $1) returning id),
            flow as (insert into flows (id, team_id, slug, name) select gen_random_uuid(), id, $1, $1 from team returning id, team_id)
       insert into sessions (id, team_id, flow_id, kind, data, content_hash, expires_at, payment_id)
       select gen_random_uuid(), team_id, id, 'application', '{}', '', now() + interval '1 day', $1 from flow`,
      [slug],
    )
    await direct.end()
  }
  const teams = client.iterate<{ teams: { slug: string }[] }>({
    query: 'subscription { teams(order_by: { slug: asc }) { slug } }',
  })
  const stream = client.iterate<{ sessions_stream: { payment_id: string }[] }>({
    query:
      'subscription { sessions_stream(batch_size: 1, cursor: [{ initial_value: { position: "" } }]) { payment_id } }',
  })
  const slugs: string[] = []
  const bothSee = async (slug: string) => {
    slugs.push(slug)
    let result = (await teams.next()).value
    while (result?.data?.teams.length < slugs.length) result = (await teams.next()).value
    expect(result).toEqual({ data: { teams: slugs.toSorted().map((each) => ({ slug: each })) } })
    expect((await stream.next()).value).toEqual({ data: { sessions_stream: [{ payment_id: slug }] } })
  }
  await teams.next()
  await insert('a')
  await bothSee('a')
  for (const slug of ['b', 'c']) {
    const { port } = postgres
    await postgres.stop()
    postgres = await start(port)
    // Committed perhaps before the gateway has a connection again.
    await insert(slug)
    await bothSee(slug)
  }
  await insert('d')
  await bothSee('d')
  expect(events.closed).toBe(0)
})

describe('a socket that does not read', () => {
  it('gets the latest state and no backlog', async () => {
    const { pool } = world.database
    const { id } = await world.submit(aSession(world.camden))
    const socket = new WebSocket(`${world.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
    await once(socket, 'open')
    // Results large enough that the buffers of the kernel hold only some.
    const wide = Array.from({ length: 150 }, (_, number) => `payment_${number}: payment_id`).join(' ')
    const results: { revision: number }[] = []
    const isLast = Promise.withResolvers<void>()
    const isFirst = Promise.withResolvers<void>()
    socket.on('message', (message) => {
      const { type, payload } = JSON.parse(String(message))
      if (type === 'connection_ack') {
        const query = `subscription { sessions_by_pk(id: "${id}") { revision ${wide} } }`
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
      }
      if (type !== 'next') return
      results.push(payload.data.sessions_by_pk)
      isFirst.resolve()
      if (payload.data.sessions_by_pk.revision === 1_001) isLast.resolve()
    })
    socket.send(
      JSON.stringify({ type: 'connection_init', payload: { Authorization: basic(world.camden.granted.consumer) } }),
    )
    await isFirst.promise
    const tcp = (socket as unknown as { _socket: Socket })._socket
    tcp.pause()
    const before = process.memoryUsage().heapUsed
    const payment = 'x'.repeat(1_000)
    for (let number = 0; number < 1_000; number += 1) {
      await pool.query('update sessions set revision = revision + 1, payment_id = $2 where id = $1', [id, payment])
    }
    // 1,000 results of 150 KB each were due.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(80_000_000)
    tcp.resume()
    await isLast.promise
    expect(results.length).toBeLessThan(100)
    expect(results.map(({ revision }) => revision)).toEqual(
      results.map(({ revision }) => revision).toSorted((a, b) => a - b),
    )
    socket.close()
  }, 60_000)
})

describe('access through a grant', () => {
  const watch = 'subscription ($from: timestamptz!) { sessions(where: { submitted_at: { _gte: $from } }) { id } }'

  it('ends in a live query at the moment the grant expires, with nothing written', async () => {
    const { pool } = world.database
    const from = new Date().toISOString()
    const { client } = connect(world.url, basic(world.camden.granted.consumer))
    const results = client.iterate({ query: watch, variables: { from } })
    expect((await results.next()).value).toEqual({ data: { sessions: [] } })
    const { id } = await world.submit(aSession(world.camden))
    expect((await results.next()).value).toEqual({ data: { sessions: [{ id }] } })
    const { rows } = await pool.query(
      `update session_grants set expires_at = now() + interval '700 milliseconds' where session_id = $1 returning expires_at`,
      [id],
    )
    expect((await results.next()).value).toEqual({ data: { sessions: [] } })
    const lateBy = Date.now() - rows[0].expires_at.getTime()
    expect(lateBy).toBeGreaterThanOrEqual(0)
    expect(lateBy).toBeLessThan(30_000)
    await client.dispose()
  })

  it('opens and ends in a live query by plain SQL, and a deleted session goes', async () => {
    const { pool } = world.database
    const from = new Date().toISOString()
    const { client } = connect(world.url, basic(world.camden.other.consumer))
    const results = client.iterate({ query: watch, variables: { from } })
    expect((await results.next()).value).toEqual({ data: { sessions: [] } })
    const { id } = await world.submit(aSession(world.camden))
    const grant = `insert into session_grants (session_id, integration_id, team_id, expires_at) values ($1, $2, $3, now() + interval '1 day')
                   on conflict (session_id, integration_id) do update set revoked_at = null`
    const values = [id, world.camden.other.id, world.camden.id]
    await pool.query(grant, values)
    expect((await results.next()).value).toEqual({ data: { sessions: [{ id }] } })
    await pool.query('update session_grants set revoked_at = now() where integration_id = $1', [world.camden.other.id])
    expect((await results.next()).value).toEqual({ data: { sessions: [] } })
    await pool.query(grant, values)
    expect((await results.next()).value).toEqual({ data: { sessions: [{ id }] } })
    await pool.query('delete from sessions where id = $1', [id])
    expect((await results.next()).value).toEqual({ data: { sessions: [] } })
    await client.dispose()
  })

  it('is audited when a live query hands data over, for each that it hands over to', async () => {
    const { pool } = world.database
    const from = new Date().toISOString()
    const watchData =
      'subscription ($from: timestamptz!) { sessions(where: { submitted_at: { _gte: $from } }) { id data } }'
    const { client } = connect(world.url, basic(world.camden.granted.consumer))
    const results = client.iterate<{ sessions: { id: string }[] }>({ query: watchData, variables: { from } })
    expect((await results.next()).value?.data).toEqual({ sessions: [] })
    const { id } = await world.submit(aSession(world.camden))
    expect((await results.next()).value?.data?.sessions[0]?.id).toBe(id)
    const { rows } = await pool.query(
      `select a.operation, a.integration_id, a.actor_id, g.first_retrieved_at is not null as retrieved
         from audit_entries a, session_grants g
        where a.session_ids @> array[$1::uuid] and g.session_id = $1 and g.integration_id = a.integration_id`,
      [id],
    )
    // The retrieval itself changes the grant, so the query may have been evaluated, and audited, once more.
    expect(rows.length).toBeGreaterThanOrEqual(1)
    expect(rows[0]).toMatchObject({
      operation: 'subscription',
      integration_id: world.camden.granted.id,
      retrieved: true,
    })
    await client.dispose()
  })
})
