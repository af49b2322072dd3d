import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Receiver, startReceiver } from '../../test/ground/receiver.ts'
import type { ConnectionCarrier } from './carrier.ts'
import { type ConnectorGround, connectorGround, unhurried } from './ground.fixture.ts'
import { installConnector, reviewConnector } from './registry.ts'

let ground: ConnectorGround
let carrier: ConnectionCarrier
let receiver: Receiver
/** What `/gate` waits for. */
let gate = Promise.withResolvers<void>()
beforeAll(async () => {
  ground = await connectorGround({ poolSize: 20 })
  carrier = ground.carrier()
  receiver = await startReceiver({
    async handler({ path }, response) {
      if (path === '/slow') return
      if (path === '/gate') await gate.promise
      response.writeHead(path === '/bad' ? 503 : 201, { 'content-type': 'application/json' }).end('{"id":"at-office"}')
    },
  })
})
afterAll(async () => {
  await ground.close()
  await receiver.close()
})

/** Connects a connector that may call the receiver. */
async function connected(code: string, manifest: object = {}, input: object = {}): Promise<string> {
  const permissions = [{ socket: `127.0.0.1:${receiver.port}` }]
  return ground.connected(await ground.package(code, { permissions, ...manifest }), input)
}

const grantOf = async (session_id: string) => {
  const grant = await ground.database.prisma.sessionGrant.findFirst({ where: { session_id } })
  if (!grant) throw new Error('no grant')
  return grant
}
const auditOf = (session_id: string) =>
  ground.database.prisma.auditEntry.findMany({ where: { session_ids: { has: session_id } }, orderBy: { id: 'asc' } })

test('the smallest connector of the integration patterns runs: session, config, request', async () => {
  const connection = await connected(
    `export default async ({ session, config, request }) => {
       const { statusCode, response } = await request.post(config.url + '/applications?token=1', session)
       return statusCode === 201 && response.id === 'at-office' ? 'success' : 'refused'
     }`,
    {},
    { config: { url: receiver.url } },
  )
  const delivery = await ground.delivery(connection, { data: { passport: { data: { name: 'Ada' } } } })
  expect(await carrier.deliver(delivery, unhurried)).toMatchObject({
    outcome: 'succeeded',
    phases: { total: expect.any(Number) },
  })

  const received = await receiver.next(({ path }) => path.startsWith('/applications'))
  expect(received.method).toBe('POST')
  expect(received.headers['content-type']).toBe('application/json')
  expect(JSON.parse(received.body.toString())).toEqual({ passport: { data: { name: 'Ada' } } })
  const [run] = await ground.runs(delivery)
  expect(run).toMatchObject({ status: 'succeeded', attempt: 1 })
  expect(run?.calls).toEqual([
    { kind: 'request', target: `POST ${receiver.url}/applications`, status: 201, ms: expect.any(Number), bytes: 18 },
  ])
})

test("it is told of the event, the trip, its settings with defaults, and the config: its own over the destination's over the event's", async () => {
  const connection = await connected(
    `export default ({ event, trip, settings, config, state, delivery, log }) => {
       log.info(JSON.stringify({ event, trip, settings, config, state, delivery })); return 'success' }`,
    {
      settings: [
        { key: 'office' },
        { key: 'size', type: 'INT', default: 3 },
        { key: 'unset' },
        { key: 'key', type: 'PASSWORD' },
        { key: 'seen', type: 'INTERNAL' },
      ],
    },
    { settings: { office: 'North', key: 'k' }, config: { channel: 'own' } },
  )
  const delivery = await ground.delivery(connection)
  await carrier.deliver(delivery, unhurried)
  const [run] = await ground.runs(delivery)
  expect(JSON.parse(run?.log[0]?.message ?? '')).toEqual({
    event: {
      id: delivery.session_id,
      type: 'session.submitted',
      kind: 'application',
      team: 'camden',
      teamName: 'Camden & Co',
      flow: 'apply',
      flowName: 'Apply for <planning>',
      paymentID: 'pay-1',
      config: { region: 'north', channel: 'web' },
      schemaUrl: null,
      revision: 1,
      submittedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    },
    trip: null,
    settings: {
      office: 'North',
      size: 3,
      key: 'k',
      'funnel.environment.servercontext': '/be/test',
      'funnel.environment.filestore': `connections/${connection}/`,
      'funnel.environment.isproduction': false,
      'funnel.environment.account-uuid': ground.team.id,
    },
    config: { region: 'north', channel: 'own' },
    state: { seen: null },
    delivery: { id: delivery.id, attempt: 1 },
  })
})

describe('the grant', () => {
  test('a run is a retrieval: audited every time, and the first one starts the short retention', async () => {
    const connection = await connected(`export default () => 'success'`)
    const delivery = await ground.delivery(connection)
    await carrier.deliver(delivery, unhurried)
    const first = await grantOf(delivery.session_id)
    expect(first.first_retrieved_at).toBeInstanceOf(Date)
    expect((first.expires_at.getTime() - (first.first_retrieved_at?.getTime() ?? 0)) / 86_400_000).toBeCloseTo(5, 5)

    await carrier.deliver({ ...delivery, attempt: 2 }, unhurried)
    expect(await grantOf(delivery.session_id)).toEqual(first)
    expect(await auditOf(delivery.session_id)).toMatchObject(
      [1, 2].map((attempt) => ({
        actor_kind: 'connection',
        actor_id: connection,
        integration_id: ground.integration.id,
        team_id: ground.team.id,
        operation: 'retrieve',
        outcome: 'granted',
        detail: { delivery_id: delivery.id, attempt },
      })),
    )
  })

  test.each<[string, (session_id: string) => Promise<unknown>]>([
    ['was never made', async () => undefined],
    [
      'was revoked',
      (session_id) =>
        ground.database.prisma.sessionGrant.updateMany({ where: { session_id }, data: { revoked_at: new Date() } }),
    ],
    [
      'has expired',
      (session_id) =>
        ground.database.prisma.sessionGrant.updateMany({ where: { session_id }, data: { expires_at: new Date(0) } }),
    ],
    [
      'outlived the data',
      (session_id) =>
        ground.database.pool.query('update sessions set data = null, purged_at = now() where id = $1', [session_id]),
    ],
  ])('that %s gives no data, is audited as refused, and is not tried again', async (_case, change) => {
    const connection = await connected(`export default ({ session }) => 'ran with ' + JSON.stringify(session)`)
    const delivery = await ground.delivery(connection, { granted: _case !== 'was never made' })
    await change(delivery.session_id)
    const report = await carrier.deliver(delivery, unhurried)
    expect(report).toMatchObject({ outcome: 'failed', error_class: 'connector', final: true })
    expect(report.error_message).toMatch(/^The integration has no live grant for this session/)
    expect(await auditOf(delivery.session_id)).toMatchObject([{ outcome: 'refused' }])
    expect(await ground.runs(delivery)).toMatchObject([
      { status: 'failed', message: report.error_message, log: [], calls: [] },
    ])
  })

  test('without the approval of the connector there is no data either, but it is tried again', async () => {
    const root = await ground.package(`export default () => 'success'`)
    const connection = await ground.connected(root)
    const { id } = await installConnector({ database: ground.database }, root)
    await reviewConnector({ database: ground.database }, id, 'rejected')
    const delivery = await ground.delivery(connection)
    const report = await carrier.deliver(delivery, unhurried)
    expect(report).toMatchObject({ outcome: 'failed', final: false })
    expect(report.error_message).toMatch(/is rejected\. An admin must approve it before it runs\./)
    expect((await grantOf(delivery.session_id)).first_retrieved_at).toBeNull()
  })

  test('a session that the manifest does not accept is not handed over', async () => {
    const bookings = await connected(`export default () => 'success'`, { accepts: { kinds: ['booking'] } })
    expect(await carrier.deliver(await ground.delivery(bookings), unhurried)).toMatchObject({
      outcome: 'failed',
      final: true,
    })
    expect(await carrier.deliver(await ground.delivery(bookings, { kind: 'booking' }), unhurried)).toMatchObject({
      outcome: 'succeeded',
    })

    const schema = await connected(`export default () => 'success'`, {
      accepts: { schemas: ['https://schemas.example/v1/*'] },
    })
    const delivery = await ground.delivery(schema)
    const withSchema = (schema_url: string) =>
      ground.database.prisma.session.update({ where: { id: delivery.session_id }, data: { schema_url } })
    await withSchema('https://schemas.example/v2/a.json')
    expect(await carrier.deliver(delivery, unhurried)).toMatchObject({ outcome: 'failed', final: true })
    await withSchema('https://schemas.example/v1/a.json')
    expect(await carrier.deliver(delivery, unhurried)).toMatchObject({ outcome: 'succeeded' })
  })
})

describe('a status', () => {
  test.each([
    [`return 'failed'`, 'The connector reported a failure.'],
    [`return 'The office is closed.'`, 'The office is closed.'],
    [`return ''`, 'The connector reported a failure.'],
    [`throw new Error('no luck')`, 'no luck'],
    [
      `return undefined`,
      'The connector returned nothing. It must return "success", "failed", a message in words, or {returnCode, message}.',
    ],
    [`null.x`, "TypeError: Cannot read properties of null (reading 'x')"],
  ])('%s is a failure, to be tried again', async (body, message) => {
    const connection = await connected(`export default () => { ${body} }`)
    const delivery = await ground.delivery(connection)
    expect(await carrier.deliver(delivery, unhurried)).toMatchObject({
      outcome: 'failed',
      error_class: 'connector',
      error_message: message,
      final: false,
    })
    expect(await ground.runs(delivery)).toMatchObject([{ status: 'failed', message }])
  })

  test('a run that takes too long is ended, and its open call with it', async () => {
    const connection = await connected(
      `export default async ({ request, config }) => { await request.get(config.url + '/slow'); return 'success' }`,
      {},
      { config: { url: receiver.url } },
    )
    const delivery = await ground.delivery(connection, { timeout_ms: 400 })
    const report = await carrier.deliver(delivery, unhurried)
    expect(report.outcome).toBe('failed')
    expect(report.error_message).toMatch(/within 4\d\d ms|within \d+ ms/)
  })

  test('a run that the engine ends leaves no row', async () => {
    const connection = await connected(`export default async () => new Promise(() => {})`)
    const delivery = await ground.delivery(connection)
    const engine = new AbortController()
    const report = carrier.deliver(delivery, { signal: engine.signal })
    await expect.poll(async () => (await auditOf(delivery.session_id)).length).toBe(1)
    engine.abort()
    expect(await report).toMatchObject({ outcome: 'failed', error_message: 'The run was stopped.' })
    expect(await ground.runs(delivery)).toEqual([])
  })
})

describe('the network', () => {
  test('only hosts of the manifest can be called, and the connector learns why', async () => {
    const connection = await connected(
      `export default async ({ request, log, config }) => {
         for (const url of ['https://example.org/x?q=1', 'http://127.0.0.1:1/', 'http://localhost:' + new URL(config.url).port, 'file:///etc/passwd', 'nonsense'])
           await request.get(url).catch((error) => log.warn(error.code + ' ' + error.message))
         return 'success' }`,
      {},
      { config: { url: receiver.url } },
    )
    const delivery = await ground.delivery(connection)
    const before = receiver.requests.length
    await carrier.deliver(delivery, unhurried)
    const [run] = await ground.runs(delivery)
    expect(run?.log.map(({ message }) => message.split(' ')[0])).toEqual(Array(5).fill('BLOCKED'))
    expect(run?.log[0]?.message).toMatch(
      /example\.org is not among the hosts that may be called .* Hosts are named under "permissions" in connector\.json\./,
    )
    expect(run?.calls).toMatchObject([
      { target: 'GET https://example.org/x', status: 'blocked' },
      { target: 'GET http://127.0.0.1:1/', status: 'blocked' },
      { status: 'blocked' },
      { status: 'blocked' },
      { target: 'GET an address that cannot be read', status: 'blocked' },
    ])
    expect(receiver.requests).toHaveLength(before)
  })

  test('without the mail permission there is no mail; wrong arguments are named', async () => {
    const connection = await connected(
      `export default async ({ mail, request, log }) => {
         await mail.send({ to: 'a@b.example', subject: 's', text: 't' }).catch((error) => log.warn(error.message))
         await request.send({ url: 'http://x/', methd: 'GET' }).catch((error) => log.warn(error.code + ' ' + error.message))
         return 'success' }`,
    )
    const delivery = await ground.delivery(connection)
    await carrier.deliver(delivery, unhurried)
    const [run] = await ground.runs(delivery)
    expect(run?.log.map(({ message }) => message)).toEqual([
      'This connector may not send mail. Add "mail" to "permissions" in connector.json.',
      expect.stringMatching(/^INVALID request cannot be called like this: .*methd/),
    ])
    expect(ground.mail.messages()).toEqual([])
  })

  test('request.send has methods, headers, bytes and answers of any status', async () => {
    const connection = await connected(
      `export default async ({ request, config, log }) => {
         const a = await request.send({ method: 'PUT', url: config.url + '/bad', headers: { 'x-key': '1' }, body: new Uint8Array([1, 2, 255]) })
         const b = await request.send({ url: config.url + '/b', responseType: 'bytes' })
         const c = await request.send({ url: config.url + '/c', responseType: 'text' })
         log.info(JSON.stringify([a.statusCode, a.headers['content-type'], a.response, [...b.response].length, c.response]))
         return 'success' }`,
      {},
      { config: { url: receiver.url } },
    )
    const delivery = await ground.delivery(connection)
    await carrier.deliver(delivery, unhurried)
    const [run] = await ground.runs(delivery)
    expect(JSON.parse(run?.log[0]?.message ?? '')).toEqual([
      503,
      'application/json',
      { id: 'at-office' },
      18,
      '{"id":"at-office"}',
    ])
    const put = await receiver.next(({ path }) => path === '/bad')
    expect(put).toMatchObject({ method: 'PUT', headers: { 'x-key': '1', 'content-type': 'application/octet-stream' } })
    expect([...put.body]).toEqual([1, 2, 255])
  })
})

test('secrets are taken out of log, message and calls, in every form', async () => {
  const secret = 'pass/word & more'
  const connection = await connected(
    `export default async ({ settings, request, config, log }) => {
       log.info('raw ' + settings.key); log.info('url ' + encodeURIComponent(settings.key)); log.info('basic ' + btoa(settings.key))
       await request.get(config.url + '/' + encodeURIComponent(settings.key))
       return 'broken by ' + settings.key }`,
    { settings: [{ key: 'key', type: 'PASSWORD', mandatory: true }] },
    { settings: { key: secret }, config: { url: receiver.url } },
  )
  const delivery = await ground.delivery(connection)
  expect((await carrier.deliver(delivery, unhurried)).error_message).toBe('broken by [secret]')
  const [run] = await ground.runs(delivery)
  expect(run?.log.map(({ message }) => message.replace(/=+$/, ''))).toEqual([
    'raw [secret]',
    'url [secret]',
    'basic [secret]',
  ])
  expect(run?.calls[0]?.target).toBe(`GET ${receiver.url}/[secret]`)
  const row = await ground.database.prisma.connection.findUniqueOrThrow({ where: { id: connection } })
  expect(JSON.stringify(row.settings)).not.toContain('pass')
  expect(Buffer.from(row.sealed_settings ?? []).toString('latin1')).not.toContain('pass')
})

describe('state', () => {
  const counter = `export default async ({ state, log, request, config }) => {
    state.number = (state.number ?? 0) + 1
    const mine = state.number
    await request.get(config.url + '/counted')
    log.info(String(mine))
    if (config.fail) throw new Error('after counting')
    return 'success' }`
  const settings = [{ key: 'number', type: 'INTERNAL' }]
  const stateOf = async (id: string) =>
    (await ground.database.prisma.connection.findUniqueOrThrow({ where: { id } })).state

  test('a counter over 300 runs at once in two workers has no gap and no repeat', async () => {
    const connection = await connected(counter, { settings }, { config: { url: receiver.url } })
    const delivery = await ground.delivery(connection, { timeout_ms: 60_000 })
    const other = ground.carrier()
    const workers = [carrier, other]
    const reports = await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        workers[index % 2]?.deliver({ ...delivery, attempt: index + 1 }, unhurried),
      ),
    )
    expect(new Set(reports.map((report) => report?.outcome))).toEqual(new Set(['succeeded']))
    const numbers = (await ground.runs(delivery)).map(({ log }) => Number(log[0]?.message))
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1))
    expect(await stateOf(connection)).toEqual({ number: 300 })
    const { rows } = await ground.database.pool.query(
      `select count(*)::int as held from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    )
    expect(rows[0].held).toBe(0)
  })

  test('without state there are no turns: a slow first run holds nobody up', async () => {
    const connection = await connected(
      `export default async ({ delivery, request, config }) => { if (delivery.attempt === 1) await request.get(config.url + '/gate'); return 'success' }`,
      {},
      { config: { url: receiver.url } },
    )
    const delivery = await ground.delivery(connection)
    gate = Promise.withResolvers()
    const slow = carrier.deliver(delivery, unhurried)
    await receiver.next(({ path }) => path === '/gate')
    const others = [2, 3, 4].map((attempt) => carrier.deliver({ ...delivery, attempt }, unhurried))
    expect((await Promise.all(others)).map(({ outcome }) => outcome)).toEqual(Array(3).fill('succeeded'))
    gate.resolve()
    expect((await slow).outcome).toBe('succeeded')
  })

  test('a run that throws saves nothing; one that reports a failure does', async () => {
    const thrown = await connected(counter, { settings }, { config: { url: receiver.url, fail: true } })
    await carrier.deliver(await ground.delivery(thrown), unhurried)
    expect(await stateOf(thrown)).toEqual({})
    const reported = await connected(`export default ({ state }) => { state.number = 7; return 'failed' }`, {
      settings,
    })
    await carrier.deliver(await ground.delivery(reported), unhurried)
    expect(await stateOf(reported)).toEqual({ number: 7 })
  })

  test('only changed keys are written; a key that another hand changed in the meantime is not overwritten', async () => {
    const twoKeys = [
      { key: 'a', type: 'INTERNAL' },
      { key: 'b', type: 'INTERNAL', default: 5 },
    ]
    const code = `export default async ({ state, request, config }) => {
      state.a = (state.a ?? 0) + state.b; await request.get(config.url + '/gate'); return 'success' }`
    const connection = await connected(code, { settings: twoKeys }, { config: { url: receiver.url } })
    const runWhile = async (change: object) => {
      gate = Promise.withResolvers()
      const running = carrier.deliver(await ground.delivery(connection), unhurried)
      await receiver.next(({ path }) => path === '/gate')
      await ground.database.pool.query('update connections set state = state || $2 where id = $1', [connection, change])
      gate.resolve()
      return running
    }
    expect((await runWhile({ b: 9 })).outcome).toBe('succeeded')
    expect(await stateOf(connection)).toEqual({ a: 5, b: 9 })
    expect(await runWhile({ a: 100 })).toMatchObject({
      outcome: 'failed',
      final: false,
      error_message: expect.stringMatching(/changed by another run at the same time/),
    })
    expect(await stateOf(connection)).toEqual({ a: 100, b: 9 })
  })

  test('too much state is a failed run', async () => {
    const connection = await connected(
      `export default ({ state }) => { state.number = 'x'.repeat(70000); return 'success' }`,
      { settings },
    )
    expect((await carrier.deliver(await ground.delivery(connection), unhurried)).error_message).toBe(
      "The connector's state is larger than 65536 bytes.",
    )
    expect(await stateOf(connection)).toEqual({})
  })
})

test('text that Postgres cannot keep does not stop a run from being recorded', async () => {
  const connection = await connected(
    `export default ({ log }) => { log.info('nul \\0 half \\ud800'); return 'broken \\0 \\ud800' }`,
  )
  const delivery = await ground.delivery(connection)
  await carrier.deliver(delivery, unhurried)
  expect(await ground.runs(delivery)).toMatchObject([
    { message: 'broken \ufffd \ufffd', log: [{ message: 'nul \ufffd half \ufffd' }] },
  ])
})

test('a connection that is gone is final', async () => {
  const connection = await connected(`export default () => 'success'`)
  const delivery = await ground.delivery(connection)
  const report = await carrier.deliver({ ...delivery, target_id: randomUUID() }, unhurried)
  expect(report).toMatchObject({ outcome: 'failed', final: true, error_message: 'The connection no longer exists.' })
})
