/** Whatever guards an operation guards it on every transport. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { getIntrospectionQuery } from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aSession, basic, buildWorld, type World } from '../ground/world.ts'
import { openAcknowledged } from './bare-socket.ts'
import { signIn, signInDocument } from './sign-in.ts'
import { type Sent, transports } from './transports.ts'

let world: World
let editor: string
let consumer: string
beforeAll(async () => {
  world = await buildWorld({ config: { MAX_COST: '10000', INTROSPECTION: 'people' } })
  editor = await signIn(world, world.camden.editor)
  consumer = basic(world.camden.granted.consumer)
})
afterAll(() => world?.close())

const times = (count: number, text: (index: number) => string) => Array.from({ length: count }, (_, i) => text(i))
const doubling = times(11, (i) => `fragment f${i} on sessions { ...f${i + 1} ...f${i + 1} }`)

const refused: readonly (readonly [string, Sent, string, RegExp])[] = [
  ['too many tokens', { query: `{ sessions { ${'id '.repeat(8_000)} } }` }, 'LIMIT_TOKENS', /more that 8000 tokens/],
  [
    'too deep a selection',
    { query: `{ ${'sessions { flow { '.repeat(7)} id ${'} }'.repeat(7)} }` },
    'LIMIT_DEPTH',
    /nests 15 levels deep; at most 12/,
  ],
  [
    'too many root fields by aliases',
    { query: `{ ${times(21, (i) => `a${i}: sessions(limit: 1) { id }`).join(' ')} }` },
    'LIMIT_ROOT_FIELDS',
    /21 root fields; at most 20/,
  ],
  [
    'too many root fields in a fragment',
    { query: `{ ...all } fragment all on Query { ${times(21, (i) => `a${i}: whoami { id }`).join(' ')} }` },
    'LIMIT_ROOT_FIELDS',
    /21 root fields; at most 20/,
  ],
  [
    'too many fields by aliases',
    { query: `{ sessions(limit: 1) { ${times(2_000, (i) => `a${i}: id`).join(' ')} } }` },
    'LIMIT_FIELDS',
    /selects 2001 fields.*at most 2000/,
  ],
  [
    'fragments that double at each step',
    { query: `{ sessions(limit: 1) { ...f0 } } ${doubling.join(' ')} fragment f11 on sessions { id status }` },
    'LIMIT_FIELDS',
    /selects \d+ fields.*at most 2000/,
  ],
  [
    'too costly lists',
    { query: '{ sessions(limit: 100) { flow { sessions(limit: 100) { id } } } }' },
    'LIMIT_COST',
    /costs 10\d\d\d; at most 10000 is allowed \(MAX_COST\)/,
  ],
  [
    'a limit in a variable that makes it too costly',
    {
      query: 'query ($n: Int) { sessions(limit: $n) { flow { sessions(limit: $n) { id } } } }',
      variables: { n: 1000 },
    },
    'LIMIT_COST',
    /costs 100\d{4}; at most 10000/,
  ],
  [
    'a limit in the default of a variable',
    { query: 'query ($n: Int = 1000) { flows(limit: $n) { sessions(limit: $n) { id } } }' },
    'LIMIT_COST',
    /costs 100\d{4};/,
  ],
  [
    'introspection from a machine',
    { query: '{ __schema { queryType { name } } }' },
    'INTROSPECTION_OFF',
    /does not show you its schema \(INTROSPECTION\)/,
  ],
  [
    'introspection in a fragment by another name',
    { query: '{ ...__schema } fragment __schema on Query { x: __type(name: "sessions") { name } }' },
    'INTROSPECTION_OFF',
    /does not show you/,
  ],
  ['what is not GraphQL', { query: '{ sessions {' }, 'GRAPHQL_PARSE_FAILED', /^Syntax Error/],
  ['an unknown field', { query: '{ sessions { nothing } }' }, 'GRAPHQL_VALIDATION_FAILED', /Cannot query field/],
  [
    'an unknown operation',
    { query: 'query a { whoami { id } } query b { whoami { id } }', operationName: 'c' },
    'BAD_REQUEST',
    /no operation "c"/,
  ],
  [
    'one of several operations without saying which',
    { query: 'query a { whoami { id } } query b { whoami { id } }' },
    'BAD_REQUEST',
    /say which with operationName/,
  ],
  [
    'a variable of the wrong type',
    { query: 'query ($n: Int) { sessions(limit: $n) { id } }', variables: { n: 'many' } },
    'GRAPHQL_VALIDATION_FAILED',
    /Variable "\$n" got invalid value "many"/,
  ],
  [
    'values that nest without end in the document',
    { query: `{ sessions(where: ${'{_not:'.repeat(2_600)}{}${'}'.repeat(2_600)}) { id } }` },
    'LIMIT_DEPTH',
    /nest too deep/,
  ],
  ['the id of a document', { documentId: 'sessions-1' }, 'PERSISTED_QUERY_NOT_SUPPORTED', /knows no documents by id/],
]

describe.each(transports)('over %s', (name, send) => {
  it('answers what passes', async () => {
    const { id } = await world.submit(aSession(world.camden))
    const query = 'query ($id: uuid!) { sessions_by_pk(id: $id) { id } }'
    expect(await send(world, consumer, { query, variables: { id } })).toEqual({ data: { sessions_by_pk: { id } } })
    expect(await send(world, consumer, { query: '{ whoami { role } sessions(limit: 0) { id } }' })).toEqual({
      data: { whoami: { role: 'consumer' }, sessions: [] },
    })
  })

  // A URL has room for 16 KB.
  const fitting = name === 'GET' ? refused.filter(([, { query = '' }]) => query.length < 8_000) : refused
  it.each(fitting)('refuses %s', async (_name, sent, code, message) => {
    const { data, errors } = await send(world, consumer, sent)
    expect(data ?? null).toBeNull()
    expect(errors?.[0]?.message).toMatch(message)
    expect(errors?.[0]?.extensions.code).toBe(code)
  })

  it('tells the cost and the most that is allowed also to programs', async () => {
    const { errors } = await send(world, consumer, {
      query: '{ sessions(limit: 999) { a: id b: id c: id d: id e: id f: id g: id h: id i: id j: id k: id } }',
    })
    expect(errors?.[0]?.extensions).toEqual({ code: 'LIMIT_COST', cost: 10_990, max_cost: 10_000 })
  })

  it('shows the schema to people, and bounds what they ask of it', async () => {
    const { data } = await send(world, editor, { query: getIntrospectionQuery() })
    expect(data.__schema.types.length).toBeGreaterThan(100)
    const aliases = times(6, (i) => `a${i}: types { name }`).join(' ')
    const { errors } = await send(world, editor, { query: `{ __schema { ${aliases} } }` })
    expect(errors?.[0]?.message).toMatch(/6 aliases in its introspection; at most 5/)
  })

  it('suggests no field that only another role has', async () => {
    const wrong = {
      query: '{ webhook { id } connector { id } user { id } sessions { dat purge_at connector_run { id } } }',
    }
    const { errors } = await send(world, consumer, wrong)
    const told = JSON.stringify(errors)
    expect(told).toMatch(/Did you mean \\"data\\"/)
    const { data } = await send(world, editor, {
      query: '{ __schema { queryType { fields { name } } } }',
    })
    const ofEditor: string[] = data.__schema.queryType.fields.map((field: { name: string }) => field.name)
    expect(ofEditor).toEqual(expect.arrayContaining(['connectors', 'users', 'connector_runs']))
    expect(told).not.toMatch(/connectors|users|purged_at|connector_runs/)
  })

  it.each([
    ['by Postgres alone', '{ trips { id } }'],
    ['beside other fields', '{ whoami { id } trips { id } }'],
  ])("masks what is not the client's doing, answered %s", async (_name, query) => {
    await world.database.pool.query('alter table trips rename to trips_away')
    try {
      const { errors } = await send(world, consumer, { query })
      const [error] = errors ?? []
      expect(error?.message).toMatch(
        /^Something went wrong on our side. Tell the operator this request id: [-0-9a-f]{36}/,
      )
      expect(error?.extensions).toEqual({ code: 'INTERNAL', requestId: expect.stringMatching(/^[-0-9a-f]{36}$/) })
      expect(JSON.stringify(errors)).not.toMatch(/relation|trips_away|select/)
    } finally {
      await world.database.pool.query('alter table trips_away rename to trips')
    }
  })

  it("takes the caller's own role for x-hasura-role, and no other", async () => {
    const query = '{ whoami { role } }'
    expect(await send(world, editor, { query }, { 'x-hasura-role': 'editor' })).toEqual({
      data: { whoami: { role: 'editor' } },
    })
    const { errors } = await send(world, editor, { query }, { 'x-hasura-role': 'admin' })
    expect(errors?.[0]?.message).toMatch(/^Your role is "editor", and x-hasura-role asks for "admin"/)
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN')
  })
})

describe('a socket', () => {
  it('goes on with its other operations, whatever is refused beside them', async () => {
    const bare = await openAcknowledged(world.url, consumer)
    const from = new Date().toISOString()
    const live = 'subscription ($from: timestamptz!) { sessions(where: { submitted_at: { _gte: $from } }) { id } }'
    bare.send({ type: 'subscribe', id: 'live', payload: { query: live, variables: { from } } })
    expect(await bare.next()).toEqual({ type: 'next', id: 'live', payload: { data: { sessions: [] } } })
    for (const [name, sent, code] of refused) {
      bare.send({ type: 'subscribe', id: name, payload: { query: '', ...sent } })
      const { type, id, payload } = await bare.next()
      expect([type, id, payload[0].extensions.code]).toEqual(['error', name, code])
    }
    const { id } = await world.submit(aSession(world.camden))
    expect(await bare.next()).toEqual({ type: 'next', id: 'live', payload: { data: { sessions: [{ id }] } } })
    bare.socket.terminate()
  })
})

describe('trusted documents', () => {
  const list = 'query List { sessions(limit: 3) { id } }'
  const documents = { 'list-1': list, sign_in: signInDocument, 'schema-1': '{ __schema { queryType { name } } }' }
  const sha256Hash = createHash('sha256').update(list).digest('hex')
  let folder: string
  let strict: World
  let authorization: string
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sluice-documents-'))
    const file = path.join(folder, 'documents.json')
    await writeFile(file, JSON.stringify(documents))
    strict = await buildWorld({ config: { TRUSTED_DOCUMENTS: file, INTROSPECTION: 'off' } })
    authorization = basic(strict.camden.granted.consumer)
  })
  afterAll(async () => {
    await strict?.close()
    await rm(folder, { recursive: true })
  })

  describe.each(transports)('over %s', (_, send) => {
    it.each([
      ['by its id', { documentId: 'list-1' }],
      ['by its hash', { extensions: { persistedQuery: { version: 1, sha256Hash } } }],
      ['by its text', { query: list }],
    ])('run %s', async (_name, sent) => {
      expect(await send(strict, authorization, sent)).toEqual({ data: { sessions: [] } })
    })

    it.each([
      ['another document', { query: '{ sessions { id } }' }, 'DOCUMENT_NOT_TRUSTED'],
      [
        'another document under a trusted id',
        { query: '{ sessions { id } }', documentId: 'list-1' },
        'DOCUMENT_NOT_TRUSTED',
      ],
      ['an unknown id', { documentId: 'list-2' }, 'PERSISTED_QUERY_NOT_FOUND'],
      [
        'an unknown hash',
        { extensions: { persistedQuery: { version: 1, sha256Hash: '0'.repeat(64) } } },
        'PERSISTED_QUERY_NOT_FOUND',
      ],
      ['introspection, which is off', { documentId: 'schema-1' }, 'INTROSPECTION_OFF'],
    ])('refuse %s', async (_name, sent, code) => {
      const { data, errors } = await send(strict, authorization, sent)
      expect(data ?? null).toBeNull()
      expect(errors?.[0]?.extensions.code).toBe(code)
    })
  })

  it('tell of a file that cannot be used before anything starts', async () => {
    const file = path.join(folder, 'wrong.json')
    await writeFile(file, '{ "a": "{ sessions {" }')
    await expect(buildWorld({ config: { TRUSTED_DOCUMENTS: file } })).rejects.toThrow(
      /TRUSTED_DOCUMENTS: .*wrong.json cannot be used: "a": Syntax Error/,
    )
  })
})

describe('HTTP', () => {
  const query = '{ whoami { role } }'
  const json = JSON.stringify({ query })
  const call = (body: string | Uint8Array<ArrayBuffer> | undefined, headers: Record<string, string>, method = 'POST') =>
    fetch(`${world.url}/graphql`, { method, headers: { authorization: consumer, ...headers }, body })

  it.each([
    ['application/x-www-form-urlencoded', `query=${encodeURIComponent(query)}`],
    ['multipart/form-data; boundary=x', '--x\r\ncontent-disposition: form-data; name="query"\r\n\r\n{a}\r\n--x--\r\n'],
    ['text/plain', json],
    ['application/graphql', query],
    ['application/jsonx', json],
    ['application/json; charset=iso-8859-1', json],
  ])('refuses a body of %s with 415', async (type, body) => {
    const response = await call(body, { 'content-type': type })
    expect(response.status).toBe(415)
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNSUPPORTED' } }] })
  })

  it.each([
    ['a batch', `[${json},${json}]`, /Batches are off/],
    ['what is not JSON', '{"query":', /not JSON/],
    ['an empty body', '', /not JSON/],
    ['a text', '"query"', /must be a JSON object/],
    ['no document', '{}', /Send a document/],
    ['variables that are a list', '{"query":"{ whoami { id } }","variables":[]}', /"variables" must be a JSON object/],
    [
      'an operation name that is a number',
      '{"query":"{ whoami { id } }","operationName":1}',
      /"operationName" must be/,
    ],
  ])('refuses %s with 400 and says so', async (_, body, message) => {
    const response = await call(body, { 'content-type': 'application/json' })
    expect(response.status).toBe(400)
    const { errors } = (await response.json()) as { errors: { message: string }[] }
    expect(errors[0]?.message).toMatch(message)
  })

  it('refuses bytes that are no UTF-8, which would be stored as something else', async () => {
    const body = Buffer.from('{"query":"{ whoami { role } }","variables":{"a":"Caf\u00e9"}}', 'latin1')
    const response = await call(body, { 'content-type': 'application/json' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ errors: [{ message: expect.stringMatching(/not JSON in UTF-8/) }] })
  })

  it('says of a compressed body that it takes none', async () => {
    const response = await call(gzipSync(json), { 'content-type': 'application/json', 'content-encoding': 'gzip' })
    expect(response.status).toBe(415)
    expect(await response.json()).toMatchObject({ errors: [{ message: expect.stringMatching(/uncompressed/) }] })
  })

  it("answers a request that offers HTTP/2 beside it, as Java's client does", async () => {
    const offer = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAEAAEAAAAIAAAAB' }
    const asked = request(`${world.url}/graphql`, {
      method: 'POST',
      headers: { authorization: consumer, 'content-type': 'application/json', ...offer },
    })
    asked.end(json)
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(200)
    expect(JSON.parse(await text(response))).toEqual({ data: { whoami: { role: 'consumer' } } })
  })

  it('runs no mutation by GET', async () => {
    const { id } = world.camden
    const mutation = `mutation { insert_flows_one(object: { team_id: "${id}", slug: "by-get", name: "x" }) { id } }`
    const search = new URLSearchParams({ query: mutation })
    const response = await fetch(`${world.url}/graphql?${search}`, { headers: { authorization: editor } })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
    expect(await world.database.prisma.flow.count()).toBe(2)
  })

  it('refuses other methods with 405', async () => {
    const response = await call(undefined, {}, 'DELETE')
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, POST'])
  })

  it('speaks no multipart', async () => {
    const headers = { 'content-type': 'application/json', accept: 'multipart/mixed' }
    expect((await call(json, headers)).status).toBe(406)
    const both = await call(json, { ...headers, accept: 'multipart/mixed;deferSpec=20220824, application/json' })
    expect(both.headers.get('content-type')).toBe('application/json; charset=utf-8')
    const subscription = JSON.stringify({ query: 'subscription { sessions { id } }' })
    const wrong = await call(subscription, {
      ...headers,
      accept: 'multipart/mixed;subscriptionSpec=1.0, application/json',
    })
    expect(wrong.status).toBe(406)
  })

  it('answers with JSON where a client takes events too, and a subscription with events', async () => {
    const accept = 'application/json, text/event-stream'
    const headers = { 'content-type': 'application/json', accept }
    expect((await call(json, headers)).headers.get('content-type')).toMatch(/^application\/json/)
    const live = await call(JSON.stringify({ query: 'subscription { sessions { id } }' }), headers)
    expect(live.headers.get('content-type')).toBe('text/event-stream')
    await live.body?.cancel()
  })

  it('streams a subscription by GET, for an EventSource', async () => {
    const search = new URLSearchParams({ query: 'subscription { sessions(where: { id: { _is_null: true } }) { id } }' })
    const headers = { authorization: consumer, accept: 'text/event-stream' }
    const response = await fetch(`${world.url}/graphql?${search}`, { headers })
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader?.read())?.value).toMatch(/^event: next\ndata: {"data":{"sessions" ?: ?\[\]}}\n\n$/)
    await reader?.cancel()
  })

  it('asks who it is before it tells what a schema has', async () => {
    const { status, errors } = await world.graphql('{ sessions { id } }', { headers: { 'x-hasura-role': 'admin' } })
    expect([status, errors?.[0]?.extensions.code]).toEqual([401, 'UNAUTHENTICATED'])
  })
})
