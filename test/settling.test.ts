/** A session that settles, as everybody sees it who may not yet, and once it is announced. */
import { createClient } from 'graphql-ws'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { until } from '../src/delivery/deliveries.fixture.ts'
import { silentLog } from '../src/log.ts'
import { createSchemaChecker, type SchemaChecker } from '../src/sessions/schema-checker.ts'
import { type Settling, startSettling } from '../src/sessions/settling.ts'
import { type TestStorage, testStorage } from './ground/storage.ts'
import { aSession, basic, buildWorld, type World } from './ground/world.ts'

let storage: TestStorage
let world: World
let checker: SchemaChecker
let engine: Settling
let consumer: string
let editor: string
let modifier: string
/** Lets modifiers answer. */
let go: () => void
let held: Promise<void>

beforeAll(async () => {
  storage = await testStorage()
  world = await buildWorld({ config: storage.config as never })
  checker = createSchemaChecker()
  consumer = basic(world.camden.granted.consumer)
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: { email: world.camden.editor.email, password: world.camden.editor.password } },
  )
  editor = `Bearer ${data.sign_in.token}`
  modifier = await connection('modifier', { events: ['session.submitted', 'session.updated'] })
  hold()
  engine = startSettling({
    ...{ pool: world.database.pool, checker, log: silentLog, pollMs: 20, retentionAfterRetrievalDays: 5 },
    modifiers: {
      modify: async ({ data: given }) => {
        await held
        return { data: { ...(given as object), settled: true }, again: false, run: undefined }
      },
      combine: (_, second) => second,
      apply: (extension) => extension,
    },
  })
})
afterEach(() => hold())
afterAll(async () => {
  go?.()
  await engine?.close()
  await checker?.close()
  await world?.close()
  await storage?.close()
})

function hold(): void {
  go?.()
  const door = Promise.withResolvers<void>()
  held = door.promise
  go = () => door.resolve()
}

/** Of camden's integration, with a connector of its own. */
async function connection(kind: string, more: object = {}): Promise<string> {
  const { prisma } = world.database
  const implementation = `org.example.${kind}`
  const { id: connector_id } = await prisma.connector.create({
    data: {
      ...{ implementation, version: '1.0.0', name: kind, author: 'Example', description: 'Example.' },
      ...{ status: 'approved', kinds: [kind], bundle: '', bundle_sha256: '' },
      manifest: { implementation, kinds: [kind], settings: [] },
    },
  })
  const ids = { integration_id: world.camden.granted.id, team_id: world.camden.id }
  return (await prisma.connection.create({ data: { ...ids, connector_id, name: kind, ...more } })).id
}

const settled = (id: string) =>
  until(
    async () =>
      (await world.database.pool.query('select 1 from session_settlings where session_id = $1', [id])).rowCount,
    (count) => count === 0,
  )

async function settlingSession(): Promise<string> {
  const { id, event_id, deliveries } = await world.submit(aSession(world.camden, { data: { a: 1 } }))
  expect({ event_id, deliveries }).toEqual({ event_id: null, deliveries: 0 })
  await world.database.pool.query(
    `insert into session_files (session_id, name, type, size, status, stored_at, object_key)
     values ($1::uuid, 'plan.pdf', 'application/pdf', 1, 'stored', now(), $1::text || '/plan.pdf')`,
    [id],
  )
  return id
}

async function rest(path: string): Promise<{ status: number; json: Record<string, unknown> }> {
  const response = await fetch(`${world.url}${path}`, { headers: { authorization: consumer } })
  return { status: response.status, json: (await response.json()) as Record<string, unknown> }
}

async function asked<T = Record<string, unknown>>(query: string, authorization: string, variables = {}): Promise<T> {
  const { data, errors } = await world.graphql<T>(query, { authorization, variables })
  expect(errors).toBeUndefined()
  return data
}

/** All that a consumer could ask about one session. */
const everything = /* GraphQL */ `query ($id: uuid!) {
  sessions_by_pk(id: $id) { id data }
  sessions(where: { id: { _eq: $id } }) { id }
  sessions_aggregate(where: { id: { _eq: $id } }) { aggregate { count } }
  session_events(where: { session_id: { _eq: $id } }) { type }
  session_events_aggregate(where: { session_id: { _eq: $id } }) { aggregate { count } }
  session_revisions(where: { session_id: { _eq: $id } }) { revision data }
  session_grants(where: { session_id: { _eq: $id } }) { id }
  session_grants_aggregate(where: { session_id: { _eq: $id } }) { aggregate { count } }
  session_files(where: { session_id: { _eq: $id } }) { name }
  deliveries(where: { session_id: { _eq: $id } }) { id }
  flows { sessions(where: { id: { _eq: $id } }) { id } }
}`

describe('a session that settles', () => {
  test('is not there for its consumers, whatever they ask', async () => {
    const id = await settlingSession()
    const seen = await world.graphql<Record<string, unknown>>(everything, {
      authorization: consumer,
      variables: { id },
    })
    expect(seen.errors).toBeUndefined()
    const none = { aggregate: { count: 0 } }
    expect(seen.data).toEqual({
      ...{ sessions_by_pk: null, sessions: [], sessions_aggregate: none },
      ...{ session_events: [], session_events_aggregate: none, session_revisions: [] },
      ...{ session_grants: [], session_grants_aggregate: none, session_files: [], deliveries: [] },
      flows: [{ sessions: [] }],
    })
    const annotations = await world.graphql('query ($id: uuid!) { annotations(session_id: $id) { label } }', {
      authorization: consumer,
      variables: { id },
    })
    expect(annotations.errors?.[0]?.extensions.code).toBe('NOT_FOUND')
    const { rows } = await world.database.pool.query('select id from session_files where session_id = $1', [id])
    for (const path of ['', '/files', `/files/${rows[0].id}`]) {
      expect((await rest(`/v1/sessions/${id}${path}`)).status, path).toBe(404)
    }
    for (const path of ['/v1/sessions', '/v1/events']) {
      const { json } = await rest(path)
      expect(JSON.stringify(json)).not.toContain(id)
    }
    // People of the team see it, and the source.
    const mine = await asked<{ sessions_by_pk: unknown }>(everything, editor, { id })
    expect(mine.sessions_by_pk).toEqual({ id, data: { a: 1 } })
    const own = 'query ($id: uuid!) { sessions_by_pk(id: $id) { status } }'
    expect(await asked(own, basic(world.source), { id })).toEqual({ sessions_by_pk: { status: 'settling' } })
    go()
    await settled(id)
    expect(await asked(everything, consumer, { id })).toMatchObject({
      sessions_by_pk: { id, data: { a: 1, settled: true } },
      sessions_aggregate: { aggregate: { count: 1 } },
      session_events: [{ type: 'session.submitted' }],
      session_grants_aggregate: { aggregate: { count: 1 } },
      session_files: [{ name: 'plan.pdf' }],
      flows: [{ sessions: [{ id }] }],
    })
    expect((await rest(`/v1/sessions/${id}/files`)).status).toBe(200)
  })

  test('comes to who polls by position, streams or subscribes when it is announced, behind what overtook it', async () => {
    const head = async (path: string) => {
      let next = ''
      for (;;) {
        const { json } = await rest(`${path}?limit=100${next && `&after=${next}`}`)
        next = (json.next as string | null) ?? next
        if (!json.more) return next
      }
    }
    const first = { events: await head('/v1/events'), sessions: await head('/v1/sessions') }
    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: consumer },
      retryAttempts: 0,
    })
    const streamed = client.iterate<{ sessions_stream: { id: string }[] }>({
      query: `subscription ($after: String) {
        sessions_stream(batch_size: 10, cursor: [{ initial_value: { position: $after } }]) { id } }`,
      variables: { after: first.sessions },
    })
    const counted = client.iterate<{ sessions_aggregate: { aggregate: { count: number } } }>({
      query: 'subscription { sessions_aggregate { aggregate { count } } }',
    })
    const count = async () => (await counted.next()).value.data.sessions_aggregate.aggregate.count as number
    const before = await count()
    const late = await settlingSession()
    // Another one has no modifier: it overtakes.
    await world.database.pool.query(`update connections set pattern = '{"kind": {"_eq": "booking"}}' where id = $1`, [
      modifier,
    ])
    const early = await world.submit(aSession(world.camden))
    await world.database.pool.query(`update connections set pattern = '{}' where id = $1`, [modifier])
    expect(await count()).toBe(before + 1)
    const ids = (rows: unknown) =>
      (rows as { id?: string; session_id?: string; data?: { id: string } }[]).map(
        (row) => row.session_id ?? row.data?.id ?? row.id,
      )
    const polled = async (path: string, after: string) => {
      const { json } = await rest(`${path}?after=${after}`)
      return { ids: ids(json.data ?? json.events ?? json.sessions), next: json.next as string }
    }
    const middle = {
      events: await polled('/v1/events', first.events),
      sessions: await polled('/v1/sessions', first.sessions),
    }
    expect(middle.events.ids).toEqual([early.id])
    expect(middle.sessions.ids).toEqual([early.id])
    expect((await streamed.next()).value).toEqual({ data: { sessions_stream: [{ id: early.id }] } })
    go()
    await settled(late)
    expect((await polled('/v1/events', middle.events.next)).ids).toEqual([late])
    expect((await polled('/v1/sessions', middle.sessions.next)).ids).toEqual([late])
    expect((await streamed.next()).value).toEqual({ data: { sessions_stream: [{ id: late }] } })
    expect(await count()).toBe(before + 2)
    await client.dispose()
  })

  test('because it was updated is what it was, for everybody, until it has settled', async () => {
    const id = await settlingSession()
    go()
    await settled(id)
    hold()
    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: consumer },
      retryAttempts: 0,
    })
    const followed = client.iterate<{ sessions_by_pk: object }>({
      query: 'subscription ($id: uuid!) { sessions_by_pk(id: $id) { revision data } }',
      variables: { id },
    })
    const before = { revision: 2, data: { a: 1, settled: true } }
    expect((await followed.next()).value.data).toEqual({ sessions_by_pk: before })
    const update = await asked(
      `mutation ($object: update_session_input!) {
        update_session(object: $object) { status revision changed event_id deliveries } }`,
      basic(world.source),
      { object: { id, data: { a: 2 } } },
    )
    expect(update).toEqual({
      update_session: { status: 'submitted', revision: 3, changed: true, event_id: null, deliveries: 0 },
    })
    const now = 'query ($id: uuid!) { sessions_by_pk(id: $id) { revision data } }'
    for (const who of [consumer, editor]) expect(await asked(now, who, { id })).toEqual({ sessions_by_pk: before })
    expect(await asked(everything, consumer, { id })).toMatchObject({
      session_revisions: [{ revision: 1, data: { a: 1 } }],
      session_events: [{ type: 'session.submitted' }],
    })
    expect((await rest(`/v1/sessions/${id}`)).json).toMatchObject(before)
    go()
    await settled(id)
    const after = { sessions_by_pk: { revision: 4, data: { a: 2, settled: true } } }
    // The next result, so none came between.
    expect((await followed.next()).value.data).toEqual(after)
    expect(await asked(now, consumer, { id })).toEqual(after)
    expect(await asked(everything, consumer, { id })).toMatchObject({
      session_events: [{ type: 'session.submitted' }, { type: 'session.updated' }],
    })
    await client.dispose()
  })

  test('and is purged meanwhile is gone: nobody hears of it, and the chain writes nothing', async () => {
    const id = await settlingSession()
    await until(
      async () =>
        (await world.database.pool.query('select 1 from session_settlings where lease_token is not null')).rowCount,
      (count) => count === 1,
    )
    const { errors } = await world.graphql('mutation ($id: uuid!) { purge_session(id: $id, reason: "test") { id } }', {
      authorization: editor,
      variables: { id },
    })
    expect(errors).toBeUndefined()
    go()
    await settled(id)
    await engine.close()
    const { rows } = await world.database.pool.query(
      `select s.status, s.data, s.revision, (select count(*)::int from session_revisions r where r.session_id = s.id) as revisions,
              (select array_agg(type) from session_events e where e.session_id = s.id) as events,
              (select count(*)::int from deliveries d where d.session_id = s.id) as deliveries
         from sessions s where id = $1`,
      [id],
    )
    expect(rows).toEqual([
      { status: 'purged', data: null, revision: 1, revisions: 0, events: ['session.purged'], deliveries: 0 },
    ])
    expect(
      await asked('query ($id: uuid!) { session_grants(where: { session_id: { _eq: $id } }) { id } }', consumer, {
        id,
      }),
    ).toEqual({ session_grants: [] })
    expect((await rest(`/v1/sessions/${id}`)).status).toBe(404)
  })
})

describe('modify_session', () => {
  const modify = (connection_id: unknown, session_id: unknown, authorization = editor) =>
    world.graphql(
      'mutation ($connection: uuid!, $session: uuid!) { modify_session(connection_id: $connection, session_id: $session) { session_id } }',
      { authorization, variables: { connection: connection_id, session: session_id } },
    )
  const nobody = '00000000-0000-4000-8000-000000000000'

  test('says what is wrong with what it is given', async () => {
    await world.database.pool.query('update connections set enabled = false where id = $1', [modifier])
    const { id } = await world.submit(aSession(world.camden))
    const foreign = await world.submit(aSession(world.lambeth))
    const plain = await connection('consumer')
    const expected = async (answer: ReturnType<typeof modify>, code: string, message: RegExp) => {
      const [error] = (await answer).errors ?? []
      expect(error?.extensions.code).toBe(code)
      expect(error?.message).toMatch(message)
    }
    await expected(modify('nothing', id), 'GRAPHQL_VALIDATION_FAILED', /uuid/i)
    await expected(modify(modifier, null), 'GRAPHQL_VALIDATION_FAILED', /null/)
    await expected(modify(nobody, id), 'NOT_FOUND', /connection/)
    await expected(modify(modifier, nobody), 'NOT_FOUND', /session/)
    await expected(modify(modifier, foreign.id), 'NOT_FOUND', /session/)
    await expected(modify(plain, id), 'CONFLICT', /no modifier/)
    await expected(modify(modifier, id), 'CONFLICT', /disabled/)
    await world.database.pool.query('update connections set enabled = true where id = $1', [modifier])
    await world.database.pool.query('update session_grants set revoked_at = now() where session_id = $1', [id])
    await expected(modify(modifier, id), 'GONE', /not open/)
    await world.database.pool.query(
      `update connectors set manifest = manifest || '{"accepts": {"kinds": ["booking"]}}' where kinds = '{modifier}'`,
    )
    await world.database.pool.query('update session_grants set revoked_at = null where session_id = $1', [id])
    await expected(modify(modifier, id), 'CONFLICT', /does not take/)
    expect((await modify(modifier, id, consumer)).errors?.[0]?.message).toMatch(/modify_session/)
  })
})
