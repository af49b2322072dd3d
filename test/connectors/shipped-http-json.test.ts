import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { statusesOf } from '../../connectors/http-json/statuses.ts'
import { filled, filledLine, type Template } from '../../connectors/http-json/template.ts'
import { type ShippedGround, shippedGround } from './peers/ground.ts'
import { type JsonOfficePeer, startJsonOffice } from './peers/json-office.ts'

let ground: ShippedGround
beforeAll(async () => {
  ground = await shippedGround()
})
afterAll(() => ground.close())

let office: JsonOfficePeer
beforeEach(async () => {
  office = await startJsonOffice()
  return () => office.close()
})

const connected = (settings: object = {}) =>
  ground.connected('http-json', {
    url: `${office.url}/records`,
    authorization: 'client_credentials',
    auth_name: office.client.id,
    auth_secret: office.client.secret,
    token_url: `${office.url}/token`,
    reference_pointer: '/record/id',
    ...settings,
  })
const data = { passport: { data: { name: 'Ada', rooms: [{ area: 12 }, { area: 9 }] } } }

test('the session goes out as it is, under the delivery’s id', async () => {
  const delivery = await ground.delivery(await connected(), { data })
  const { outcome, run } = await ground.attempt(delivery)
  expect(outcome).toBe('succeeded')
  expect(run?.message).toBe('Reference: R-1')
  expect(office.records).toEqual([{ id: 'R-1', body: data }])
  expect(office.requests.at(-1)?.headers).toMatchObject({
    'idempotency-key': delivery.id,
    'content-type': 'application/json',
  })
  expect(JSON.stringify(run)).not.toContain(office.client.secret)
})

test('address, headers and body are filled in from session, event, config and files', async () => {
  const connection = await connected({
    url: `${office.url}/records/{{/event/team}}/{{/event/flowName}}`,
    method: 'PUT',
    headers: 'X-Office: {{/config/region}}\nX-Title: {{/event/teamName}} \u20ac',
    body: JSON.stringify({
      reference: '{{/event/id}}',
      greeting: 'Hello {{/session/passport/data/name}}',
      rooms: { $each: '{{/session/passport/data/rooms}}', $item: { squareMetres: '{{./area}}' } },
      files: { $each: '{{/files}}', $item: '{{./name}}' },
      missing: '{{/session/nothing}}',
    }),
  })
  const delivery = await ground.delivery(connection, { data, files: { 'plan.pdf': '%PDF' } })
  expect((await ground.attempt(delivery)).run?.message).toBe('Reference: R-1')
  expect(office.records[0]?.body).toEqual({
    reference: delivery.session_id,
    greeting: 'Hello Ada',
    rooms: [{ squareMetres: 12 }, { squareMetres: 9 }],
    files: ['plan.pdf'],
    missing: null,
  })
  const sent = office.requests.at(-1)
  expect([sent?.method, sent?.path]).toEqual(['PUT', '/records/camden/Apply%20for%20%3Cplanning%3E'])
  expect(sent?.headers).toMatchObject({ 'x-office': 'north', 'x-title': 'Camden & Co' })
})

test.each(['lost', 503] as const)('after %s the attempt that follows makes no second record', async (trouble) => {
  const delivery = await ground.delivery(await connected(), { data })
  office.trouble(/records/, trouble)
  expect(await ground.attempt(delivery)).toMatchObject({ outcome: 'failed', final: false })
  expect((await ground.attempt(delivery, 2)).run?.message).toBe('Reference: R-1')
  expect((await ground.attempt(delivery, 3)).run?.message).toBe('Reference: R-1')
  expect(office.records).toHaveLength(1)
})

test('a token that is not taken is replaced once', async () => {
  office.trouble(/records/, 401)
  expect(await ground.attempt(await ground.delivery(await connected(), { data }))).toMatchObject({
    outcome: 'succeeded',
  })
  office.trouble(/records/, 401, 401)
  const refused = await ground.attempt(await ground.delivery(await connected(), { data }))
  expect(refused).toMatchObject({ outcome: 'failed', final: false })
  expect(refused.run?.message).toBe('The endpoint answered 401. Check the credential in the settings.')
})

test('4xx is final unless the settings call it a success; a redirect is not followed', async () => {
  office.trouble(/records/, 409, 409, 302)
  const refused = await ground.attempt(await ground.delivery(await connected(), { data }))
  expect(refused).toMatchObject({ outcome: 'failed', final: true })
  expect(refused.run?.message).toBe('The endpoint answered 409. It is not tried again.')
  const known = await connected({ success: '200-299, 409' })
  expect(await ground.attempt(await ground.delivery(known, { data }))).toMatchObject({ outcome: 'succeeded' })
  const moved = await ground.attempt(await ground.delivery(known, { data }))
  expect(moved).toMatchObject({ outcome: 'failed', final: true })
  expect(moved.run?.message).toMatch(/^The endpoint answered 302, which is not among the statuses of a success/)
})

test('an endpoint that is slow is given up after the time in the settings', async () => {
  office.trouble(/records/, 'hangs')
  const delivery = await ground.delivery(await connected({ timeout_seconds: 1 }), { data })
  const { run, ...report } = await ground.attempt(delivery)
  expect(report).toMatchObject({ outcome: 'failed', final: false })
  expect(run?.calls.at(-1)?.status).toBe('timeout')
})

test.each([
  [{ body: '{"a": {{/session}}}' }, 'Body: it is not JSON.'],
  [{ headers: 'no colon' }, 'Headers: write one on each line'],
  [{ success: 'all' }, 'Statuses: write them like 200-299, 409.'],
  [{ auth_secret: '' }, 'Access: fill in the name and the secret.'],
  [{ token_url: '' }, 'Access: fill in the address for tokens.'],
])('settings that cannot work are told: %j', async (settings, message) => {
  const { run } = await ground.attempt(await ground.delivery(await connected(settings), { data }))
  expect(run?.message).toContain(message)
  expect(office.requests).toEqual([])
})

test.each(['{{/session/url}}', 'https://{{/session/host}}/a', 'https://office.example{{/session/host}}'])(
  'no data chooses the host: %s is not taken',
  async (url) => {
    await expect(connected({ url })).rejects.toThrow('"Address" (url) must name a host')
  },
)

test('what it reaches is the hosts of its two addresses', async () => {
  const other = await startJsonOffice()
  try {
    const connection = await connected({ token_url: `${other.url}/token`, auth_secret: other.client.secret })
    expect(await ground.hosts(connection)).toEqual([new URL(office.url).host, new URL(other.url).host])
    await ground.attempt(await ground.delivery(connection, { data }))
    expect(other.requests.map(({ path }) => path)).toContain('/token')
  } finally {
    await other.close()
  }
  const without = await connected({ authorization: 'none', token_url: '' })
  expect(await ground.hosts(without)).toEqual([new URL(office.url).host])
})

describe('templates', () => {
  const root = { session: { a: { 'x/y': 1, '~': 2 }, list: [true, null], __proto__: null }, text: 'a "b"' }
  test.each<[Template, unknown]>([
    ['{{/session/a/x~1y}}', 1],
    ['{{ /session/a/~0 }}', 2],
    ['{{/session/list/0}}', true],
    ['{{/session/list/1}}', null],
    ['{{/session/constructor}}', null],
    ['{{/text/length}}', null],
    ['is {{/text}} and {{/nothing}}.', 'is a "b" and .'],
    ['{{/session/list}} of {{/session/a}}', '[true,null] of {"x/y":1,"~":2}'],
    [{ $each: '{{/nothing}}', $item: '{{.}}' }, []],
    [
      { $each: '{{/session/list}}', $item: ['{{.}}', '{{/text}}'] },
      [
        [true, 'a "b"'],
        [null, 'a "b"'],
      ],
    ],
    ['{not a place}', '{not a place}'],
    [5, 5],
  ])('%j', (template, expected) => {
    expect(filled(template, root)).toEqual(expected)
  })

  test('what is filled into an address stays inside of its part', () => {
    const url = filledLine('https://a.example/{{/id}}', { id: '../x?y#z/{{/id}}' }, encodeURIComponent)
    expect(url).toBe('https://a.example/..%2Fx%3Fy%23z%2F%7B%7B%2Fid%7D%7D')
  })
})

test('statuses are numbers and ranges', () => {
  const isSuccess = statusesOf('200-299, 409')
  expect([199, 200, 250, 299, 300, 409].map((status) => isSuccess?.(status))).toEqual([
    false,
    true,
    true,
    true,
    false,
    true,
  ])
  expect(['', '2xx', '200-', '99'].map(statusesOf)).toEqual([undefined, undefined, undefined, undefined])
})
