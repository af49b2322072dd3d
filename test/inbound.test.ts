/** Payloads that third parties send to connections: through a whole gateway, converted by a whole worker. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installConnector, reviewConnector } from '../src/connectors/registry.ts'
import { missPayloads } from '../src/connectors/two-phase-jobs.ts'
import { createFileStore } from '../src/files/store.ts'
import { silentLog } from '../src/log.ts'
import { startWorkerParts, type Worker } from '../src/worker/worker.ts'
import { aSession, buildWorld, type TeamWorld, type World } from './ground/world.ts'

let world: World
let worker: Worker
let folder: string
let versions = 0
const tokens = new Map<string, string>()

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-inbound-'))
  world = await buildWorld({ config: { INBOUND_MAX_BYTES: '20000', INBOUND_REPLY_SECONDS: '20' } })
  const { config, database, sealer } = world
  worker = await startWorkerParts({
    config,
    database,
    sealer,
    files: createFileStore(config),
    log: silentLog,
    schedules: [],
  })
  for (const who of [world.admin, world.camden.editor, world.camden.viewer, world.lambeth.editor]) {
    const { data } = await world.graphql<{ sign_in: { token: string } }>(
      'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
      { variables: { email: who.email, password: who.password } },
    )
    tokens.set(who.email, `Bearer ${data.sign_in.token}`)
  }
})
afterAll(async () => {
  await worker?.close()
  await world?.close()
  await rm(folder, { recursive: true, force: true })
})

const as = (who: { readonly email: string }) => tokens.get(who.email) as string
const pool = () => world.database.pool

const code = `
const text = (source) => new TextDecoder().decode(source)
export default {
  validatePayload(source, headers) {
    if (text(source).includes('refuse')) throw new Error('This payload is refused.')
    if (headers['x-vendor'] === 'needed' && headers.authorization !== 'Bearer vendor') throw new Error('Not from the vendor.')
  },
  convertRawSource(source) {
    const { key, answer, fail, discard, id, ...data } = JSON.parse(text(source))
    if (fail) throw new Error('It broke on this payload.')
    if (discard) return { discard: true, message: answer }
    return { session: { data, ...(id ? { id } : {}) }, key, message: answer }
  },
}`

interface Installed {
  readonly implementation?: string
  readonly inbound?: object
  readonly kinds?: readonly string[]
  readonly code?: string
  readonly settings?: readonly object[]
}

async function installed({
  implementation = '@example/hub',
  inbound,
  kinds = ['webhook'],
  settings = [],
  ...more
}: Installed = {}) {
  const root = path.join(folder, String(++versions))
  await mkdir(root)
  const manifest = {
    implementation,
    name: 'Hub',
    author: 'Example',
    version: `1.0.${versions}`,
    description: 'Takes payloads.',
    privacyPolicyUrl: 'https://example.org/privacy',
    kinds,
    settings,
    ...(inbound ? { inbound } : {}),
  }
  await writeFile(path.join(root, 'connector.json'), JSON.stringify(manifest))
  await writeFile(path.join(root, 'index.ts'), more.code ?? code)
  const { id } = await installConnector({ database: world.database }, root)
  await reviewConnector({ database: world.database }, id, 'approved')
  return id
}

async function connected(connector_id: string, team: TeamWorld = world.camden, changes: object = {}): Promise<string> {
  const { id } = await world.database.prisma.connection.create({
    data: {
      connector_id,
      integration_id: team.granted.id,
      team_id: team.id,
      flow_id: team.flow.id,
      name: 'Hub',
      ...changes,
    },
  })
  return id
}

async function rotated(connection: string, overlap: number | null = null, who = world.camden.editor): Promise<string> {
  const { data, errors } = await world.graphql<{ rotate_inbound_secret: { secret: string } }>(
    'mutation ($id: uuid!, $overlap: Int) { rotate_inbound_secret(connection_id: $id, overlap_seconds: $overlap) { secret } }',
    { variables: { id: connection, overlap }, authorization: as(who) },
  )
  if (errors) throw new Error(errors[0]?.message)
  return data.rotate_inbound_secret.secret
}

const addressOf = (connection: string, implementation = '@example/hub') =>
  `${world.url}/hooks/${encodeURIComponent(implementation)}/${connection}`
const send = (address: string, body: string | Buffer, headers: Record<string, string> = {}) =>
  fetch(address, { method: 'POST', body: body as BodyInit, headers })
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })

interface Source {
  readonly id: string
  readonly status: string
  readonly message: string | null
  readonly session_id: string | null
  readonly headers: Record<string, string> | null
  readonly sealed_headers: Buffer | null
  readonly content: Buffer | null
  readonly repeats: number
  readonly is_refused: boolean
}
async function sourcesOf(connection: string): Promise<Source[]> {
  const { rows } = await pool().query<Source>('select * from raw_sources where connection_id = $1 order by position', [
    connection,
  ])
  return rows
}
async function until(connection: string, fits: (sources: readonly Source[]) => boolean): Promise<readonly Source[]> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const sources = await sourcesOf(connection)
    if (fits(sources)) return sources
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(sources)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
const settled = (sources: readonly Source[]) =>
  sources.length > 0 && sources.every(({ status }) => status !== 'received')

test('a signed payload is stored, answered and converted; a replay of it is recognised', async () => {
  const connection = await connected(await installed())
  const secret = await rotated(connection)
  const body = '{"key": "B-1", "name": "Ada"}'
  const at = new Date()
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign('msg_1', at, body),
  }
  const answer = await send(addressOf(connection), body, headers)
  expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
    200,
    'application/json; charset=utf-8',
    '{"messageCode":"OK"}',
  ])
  expect((await send(addressOf(connection), body, headers)).status).toBe(200)
  const [source, ...others] = await until(connection, settled)
  expect(others).toEqual([])
  expect(source).toMatchObject({ status: 'converted', repeats: 1, mime: 'application/json' })
  const session = await world.database.prisma.session.findUniqueOrThrow({ where: { id: source?.session_id as string } })
  expect(session.data).toEqual({ name: 'Ada' })
  const { rows } = await pool().query(
    `select actor_kind, actor_id, team_id, outcome from audit_entries where operation = 'receive_payload' and actor_id = $1`,
    [connection],
  )
  expect(rows).toEqual(
    Array.from({ length: 2 }, () => ({
      actor_kind: 'connection',
      actor_id: connection,
      team_id: world.camden.id,
      outcome: 'granted',
    })),
  )
})

describe('a connection of the platform', () => {
  /** Two-phase, made by an administrator as one would. */
  async function ofThePlatform(implementation: string, flow_id: string | null): Promise<string> {
    const connector = await installed({
      implementation,
      kinds: ['two-phase-producer'],
      inbound: { authentication: 'secret', reply: 'result' },
      code: `
const read = (source) => JSON.parse(new TextDecoder().decode(source))
export default {
  getRawSources: () => ['P-1', 'P-2'],
  getExternalId: (source) => read(source).id,
  convertRawSource: (source) => ({ session: { data: read(source) }, message: 'converted' }),
}`,
    })
    const slug = implementation.replace(/\W+/g, '-')
    const { id } = await world.database.prisma.integration.create({ data: { slug, name: 'Export of all' } })
    const { data, errors } = await world.graphql<{ connect: { id: string } }>(
      'mutation ($object: connect_input!) { connect(object: $object) { id } }',
      {
        variables: { object: { integration_id: id, connector_id: connector, name: 'Export', flow_id } },
        authorization: as(world.admin),
      },
    )
    if (errors) throw new Error(errors[0]?.message)
    return data.connect.id
  }

  test('is two-phase for the team of its flow: waited for, taken, converted, seen there and missed by administrators', async () => {
    const connection = await ofThePlatform('org.example.exports', world.lambeth.flow.id)
    const run = await world.graphql('mutation ($id: uuid!) { run_connection(id: $id) { id } }', {
      variables: { id: connection },
      authorization: as(world.admin),
    })
    expect(run.errors).toBeUndefined()
    await until(connection, (sources) => sources.length === 2)
    const secret = await rotated(connection, null, world.admin)
    const answer = await send(
      addressOf(connection, 'org.example.exports'),
      '{"id": "P-1", "name": "Ada"}',
      bearer(secret),
    )
    expect([answer.status, await answer.text()]).toEqual([200, 'converted'])
    const [taken] = (await sourcesOf(connection)).filter(({ status }) => status === 'converted')
    const seen = async (who: { readonly email: string }) => {
      const { data } = await world.graphql(
        'query ($id: uuid!) { raw_sources(where: { connection_id: { _eq: $id } }, order_by: { status: asc }) { status session { data } } }',
        { variables: { id: connection }, authorization: as(who) },
      )
      return data.raw_sources
    }
    expect(await seen(world.camden.editor)).toEqual([])
    expect(await seen(world.lambeth.editor)).toEqual([
      { status: 'pending', session: null },
      { status: 'converted', session: { data: { id: 'P-1', name: 'Ada' } } },
    ])
    const { rows } = await pool().query(
      `select team_id from audit_entries where operation = 'receive_payload' and detail -> 'ids' ->> 'raw_source_id' = $1`,
      [taken?.id],
    )
    expect(rows).toEqual([{ team_id: world.lambeth.id }])

    await pool().query(`update raw_sources set due_at = now() where connection_id = $1 and status = 'pending'`, [
      connection,
    ])
    await missPayloads(pool())
    const { rows: told } = await pool().query(
      `select type, team_id, detail ->> 'missing' as missing from operational_events where connection_id = $1`,
      [connection],
    )
    expect(told).toEqual([{ type: 'connection.payload_missing', team_id: null, missing: '1' }])
  })

  test('that has no flow takes no payload, and says who is to mend that', async () => {
    const connection = await ofThePlatform('org.example.nowhere', null)
    const secret = await rotated(connection, null, world.admin)
    const answer = await send(addressOf(connection, 'org.example.nowhere'), '{"id": "P-1"}', bearer(secret))
    expect(answer.status).toBe(409)
    expect(await answer.text()).toMatch(/An administrator is to set its flow_id/)
    expect(await sourcesOf(connection)).toEqual([])
  })
})

test('two secrets are taken while one takes over from the other, and none after its end', async () => {
  const connection = await connected(await installed())
  const status = async (secret: string) => (await send(addressOf(connection), '{}', bearer(secret))).status
  const [first, second] = [await rotated(connection), await rotated(connection)]
  expect([await status(first), await status(second)]).toEqual([200, 200])
  const third = await rotated(connection)
  expect([await status(first), await status(second), await status(third)]).toEqual([401, 200, 200])
  const fourth = await rotated(connection, 0)
  expect([await status(third), await status(fourth)]).toEqual([401, 200])
  const { rows } = await pool().query('select sealed from inbound_secrets where connection_id = $1', [connection])
  expect(rows).toHaveLength(1)
  expect(String(rows[0].sealed)).not.toContain(fourth.slice(6, 20))
})

test('editors see where a connection is sent payloads; other teams do not, and nobody sees the secret', async () => {
  const connection = await connected(await installed())
  const ask = (who: { readonly email: string }) =>
    world.graphql<{ inbound_address: Record<string, unknown> }>(
      'query ($id: uuid!) { inbound_address(connection_id: $id) { url global_url authentication reply live_secrets secret_set_at } connections_by_pk(id: $id) { inbound_secret_set_at } }',
      { variables: { id: connection }, authorization: as(who) },
    )
  await rotated(connection)
  const base = world.config.PUBLIC_URL
  expect((await ask(world.camden.viewer)).data).toEqual({
    inbound_address: {
      url: `${base}/hooks/%40example%2Fhub/${connection}`,
      global_url: `${base}/p/publicapi/extension/webhook/glb/%40example%2Fhub`,
      authentication: 'secret',
      reply: 'stored',
      live_secrets: 1,
      secret_set_at: expect.any(String),
    },
    connections_by_pk: { inbound_secret_set_at: expect.any(String) },
  })
  expect((await ask(world.lambeth.editor)).errors?.[0]?.extensions.code).toBe('NOT_FOUND')
  await expect(rotated(connection, null, world.lambeth.editor)).rejects.toThrow(/no connection/)
  await expect(rotated(connection, -1)).rejects.toThrow(/overlap_seconds/)
  const consumer = await connected(
    await installed({
      implementation: 'org.example.consumer',
      kinds: ['consumer'],
      code: 'export default () => "success"',
    }),
  )
  await expect(rotated(consumer)).rejects.toThrow(/takes no payloads/)
})

describe('what is not right is refused before anything is stored', () => {
  let connection: string
  let secret: string
  beforeAll(async () => {
    connection = await connected(await installed())
    secret = await rotated(connection)
  })
  const zeros = '01980000-0000-7000-8000-000000000000'

  test.each<[string, () => Promise<Response>, number, RegExp]>([
    ['no secret', () => send(addressOf(connection), '{}'), 401, /Say who you are/],
    ['a wrong one', () => send(addressOf(connection), '{}', bearer('x')), 401, /not one of this connection/],
    ['an unknown connection', () => send(addressOf(zeros), '{}', bearer(secret)), 404, /no connection at this address/],
    ['another connector', () => send(addressOf(connection, 'org.other'), '{}', bearer(secret)), 404, /no connection/],
    ['half an address', () => send(`${world.url}/hooks/x`, '{}'), 404, /no connection/],
    ['a broken escape', () => send(`${world.url}/hooks/%ff/${zeros}`, '{}'), 404, /no connection/],
    ['GET', () => fetch(addressOf(connection), { headers: bearer(secret) }), 405, /POST/],
    ['nothing', () => send(addressOf(connection), '', bearer(secret)), 400, /empty/],
    ['too much', () => send(addressOf(connection), 'x'.repeat(20_001), bearer(secret)), 413, /20000 bytes/],
    [
      'a bomb',
      () =>
        send(addressOf(connection), gzipSync(Buffer.alloc(5_000_000)), {
          ...bearer(secret),
          'content-encoding': 'gzip',
        }),
      413,
      /20000 bytes/,
    ],
    [
      'half of a packed body',
      () =>
        send(addressOf(connection), gzipSync('{"a": 1}').subarray(0, 12), {
          ...bearer(secret),
          'content-encoding': 'gzip',
        }),
      400,
      /not whole gzip/,
    ],
    [
      'an unknown packing',
      () => send(addressOf(connection), '{}', { ...bearer(secret), 'content-encoding': 'rot13' }),
      415,
      /gzip/,
    ],
  ])('%s', async (_, ask, status, message) => {
    const before = (await sourcesOf(connection)).length
    const answer = await ask()
    const problem = await answer.json()
    expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'application/problem+json'])
    expect(problem.detail).toMatch(message)
    expect(await sourcesOf(connection)).toHaveLength(before)
  })

  test('also a body that goes on and on without saying how long it is', async () => {
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('x'.repeat(8000))),
    })
    const init = { method: 'POST', body: endless, headers: bearer(secret), duplex: 'half' } as RequestInit
    const answer = await fetch(addressOf(connection), init).catch((error) => error)
    // Node's client may see the cut connection before the answer.
    if (answer instanceof Response) expect(answer.status).toBe(413)
    else expect(String(answer.cause ?? answer)).toMatch(/closed|reset|EPIPE|terminated|socket/i)
    expect(await sourcesOf(connection)).toEqual([])
  })

  test('a packed payload is stored unpacked, whatever its type', async () => {
    const answer = await send(addressOf(connection), gzipSync('{"a": "ü"}'), {
      ...bearer(secret),
      'content-encoding': 'gzip',
      'content-type': 'x/y',
    })
    expect(answer.status).toBe(200)
    const [source] = await until(connection, settled)
    expect([String(source?.content), source?.headers?.authorization]).toEqual(['{"a": "ü"}', undefined])
  })

  test('a connection that is off says so, but only to who knows its secret', async () => {
    await pool().query('update connections set enabled = false where id = $1', [connection])
    expect((await send(addressOf(connection), '{}', bearer(secret))).status).toBe(409)
    expect((await send(addressOf(connection), '{}', bearer('x'))).status).toBe(401)
  })

  test('guessing is stopped', async () => {
    const guessed = await connected(await installed())
    await rotated(guessed)
    const statuses = new Set<number>()
    for (let guess = 0; guess < 12; guess++)
      statuses.add((await send(addressOf(guessed), '{}', bearer(`g${guess}`))).status)
    expect([...statuses]).toEqual([401, 429])
  })
})

test('a connection takes so many payloads a minute', async () => {
  const tight = await buildWorld({ config: { LIMIT_INBOUND_PER_MINUTE: '3' } })
  try {
    const { prisma } = tight.database
    const manifest = {
      implementation: 'hub',
      version: '1.0.0',
      kinds: ['webhook'],
      inbound: { authentication: 'connector' },
    }
    const { id: connector_id } = await prisma.connector.create({
      data: {
        ...{ implementation: 'hub', version: '1.0.0', name: 'Hub', author: 'E', description: 'H', status: 'approved' },
        ...{ manifest, bundle: '', bundle_sha256: '', kinds: ['webhook'], functions: ['validatePayload'] },
      },
    })
    const data = { connector_id, integration_id: tight.camden.granted.id, team_id: tight.camden.id, name: 'Hub' }
    const { id } = await prisma.connection.create({ data })
    const answers = []
    for (let nr = 0; nr < 4; nr++) answers.push(await send(`${tight.url}/hooks/hub/${id}`, `{"nr": ${nr}}`))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
    expect(Number(answers[3]?.headers.get('retry-after'))).toBeGreaterThan(0)
  } finally {
    await tight.close()
  }
})

describe('a connector that checks who sends', () => {
  test('gets the vendor’s headers, which nobody else can read; what it refuses is not kept', async () => {
    const connection = await connected(await installed({ inbound: { authentication: 'connector' } }))
    const address = addressOf(connection)
    expect((await send(address, '{"key": "1"}', { 'x-vendor': 'needed', authorization: 'Bearer vendor' })).status).toBe(
      200,
    )
    expect((await send(address, '{"key": "2"}', { 'x-vendor': 'needed', authorization: 'Bearer guess' })).status).toBe(
      200,
    )
    const [right, wrong] = await until(connection, (sources) => sources.length === 2 && settled(sources))
    expect(right).toMatchObject({ status: 'converted', sealed_headers: null })
    expect(right?.headers).not.toHaveProperty('authorization')
    expect(wrong).toMatchObject({ status: 'discarded', is_refused: true, content: null, sealed_headers: null })
    expect(wrong?.message).toMatch(/Not from the vendor/)
  })

  test('must have the function that checks', async () => {
    const bare = { inbound: { authentication: 'connector' }, code: 'export default { convertRawSource: () => null }' }
    await expect(installed(bare)).rejects.toThrow(/no validatePayload/)
  })
})

test.each<[string, string, number, string, string | RegExp]>([
  ['JSON', '{"key": "r1", "answer": "{\\"number\\": 7}"}', 200, 'application/json', '{"number": 7}'],
  ['XML', '{"key": "r2", "answer": "<ok/>"}', 200, 'application/xml', '<ok/>'],
  ['text', '{"key": "r3", "answer": "Thanks"}', 200, 'text/plain', 'Thanks'],
  ['nothing to say', '{"key": "r4"}', 200, 'application/json', '{"messageCode":"OK"}'],
  ['a discarded payload', '{"discard": true, "answer": "Not for us"}', 200, 'text/plain', 'Not for us'],
  ['a refused payload', '{"refuse": true}', 400, 'application/problem+json', /This payload is refused/],
  ['a payload that cannot be converted', '{"fail": true}', 422, 'application/problem+json', /is kept/],
])('who is answered with the result gets %s', async (_, body, status, type, text) => {
  const connection = await connected(await replying())
  const answer = await send(addressOf(connection, 'org.example.replies'), body, bearer(await rotated(connection)))
  const said = await answer.text()
  expect([answer.status, answer.headers.get('content-type')?.split(';')[0]]).toEqual([status, type])
  if (typeof text === 'string') expect(said).toBe(text)
  else expect(said).toMatch(text)
})
let replies: Promise<string> | undefined
const replying = () => {
  replies ??= installed({ implementation: 'org.example.replies', inbound: { reply: 'result' } })
  return replies
}

test('who is answered with the result is told that a payload is kept when nobody converts it in time', async () => {
  const slow = await buildWorld({ config: { INBOUND_REPLY_SECONDS: '1' } })
  try {
    const manifest = {
      implementation: 'hub',
      kinds: ['webhook'],
      inbound: { authentication: 'connector', reply: 'result' },
    }
    const { id: connector_id } = await slow.database.prisma.connector.create({
      data: {
        ...{ implementation: 'hub', version: '1.0.0', name: 'Hub', author: 'E', description: 'H', status: 'approved' },
        ...{ manifest, bundle: '', bundle_sha256: '', kinds: ['webhook'] },
      },
    })
    const data = { connector_id, integration_id: slow.camden.granted.id, team_id: slow.camden.id, name: 'Hub' }
    const { id } = await slow.database.prisma.connection.create({ data })
    const answer = await send(`${slow.url}/hooks/hub/${id}`, '{}')
    expect([answer.status, await answer.text()]).toEqual([202, '{"messageCode":"ACCEPTED"}'])
    // Nobody has found out yet who sent them, so no more than these are kept.
    await slow.database.pool.query(
      `insert into raw_sources (connection_id, team_id, origin, content) select $1, $2, 'inbound', 'x' from generate_series(1, 499)`,
      [id, slow.camden.id],
    )
    const full = await send(`${slow.url}/hooks/hub/${id}`, '{}')
    expect([full.status, full.headers.has('retry-after')]).toEqual([503, true])
  } finally {
    await slow.close()
  }
})

describe('the address of all accounts', () => {
  const everywhere = (implementation: string) =>
    `${world.url}/p/publicapi/extension/webhook/glb/${encodeURIComponent(implementation)}`

  test('finds the connection by its secret', async () => {
    const implementation = 'org.example.by-secret'
    const connector = await installed({ implementation })
    const [one, two] = [await connected(connector), await connected(connector, world.lambeth)]
    const secret = await rotated(two, null, world.lambeth.editor)
    await rotated(one)
    expect((await send(everywhere(implementation), '{"a": 1}', bearer(secret))).status).toBe(200)
    expect(await until(two, settled)).toHaveLength(1)
    expect(await sourcesOf(one)).toEqual([])
    expect((await send(everywhere(implementation), '{"a": 1}', bearer('x'))).status).toBe(401)
    expect((await send(everywhere('org.example.nobody'), '{"a": 1}', bearer(secret))).status).toBe(404)
  })

  test('finds it by the account that the payload names', async () => {
    const implementation = 'org.example.by-account'
    const connector = await installed({
      implementation,
      inbound: { authentication: 'connector' },
      settings: [{ key: 'agency', type: 'STRING' }],
      code: code.replace(
        'export default {',
        `export default {
          getAccountMetadata: (source) => ({ settingItemKey: 'agency', settingItemValue: JSON.parse(text(source)).agency }),`,
      ),
    })
    const one = await connected(connector, world.camden, { settings: { agency: 'Zurich-1' } })
    const two = await connected(connector, world.lambeth, { settings: { agency: 'bern-2' } })
    expect((await send(everywhere(implementation), '{"agency": "BERN-2"}')).status).toBe(200)
    expect(await until(two, settled)).toMatchObject([{ status: 'converted' }])
    expect(await sourcesOf(one)).toEqual([])
    const unknown = await send(everywhere(implementation), '{"agency": "Basel"}')
    expect([unknown.status, (await unknown.json()).detail]).toEqual([
      404,
      'No connection is for the account that this payload names.',
    ])
    await connected(connector, world.camden, { settings: { agency: 'Bern-2' } })
    const several = await send(everywhere(implementation), '{"agency": "bern-2"}')
    expect([several.status, await several.text()]).toEqual([409, expect.not.stringMatching(/lambeth|camden/i)])
  })

  test('means the only connection that is on', async () => {
    const implementation = 'org.example.only'
    const connector = await installed({ implementation, inbound: { authentication: 'connector' } })
    await connected(connector, world.lambeth, { enabled: false })
    const one = await connected(connector)
    expect((await send(everywhere(implementation), '{"a": 1}')).status).toBe(200)
    expect(await until(one, settled)).toHaveLength(1)
    await connected(connector, world.lambeth)
    expect((await send(everywhere(implementation), '{"a": 1}')).status).toBe(409)
  })
})

test('a webhook changes a session that its integration has a grant for, and no other', async () => {
  const connection = await connected(await installed())
  const foreign = await connected(await installed(), world.camden, { integration_id: world.camden.other.id })
  const { id } = await world.submit(aSession(world.camden))
  for (const each of [connection, foreign]) {
    const answer = await send(addressOf(each), JSON.stringify({ id, by: each }), bearer(await rotated(each)))
    expect(answer.status).toBe(200)
  }
  expect(await until(connection, settled)).toMatchObject([{ status: 'converted', session_id: id }])
  expect(await until(foreign, settled)).toMatchObject([
    { status: 'failed', message: expect.stringMatching(/has no grant/) },
  ])
  const session = await world.database.prisma.session.findUniqueOrThrow({ where: { id } })
  expect([session.revision, session.data]).toEqual([2, { by: connection }])
})

test('an editor discards what nobody needs, of their own team only', async () => {
  const connection = await connected(await installed())
  await send(addressOf(connection), '{"fail": true}', bearer(await rotated(connection)))
  const [source] = await until(connection, settled)
  expect(source?.status).toBe('failed')
  const discard = (who: { readonly email: string }) =>
    world.graphql<{ discard_raw_sources: unknown }>(
      'mutation ($ids: [uuid!]!) { discard_raw_sources(ids: $ids) { discarded } }',
      { variables: { ids: [source?.id] }, authorization: as(who) },
    )
  expect((await discard(world.lambeth.editor)).errors?.[0]?.extensions.code).toBe('NOT_FOUND')
  expect((await discard(world.camden.editor)).data).toEqual({ discard_raw_sources: { discarded: 1 } })
  expect(await sourcesOf(connection)).toMatchObject([{ status: 'discarded', content: null }])
})
