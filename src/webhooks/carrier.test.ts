import { createPublicKey, randomBytes, verify } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { Webhook as Verifier } from 'standardwebhooks'
import { Webhook as SvixVerifier } from 'svix'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { type ReceivedRequest, type Receiver, startReceiver } from '../../test/ground/receiver.ts'
import { createSealer } from '../access/seal.ts'
import { type Planted, plantDeliveries, plantTeam, until, wakeWorkers } from '../delivery/deliveries.fixture.ts'
import { type DeliveryEngine, type DeliveryEngineOptions, startDeliveryEngine } from '../delivery/engine.ts'
import { retryBySchedule } from '../delivery/retry-policy.ts'
import { createEgress, type Egress } from '../egress/egress.ts'
import { silentLog } from '../log.ts'
import { createWebhookCarrier, retryAfterOf } from './carrier.ts'
import { createWebhookSecret } from './secrets.ts'
import { setWebhookHeaders } from './set-headers.ts'
import { ensureWebhookKey, publicWebhookKeys, rotateWebhookKey } from './signing-keys.ts'
import { createWebhook, type NewWebhook, type WebhookParts } from './webhooks.ts'

let ground: TestDatabase
let planted: Planted
let egress: Egress
let parts: WebhookParts
const sealer = createSealer(randomBytes(32).toString('base64'))
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  ground = await testDatabase()
  planted = await plantTeam(ground.database.pool)
  egress = createEgress({ allow: ['127.0.0.1'] })
  parts = {
    database: ground.database,
    sealer,
    rules: { allow: ['127.0.0.0/8'] },
    validatePattern: (pattern) => pattern,
  }
})
afterAll(async () => {
  await egress.close()
  await ground.close()
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await ground.database.pool.query('delete from webhooks')
})

function engine(options: Partial<DeliveryEngineOptions> = {}): DeliveryEngine {
  const { pool } = ground.database
  const started = startDeliveryEngine({
    pool,
    carriers: [createWebhookCarrier({ pool, sealer, egress })],
    log: silentLog,
    retryPolicy: retryBySchedule({ delaysMs: [10, 10, 10], jitter: 0 }),
    ...options,
  })
  closing.push(() => started.stop({ waitMs: 0 }))
  return started
}

async function receiver(handler?: (request: ReceivedRequest, response: ServerResponse) => void): Promise<Receiver> {
  const started = await startReceiver({ handler })
  closing.push(() => started.close())
  return started
}

async function webhookTo(url: string, changes: Partial<NewWebhook> = {}) {
  const { webhook, secret } = await createWebhook(parts, {
    integration_id: planted.integration_id,
    name: 'hook',
    url,
    config: { office: 'north' },
    timeout_ms: 1000,
    ...changes,
  })
  return { id: webhook.id, integration_id: planted.integration_id, secret }
}

async function plant(targets: readonly { id: string; integration_id: string }[], count?: number) {
  const ids = await plantDeliveries(ground.database.pool, planted, targets, count)
  await wakeWorkers(ground.database.pool)
  return ids
}
const rows = async (table: string, order: string) =>
  (await ground.database.pool.query(`select * from ${table} order by ${order}`)).rows
const finished = () =>
  until(
    () => rows('deliveries', 'id'),
    (all) => all.every((row) => row.finished_at !== null),
  )
const attempts = () => rows('delivery_attempts', 'delivery_id, number')

test('the event arrives signed, verified by the library of the specification, and its attempt holds no secret', async () => {
  const { url, next } = await receiver((_request, response) => {
    response.writeHead(200, { 'x-receiver': 'yes', 'set-cookie': 'a=secret' }).end('thanks')
  })
  const target = await webhookTo(`${url}/hooks?tenant=1`)
  const [id] = await plant([target])
  engine()
  const request = await next()
  const body = request.body.toString()
  expect(new Verifier(target.secret).verify(body, request.headers as Record<string, string>)).toEqual({
    type: 'session.submitted',
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    data: {
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      team: 'camden',
      flow: 'apply',
      paymentID: 'pay_1',
      config: { office: 'north' },
    },
  })
  expect(request).toMatchObject({
    method: 'POST',
    path: '/hooks?tenant=1',
    headers: { 'webhook-id': id, 'content-type': 'application/json' },
  })
  await finished()
  const [attempt] = await attempts()
  expect(attempt).toMatchObject({
    outcome: 'succeeded',
    status_code: 200,
    resolved_address: '127.0.0.1',
    request: {
      method: 'POST',
      url: `${url}/hooks?tenant=1`,
      headers: { 'webhook-id': id, 'webhook-signature': '[masked]' },
    },
    response: { headers: { 'x-receiver': 'yes', 'set-cookie': '[masked]' } },
    response_body: 'thanks',
    phases: { connect: expect.any(Number), first_byte: expect.any(Number), total: expect.any(Number) },
  })
  expect(JSON.stringify(attempt)).not.toContain('v1,')
})

test('after a failure it is sent again under the same id, and each attempt is recorded', async () => {
  let answers = 0
  const { url, requests } = await receiver((_request, response) => {
    response.writeHead(answers++ < 2 ? 500 : 204).end()
  })
  const target = await webhookTo(url)
  const [id] = await plant([target])
  engine()
  await finished()
  expect(requests.map(({ headers }) => headers['webhook-id'])).toEqual([id, id, id])
  for (const { headers, body } of requests) {
    expect(() => new Verifier(target.secret).verify(body.toString(), headers as Record<string, string>)).not.toThrow()
  }
  expect((await attempts()).map((row) => [row.number, row.outcome, row.status_code, row.error_class])).toEqual([
    [1, 'failed', 500, 'http'],
    [2, 'failed', 500, 'http'],
    [3, 'succeeded', 204, null],
  ])
})

test('a receiver that asks to be left alone is left alone', async () => {
  const { url, requests } = await receiver((_request, response) => {
    if (requests.length === 1) response.writeHead(503, { 'retry-after': '1' }).end()
    else response.writeHead(204).end()
  })
  await plant([await webhookTo(url)])
  engine()
  await finished()
  expect(requests).toHaveLength(2)
  expect((requests[1]?.at ?? 0) - (requests[0]?.at ?? 0)).toBeGreaterThanOrEqual(999)
})

test('410 ends the delivery and disables the webhook', async () => {
  const { url, requests } = await receiver((_request, response) => response.writeHead(410).end())
  const target = await webhookTo(url)
  await plant([target])
  engine()
  expect(await finished()).toMatchObject([{ status: 'exhausted', attempt_count: 1 }])
  const [webhook] = await until(
    () => rows('webhooks', 'id'),
    ([row]) => row.state === 'disabled',
  )
  expect(webhook).toMatchObject({ id: target.id, state_reason: expect.stringContaining('410') })
  expect(requests).toHaveLength(1)
})

test('a redirect is a failure, and is not followed', async () => {
  const elsewhere = await receiver()
  const { url } = await receiver((_request, response) => response.writeHead(307, { location: elsewhere.url }).end())
  await plant([await webhookTo(url)])
  engine({ retryPolicy: () => null })
  expect(await finished()).toMatchObject([{ status: 'exhausted', last_error: expect.stringContaining('not followed') }])
  expect(await attempts()).toMatchObject([
    { status_code: 307, error_class: 'http', response: { headers: { location: elsewhere.url } } },
  ])
  expect(elsewhere.requests).toEqual([])
})

test('an address that is not public is blocked, however it got into the table', async () => {
  const target = await webhookTo('http://127.0.0.1:1/')
  await ground.database.pool.query('update webhooks set url = $1', ['https://169.254.169.254/latest/meta-data/'])
  await plant([target])
  engine({ retryPolicy: () => null })
  await finished()
  expect(await attempts()).toMatchObject([
    {
      outcome: 'failed',
      error_class: 'blocked',
      resolved_address: '169.254.169.254',
      status_code: null,
      request: { method: 'POST' },
    },
  ])
})

test('a receiver that answers too late, or too much, is a failure or is cut', async () => {
  const silent = await receiver(() => undefined)
  const chatty = await receiver((_request, response) => response.end('x'.repeat(100_000)))
  const [late, large] = [await webhookTo(silent.url), await webhookTo(chatty.url)]
  await plant([late, large])
  engine({ retryPolicy: () => null })
  await finished()
  const all = await attempts()
  expect(all.find((row) => row.outcome === 'failed')).toMatchObject({
    error_class: 'timeout',
    error_message: '127.0.0.1 did not answer within 1000 ms.',
  })
  expect(all.find((row) => row.outcome === 'succeeded').response_body).toHaveLength(16_384)
})

test('a new secret signs at once, beside the old one', async () => {
  const { url, next } = await receiver()
  const target = await webhookTo(url)
  engine()
  await plant([target])
  await next()
  const secret = await createWebhookSecret({ pool: ground.database.pool, sealer }, { webhook_id: target.id })
  await plant([target])
  const { body, headers } = await next()
  for (const live of [target.secret, secret]) {
    expect(() => new Verifier(live).verify(body.toString(), headers as Record<string, string>)).not.toThrow()
  }
  await createWebhookSecret({ pool: ground.database.pool, sealer }, { webhook_id: target.id, overlapMs: 0 })
  await plant([target])
  const { headers: last } = await next()
  expect(String(last['webhook-signature']).split(' ')).toHaveLength(1)
})

test('v1a signs with the key of the installation, and while it is replaced, with both', async () => {
  await ensureWebhookKey(ground.database, sealer)
  const { url, next } = await receiver()
  const target = await webhookTo(url, { signatures: ['v1', 'v1a'] })
  engine()
  await plant([target])
  const first = await next()
  const [before] = (await publicWebhookKeys(ground.database.pool)).keys
  expect(signaturesOf(first)).toEqual(['v1', 'v1a'])
  expect(verifies(first, before)).toBe(true)
  // The libraries look for v1 and pass the other over.
  for (const library of [new Verifier(target.secret), new SvixVerifier(target.secret)]) {
    const { body, headers } = first
    expect(() => library.verify(body.toString(), headers as Record<string, string>)).not.toThrow()
    expect(() => library.verify('{}', headers as Record<string, string>)).toThrow()
  }

  await rotateWebhookKey(ground.database, sealer, 3600)
  await plant([target])
  const second = await next()
  const { keys } = await publicWebhookKeys(ground.database.pool)
  expect(keys).toHaveLength(2)
  expect(signaturesOf(second)).toEqual(['v1', 'v1a', 'v1a'])
  expect(keys.map((key) => verifies(second, key))).toEqual([true, true])
  expect(verifies({ ...second, body: Buffer.from('{}') }, keys[0])).toBe(false)

  await rotateWebhookKey(ground.database, sealer, 0)
  await plant([target])
  const third = await next()
  const [only, ...more] = (await publicWebhookKeys(ground.database.pool)).keys
  expect(more).toEqual([])
  expect(signaturesOf(third)).toEqual(['v1', 'v1a'])
  expect([verifies(third, only), verifies(third, before)]).toEqual([true, false])
})

test('v1a alone needs no secret', async () => {
  await ensureWebhookKey(ground.database, sealer)
  const { url, next } = await receiver()
  engine()
  await plant([await webhookTo(url, { signatures: ['v1a'] })])
  expect(signaturesOf(await next())).toEqual(['v1a'])
})

test("an editor's headers are sent; the secret ones are in no row that anybody reads", async () => {
  const { url, next } = await receiver()
  const target = await webhookTo(url, {
    headers: { 'X-Office': 'north', 'user-agent': 'Camden/1' },
    secret_headers: { authorization: 'Bearer very-secret' },
  })
  engine()
  await plant([target])
  expect((await next()).headers).toMatchObject({
    'x-office': 'north',
    'user-agent': 'Camden/1',
    authorization: 'Bearer very-secret',
    'content-type': 'application/json',
  })
  await setWebhookHeaders(ground.database, sealer, {
    id: target.id,
    headers: null,
    secret_headers: { 'x-token': 'other-secret' },
  })
  await plant([target])
  const { headers } = await next()
  expect(headers).toMatchObject({ 'x-office': 'north', 'x-token': 'other-secret' })
  expect(headers).not.toHaveProperty('authorization')
  await finished()
  expect((await attempts()).map(({ request }) => request.headers)).toEqual([
    expect.objectContaining({ 'x-office': 'north', authorization: '[masked]' }),
    expect.objectContaining({ 'x-office': 'north', 'x-token': '[masked]' }),
  ])
  const everything = JSON.stringify([await rows('webhooks', 'id'), await rows('deliveries', 'id'), await attempts()])
  expect(everything).not.toMatch(/very-secret|other-secret/)
})

test("what a team reads of a delivery names no address of a platform's receiver", async () => {
  const target = await webhookTo('http://127.0.0.1:9/')
  const { pool } = ground.database
  await pool.query('update webhooks set team_id = null where id = $1', [target.id])
  await plant([target])
  engine({ retryPolicy: () => null })
  const [delivery] = await finished()
  expect(delivery.last_error).toMatch(/receiver/)
  expect(delivery.last_error).not.toMatch(/127\.0\.0\.1/)
  expect(await attempts()).toMatchObject([{ resolved_address: '127.0.0.1' }])
})

test('Retry-After is read as seconds or as a date, and ignored otherwise', () => {
  const now = new Date('2026-11-21T10:00:00Z')
  expect(retryAfterOf('120', now)).toBe(120_000)
  expect(retryAfterOf('Sat, 21 Nov 2026 10:01:00 GMT', now)).toBe(60_000)
  for (const header of [undefined, '', '0', '-5', 'soon', 'Sat, 21 Nov 2026 09:00:00 GMT']) {
    expect(retryAfterOf(header, now)).toBeUndefined()
  }
})

function signaturesOf({ headers }: ReceivedRequest): string[] {
  return String(headers['webhook-signature'])
    .split(' ')
    .map((signature) => signature.split(',')[0] as string)
}

/** As a receiver does it that has the public key. */
function verifies({ headers, body }: ReceivedRequest, key: { readonly x: string } | undefined): boolean {
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key?.x ?? '' }, format: 'jwk' })
  const content = Buffer.concat([Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`), body])
  return String(headers['webhook-signature'])
    .split(' ')
    .filter((each) => each.startsWith('v1a,'))
    .some((each) => verify(null, content, publicKey, Buffer.from(each.slice(4), 'base64')))
}
