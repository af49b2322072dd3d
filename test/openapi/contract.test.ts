/** Every operation of `openapi.yaml`, asked of a real gateway, and every answer held against it. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rotateInboundSecret } from '../../src/connectors/inbound-secrets.ts'
import { missPayloads } from '../../src/connectors/two-phase-jobs.ts'
import { type DeliveryEngine, startDeliveryEngine } from '../../src/delivery/engine.ts'
import { retryBySchedule } from '../../src/delivery/retry-policy.ts'
import { createEgress, type Egress } from '../../src/egress/egress.ts'
import { pdf } from '../../src/files/samples.fixture.ts'
import { silentLog } from '../../src/log.ts'
import { announceExpiring } from '../../src/sessions/expiring.ts'
import { createSchemaChecker } from '../../src/sessions/schema-checker.ts'
import { startSettling } from '../../src/sessions/settling.ts'
import { parsePattern } from '../../src/tables/event-shape.ts'
import { createWebhookCarrier } from '../../src/webhooks/carrier.ts'
import { announceOperational } from '../../src/webhooks/operational-announce.ts'
import { createWebhook } from '../../src/webhooks/webhooks.ts'
import { type Receiver, startReceiver } from '../ground/receiver.ts'
import { type TestStorage, testStorage } from '../ground/storage.ts'
import { aSession, basic, buildWorld, type World } from '../ground/world.ts'
import { type Ask, readContract } from './contract.ts'

const contract = readContract()
let storage: TestStorage
let world: World
let receiver: Receiver
let egress: Egress
let engine: DeliveryEngine
let editor: string
let viewer: string
/** What the endpoint /sick answers. */
let health = 204

beforeAll(async () => {
  storage = await testStorage()
  world = await buildWorld({
    config: {
      ...storage.config,
      MAX_BODY_BYTES: '60000',
      MAX_FILE_BYTES: '60000',
      INBOUND_MAX_BYTES: '60000',
    } as never,
  })
  receiver = await startReceiver({
    handler: ({ path }, response) => void response.writeHead(path === '/sick' ? health : 204).end(),
  })
  egress = createEgress({ allow: ['127.0.0.0/8'] })
  engine = startDeliveryEngine({
    pool: world.database.pool,
    carriers: [createWebhookCarrier({ pool: world.database.pool, sealer: world.sealer, egress })],
    log: silentLog,
    pollMs: 20,
    failingAfter: 1,
    retryPolicy: retryBySchedule({ delaysMs: [10] }),
  })
  editor = await signIn(world.camden.editor)
  viewer = await signIn(world.camden.viewer)
})
afterAll(async () => {
  await engine?.stop({ waitMs: 0 })
  await egress?.close()
  await receiver?.close()
  await world?.close()
  await storage?.close()
})

async function signIn(variables: { email: string; password: string }): Promise<string> {
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: { email: variables.email, password: variables.password } },
  )
  return `Bearer ${data.sign_in.token}`
}

const consumer = () => basic(world.camden.granted.consumer)
const source = () => basic(world.source)
const ask = (operation: string, given: Ask = {}) => contract.ask(world.url, operation, given)
/** Asks and expects that status; what the contract says of it was checked. */
async function expectStatus(status: number, operation: string, given: Ask = {}) {
  const answer = await ask(operation, given)
  expect(answer.status, answer.text).toBe(status)
  return answer
}

const body = (changes = {}) => aSession(world.camden, changes)
async function submitted(changes = {}): Promise<string> {
  const { id } = await world.submit(body(changes))
  return id
}
async function ended(id: string, column: 'expires_at' | 'revoked_at' = 'expires_at'): Promise<void> {
  await world.database.pool.query(
    `update session_grants set ${column} = now() - interval '1 second' where session_id = $1`,
    [id],
  )
}
function form(content: Buffer = pdf, name = 'plan.pdf'): FormData {
  const fields = new FormData()
  fields.set('team', 'camden')
  fields.set('flow', 'apply')
  fields.set('file', new File([new Uint8Array(content)], name))
  return fields
}
async function uploaded(session: string, name = 'plan.pdf'): Promise<string> {
  const { json } = await expectStatus(201, 'uploadFile', {
    path: { session_id: session },
    authorization: source(),
    body: form(pdf, name),
  })
  return json.id
}
const formBody = (fields: Record<string, string>) => new URLSearchParams(fields)
const wrong = () => basic({ ...world.camden.granted.consumer, secret: 'wrong' })

/** What is asked of each operation; together every answer that can be had without breaking the gateway. */
const cases: Readonly<Record<string, () => Promise<void>>> = {
  async listSessions() {
    await submitted()
    const first = await expectStatus(200, 'listSessions', { authorization: consumer(), query: { limit: '1' } })
    expect(first.json.more).toBe(true)
    const rest = await expectStatus(200, 'listSessions', {
      authorization: consumer(),
      query: { after: first.json.next, team: 'camden', flow: 'apply', kind: 'application,booking' },
    })
    expect(rest.json.more).toBe(false)
    for (const authorization of [editor, viewer]) await expectStatus(200, 'listSessions', { authorization })
    await expectStatus(400, 'listSessions', { authorization: consumer(), query: { after: 'yesterday' } })
    await expectStatus(401, 'listSessions')
    await expectStatus(403, 'listSessions', { authorization: source() })
    await expectStatus(406, 'listSessions', { authorization: consumer(), headers: { accept: 'text/html' } })
  },
  async submitSession() {
    const session = body()
    const taken = await expectStatus(201, 'submitSession', { authorization: source(), body: session })
    expect(taken.headers.get('location')).toBe(`/v1/sessions/${session.id}`)
    await expectStatus(200, 'submitSession', { authorization: source(), body: session })
    await expectStatus(409, 'submitSession', { authorization: source(), body: { ...session, data: { other: true } } })
    await world.database.prisma.flow.create({
      data: { team_id: world.camden.id, slug: 'strict', name: 'Strict', schema_url: 'https://schemas.test/none' },
    })
    const kept = await expectStatus(202, 'submitSession', { authorization: source(), body: body({ flow: 'strict' }) })
    expect(kept.json.problems).not.toHaveLength(0)
    await expectStatus(400, 'submitSession', { authorization: source(), body: { ...session, data: 'text' } })
    await expectStatus(401, 'submitSession', { body: session })
    await expectStatus(403, 'submitSession', { authorization: consumer(), body: session })
    await expectStatus(404, 'submitSession', { authorization: source(), body: body({ team: 'nowhere' }) })
    await expectStatus(406, 'submitSession', { authorization: source(), body: session, headers: { accept: 'a/b' } })
    await expectStatus(413, 'submitSession', {
      authorization: source(),
      body: body({ data: { a: 'x'.repeat(61_000) } }),
    })
    await expectStatus(415, 'submitSession', { authorization: source(), body: 'text' })
    await purge(session.id as string)
    await expectStatus(410, 'submitSession', { authorization: source(), body: session })
  },
  async getSession() {
    const id = await submitted()
    const given = { path: { id }, authorization: consumer() }
    const first = await expectStatus(200, 'getSession', given)
    expect(first.json).toMatchObject({ id, revision: 1, data: (body() as { data: unknown }).data })
    const etag = first.headers.get('etag') as string
    await expectStatus(304, 'getSession', { ...given, headers: { 'if-none-match': etag } })
    await expectStatus(200, 'updateSession', { path: { id }, authorization: source(), body: { data: { a: 1 } } })
    const newer = await expectStatus(200, 'getSession', { ...given, headers: { 'if-none-match': etag } })
    expect(newer.json).toMatchObject({ revision: 2, data: { a: 1 } })
    const earlier = await expectStatus(200, 'getSession', { ...given, query: { revision: '1' } })
    expect(earlier.json).toMatchObject({ session_id: id, revision: 1 })
    expect((await expectStatus(200, 'getSession', { ...given, query: { revision: '2' } })).json.id).toBe(id)
    for (const authorization of [editor, viewer, source()]) {
      const { json } = await expectStatus(200, 'getSession', { path: { id }, authorization })
      expect('data' in json).toBe(authorization === editor)
    }
    await expectStatus(400, 'getSession', { ...given, query: { revision: '0' } })
    await expectStatus(401, 'getSession', { path: { id }, authorization: wrong() })
    await expectStatus(403, 'getSession', { path: { id }, authorization: viewer, query: { revision: '1' } })
    await expectStatus(404, 'getSession', { ...given, query: { revision: '3' } })
    await expectStatus(404, 'getSession', { path: { id: 'no-uuid' }, authorization: consumer() })
    await expectStatus(404, 'getSession', { path: { id }, authorization: basic(world.camden.other.consumer) })
    await expectStatus(406, 'getSession', { ...given, headers: { accept: 'application/xml' } })
    await ended(id)
    expect((await expectStatus(410, 'getSession', given)).json.reason).toBe('expired')
    await ended(id, 'revoked_at')
    expect((await expectStatus(410, 'getSession', given)).json.reason).toBe('revoked')
    await purge(id)
    expect((await expectStatus(410, 'getSession', given)).json.reason).toBe('purged')
    await expectStatus(404, 'getSession', { path: { id }, authorization: basic(world.camden.other.consumer) })
  },
  async headSession() {
    const id = await submitted()
    const given = { path: { id }, authorization: consumer() }
    expect((await expectStatus(200, 'headSession', given)).headers.get('etag')).toBe('"1"')
    await expectStatus(400, 'headSession', { ...given, query: { x: '1' } })
    await expectStatus(401, 'headSession', { path: { id } })
    await expectStatus(404, 'headSession', { path: { id: randomUUID() }, authorization: consumer() })
    await expectStatus(406, 'headSession', { ...given, headers: { accept: 'text/html' } })
    await ended(id)
    await expectStatus(410, 'headSession', given)
  },
  async putSession() {
    const { id, ...session } = body() as { id: string }
    const given = { path: { id }, authorization: source(), body: session }
    expect((await expectStatus(201, 'putSession', given)).json.id).toBe(id)
    await expectStatus(200, 'putSession', given)
    await expectStatus(409, 'putSession', { ...given, body: { ...session, data: {} } })
    await expectStatus(202, 'putSession', {
      ...given,
      path: { id: randomUUID() },
      body: { ...session, flow: 'strict' },
    })
    await expectStatus(400, 'putSession', { ...given, body: { ...session, id: randomUUID() } })
    await expectStatus(401, 'putSession', { ...given, authorization: undefined })
    await expectStatus(403, 'putSession', { ...given, authorization: editor })
    await expectStatus(404, 'putSession', { ...given, path: { id: randomUUID() }, body: { ...session, flow: 'none' } })
    await expectStatus(406, 'putSession', { ...given, headers: { accept: 'text/html' } })
    await expectStatus(413, 'putSession', { ...given, body: { ...session, data: { a: 'x'.repeat(61_000) } } })
    await expectStatus(415, 'putSession', { ...given, headers: { 'content-encoding': 'gzip' } })
    await purge(id)
    await expectStatus(410, 'putSession', given)
  },
  async updateSession() {
    const id = await submitted()
    const given = { path: { id }, authorization: source(), body: { data: { changed: true } } }
    const change = await expectStatus(200, 'updateSession', { ...given, headers: { 'if-match': '"1"' } })
    expect(change.json).toMatchObject({ revision: 2, changed: true })
    expect(change.headers.get('etag')).toBe('"2"')
    const late = await expectStatus(412, 'updateSession', {
      ...given,
      body: { data: { other: 1 } },
      headers: { 'if-match': '"1-gzip"' },
    })
    expect(late.json.revision).toBe(2)
    await expectStatus(400, 'updateSession', { ...given, headers: { 'if-match': 'W/"2"' } })
    await expectStatus(400, 'updateSession', { ...given, body: { team: 'camden' } })
    await expectStatus(401, 'updateSession', { ...given, authorization: undefined })
    await expectStatus(403, 'updateSession', { ...given, authorization: consumer() })
    await expectStatus(404, 'updateSession', { ...given, path: { id: randomUUID() } })
    await expectStatus(406, 'updateSession', { ...given, headers: { accept: 'text/html' } })
    await expectStatus(413, 'updateSession', { ...given, body: { data: { a: 'x'.repeat(61_000) } } })
    await expectStatus(415, 'updateSession', { ...given, headers: { 'content-type': 'text/plain' } })
    await purge(id)
    await expectStatus(410, 'updateSession', given)
  },
  async listFiles() {
    const id = await submitted()
    await uploaded(id)
    const given = { path: { session_id: id }, authorization: consumer() }
    expect((await expectStatus(200, 'listFiles', given)).json.files).toHaveLength(1)
    await expectStatus(400, 'listFiles', { ...given, query: { limit: '1' } })
    await expectStatus(401, 'listFiles', { path: { session_id: id } })
    await expectStatus(404, 'listFiles', { ...given, path: { session_id: randomUUID() } })
    await expectStatus(406, 'listFiles', { ...given, headers: { accept: 'text/html' } })
  },
  async uploadFile() {
    const id = await submitted()
    await uploaded(id)
    const given = { path: { session_id: id }, authorization: source() }
    await expectStatus(400, 'uploadFile', { ...given, body: new FormData() })
    await expectStatus(401, 'uploadFile', { path: { session_id: id }, body: form() })
    await expectStatus(403, 'uploadFile', { ...given, authorization: consumer(), body: form() })
    await expectStatus(404, 'uploadFile', { ...given, path: { session_id: 'none' }, body: form() })
    await expectStatus(406, 'uploadFile', { ...given, body: form(), headers: { accept: 'text/html' } })
    await expectStatus(409, 'uploadFile', { ...given, body: form() })
    await expectStatus(413, 'uploadFile', {
      ...given,
      body: form(Buffer.concat([pdf, Buffer.alloc(70_000)]), 'big.pdf'),
    })
    await expectStatus(415, 'uploadFile', { ...given, body: form(Buffer.from('<html>'), 'page.pdf') })
    await purge(id)
    await expectStatus(410, 'uploadFile', { ...given, body: form(pdf, 'late.pdf') })
  },
  async getFile() {
    const id = await submitted()
    const file = await uploaded(id)
    const given = { path: { session_id: id, file_id: file }, authorization: consumer() }
    const link = await expectStatus(302, 'getFile', given)
    expect(Buffer.from(await (await fetch(link.headers.get('location') as string)).arrayBuffer())).toEqual(pdf)
    await expectStatus(400, 'getFile', { ...given, query: { x: '1' } })
    await expectStatus(401, 'getFile', { ...given, authorization: undefined })
    await expectStatus(403, 'getFile', { ...given, authorization: source() })
    await expectStatus(404, 'getFile', { ...given, path: { session_id: id, file_id: randomUUID() } })
    const set = (status: string) =>
      world.database.pool.query('update session_files set status = $2::file_status where id = $1', [file, status])
    await set('pending')
    await expectStatus(409, 'getFile', given)
    await set('missing')
    await expectStatus(410, 'getFile', given)
  },
  async headFile() {
    const id = await submitted()
    const file = await uploaded(id)
    const given = { path: { session_id: id, file_id: file }, authorization: consumer() }
    expect((await expectStatus(204, 'headFile', given)).headers.get('x-file-size')).toBe(String(pdf.length))
    await expectStatus(400, 'headFile', { ...given, query: { x: '1' } })
    await expectStatus(401, 'headFile', { ...given, authorization: undefined })
    await expectStatus(404, 'headFile', { ...given, path: { session_id: id, file_id: randomUUID() } })
  },
  async listEvents() {
    const { json: before } = await expectStatus(200, 'listEvents', { authorization: consumer() })
    const waiting = ask('listEvents', {
      authorization: consumer(),
      query: { after: before.next, wait: '20', types: 'session.submitted', team: 'camden', flow: 'apply' },
    })
    const id = await submitted()
    const { json } = await waiting
    expect(json.events).toMatchObject([{ type: 'session.submitted', session_id: id }])
    await expectStatus(400, 'listEvents', { authorization: consumer(), query: { types: 'nonsense' } })
    await expectStatus(401, 'listEvents')
    await expectStatus(403, 'listEvents', { authorization: source() })
    await expectStatus(406, 'listEvents', { authorization: consumer(), headers: { accept: 'text/html' } })
  },
  async exportAudit() {
    await expectStatus(200, 'exportAudit', { authorization: editor })
    await expectStatus(200, 'exportAudit', { authorization: editor, query: { format: 'csv', from: '2026-01-01' } })
    await expectStatus(400, 'exportAudit', { authorization: editor, query: { format: 'xml' } })
    await expectStatus(401, 'exportAudit')
    await expectStatus(403, 'exportAudit', { authorization: consumer() })
    await expectStatus(406, 'exportAudit', { authorization: editor, headers: { accept: 'application/json' } })
  },
  async issueToken() {
    const given = { authorization: consumer(), body: formBody({ grant_type: 'client_credentials' }) }
    const { json } = await expectStatus(200, 'issueToken', given)
    await expectStatus(200, 'listSessions', { authorization: `Bearer ${json.access_token}` })
    await expectStatus(400, 'issueToken', { ...given, body: formBody({ grant_type: 'password' }) })
    await expectStatus(401, 'issueToken', { ...given, authorization: wrong() })
    await expectStatus(413, 'issueToken', { ...given, body: formBody({ grant_type: 'x'.repeat(20_000) }) })
  },
  async revokeToken() {
    const authorization = consumer()
    const { json } = await ask('issueToken', { authorization, body: formBody({ grant_type: 'client_credentials' }) })
    await expectStatus(200, 'revokeToken', { authorization, body: formBody({ token: json.access_token }) })
    await expectStatus(401, 'listSessions', { authorization: `Bearer ${json.access_token}` })
    await expectStatus(400, 'revokeToken', { authorization, body: formBody({}) })
    await expectStatus(401, 'revokeToken', { authorization: wrong(), body: formBody({ token: 'x' }) })
    await expectStatus(413, 'revokeToken', { authorization, body: formBody({ token: 'x'.repeat(20_000) }) })
  },
  async sendPayload() {
    const { id, secret } = await hooked('hub/one', 'stored')
    const path = { implementation: 'hub/one', connection_id: id }
    const given = { path, authorization: `Bearer ${secret}`, body: '{"a": 1}' }
    expect((await expectStatus(200, 'sendPayload', given)).json).toEqual({ messageCode: 'OK' })
    await expectStatus(400, 'sendPayload', { ...given, body: '' })
    await expectStatus(401, 'sendPayload', { path, body: '{}' })
    await expectStatus(404, 'sendPayload', { ...given, path: { ...path, implementation: 'hub' } })
    await expectStatus(413, 'sendPayload', { ...given, body: 'x'.repeat(60_001) })
    await expectStatus(415, 'sendPayload', { ...given, headers: { 'content-encoding': 'rot13' } })
    const { pool } = world.database
    await pool.query('update connections set enabled = false where id = $1', [id])
    await expectStatus(409, 'sendPayload', given)
    await pool.query(`update connectors set status = 'withdrawn' where implementation = 'hub/one'`)
    await expectStatus(410, 'sendPayload', given)

    const replying = await hooked('hub/two', 'result')
    const asked = {
      path: { implementation: 'hub/two', connection_id: replying.id },
      authorization: `Bearer ${replying.secret}`,
    }
    const answered = (status: string, message: string | null, isRefused = false) =>
      pool.query(
        `update raw_sources set status = $2::raw_source_status, message = $3, is_refused = $4
          where connection_id = $1 and status = 'received'`,
        [replying.id, status, message, isRefused],
      )
    // In place of a worker.
    const whenStored = async (...answer: Parameters<typeof answered>) => {
      await expect.poll(async () => (await answered(...answer)).rowCount, { timeout: 20_000 }).toBe(1)
    }
    const told = async (status: number, body: string, ...answer: Parameters<typeof answered>) =>
      Promise.all([expectStatus(status, 'sendPayload', { ...asked, body }), whenStored(...answer)])
    await told(200, '{"b": 1}', 'converted', '<thanks/>')
    await told(200, '{"b": 2}', 'discarded', 'Not for us')
    await told(400, '{"b": 3}', 'failed', 'Not from here', true)
    await told(422, '{"b": 4}', 'failed', 'It broke')
    await told(202, '{"b": 5}', 'unmatched', null)
  },
  async sendPayloadToAll() {
    const { secret } = await hooked('hub/all', 'stored')
    const given = { path: { implementation: 'hub/all' }, authorization: `Bearer ${secret}`, body: '{}' }
    await expectStatus(200, 'sendPayloadToAll', given)
    await expectStatus(401, 'sendPayloadToAll', { ...given, authorization: 'Bearer x' })
    await expectStatus(404, 'sendPayloadToAll', { ...given, path: { implementation: 'nobody' } })
    const replying = await hooked('hub/results', 'result')
    const unmatched = () =>
      world.database.pool.query(`update raw_sources set status = 'unmatched' where connection_id = $1`, [replying.id])
    await Promise.all([
      expectStatus(202, 'sendPayloadToAll', {
        path: { implementation: 'hub/results' },
        authorization: `Bearer ${replying.secret}`,
        body: '{}',
      }),
      expect.poll(async () => (await unmatched()).rowCount, { timeout: 20_000 }).toBe(1),
    ])
  },
  async tokenKeys() {
    expect((await expectStatus(200, 'tokenKeys')).json.keys).not.toHaveLength(0)
  },
  async oauthMetadata() {
    await expectStatus(200, 'oauthMetadata')
  },
  async webhookKeys() {
    expect((await expectStatus(200, 'webhookKeys')).json.keys).not.toHaveLength(0)
  },
  async health() {
    await expectStatus(200, 'health')
  },
  async ready() {
    await expectStatus(200, 'ready')
  },
}

/** A connection that is sent payloads, with its secret. No code of its connector is there to run. */
async function hooked(implementation: string, reply: string): Promise<{ id: string; secret: string }> {
  const { prisma, pool } = world.database
  const { id: connector_id } = await prisma.connector.create({
    data: {
      implementation,
      version: '1.0.0',
      name: 'Hub',
      author: 'Example',
      description: 'Example',
      status: 'approved',
      kinds: ['webhook'],
      manifest: { inbound: { reply } },
      bundle: '',
      bundle_sha256: '',
    },
  })
  const { id } = await prisma.connection.create({
    data: { connector_id, integration_id: world.camden.granted.id, team_id: world.camden.id, name: 'Hub' },
  })
  return { id, ...(await rotateInboundSecret({ pool, sealer: world.sealer }, { connection_id: id })) }
}

async function purge(id: string): Promise<void> {
  const { errors } = await world.graphql(
    'mutation ($id: uuid!) { purge_session(id: $id, reason: "asked for") { purged_at } }',
    { variables: { id }, authorization: editor },
  )
  expect(errors).toBeUndefined()
}

describe('the contract', () => {
  test('has a case for every operation, and no case for none', () => {
    expect(Object.keys(cases).sort()).toEqual(contract.operations.map(({ id }) => id).sort())
  })

  test.each(Object.entries(cases))('%s answers as it says', (_, run) => run())

  test('every success that it declares was seen', () => {
    const declared = contract.operations.flatMap(({ id, definition }) =>
      Object.keys(definition.responses)
        .filter((status) => /^[23]\d\d$/.test(status))
        .map((status) => `${id} ${status}`),
    )
    // A scanner that is away is what makes 202 of an upload; test/files.test.ts has one.
    expect(declared.filter((one) => !contract.seen.has(one))).toEqual(['uploadFile 202'])
  })

  test('too many requests are told as it says', async () => {
    const narrow = await buildWorld({ config: { LIMIT_REQUESTS_PER_MINUTE: '1' } })
    try {
      const authorization = basic(narrow.camden.granted.consumer)
      await contract.ask(narrow.url, 'listSessions', { authorization })
      const limited = await contract.ask(narrow.url, 'listSessions', { authorization })
      expect(limited.status).toBe(429)
      expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(limited.headers.get('ratelimit')).toMatch(/"requests";r=0/)
    } finally {
      await narrow.close()
    }
  })

  test('its examples are valid', () => {
    expect(contract.examples.length).toBeGreaterThan(10)
    expect(contract.examples.filter(({ problems }) => problems !== null)).toEqual([])
  })

  test('the judge refuses what is not in it', async () => {
    expect(() => contract.judgeWebhook('session.submitted', { type: 'session.updated' }, {})).toThrow(/does not fit/)
    await expect(contract.ask(receiver.url, 'health')).rejects.toThrow(/204 is not declared/)
  })
})

describe('webhooks', () => {
  const judged = new Set<string>()
  const makeWebhook = async (given: Record<string, unknown>): Promise<string> => {
    const { webhook } = await createWebhook(
      {
        database: world.database,
        sealer: world.sealer,
        rules: { allow: ['127.0.0.0/8'] },
        validatePattern: parsePattern,
      },
      { integration_id: world.camden.granted.id, name: randomUUID(), pattern: {}, config: {}, ...given } as never,
    )
    return webhook.id
  }
  /** The next delivery that fits, held against the contract. */
  const heard = async (type: string, fits: (data: Record<string, unknown>) => boolean = () => true) => {
    const request = await receiver.next(({ path, body: sent }) => {
      if (path !== '/hook') return false
      const { type: said, data } = JSON.parse(sent.toString())
      return said === type && fits(data)
    })
    contract.judgeWebhook(type, JSON.parse(request.body.toString()), request.headers)
    judged.add(type)
  }
  let hook: string

  test('that are really delivered for a session are as it says', async () => {
    hook = await makeWebhook({
      url: `${receiver.url}/hook`,
      pattern: { _not: { config: { _has_key: 'sick' } } },
      config: { office: 'north' },
      events: contract.webhooks.filter((name) => name !== 'webhook.test'),
      signatures: ['v1', 'v1a'],
    })
    const { pool } = world.database
    const id = await submitted()
    const ofSession = (data: Record<string, unknown>) => data.id === id
    await heard('session.submitted', ofSession)
    await ask('updateSession', { path: { id }, authorization: source(), body: { data: { again: true } } })
    await heard('session.updated', ofSession)
    await pool.query(`update session_grants set expires_at = now() + interval '1 day' where session_id = $1`, [id])
    await announceExpiring(pool)
    await heard('session.expiring', ofSession)
    await purge(id)
    await heard('session.purged', ofSession)
  })

  test('that tell how webhooks fare are as it says', async () => {
    await makeWebhook({ url: `${receiver.url}/sick`, pattern: { config: { _has_key: 'sick' } } })
    // As the worker's job does, time and again.
    const told = async (type: string) => {
      const waiting = heard(type)
      await expect
        .poll(
          async () => {
            await announceOperational(world.database.pool)
            return judged.has(type)
          },
          { timeout: 20_000 },
        )
        .toBe(true)
      await waiting
    }
    const sick = (status: number) => {
      health = status
      return submitted({ config: { sick: true } })
    }
    await sick(500)
    await told('webhook.failing')
    await told('delivery.exhausted')
    await sick(204)
    await told('webhook.recovered')
    await sick(410)
    await told('webhook.disabled')
    const { errors } = await world.graphql('mutation ($id: uuid!) { test_webhook(id: $id) { delivery_id } }', {
      variables: { id: hook },
      authorization: editor,
    })
    expect(errors).toBeUndefined()
    await heard('webhook.test')
  })

  test('that tell how connections fare are as it says', async () => {
    const { prisma, pool } = world.database
    const { id: connector_id } = await prisma.connector.create({
      data: {
        implementation: 'example',
        version: '1.0.0',
        name: 'Example',
        author: 'Example',
        description: 'Example',
        manifest: {},
        bundle: '',
        bundle_sha256: '',
      },
    })
    const { id } = await prisma.connection.create({
      data: {
        connector_id,
        integration_id: world.camden.granted.id,
        team_id: world.camden.id,
        name: 'Mail room',
        enabled: false,
      },
    })
    // What the engine writes of a webhook and of a connection is one statement, with another name in it.
    for (const change of ['failing', 'disabled', 'recovered']) {
      await pool.query(
        `insert into operational_events (type, team_id, connection_id, detail)
         select 'connection.' || $1, team_id, $2, detail from operational_events where type = 'webhook.' || $1 limit 1`,
        [change, id],
      )
      await announceOperational(pool)
      await heard(`connection.${change}`)
    }
    await pool.query(
      `insert into raw_sources (connection_id, team_id, unique_id, status, due_at) values ($1, $2, 'a', 'pending', now())`,
      [id, world.camden.id],
    )
    await missPayloads(pool)
    await announceOperational(pool)
    await heard('connection.payload_missing')
    // A real session that two modifiers keep changing in turns.
    await pool.query(`update connectors set kinds = '{modifier}', status = 'approved' where id = $1`, [connector_id])
    const swing = async (name: string) => {
      const { integration_id, team_id } = { integration_id: world.camden.granted.id, team_id: world.camden.id }
      const made = { connector_id, integration_id, team_id, name, pattern: { config: { _has_key: 'swings' } } }
      return (await prisma.connection.create({ data: made })).id
    }
    const [left, right] = [await swing('Left'), await swing('Right')]
    const checker = createSchemaChecker()
    const settling = startSettling({
      ...{ pool, checker, log: silentLog, pollMs: 20, retentionAfterRetrievalDays: 5 },
      modifiers: {
        modify: async ({ modifier }) => ({ data: { at: modifier.name }, again: false, run: undefined }),
        combine: (_, second) => second,
        apply: (extension) => extension,
      },
    })
    try {
      const session = body({ config: { swings: true }, data: { at: 'rest' } })
      const taken = await expectStatus(201, 'submitSession', { authorization: source(), body: session })
      expect(taken.json).toMatchObject({ status: 'settling', event_id: null })
      const modifierLoop = heard('connection.modifier_loop', (data) => data.session_id === session.id)
      await expect.poll(async () => (await announceOperational(pool)).bound, { timeout: 20_000 }).toBeGreaterThan(0)
      await modifierLoop
    } finally {
      await settling.close()
      await checker.close()
      await pool.query('delete from connections where id = any($1::uuid[])', [[left, right]])
    }
  })

  test('are all of them judged', () => {
    expect([...judged].sort()).toEqual([...contract.webhooks].sort())
  })
})
