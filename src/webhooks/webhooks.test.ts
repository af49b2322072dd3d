import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { createSealer } from '../access/seal.ts'
import { type Planted, plantTeam } from '../delivery/deliveries.fixture.ts'
import { SluiceError } from '../errors.ts'
import { createWebhookSecret, openWebhookSecret } from './secrets.ts'
import { checkWebhookUrl } from './url.ts'
import { createWebhook, setWebhookEnabled, updateWebhook, type WebhookParts } from './webhooks.ts'

let ground: TestDatabase
let planted: Planted
let parts: WebhookParts
const sealer = createSealer(randomBytes(32).toString('base64'))

beforeAll(async () => {
  ground = await testDatabase()
  planted = await plantTeam(ground.database.pool)
  parts = {
    database: ground.database,
    sealer,
    rules: { allow: [] },
    validatePattern(pattern) {
      if (JSON.stringify(pattern).includes('_nonsense')) throw new SluiceError('VALIDATION_FAILED', 'no such operator')
    },
  }
})
afterAll(() => ground.close())

const input = (changes: object = {}) => ({
  integration_id: planted.integration_id,
  name: 'BOPS',
  url: 'https://bops.example/hooks',
  ...changes,
})

test('a webhook is made with its defaults, its team, and a secret that is stored sealed', async () => {
  const { webhook, secret } = await createWebhook(parts, input({ pattern: { team: { _eq: 'camden' } } }))
  expect(webhook).toMatchObject({
    team_id: planted.team_id,
    url: 'https://bops.example/hooks',
    config: {},
    pattern: { team: { _eq: 'camden' } },
    enabled: true,
    state: 'active',
    concurrency: 8,
    timeout_ms: 20_000,
    events: ['session.submitted'],
    headers: {},
    sealed_headers: null,
    ordered: false,
    rate_per_second: null,
    signatures: ['v1'],
  })
  const secrets = await ground.database.prisma.webhookSecret.findMany({ where: { webhook_id: webhook.id } })
  expect(secrets.map(({ sealed }) => openWebhookSecret(sealer, sealed))).toEqual([secret])
  expect(Buffer.from(secrets[0]?.sealed ?? []).includes(secret)).toBe(false)
})

test('a secret that the receiver already has can be given', async () => {
  const given = `whsec_${randomBytes(24).toString('base64')}`
  expect((await createWebhook(parts, input({ secret: given }))).secret).toBe(given)
  await expect(createWebhook(parts, input({ secret: 'short' }))).rejects.toThrow('24 to 64')
})

test.each([
  [{ name: ' ' }, /^name: /],
  [{ config: [] }, /^config: /],
  [{ config: { a: 'x'.repeat(9000) } }, /^config: may be 8192 bytes/],
  [{ concurrency: 0 }, /^concurrency: /],
  [{ timeout_ms: 31_000 }, /^timeout_ms: /],
  [{ unknown: 1 }, /unknown/],
  [{ events: [] }, /^events: must name at least one/],
  [{ events: ['session.opened'] }, /^events.0: may hold session.submitted, /],
  [{ events: ['session.updated', 'session.updated'] }, /twice/],
  [{ rate_per_second: 0 }, /^rate_per_second: may be 0.01 to 1000/],
  [{ ordered: 'yes' }, /^ordered: /],
  [{ signatures: [] }, /^signatures: must name v1, v1a or both/],
  [{ signatures: ['v2'] }, /^signatures.0: may hold v1 and v1a/],
  [{ headers: [] }, /^headers: /],
  [{ headers: { Host: 'x' } }, /^headers.Host is set by Sluice/],
  [{ headers: { 'content-length': '1' } }, /is set by Sluice/],
  [{ headers: { 'transfer-encoding': 'chunked' } }, /is set by Sluice/],
  [{ headers: { 'webhook-id': '1' } }, /is set by Sluice/],
  [{ secret_headers: { 'proxy-authorization': 'x' } }, /^secret_headers.proxy-authorization is set by Sluice/],
  [{ headers: { authorization: 'Bearer x' } }, /belongs among the secret headers/],
  [{ headers: { 'a b': 'x' } }, /is not a name/],
  [{ headers: { a: 'x\r\nhost: evil' } }, /printable ASCII/],
  [{ headers: { a: '' } }, /printable ASCII/],
  [{ headers: { a: 1 } }, /printable ASCII/],
  [{ headers: { A: 'x', a: 'y' } }, /twice/],
  [{ headers: { a: 'x'.repeat(4097) } }, /4096/],
  [{ headers: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`h${n}`, 'x'])) }, /20 headers/],
  [{ headers: { a: 'x'.repeat(4000), b: 'x'.repeat(4000), c: 'x'.repeat(4000) } }, /8192 bytes/],
  [{ headers: { a: 'x' }, secret_headers: { A: 'y' } }, /^secret_headers.a is among headers too/],
  [{ pattern: { team: { _nonsense: 1 } } }, /no such operator/],
])('%o is refused', async (changes, message) => {
  await expect(createWebhook(parts, input(changes))).rejects.toMatchObject({
    code: 'VALIDATION_FAILED',
    message: expect.stringMatching(message),
  })
})

test('an unknown integration is said to be unknown', async () => {
  await expect(createWebhook(parts, input({ integration_id: randomUUID() }))).rejects.toMatchObject({
    code: 'NOT_FOUND',
    path: 'integration_id',
  })
})

test('what is left out of a change stays; enabling gives a fresh start', async () => {
  const { webhook } = await createWebhook(parts, input({ config: { a: 1 }, concurrency: 3 }))
  await ground.database.pool.query(
    `update webhooks set state = 'disabled', state_reason = 'x', consecutive_failures = 9 where id = $1`,
    [webhook.id],
  )
  expect(await updateWebhook(parts, webhook.id, { name: 'New' })).toMatchObject({
    name: 'New',
    config: { a: 1 },
    concurrency: 3,
    state: 'disabled',
  })
  expect(await setWebhookEnabled(parts, webhook.id, true)).toMatchObject({
    enabled: true,
    state: 'active',
    state_reason: null,
    consecutive_failures: 0,
  })
  expect(await setWebhookEnabled(parts, webhook.id, false)).toMatchObject({ enabled: false })
  await expect(setWebhookEnabled(parts, randomUUID(), true)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test.each([
  ['enabled, said again', 'enabled = true'],
  ['an upsert', 'enabled = excluded.enabled'],
  ['another URL', `url = 'https://elsewhere.example/'`],
])('%s gives a fresh start; nothing else does', async (how, assignment) => {
  const { webhook } = await createWebhook(parts, input())
  const { pool } = ground.database
  const tired = `state = 'disabled', state_reason = 'x', consecutive_failures = 9, failing_since = now(), disabled_at = now(), probe_at = now()`
  await pool.query(`update webhooks set ${tired} where id = $1`, [webhook.id])
  await pool.query(`update webhooks set name = 'other', url = url where id = $1`, [webhook.id])
  expect((await pool.query('select state from webhooks where id = $1', [webhook.id])).rows).toEqual([
    { state: 'disabled' },
  ])
  await pool.query(
    how === 'an upsert'
      ? `insert into webhooks (id, integration_id, team_id, name, url) select id, integration_id, team_id, name, url
           from webhooks where id = $1 on conflict (id) do update set ${assignment}`
      : `update webhooks set ${assignment} where id = $1`,
    [webhook.id],
  )
  const { rows } = await pool.query(
    'select state, state_reason, consecutive_failures, failing_since, disabled_at, probe_at from webhooks where id = $1',
    [webhook.id],
  )
  expect(rows).toEqual([
    {
      state: 'active',
      state_reason: null,
      consecutive_failures: 0,
      failing_since: null,
      disabled_at: null,
      probe_at: null,
    },
  ])
})

test('a secret can be replaced with overlap, but not without end', async () => {
  const { webhook } = await createWebhook(parts, input())
  const { pool } = ground.database
  const made = []
  for (let n = 0; n < 3; n++) made.push(await createWebhookSecret({ pool, sealer }, { webhook_id: webhook.id }))
  expect(new Set(made).size).toBe(3)
  const live = await ground.database.prisma.webhookSecret.findMany({ where: { webhook_id: webhook.id } })
  expect(live.filter(({ expires_at }) => expires_at === null)).toHaveLength(1)
  await expect(createWebhookSecret({ pool, sealer }, { webhook_id: webhook.id })).rejects.toMatchObject({
    code: 'CONFLICT',
  })
  await expect(createWebhookSecret({ pool, sealer }, { webhook_id: randomUUID() })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
})

describe('the URL of a webhook', () => {
  const names: Record<string, string[]> = {
    'inside.test': ['10.1.2.3'],
    'half.test': ['10.1.2.3', '93.184.215.14'],
    'public.test': ['93.184.215.14'],
  }
  const check = (url: string) =>
    checkWebhookUrl(url, {
      allow: ['10.0.0.0/8'],
      resolve: async (name) => names[name] ?? Promise.reject(new Error('none')),
    })

  test.each([
    ['https://bops.example', 'https://bops.example/'],
    ['  https://BOPS.example:443/a?b=c#d  ', 'https://bops.example/a?b=c'],
    ['https://8.8.8.8/', 'https://8.8.8.8/'],
    ['http://10.9.9.9:8080/x', 'http://10.9.9.9:8080/x'],
    ['http://inside.test/x', 'http://inside.test/x'],
    ['https://nowhere.test/', 'https://nowhere.test/'],
  ])('%s is taken as %s', async (url, normal) => expect(await check(url)).toBe(normal))

  test.each([
    ['bops.example/hooks', 'is not a URL'],
    ['ftp://bops.example/', 'over https, not ftp'],
    ['javascript:alert(1)', 'over https, not javascript'],
    ['https://user:pass@bops.example/', 'user name or password'],
    [`https://bops.example/${'x'.repeat(2100)}`, '2048 characters'],
    ['https://127.0.0.1/', 'not a public address (loopback)'],
    ['https://2130706433/', 'not a public address (loopback)'],
    ['https://[::ffff:169.254.169.254]/', 'metadata service of a cloud'],
    ['http://bops.example/', 'must be called over https'],
    ['http://8.8.8.8/', 'must be called over https'],
    ['http://half.test/', 'must be called over https'],
    ['http://public.test/', 'must be called over https'],
  ])('%s is refused: %s', async (url, message) => {
    await expect(check(url)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      path: 'url',
      message: expect.stringContaining(message),
    })
  })
})
