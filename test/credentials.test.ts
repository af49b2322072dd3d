/** API credentials from making to ending, as a team's editor and its third parties meet them. */
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createCredential } from '../src/access/credentials.ts'
import { newKey, newSecret } from '../src/access/key-format.ts'
import { createSealer } from '../src/access/seal.ts'
import { type Gateway, startGateway } from '../src/gateway/gateway.ts'
import { silentLog } from '../src/log.ts'
import { basic, buildWorld, type World } from './ground/world.ts'

let world: World
let second: Gateway
let editor: string
let admin: string

beforeAll(async () => {
  // Tests come from addresses of their own, as if through a proxy.
  world = await buildWorld({ config: { TRUST_PROXY: '1' } })
  second = await anotherGateway()
  editor = await signIn(world.camden.editor)
  admin = await signIn(world.admin)
})
afterAll(async () => {
  await second?.close()
  await world?.close()
})

function anotherGateway(): Promise<Gateway> {
  const { config, database } = world
  return startGateway({ config, database, sealer: createSealer(config.SLUICE_SECRET_KEY), log: silentLog } as never)
}

async function signIn(person: { email: string; password: string }): Promise<string> {
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: person },
  )
  return `Bearer ${data.sign_in.token}`
}

interface Made {
  readonly id: string
  readonly key: string
  readonly secret: string
}

const createMutation =
  'mutation ($object: create_credential_input!) { create_credential(object: $object) { id key secret } }'

async function create(object: Record<string, unknown> = {}, authorization = editor): Promise<Made> {
  const { data, errors } = await world.graphql<{ create_credential: Made }>(createMutation, {
    authorization,
    variables: { object: { integration_id: world.camden.granted.id, name: 'back office', ...object } },
  })
  if (errors) throw new Error(errors[0]?.message)
  return data.create_credential
}

async function act<T = Record<string, unknown>>(mutation: string, authorization = editor): Promise<T> {
  const { data, errors } = await world.graphql(`mutation { action: ${mutation} }`, { authorization })
  if (errors) throw new Error(errors[0]?.message)
  return data.action as T
}

const rotate = (id: string, overlap?: number) =>
  act<{ secret: string; secret_id: string; previous_expires_at: string | null }>(
    `rotate_credential(id: "${id}"${overlap === undefined ? '' : `, overlap_seconds: ${overlap}`}) { secret secret_id previous_expires_at }`,
  )

/** The status of a small request to one of the gateways. */
async function status(authorization: string, { url = world.url, from = '198.51.100.1' } = {}): Promise<number> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization, 'x-forwarded-for': from },
    body: '{"query":"{ whoami { role } }"}',
  })
  await response.body?.cancel()
  return response.status
}

async function token(credential: { key: string; secret: string }): Promise<string> {
  const response = await fetch(`${world.url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: basic(credential) },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  const body = (await response.json()) as { access_token: string; expires_in: number }
  return `Bearer ${body.access_token}`
}

const within = { timeout: 20_000, interval: 20 }

/** Within a second, every gateway process refuses it. */
async function isRefusedEverywhere(...authorizations: string[]): Promise<void> {
  for (const authorization of authorizations) {
    for (const url of [world.url, second.url]) {
      await expect.poll(() => status(authorization, { url }), within).toBe(401)
    }
  }
}

describe('making a credential', () => {
  it('is for editors of the team and for admins, and shows the secret once', async () => {
    const made = await create()
    expect(made).toMatchObject({
      key: expect.stringMatching(/^sluice_test_/),
      secret: expect.stringMatching(/^sluicesecret_test_/),
    })
    expect(await status(basic(made))).toBe(200)
    const { data } = await world.graphql<{ api_credentials_by_pk: { secrets: { ending: string }[] } }>(
      `{ api_credentials_by_pk(id: "${made.id}") { name created_by secrets { ending } } }`,
      { authorization: editor },
    )
    expect(data.api_credentials_by_pk.secrets).toEqual([{ ending: made.secret.slice(-6) }])
    expect(JSON.stringify(data)).not.toContain(made.secret)
  })

  it.each([
    ['an integration of another team', () => ({ integration_id: world.lambeth.granted.id }), /You have no integration/],
    ['another team', () => ({ integration_id: null, team_id: world.lambeth.id }), /You have no team/],
    ['every team', () => ({ integration_id: null }), /which of your teams/],
    ['a past end', () => ({ expires_at: '2020-01-01T00:00:00Z' }), /in the past/],
    ['an address that is none', () => ({ allowed_addresses: ['office'] }), /neither an address nor a CIDR/],
    ['a role that is none', () => ({ role: 'admin' }), /must be consumer or source/],
    ['no name', () => ({ name: ' ' }), /who holds the credential/],
    ['a private key', () => ({ jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'x', d: 'y' }] } }), /is a private key/],
  ])('is refused for %s', async (_, object, message) => {
    await expect(create(object())).rejects.toThrow(message)
  })

  it('of the platform and of every team is for admins only', async () => {
    const { id } = await world.database.prisma.integration.create({ data: { slug: 'platform', name: 'Platform' } })
    await expect(create({ integration_id: id })).rejects.toThrow(/You have no integration/)
    expect((await create({ integration_id: id }, admin)).secret).toBeTruthy()
    const source = await create({ integration_id: null }, admin)
    expect(await status(basic(source))).toBe(200)
    await expect(rotate(source.id)).rejects.toThrow(/You have no credential/)
  })

  it('is not for viewers', async () => {
    const { errors } = await world.graphql(createMutation, {
      authorization: await signIn(world.camden.viewer),
      variables: { object: { name: 'x' } },
    })
    expect(errors?.[0]?.message).toMatch(/create_credential/)
  })
})

describe('rotation', () => {
  it('keeps two secrets live for the overlap, and never more', async () => {
    const first = await create()
    const next = await rotate(first.id)
    const { key } = first
    expect(Date.parse(next.previous_expires_at as string) / 1000).toBeCloseTo(Date.now() / 1000 + 86_400, -1)
    expect(await status(basic(first))).toBe(200)
    expect(await status(basic({ key, secret: next.secret }))).toBe(200)
    const last = await rotate(first.id, 3600)
    await isRefusedEverywhere(basic(first))
    expect(await status(basic({ key, secret: next.secret }))).toBe(200)
    expect(await status(basic({ key, secret: last.secret }))).toBe(200)
  })

  it('without overlap ends the old secret at once, remembered or not, and tokens got with it', async () => {
    const first = await create()
    const old = await token(first)
    expect([await status(basic(first)), await status(old)]).toEqual([200, 200])
    const next = await rotate(first.id, 0)
    await isRefusedEverywhere(basic(first), old)
    expect(await status(basic({ key: first.key, secret: next.secret }))).toBe(200)
  })

  it('ends the old secret when the overlap does, in processes that remember it', async () => {
    const first = await create()
    for (const url of [world.url, second.url]) expect(await status(basic(first), { url })).toBe(200)
    await rotate(first.id, 1)
    await expect.poll(() => status(basic(first)), { timeout: 30_000, interval: 50 }).toBe(401)
    await isRefusedEverywhere(basic(first))
  })

  it('of two at once leaves two live secrets', async () => {
    const first = await create()
    await Promise.all([rotate(first.id), rotate(first.id), rotate(first.id)])
    const { rows } = await world.database.pool.query(
      'select 1 from api_secrets where credential_id = $1 and (expires_at is null or expires_at > now())',
      [first.id],
    )
    expect(rows).toHaveLength(2)
  })

  it('has limits', async () => {
    const { id } = await create()
    await expect(rotate(id, 31 * 86_400)).rejects.toThrow(/overlap_seconds must be between/)
    await expect(rotate(id, -1)).rejects.toThrow(/overlap_seconds must be between/)
  })
})

describe('access ends within a second, in every process', () => {
  it('when the credential is revoked: requests, sockets, event streams', async () => {
    const made = await create()
    const authorization = await token(made)
    const socket = await subscribe(second.url, authorization)
    const withBasic = await subscribe(world.url, basic(made))
    const events = await eventStream(second.url, authorization)
    await act(`revoke_credential(id: "${made.id}") { ended_at }`)
    expect(await Promise.race([socket.closed, tooLate()])).toMatchObject({ code: 4403 })
    expect(await Promise.race([withBasic.closed, tooLate()])).toMatchObject({ code: 4403 })
    expect(await Promise.race([...events, tooLate()])).toMatch(/This access was revoked/)
    await isRefusedEverywhere(basic(made), authorization)
  })

  it('when one secret is revoked, and the other goes on', async () => {
    const first = await create()
    const next = await rotate(first.id)
    const tokens = [await token(first), await token({ key: first.key, secret: next.secret })] as const
    const socket = await subscribe(second.url, basic(first))
    const { rows } = await world.database.pool.query(
      'select id from api_secrets where credential_id = $1 and ending = $2',
      [first.id, first.secret.slice(-6)],
    )
    await act(`revoke_credential_secret(id: "${rows[0].id}") { ended_at }`)
    expect(await Promise.race([socket.closed, tooLate()])).toMatchObject({ code: 4403 })
    await isRefusedEverywhere(basic(first), tokens[0])
    expect(await status(tokens[1])).toBe(200)
  })

  it('when its integration is disabled, and comes back when that is enabled', async () => {
    const { consumer, id } = world.camden.other
    const authorization = await token(consumer)
    const socket = await subscribe(second.url, basic(consumer))
    await world.database.prisma.integration.update({ where: { id }, data: { status: 'disabled' } })
    expect(await Promise.race([socket.closed, tooLate()])).toMatchObject({ code: 4403 })
    await isRefusedEverywhere(basic(consumer), authorization)
    await world.database.prisma.integration.update({ where: { id }, data: { status: 'active' } })
    await expect.poll(() => status(authorization, { url: second.url }), within).toBe(200)
    expect(await status(basic(consumer))).toBe(200)
  })

  it('when its integration or its team is deleted, also in a process that starts later', async () => {
    const { pool } = world.database
    const team = await world.database.prisma.team.create({ data: { slug: 'passing', name: 'Passing' } })
    const integration = await world.database.prisma.integration.create({
      data: { team_id: team.id, slug: 'gone', name: 'Gone' },
    })
    const input = { name: 'x', environment: 'test', teamId: team.id }
    const consumer = await createCredential(world.database, {
      ...input,
      role: 'consumer',
      integrationId: integration.id,
    })
    const source = await createCredential(world.database, { ...input, role: 'source', integrationId: null })
    const tokens = [await token(consumer), await token(source)] as const
    await pool.query('delete from integrations where id = $1', [integration.id])
    await isRefusedEverywhere(basic(consumer), tokens[0])
    expect(await status(tokens[1])).toBe(200)
    await pool.query('delete from teams where id = $1', [team.id])
    await isRefusedEverywhere(basic(source), tokens[1])
    // The rows are gone, and so will be the change log.
    await pool.query('delete from change_log')
    const later = await anotherGateway()
    try {
      expect([await status(tokens[0], later), await status(tokens[1], later)]).toEqual([401, 401])
    } finally {
      await later.close()
    }
  })

  it('when a person is disabled, or signed out everywhere', async () => {
    const { id } = await world.database.prisma.user.findUniqueOrThrow({ where: { email: world.lambeth.editor.email } })
    const before = await signIn(world.lambeth.editor)
    const socket = await subscribe(second.url, before)
    await world.database.pool.query('update users set tokens_valid_from = clock_timestamp() where id = $1', [id])
    expect(await Promise.race([socket.closed, tooLate()])).toMatchObject({ code: 4403 })
    await isRefusedEverywhere(before)
    const after = await signIn(world.lambeth.editor)
    expect(await status(after, { url: second.url })).toBe(200)
    await world.database.pool.query('update users set disabled_at = now() where id = $1', [id])
    await isRefusedEverywhere(after)
  })

  it('when the credential expires, which its tokens do not outlive', async () => {
    // On a busy machine a short life is over before it was seen (a token's ends at a whole second); then another lives longer.
    for (let seconds = 2.5; ; seconds *= 3) {
      const made = await create({ expires_at: new Date(Date.now() + seconds * 1000).toISOString() })
      const authorization = await token(made)
      const socket = await subscribe(second.url, basic(made)).catch(() => undefined)
      const alive = await status(authorization)
      if ((!socket || alive !== 200) && seconds < 60) continue
      expect(alive).toBe(200)
      expect(await Promise.race([socket?.closed, tooLate(seconds * 1000 + 20_000)])).toMatchObject({ code: 4403 })
      await isRefusedEverywhere(basic(made), authorization)
      return
    }
  }, 120_000)
})

describe('a list of addresses', () => {
  it('holds for key and secret, for tokens, and behind a proxy', async () => {
    const made = await create({ allowed_addresses: ['203.0.113.0/24', '2001:db8::/32'] })
    const from = '203.0.113.7'
    const response = await fetch(`${world.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: basic(made), 'x-forwarded-for': from },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    })
    const { access_token } = (await response.json()) as { access_token: string }
    for (const authorization of [basic(made), `Bearer ${access_token}`]) {
      expect(await status(authorization, { from })).toBe(200)
      expect(await status(authorization, { from: '2001:db8::9' })).toBe(200)
      expect(await status(authorization, { from: '198.51.100.1' })).toBe(403)
      expect(await status(authorization, { from: '198.51.100.1, 203.0.113.7, 198.51.100.1' })).toBe(403)
    }
  })
})

describe('guessing', () => {
  it('gets the same answer for an unknown key and for a wrong secret, and is slowed for both', async () => {
    const { key } = world.camden.granted.consumer
    const guess = (name: string, from: string) =>
      fetch(`${world.url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: basic({ key: name, secret: newSecret('test') }),
          'x-forwarded-for': from,
        },
        body: '{"query":"{ whoami { role } }"}',
      })
    const answers = await Promise.all([guess(key, '192.0.2.1'), guess(newKey('test'), '192.0.2.1')])
    // But for the request's own id.
    const texts = await Promise.all(
      answers.map(async (answer) => (await answer.text()).replace(/"requestId":"[^"]+"/, '')),
    )
    expect(answers.map((answer) => answer.status)).toEqual([401, 401])
    expect(texts[0]).toMatch(/"code":"UNAUTHENTICATED"/)
    expect(texts[0]).toBe(texts[1])
    for (const name of [key, newKey('test')]) {
      let last = await guess(name, '192.0.2.2')
      for (let more = 0; more < 10 && last.status === 401; more += 1) last = await guess(name, '192.0.2.2')
      expect(last.status).toBe(429)
      expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await last.text()).toMatch(/Too many failed attempts/)
    }
    // Its owner, elsewhere, is not shut out.
    expect(await status(basic(world.camden.granted.consumer))).toBe(200)
  })
})

it('an operator sees when each secret was last used', async () => {
  const first = await create()
  const next = await rotate(first.id)
  expect(await status(basic({ key: first.key, secret: next.secret }))).toBe(200)
  const used = async () => {
    const { rows } = await world.database.pool.query(
      'select last_used_at is not null as used from api_secrets where credential_id = $1 order by created_at',
      [first.id],
    )
    return rows.map((row) => row.used)
  }
  await expect.poll(used, { timeout: 30_000, interval: 50 }).toEqual([false, true])
})

/** An open subscription, and how its socket closes. */
async function subscribe(url: string, authorization: string): Promise<{ closed: Promise<{ code: number }> }> {
  const closed = Promise.withResolvers<{ code: number }>()
  const started = Promise.withResolvers<void>()
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
    lazy: true,
    on: { closed: (event) => closed.resolve(event as { code: number }) },
  })
  client.subscribe(
    { query: 'subscription { teams { id } }' },
    { next: () => started.resolve(), error: (error) => started.reject(error), complete: () => undefined },
  )
  await started.promise
  return { closed: closed.promise }
}

/** All that an event stream says until it ends; it has begun when this returns. */
async function eventStream(url: string, authorization: string): Promise<Promise<string>[]> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization },
    body: '{"query":"subscription { teams { id } }"}',
  })
  expect(response.status).toBe(200)
  return [response.text()]
}

function tooLate(ms = 20_000): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms).unref())
}
