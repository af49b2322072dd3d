import { randomUUID } from 'node:crypto'
import { type Client, createClient } from 'graphql-ws'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { aSession, basic, buildWorld, type World } from './ground/world.ts'

let world: World
beforeAll(async () => {
  world = await buildWorld()
})
afterAll(() => world?.close())

type Batch = { session_events_stream: { position: string; session_id: string }[] }

function connect(authorization: string): Client {
  return createClient({
    url: `${world.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: authorization },
    retryAttempts: 0,
  })
}

const stream = `subscription ($after: String, $size: Int!) {
  session_events_stream(batch_size: $size, cursor: [{ initial_value: { position: $after } }], where: { type: { _eq: "load" } }) { position session_id }
}`

describe('a stream', () => {
  it('loses, repeats and reorders nothing, whatever writers and the consumer do', async () => {
    const wanted = Number(process.env.STREAM_ROWS ?? 20_000)
    const [session] = [(await world.submit(aSession(world.camden))).id]
    const authorization = basic(world.camden.granted.consumer)
    const writers = runWriters({ session, wanted, writers: 8 })
    const received: string[] = []
    let position = ''
    let seed = 1
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return seed / 2 ** 31
    }
    while (received.length < wanted) {
      const client = connect(authorization)
      // Disconnects at random, in the middle of batches' worth of rows, and resumes from what it last handled.
      const patience = 1 + Math.floor(random() * 12)
      let batches = 0
      for await (const { data, errors } of client.iterate<Batch>({
        query: stream,
        variables: { after: position, size: 200 },
      })) {
        if (errors) throw new Error(JSON.stringify(errors))
        for (const row of data?.session_events_stream ?? []) {
          received.push(row.position)
          position = row.position
        }
        batches += 1
        if (received.length >= wanted || batches >= patience) break
      }
      await client.dispose()
    }
    await writers
    const { rows } = await world.database.pool.query<{ position: string }>(
      `select position from session_events where type = 'load' order by position`,
    )
    expect(rows.length).toBe(wanted)
    expect(received).toEqual(rows.map((row) => row.position))
  }, 120_000)

  it('by another column reads what is there in that order, then goes on with what is committed', async () => {
    const from = new Date().toISOString()
    const ids: string[] = []
    for (let index = 0; index < 5; index += 1) ids.push((await world.submit(aSession(world.lambeth))).id)
    const client = connect(basic(world.lambeth.granted.consumer))
    const results = client.iterate<{ sessions_stream: { id: string }[] }>({
      query: `subscription ($from: timestamptz!) {
        sessions_stream(batch_size: 2, cursor: [{ initial_value: { submitted_at: $from }, ordering: ASC }]) { id }
      }`,
      variables: { from },
    })
    const seen: string[] = []
    while (seen.length < 5) {
      const { value, done } = await results.next()
      if (done || value.errors) throw new Error(JSON.stringify(value?.errors ?? 'ended'))
      seen.push(...(value.data?.sessions_stream ?? []).map((row) => row.id))
    }
    expect(seen).toEqual(ids)
    const late = await world.submit(aSession(world.lambeth))
    expect((await results.next()).value).toEqual({ data: { sessions_stream: [{ id: late.id }] } })
    await client.dispose()
  })

  it('shows nothing of what was not granted', async () => {
    const { prisma, pool } = world.database
    const { camden } = world
    const flow = await prisma.flow.create({ data: { team_id: camden.id, slug: `open-${randomUUID()}`, name: 'Open' } })
    await prisma.destination.create({ data: { flow_id: flow.id, integration_id: camden.other.id } })
    const client = connect(basic(camden.other.consumer))
    const results = client.iterate<{ sessions_stream: { id: string }[] }>({
      query: 'subscription { sessions_stream(batch_size: 10, cursor: [{ initial_value: { position: "" } }]) { id } }',
    })
    const next = async () => {
      const { value } = await results.next()
      return (value as { data: { sessions_stream: { id: string }[] } }).data.sessions_stream.map(({ id }) => id)
    }
    const opened = async () => (await world.submit(aSession(camden, { flow: flow.slug }))).id

    const hidden = await world.submit(aSession(camden))
    const first = await opened()
    expect(await next()).toEqual([first])
    // Opened to this integration by hand, when the stream is behind it: a stream reads forward only, so even this one
    // does not come.
    await pool.query(
      `insert into session_grants (session_id, integration_id, team_id, expires_at) values ($1, $2, $3, now() + interval '1 day')`,
      [hidden.id, camden.other.id, camden.id],
    )
    await world.submit(aSession(camden))
    const second = await opened()
    expect(await next()).toEqual([second])
    await client.dispose()
  })

  it.each([
    ['no cursor', '(batch_size: 1, cursor: [])', /exactly one entry/],
    [
      'two cursors',
      '(batch_size: 1, cursor: [{initial_value: {position: ""}}, {initial_value: {position: ""}}])',
      /exactly one entry/,
    ],
    [
      'two columns',
      '(batch_size: 1, cursor: [{initial_value: {position: "", submitted_at: "2026-01-01"}}])',
      /exactly one column/,
    ],
    [
      'a position that is none',
      '(batch_size: 1, cursor: [{initial_value: {position: "01a2028b-69b5-783b-975b-b2a96acc8cfe"}}])',
      /must be the "position" of a row that you were given/,
    ],
    ['an empty batch', '(batch_size: 0, cursor: [{initial_value: {position: ""}}])', /between 1 and 1000/],
  ])('refuses %s', async (_, args, message) => {
    const client = connect(basic(world.camden.granted.consumer))
    const { value } = await client.iterate({ query: `subscription { sessions_stream${args} { id } }` }).next()
    expect((value as { errors: { message: string }[] }).errors[0]?.message).toMatch(message)
    await client.dispose()
  })
})

/** Writers that hold their transactions open for 0-8 ms and roll some of them back. */
async function runWriters({
  session,
  wanted,
  writers,
}: {
  session: string
  wanted: number
  writers: number
}): Promise<void> {
  let left = wanted
  const write = async (number: number) => {
    const client = new pg.Client({ connectionString: world.config.DATABASE_URL })
    await client.connect()
    let seed = number + 7
    while (left > 0) {
      seed = (seed * 48_271) % 2_147_483_647
      const rows = Math.min(1 + (seed % 20), left)
      left -= rows
      await client.query('begin')
      await client.query(
        `insert into session_events (type, session_id, team_id, flow_id)
         select 'load', s.id, s.team_id, s.flow_id from sessions s, generate_series(1, $2) where s.id = $1`,
        [session, rows],
      )
      await client.query('select pg_sleep($1)', [(seed % 9) / 1000])
      const isRolledBack = seed % 7 === 0
      await client.query(isRolledBack ? 'rollback' : 'commit')
      if (isRolledBack) left += rows
    }
    await client.end()
  }
  await Promise.all(Array.from({ length: writers }, (_, number) => write(number)))
}

describe('access that ends', () => {
  it('closes streams and live queries of a revoked credential', async () => {
    const { createCredential } = await import('../src/access/credentials.ts')
    const { granted, id: teamId } = world.camden
    const credential = await createCredential(world.database, {
      role: 'consumer',
      name: randomUUID(),
      environment: 'test',
      teamId,
      integrationId: granted.id,
    })
    const closed = Promise.withResolvers<{ code: number; reason: string }>()
    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: basic(credential) },
      retryAttempts: 0,
      on: { closed: (event) => closed.resolve(event as { code: number; reason: string }) },
    })
    const results = client.iterate({ query: 'subscription { sessions(limit: 1) { id } }' })
    await results.next()
    await world.database.pool.query('update api_credentials set revoked_at = now() where id = $1', [credential.id])
    expect(await closed.promise).toMatchObject({ code: 4403, reason: expect.stringMatching(/revoked/) })
    const { status, errors } = await world.graphql('{ sessions { id } }', { authorization: basic(credential) })
    expect(status).toBe(401)
    expect(errors?.[0]?.message).toMatch(/revoked|has ended/)
  })
})
