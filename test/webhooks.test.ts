/** Webhooks, destinations and integrations of the platform, as editors, admins and consumers meet them. */
import { randomUUID } from 'node:crypto'
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { createCredential } from '../src/access/credentials.ts'
import { aSession, basic, buildWorld, type GraphQLAnswer, type World } from './ground/world.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers are checked by the expectations.
type Any = any
type Who = 'admin' | 'editor' | 'stranger' | 'viewer'

let world: World
const tokens = new Map<Who, string>()

beforeAll(async () => {
  world = await buildWorld()
  const people = {
    admin: world.admin,
    editor: world.camden.editor,
    stranger: world.lambeth.editor,
    viewer: world.camden.viewer,
  }
  for (const [who, { email, password }] of Object.entries(people)) {
    const { data } = await world.graphql<Any>(
      'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
      { variables: { email, password } },
    )
    tokens.set(who as Who, `Bearer ${data.sign_in.token}`)
  }
})
afterAll(() => world.close())

function send(who: Who | { key: string; secret: string }, query: string, variables = {}): Promise<GraphQLAnswer<Any>> {
  const authorization = typeof who === 'string' ? tokens.get(who) : basic(who)
  return world.graphql<Any>(query, { variables, authorization })
}
async function run(who: Who | { key: string; secret: string }, query: string, variables = {}): Promise<Any> {
  const { data, errors } = await send(who, query, variables)
  expect(errors).toBeUndefined()
  return data
}
async function refuse(who: Who, query: string, variables = {}): Promise<Any> {
  const { errors } = await send(who, query, variables)
  return { message: errors?.[0]?.message, ...errors?.[0]?.extensions }
}

const create = 'mutation ($object: create_webhook_input!) { create_webhook(object: $object) { id secret } }'
const makeDestination = `mutation ($flow: uuid!, $integration: uuid!, $config: jsonb) {
  insert_destinations_one(object: { flow_id: $flow, integration_id: $integration, config: $config }) { id config }
}`
const aWebhook = async (changes = {}, who: Who = 'editor'): Promise<string> => {
  const object = {
    integration_id: world.camden.granted.id,
    name: randomUUID(),
    url: 'https://hooks.example/',
    ...changes,
  }
  return (await run(who, create, { object })).create_webhook.id
}

describe('configuration', () => {
  it('an editor sets everything of a webhook through tables, and sees it again', async () => {
    const set = {
      events: ['session.submitted', 'session.updated'],
      headers: { 'X-Office': 'north' },
      ordered: true,
      rate_per_second: 2.5,
      signatures: ['v1', 'v1a'],
    }
    const id = await aWebhook()
    const { update_webhooks_by_pk: seen } = await run(
      'editor',
      `mutation ($id: uuid!, $set: webhooks_set_input!) {
        update_webhooks_by_pk(pk_columns: { id: $id }, _set: $set) { events headers ordered rate_per_second signatures }
      }`,
      { id, set },
    )
    expect(seen).toEqual({ ...set, headers: { 'x-office': 'north' } })
  })

  it.each([
    [{ events: ['nonsense'] }, /may hold session.submitted/],
    [{ headers: { host: 'x' } }, /is set by Sluice/],
    [{ headers: { authorization: 'x' } }, /secret headers/],
    [{ rate_per_second: -1 }, /0.01 to 1000/],
    [{ signatures: ['v9'] }, /v1 and v1a/],
  ])('%o is refused', async (set, message) => {
    const id = await aWebhook()
    const refused = await refuse(
      'editor',
      'mutation ($id: uuid!, $set: webhooks_set_input!) { update_webhooks_by_pk(pk_columns: { id: $id }, _set: $set) { id } }',
      { id, set },
    )
    expect(refused).toMatchObject({ code: 'VALIDATION_FAILED', message: expect.stringMatching(message) })
  })

  it('what PostgreSQL cannot store is refused by actions as it is by tables', async () => {
    const object = { integration_id: world.camden.granted.id, name: 'a\0b', url: 'https://office.example/hook' }
    const create = 'mutation ($object: create_webhook_input!) { create_webhook(object: $object) { id } }'
    expect(await refuse('editor', create, { object })).toMatchObject({
      code: 'VALIDATION_FAILED',
      message: expect.stringContaining('U+0000'),
    })
  })

  it('secret headers are set and never shown; another team has no such webhook', async () => {
    const id = await aWebhook()
    const set = `mutation ($id: uuid!, $headers: jsonb, $secret: jsonb) {
      set_webhook_headers(id: $id, headers: $headers, secret_headers: $secret) { headers secret_header_names }
    }`
    const both = { id, headers: { a: '1' }, secret: { Authorization: 'Bearer hidden' } }
    expect(await run('editor', set, both)).toEqual({
      set_webhook_headers: { headers: { a: '1' }, secret_header_names: ['authorization'] },
    })
    expect(await run('editor', set, { id, headers: { b: '2' } })).toEqual({
      set_webhook_headers: { headers: { b: '2' }, secret_header_names: ['authorization'] },
    })
    expect(await refuse('editor', set, { id, headers: { authorization: 'x' } })).toMatchObject({
      code: 'VALIDATION_FAILED',
    })
    expect(await refuse('stranger', set, both)).toMatchObject({ code: 'NOT_FOUND' })
    const { __type } = await run('admin', '{ __type(name: "webhooks") { fields { name } } }')
    expect(__type.fields.map(({ name }: Any) => name)).not.toContain('sealed_headers')
  })

  it('enabling again gives a fresh start, also by an upsert of many', async () => {
    const id = await aWebhook()
    await world.database.pool.query(`update webhooks set state = 'disabled', consecutive_failures = 7 where id = $1`, [
      id,
    ])
    const { update_webhooks_by_pk: seen } = await run(
      'editor',
      'mutation ($id: uuid!) { update_webhooks_by_pk(pk_columns: { id: $id }, _set: { enabled: true }) { state consecutive_failures } }',
      { id },
    )
    expect(seen).toEqual({ state: 'active', consecutive_failures: 0 })
  })

  it('the public keys are there for anybody', async () => {
    const response = await fetch(`${world.url}/.well-known/webhook-keys.json`)
    expect(await response.json()).toEqual({
      keys: [
        {
          kty: 'OKP',
          crv: 'Ed25519',
          alg: 'EdDSA',
          use: 'sig',
          x: expect.stringMatching(/^[\w-]{43}$/),
          kid: expect.stringMatching(/^[\w-]{43}$/),
          whpk: expect.stringMatching(/^whpk_[\w+/]{43}=$/),
        },
      ],
    })
    const rotate = 'mutation { rotate_webhook_key(overlap_seconds: 60) { kid whpk previous_until } }'
    const { rotate_webhook_key: made } = await run('admin', rotate)
    const { keys } = await (await fetch(`${world.url}/.well-known/webhook-keys.json`)).json()
    expect(keys.map(({ kid }: Any) => kid)).toEqual([made.kid, expect.any(String)])
    expect((await send('editor', rotate)).errors?.[0]?.message).toMatch(/Cannot query field/)
  })
})

describe('explain_event', () => {
  const explain = `query ($team: String!, $flow: String!, $type: String, $config: jsonb) {
    explain_event(team: $team, flow: $flow, type: $type, config: $config) {
      id kind name integration is_platform matches reasons { code message } clauses { path operator expected got }
    }
  }`

  it('says for every target whether it matches, and what decided', async () => {
    const ids = {
      all: await aWebhook(),
      north: await aWebhook({ pattern: { config: { _contains: { region: 'north' } } } }),
      off: await aWebhook({ enabled: false, events: ['session.updated'] }),
      elsewhere: await aWebhook({ integration_id: world.camden.other.id }),
    }
    const event = { team: 'camden', flow: 'apply', config: { region: 'south' } }
    const { explain_event: targets } = await run('editor', explain, event)
    const of = (id: string) => targets.find((target: Any) => target.id === id)
    expect(of(ids.all)).toMatchObject({ matches: true, reasons: [], clauses: [], kind: 'webhook' })
    expect(of(ids.north)).toMatchObject({
      matches: false,
      reasons: [{ code: 'pattern_does_not_match' }],
      clauses: [
        { path: 'pattern.config', operator: '_contains', expected: { region: 'north' }, got: { region: 'south' } },
      ],
    })
    expect(of(ids.off).reasons.map(({ code }: Any) => code)).toEqual(['disabled', 'event_not_subscribed'])
    expect(of(ids.elsewhere)).toMatchObject({ matches: false, reasons: [{ code: 'no_destination' }] })

    const { deliveries } = await world.submit(aSession(world.camden, { config: event.config }))
    expect(targets.filter(({ matches }: Any) => matches)).toHaveLength(deliveries)
  })

  it('says of a connection what its connector makes of the event: a modifier sees it before, a producer never', async () => {
    const { prisma } = world.database
    const connected = async (kinds: string[], more: object = {}) => {
      const implementation = `org.example.${kinds.join('-')}${Math.random()}`
      const { id: connector_id } = await prisma.connector.create({
        data: {
          ...{ implementation, version: '1.0.0', name: 'Example', author: 'Example', description: 'Example.' },
          ...{ status: 'approved', kinds, bundle: '', bundle_sha256: '', manifest: { implementation, kinds, ...more } },
        },
      })
      const ids = { integration_id: world.camden.granted.id, team_id: world.camden.id }
      return (await prisma.connection.create({ data: { ...ids, connector_id, name: implementation } })).id
    }
    const ids = {
      both: await connected(['consumer', 'modifier']),
      modifier: await connected(['modifier']),
      picky: await connected(['modifier'], { accepts: { kinds: ['booking'] } }),
      strict: await connected(['modifier'], { accepts: { schemas: ['https://schemas.example/*'] } }),
      producer: await connected(['producer']),
    }
    const asked = `query ($type: String, $kind: String) {
      explain_event(team: "camden", flow: "apply", type: $type, kind: $kind) {
        id matches modifies reasons { code message } }
    }`
    const of = async (variables: object) => {
      const { explain_event: targets } = await run('editor', asked, variables)
      return (id: string) => {
        const { id: _, reasons, ...rest } = targets.find((target: Any) => target.id === id)
        return { ...rest, reasons: reasons.map(({ code }: Any) => code) }
      }
    }
    const submitted = await of({})
    expect(submitted(ids.both)).toEqual({ matches: true, modifies: true, reasons: [] })
    expect(submitted(ids.modifier)).toEqual({ matches: false, modifies: true, reasons: ['no_deliveries'] })
    expect(submitted(ids.picky)).toEqual({ matches: false, modifies: false, reasons: ['no_deliveries'] })
    expect(submitted(ids.strict)).toEqual({ matches: false, modifies: false, reasons: ['no_deliveries'] })
    expect(submitted(ids.producer)).toEqual({ matches: false, modifies: false, reasons: ['no_deliveries'] })
    expect((await of({ kind: 'booking' }))(ids.picky)).toMatchObject({ modifies: true })
    const purged = await of({ type: 'session.purged' })
    expect(purged(ids.modifier)).toMatchObject({ modifies: false, reasons: ['event_not_subscribed', 'no_deliveries'] })
    await prisma.connection.deleteMany({ where: { id: { in: Object.values(ids) } } })
  })

  it('tries a draft before it is stored, in the place of the webhook that it changes', async () => {
    const id = await aWebhook({ pattern: { flow: { _eq: 'nowhere' } } })
    const drafted = `query ($draft: explain_draft_input) {
      explain_event(team: "camden", flow: "apply", draft: $draft) {
        id is_draft name matches reasons { code } clauses { path expected got }
      }
    }`
    const ask = async (draft: object) => (await run('editor', drafted, { draft })).explain_event
    const integration_id = world.camden.granted.id
    const [first, ...others] = await ask({ integration_id, name: 'new', pattern: { kind: { _eq: 'booking' } } })
    expect(first).toEqual({
      id: null,
      is_draft: true,
      name: 'new',
      matches: false,
      reasons: [{ code: 'pattern_does_not_match' }],
      clauses: [{ path: 'pattern.kind', expected: 'booking', got: 'application' }],
    })
    expect(others.every(({ is_draft }: Any) => !is_draft)).toBe(true)

    const changed = await ask({ id, integration_id, pattern: {} })
    expect(changed[0]).toMatchObject({ id, is_draft: true, matches: true })
    expect(changed.filter((target: Any) => target.id === id)).toHaveLength(1)
    expect((await ask({ integration_id: world.camden.other.id }))[0].reasons).toEqual([{ code: 'no_destination' }])

    expect(await refuse('editor', drafted, { draft: { integration_id: world.lambeth.granted.id } })).toMatchObject({
      code: 'NOT_FOUND',
      path: 'draft.integration_id',
    })
    expect(await refuse('editor', drafted, { draft: { integration_id, pattern: { who: {} } } })).toMatchObject({
      code: 'VALIDATION_FAILED',
      path: 'pattern.who',
    })
  })

  it('is for the own team, and says what is wrong with a question', async () => {
    expect(await refuse('stranger', explain, { team: 'camden', flow: 'apply' })).toMatchObject({
      code: 'NOT_FOUND',
      path: 'team',
    })
    expect(await refuse('editor', explain, { team: 'camden', flow: 'x' })).toMatchObject({
      code: 'NOT_FOUND',
      path: 'flow',
    })
    expect(await refuse('editor', explain, { team: 'camden', flow: 'apply', type: 'x' })).toMatchObject({
      code: 'VALIDATION_FAILED',
      path: 'type',
    })
    expect((await send('viewer', explain, { team: 'camden', flow: 'apply' })).errors?.[0]?.message).toMatch(
      /Cannot query/,
    )
  })
})

describe('import and export', () => {
  const importing = `mutation ($team: uuid!, $format: String, $document: String!, $dry: Boolean!, $skip: Boolean) {
    import_webhooks(team_id: $team, format: $format, document: $document, dry_run: $dry, skip_errors: $skip) {
      written created updated unchanged errors lines { line integration name outcome column message secret }
    }
  }`
  const exporting = 'query ($team: uuid!, $format: String) { export_webhooks(team_id: $team, format: $format) }'
  const exported = async (format: string): Promise<string> =>
    (await run('stranger', exporting, { team: world.lambeth.id, format })).export_webhooks
  const take = async (document: string, format: string, { dry = false, skip = false } = {}): Promise<Any> =>
    (await run('stranger', importing, { team: world.lambeth.id, format, document, dry, skip })).import_webhooks
  const count = () => world.database.prisma.webhook.count({ where: { team_id: world.lambeth.id } })

  it.each(['json', 'csv'])('what is exported as %s changes nothing when it is imported', async (format) => {
    await world.database.pool.query('delete from webhooks where team_id = $1', [world.lambeth.id])
    const object = {
      integration_id: world.lambeth.granted.id,
      name: '=HYPERLINK("a", "b"), with "quotes"\nand lines',
      url: 'https://hooks.example/?a=1,2',
      config: { text: 'ä,"\n', nested: { a: [1, null] } },
      pattern: { _or: [{ flow: { _eq: 'apply' } }, { config: { _has_key: 'x' } }] },
      headers: { 'x-a': '@b' },
      secret_headers: { authorization: 'Bearer not-exported' },
      events: ['session.submitted', 'session.purged'],
      rate_per_second: 0.5,
      ordered: true,
      signatures: ['v1a'],
    }
    await run('stranger', create, { object })
    await run('stranger', create, { object: { integration_id: object.integration_id, name: 'plain', url: object.url } })
    const document = await exported(format)
    expect(document).not.toMatch(/not-exported|whsec_|authorization/)
    if (format === 'csv') expect(document).toContain(`"'=HYPERLINK(`)
    expect(await take(document, format)).toMatchObject({ written: false, unchanged: 2, errors: 0 })

    await world.database.pool.query('delete from webhooks where team_id = $1', [world.lambeth.id])
    expect(await take(document, format, { dry: true })).toMatchObject({ written: false, created: 2 })
    expect(await count()).toBe(0)
    const made = await take(document, format)
    expect(made).toMatchObject({ written: true, created: 2, errors: 0 })
    for (const { secret } of made.lines) expect(secret).toMatch(/^whsec_/)
    expect(await exported(format)).toBe(document)
  })

  it('writes nothing when a line is wrong, unless asked to, and says where it is', async () => {
    await world.database.pool.query('delete from webhooks where team_id = $1', [world.lambeth.id])
    const slug = 'back-office'
    const document = [
      'integration,name,url,pattern,timeout_ms',
      `${slug},good,https://hooks.example/,,`,
      `${slug},bad url,ftp://hooks.example/,,`,
      `nobody,bad integration,https://hooks.example/,,`,
      `${slug},bad pattern,https://hooks.example/,"{""nobody"": {}}",`,
      `${slug},bad number,https://hooks.example/,,soon`,
      `${slug},good,https://hooks.example/,,`,
      `${slug},,https://hooks.example/,,`,
    ].join('\n')
    const result = await take(document, 'csv')
    expect(result).toMatchObject({ written: false, created: 1, errors: 6 })
    expect(result.lines.map(({ line, outcome, column }: Any) => [line, outcome, column])).toEqual([
      [2, 'created', null],
      [3, 'error', 'url'],
      [4, 'error', 'integration'],
      [5, 'error', 'pattern'],
      [6, 'error', 'timeout_ms'],
      [7, 'error', 'name'],
      [8, 'error', 'name'],
    ])
    expect(await count()).toBe(0)
    expect(await take(document, 'csv', { skip: true })).toMatchObject({ written: true, created: 1, errors: 6 })
    expect(await count()).toBe(1)

    const change = JSON.stringify([{ integration: slug, name: 'good', url: 'https://hooks.example/', enabled: false }])
    expect(await take(change, 'json')).toMatchObject({ written: true, updated: 1, unchanged: 0 })
    expect(await take(change, 'json')).toMatchObject({ written: false, updated: 0, unchanged: 1 })
  })

  it('refuses in a dry run what PostgreSQL would refuse in a real one', async () => {
    const one = { integration: 'back-office', name: 'a', url: 'https://hooks.example/' }
    const document = JSON.stringify({
      version: 1,
      webhooks: [
        { ...one, name: 'a\u0000b' },
        { ...one, config: { deep: ['\ud800'] } },
        { ...one, integration: '\u0000' },
      ],
    })
    for (const dry of [true, false]) {
      const { errors, lines } = await take(document, 'json', { dry })
      expect([errors, lines.map(({ column }: Any) => column)]).toEqual([3, ['name', 'config', 'integration']])
      expect(lines[0].message).toMatch(/character U\+0000 .* Remove it/)
    }
  })

  it.each([
    ['json', '{"webhooks": [', /line 1, column/],
    ['json', '{\n "webhooks": 1\n}', /list of webhooks/],
    ['json', '', /cannot be read/],
    ['json', `{"webhooks": ${'['.repeat(100_000)}`, /cannot be read: it nests too deeply/],
    ['json', '{"version": 2, "webhooks": []}', /its version is 2, and this Sluice reads version 1/],
    ['json', '{"version": "1", "webhooks": []}', /its version is "1"/],
    ['csv', 'integration,nonsense\na,b', /"nonsense" is no field/],
    ['csv', 'name,name\na,b', /twice/],
    ['csv', 'integration,name,url\n"a,b', /cannot be read: line/],
    ['csv', 'integration,name,url\na,b', /cannot be read: line 2/],
    ['xml', '<a/>', /json or csv/],
  ])('a %s document that cannot be read is refused: %s', async (format, document, message) => {
    const refused = await refuse('stranger', importing, { team: world.lambeth.id, format, document, dry: true })
    expect(refused).toMatchObject({ code: 'VALIDATION_FAILED', message: expect.stringMatching(message) })
  })

  it('is for the own team', async () => {
    const other = { team: world.camden.id, format: 'json', document: '[]', dry: true }
    expect(await refuse('stranger', importing, other)).toMatchObject({ code: 'NOT_FOUND', path: 'team_id' })
    expect(await refuse('stranger', exporting, other)).toMatchObject({ code: 'NOT_FOUND', path: 'team_id' })
  })
})

describe('an integration of the platform', () => {
  let platform: string
  let consumer: { key: string; secret: string }

  beforeAll(async () => {
    // Of before anybody chose it, so never its own.
    await world.submit(aSession(world.camden))
    const { insert_integrations_one: made } = await run(
      'admin',
      'mutation { insert_integrations_one(object: { slug: "national", name: "National register", description: "For all" }) { id team_id } }',
    )
    expect(made.team_id).toBeNull()
    platform = made.id
    await aWebhook({ integration_id: platform, url: 'https://secret-register.example/', pattern: {} }, 'admin')
    consumer = await createCredential(world.database, {
      role: 'consumer',
      name: 'register',
      environment: 'test',
      teamId: null,
      integrationId: platform,
    })
  })

  it('is made by an admin only, under a slug of its own', async () => {
    const insert = 'mutation { insert_integrations_one(object: { slug: "national", name: "x" }) { id } }'
    expect(await refuse('admin', insert)).toMatchObject({ code: 'CONFLICT' })
    expect((await send('editor', insert)).errors).toBeDefined()
    const webhook = { integration_id: platform, name: 'mine', url: 'https://mine.example/' }
    expect(await refuse('editor', create, { object: webhook })).toMatchObject({
      code: 'NOT_FOUND',
      path: 'integration_id',
    })
    const table = 'mutation ($object: webhooks_insert_input!) { insert_webhooks_one(object: $object) { id } }'
    expect(await refuse('editor', table, { object: webhook })).toMatchObject({ code: 'FORBIDDEN' })
    const change =
      'mutation ($id: uuid!) { update_integrations_by_pk(pk_columns: { id: $id }, _set: { name: "mine" }) { id } }'
    expect(await run('editor', change, { id: platform })).toEqual({ update_integrations_by_pk: null })
  })

  it('serves every team that makes it a destination, and shows editors neither its webhooks nor their attempts', async () => {
    for (const [who, team] of [
      ['editor', world.camden],
      ['stranger', world.lambeth],
    ] as const) {
      const made = await run(who, makeDestination, {
        flow: team.flow.id,
        integration: platform,
        config: { office: who },
      })
      expect(made.insert_destinations_one.config).toEqual({ office: who })
    }
    const foreign = { flow: world.camden.flow.id, integration: world.lambeth.other.id }
    expect(await refuse('editor', makeDestination, foreign)).toMatchObject({ code: 'FORBIDDEN' })
    expect(await refuse('admin', makeDestination, foreign)).toMatchObject({ code: 'VALIDATION_FAILED' })

    const mine = await world.submit(aSession(world.camden))
    const theirs = await world.submit(aSession(world.lambeth))
    await world.database.pool.query(
      `insert into delivery_attempts (delivery_id, number, outcome, started_at, duration_ms, request)
       select id, 1, 'failed', now(), 1, '{"url":"https://secret-register.example/"}' from deliveries where integration_id = $1`,
      [platform],
    )
    const query = `query ($id: uuid!) {
      integrations_by_pk(id: $id) { slug name description status webhooks { url } connections { name } api_credentials { key_id } }
      deliveries(where: { integration_id: { _eq: $id } }) { session_id webhook { url } attempts { request } }
      delivery_attempts(where: { delivery: { integration_id: { _eq: $id } } }) { request }
    }`
    for (const who of ['editor', 'viewer'] as const) {
      const seen = await run(who, query, { id: platform })
      expect(seen.integrations_by_pk).toEqual({
        slug: 'national',
        name: 'National register',
        description: 'For all',
        status: 'active',
        webhooks: [],
        connections: [],
        api_credentials: [],
      })
      expect(seen.deliveries).toEqual([{ session_id: mine.id, webhook: null, attempts: [] }])
      expect(seen.delivery_attempts).toEqual([])
    }
    const { deliveries, delivery_attempts } = await run('admin', query, { id: platform })
    expect(deliveries.map(({ session_id }: Any) => session_id).sort()).toEqual([mine.id, theirs.id].sort())
    expect(delivery_attempts).toHaveLength(2)

    const explain = '{ explain_event(team: "camden", flow: "apply") { name is_platform matches clauses { path } } }'
    const { explain_event: targets } = await run('editor', explain)
    expect(targets.filter(({ is_platform }: Any) => is_platform)).toEqual([
      { name: null, is_platform: true, matches: true, clauses: [] },
    ])
  })

  it('reads sessions of every team under its grants, also of a team that is made while its token lives', async () => {
    const token = await fetch(`${world.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: basic(consumer), 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=client_credentials',
    })
    const { access_token } = await token.json()
    const ask = async () => {
      const { data, errors } = await world.graphql<Any>(
        '{ sessions { id data team { slug } flow { slug } } session_grants { session_id } deliveries { session_id } teams { slug } flows { slug } }',
        { authorization: `Bearer ${access_token}` },
      )
      expect(errors).toBeUndefined()
      return data
    }
    const before = await ask()
    expect(before.teams.map(({ slug }: Any) => slug).sort()).toEqual(['camden', 'lambeth'])

    const { prisma } = world.database
    const team = await prisma.team.create({ data: { slug: 'newham', name: 'Newham' } })
    const flow = await prisma.flow.create({ data: { team_id: team.id, slug: 'new', name: 'New' } })
    await prisma.destination.create({ data: { flow_id: flow.id, integration_id: platform } })
    const made = await run(
      'admin',
      'mutation ($object: submit_session_input!) { submit_session(object: $object) { id } }',
      { object: { team: 'newham', flow: 'new', data: { a: 1 } } },
    )
    const after = await ask()
    expect(after.sessions).toHaveLength(before.sessions.length + 1)
    expect(after.sessions).toContainEqual({
      id: made.submit_session.id,
      data: { a: 1 },
      team: { slug: 'newham' },
      flow: { slug: 'new' },
    })
    expect(after.deliveries).toHaveLength(before.deliveries.length + 1)
    // What it was not given stays closed.
    const ungranted = await world.database.prisma.session.count()
    expect(ungranted).toBeGreaterThan(after.sessions.length)
  })

  it('a live query of it hears of a team that is made while it runs', async () => {
    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: basic(consumer) },
      lazyCloseTimeout: 0,
    })
    const query = 'subscription { sessions(where: { flow: { slug: { _eq: "later" } } }) { team { slug } } }'
    const results = client.iterate<Any>({ query })
    expect((await results.next()).value.data.sessions).toEqual([])
    const { prisma } = world.database
    const team = await prisma.team.create({ data: { slug: 'hackney', name: 'Hackney' } })
    const flow = await prisma.flow.create({ data: { team_id: team.id, slug: 'later', name: 'Later' } })
    await prisma.destination.create({ data: { flow_id: flow.id, integration_id: platform } })
    await world.submit({ team: 'hackney', flow: 'later', data: { a: 1 } })
    expect((await results.next()).value.data.sessions).toEqual([{ team: { slug: 'hackney' } }])
    await client.dispose()
  })

  it('a key that a team issued for it reads that team only', async () => {
    const own = await createCredential(world.database, {
      role: 'consumer',
      name: 'camden at the register',
      environment: 'test',
      teamId: world.camden.id,
      integrationId: platform,
    })
    const seen = await run(
      own,
      '{ sessions { team { slug } } session_grants { team_id } deliveries { session { team { slug } } } teams { slug } flows { team { slug } } }',
    )
    const slugs = new Set([
      ...seen.sessions.map(({ team }: Any) => team.slug),
      ...seen.teams.map(({ slug }: Any) => slug),
    ])
    expect([...slugs]).toEqual(['camden'])
    expect(new Set(seen.session_grants.map(({ team_id }: Any) => team_id))).toEqual(new Set([world.camden.id]))
    expect(seen.deliveries.every(({ session }: Any) => session.team.slug === 'camden')).toBe(true)
    expect(seen.flows.every(({ team }: Any) => team.slug === 'camden')).toBe(true)
  })
})

describe('destinations', () => {
  const remove = `mutation ($id: uuid!, $withdraw: Boolean!) {
    remove_destination(id: $id, withdraw_grants: $withdraw) { grants deliveries }
  }`
  const live = async (integrationId: string) => {
    const { rows } = await world.database.pool.query(
      'select count(*)::int as n from session_grants where integration_id = $1 and revoked_at is null',
      [integrationId],
    )
    return rows[0].n as number
  }
  const anIntegration = async () => {
    const { prisma } = world.database
    const { id } = await prisma.integration.create({
      data: { team_id: world.camden.id, slug: randomUUID(), name: 'Third' },
    })
    await aWebhook({ integration_id: id })
    const { insert_destinations_one: made } = await run('editor', makeDestination, {
      flow: world.camden.flow.id,
      integration: id,
      config: {},
    })
    return { integration: id, destination: made.id as string }
  }

  it('removing one stops future sessions, and leaves what was given', async () => {
    const { integration, destination } = await anIntegration()
    await world.submit(aSession(world.camden))
    expect(await run('editor', remove, { id: destination, withdraw: false })).toEqual({
      remove_destination: { grants: 0, deliveries: 0 },
    })
    await world.submit(aSession(world.camden))
    expect(await live(integration)).toBe(1)
  })

  it('if asked, closes what was given and cancels what waits, with an audit entry', async () => {
    const { integration, destination } = await anIntegration()
    const sessions = [await world.submit(aSession(world.camden)), await world.submit(aSession(world.camden))]
    expect(await refuse('stranger', remove, { id: destination, withdraw: true })).toMatchObject({ code: 'NOT_FOUND' })
    expect(await live(integration)).toBe(2)
    expect(await run('editor', remove, { id: destination, withdraw: true })).toEqual({
      remove_destination: { grants: 2, deliveries: 2 },
    })
    expect(await live(integration)).toBe(0)
    const { rows } = await world.database.pool.query(
      'select status, due_at, finished_at is not null as finished from deliveries where integration_id = $1',
      [integration],
    )
    expect(rows).toEqual(Array(2).fill({ status: 'cancelled', due_at: null, finished: true }))
    const { rows: audit } = await world.database.pool.query(
      `select session_ids from audit_entries where integration_id = $1 and operation = 'withdraw_grants'`,
      [integration],
    )
    expect(audit.map(({ session_ids }) => [...session_ids].sort())).toEqual([sessions.map(({ id }) => id).sort()])
    expect(await refuse('editor', remove, { id: destination, withdraw: true })).toMatchObject({ code: 'NOT_FOUND' })
  })

  it('one grant can be withdrawn by itself', async () => {
    const { integration } = await anIntegration()
    const [first, second] = [await world.submit(aSession(world.camden)), await world.submit(aSession(world.camden))]
    const withdraw = `mutation ($session: uuid!, $integration: uuid!) {
      withdraw_grant(session_id: $session, integration_id: $integration) { grants deliveries }
    }`
    const one = { session: first.id, integration }
    expect(await refuse('stranger', withdraw, one)).toMatchObject({ code: 'NOT_FOUND' })
    expect(await run('editor', withdraw, one)).toEqual({ withdraw_grant: { grants: 1, deliveries: 1 } })
    expect(await run('editor', withdraw, one)).toEqual({ withdraw_grant: { grants: 0, deliveries: 0 } })
    const grants = await world.database.prisma.sessionGrant.findMany({ where: { integration_id: integration } })
    expect(grants.filter(({ revoked_at }) => revoked_at === null).map(({ session_id }) => session_id)).toEqual([
      second.id,
    ])
  })

  it('sessions that come while it is removed are closed with the others', async () => {
    const { integration, destination } = await anIntegration()
    const submitting = Array.from({ length: 20 }, () => world.submit(aSession(world.camden)))
    await Promise.race(submitting)
    await run('editor', remove, { id: destination, withdraw: true })
    await Promise.all(submitting)
    expect(await live(integration)).toBe(0)
  })

  it('available_integrations says what fits the data of a flow, and why the rest does not', async () => {
    const { prisma } = world.database
    const flow = await prisma.flow.create({
      data: {
        team_id: world.camden.id,
        slug: randomUUID(),
        name: 'F',
        schema_url: 'https://schemas.example/app/v1.json',
      },
    })
    const connector = (implementation: string, manifest: object, status: 'approved' | 'submitted' = 'approved') =>
      prisma.connector.create({
        data: {
          implementation,
          version: '1.0.0',
          name: implementation,
          author: 'a',
          description: 'd',
          status,
          manifest,
          bundle: '',
          bundle_sha256: '',
        },
      })
    const other = await connector('t.other', { accepts: { schemas: ['https://schemas.example/booking/*'] } })
    await connector('t.fits', { kinds: ['consumer'], accepts: { schemas: ['https://schemas.example/app/*'] } })
    await connector('t.producer', { kinds: ['producer'] })
    await connector('t.unseen', {}, 'submitted')
    const only = await prisma.integration.create({ data: { team_id: world.camden.id, slug: 'only', name: 'Only' } })
    await prisma.connection.create({
      data: { integration_id: only.id, team_id: world.camden.id, connector_id: other.id, name: 'c' },
    })
    await prisma.integration.create({
      data: { team_id: world.camden.id, slug: 'off', name: 'Off', status: 'disabled' },
    })
    await prisma.destination.create({ data: { flow_id: flow.id, integration_id: world.camden.granted.id } })
    const query = `query ($flow: uuid!) {
      available_integrations(flow_id: $flow) {
        slug kind is_platform available reason is_destination misfits { code connector takes has }
      }
    }`
    const { available_integrations: offered } = await run('editor', query, { flow: flow.id })
    const of = (slug: string) => offered.find((each: Any) => each.slug === slug)
    expect(of('back-office')).toMatchObject({
      kind: 'integration',
      available: true,
      reason: null,
      is_destination: true,
    })
    expect(of('national')).toMatchObject({ available: true, is_platform: true, is_destination: false })
    expect(of('off')).toMatchObject({ available: false, reason: 'The integration is disabled.' })
    expect(of('only')).toMatchObject({
      available: false,
      reason: expect.stringContaining("and the flow's data follows https://schemas.example/app/v1.json"),
      misfits: [
        {
          code: 'schema_not_taken',
          connector: 't.other',
          takes: ['https://schemas.example/booking/*'],
          has: ['https://schemas.example/app/v1.json'],
        },
      ],
    })
    expect(of('t.other')).toMatchObject({
      kind: 'connector',
      available: false,
      reason: expect.stringMatching(/^It takes/),
    })
    expect(of('t.fits')).toMatchObject({ kind: 'connector', available: true, reason: null })
    expect([of('t.producer'), of('t.unseen')]).toEqual([undefined, undefined])
    expect(await refuse('stranger', query, { flow: flow.id })).toMatchObject({ code: 'NOT_FOUND', path: 'flow_id' })
  })
})
