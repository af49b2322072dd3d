import { connect as connectSocket } from 'node:net'
import { text } from 'node:stream/consumers'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openAcknowledged } from './conformance/bare-socket.ts'
import { described, documented, readingOf, scrape } from './ground/metrics.ts'
import { aSession, basic, buildWorld, type World } from './ground/world.ts'

let world: World
beforeAll(async () => {
  world = await buildWorld({ config: { MAX_BODY_BYTES: '20000', GATEWAY_METRICS_PORT: '0' } })
})
afterAll(() => world?.close())

function token(fields: Record<string, string>, authorization?: string): Promise<Response> {
  return fetch(`${world.url}/oauth/token`, {
    method: 'POST',
    headers: authorization ? { authorization } : {},
    body: new URLSearchParams(fields),
  })
}

describe('POST /oauth/token', () => {
  it('gives a short token for key and secret, by Basic or as form fields', async () => {
    const { key, secret } = world.camden.granted.consumer
    for (const response of [
      await token({ grant_type: 'client_credentials' }, basic({ key, secret })),
      await token({ grant_type: 'client_credentials', client_id: key, client_secret: secret }),
    ]) {
      expect(response.status).toBe(200)
      expect(response.headers.get('cache-control')).toBe('no-store')
      const body = (await response.json()) as { access_token: string; token_type: string; expires_in: number }
      expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 900 })
      const { data } = await world.graphql('{ whoami { kind role integration_id } }', {
        authorization: `Bearer ${body.access_token}`,
      })
      expect(data).toEqual({
        whoami: { kind: 'credential', role: 'consumer', integration_id: world.camden.granted.id },
      })
    }
  })

  it('signs with a key that its JWKS publishes', async () => {
    const response = await token({ grant_type: 'client_credentials' }, basic(world.source))
    const { access_token } = (await response.json()) as { access_token: string }
    const jwks = createRemoteJWKSet(new URL(`${world.url}/.well-known/jwks.json`))
    const { protectedHeader, payload } = await jwtVerify(access_token, jwks)
    expect(protectedHeader).toMatchObject({ alg: 'EdDSA', typ: 'at+jwt' })
    expect(payload.sub).toBe(world.source.id)
    expect(decodeJwt(access_token)['https://hasura.io/jwt/claims']).toMatchObject({ 'x-hasura-default-role': 'source' })
  })

  it.each([
    ['a wrong secret', { client_secret: 'wrong' }, 401, 'invalid_client'],
    ['an unknown grant', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
    ['a key that is none', { client_id: 'me' }, 401, 'invalid_client'],
    ['a mistyped key', { client_id: 'sluice_test_0000000000000000_000000' }, 401, 'invalid_client'],
  ])('refuses %s', async (_, changes, status, error) => {
    const { key, secret } = world.camden.granted.consumer
    const response = await token({
      grant_type: 'client_credentials',
      client_id: key,
      client_secret: secret,
      ...changes,
    })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ error, error_description: expect.any(String) })
  })

  it('refuses a key of another environment by name', async () => {
    const { newKey, newSecret } = await import('../src/access/key-format.ts')
    const response = await token({
      grant_type: 'client_credentials',
      client_id: newKey('staging'),
      client_secret: newSecret('staging'),
    })
    expect(response.status).toBe(401)
    expect(await response.text()).toMatch(/of the environment \\"staging\\", this is \\"test\\"/)
  })
})

describe('people', () => {
  const signIn =
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token role } }'

  it('sign in with a password and see their own team only', async () => {
    const { data } = await world.graphql<{ sign_in: { token: string; role: string } }>(signIn, {
      variables: world.camden.editor,
    })
    expect(data.sign_in.role).toBe('editor')
    const seen = await world.graphql('{ teams { slug } integrations { team { slug } } }', {
      authorization: `Bearer ${data.sign_in.token}`,
    })
    expect(seen.data).toEqual({
      teams: [{ slug: 'camden' }],
      integrations: [{ team: { slug: 'camden' } }, { team: { slug: 'camden' } }],
    })
  })

  it('who only view do not see what applicants wrote', async () => {
    const { data } = await world.graphql<{ sign_in: { token: string } }>(signIn, { variables: world.camden.viewer })
    const { errors } = await world.graphql('{ sessions { data } }', { authorization: `Bearer ${data.sign_in.token}` })
    expect(errors?.[0]?.message).toMatch(/Cannot query field "data"/)
  })

  it('are not told whether the address or the password was wrong', async () => {
    const wrong = await world.graphql(signIn, { variables: { ...world.camden.editor, password: 'not this one' } })
    const unknown = await world.graphql(signIn, {
      variables: { email: 'nobody@nowhere.test', password: 'not this one' },
    })
    expect(wrong.errors).toEqual([expect.objectContaining({ message: 'The e-mail address or the password is wrong.' })])
    expect(unknown.errors?.[0]?.message).toBe(wrong.errors?.[0]?.message)
  })
})

describe('the entrance', () => {
  it.each([
    ['no credentials', {}, /Send "Authorization: Bearer/],
    ['a broken token', { authorization: 'Bearer nonsense' }, /access token is not valid/],
    ['an unknown scheme', { authorization: 'Digest abc' }, /kind of Authorization is not known/],
    [
      'a wrong secret',
      { authorization: basic({ key: 'sluice_test_0000000000000000_000000', secret: 'x' }) },
      /typing mistake/,
    ],
  ])('answers %s with 401 and what to send', async (_, headers, message) => {
    const { status, errors } = await world.graphql('{ sessions { id } }', { headers })
    expect(status).toBe(401)
    expect(errors?.[0]).toMatchObject({
      message: expect.stringMatching(message),
      extensions: { code: 'UNAUTHENTICATED' },
    })
  })

  it('tells who has not said who they are the same of a live query, and sends no events', async () => {
    const { status, errors } = await world.graphql('subscription { sessions { id } }', {
      headers: { accept: 'text/event-stream' },
    })
    expect(status).toBe(401)
    expect(errors?.[0]).toMatchObject({ extensions: { code: 'UNAUTHENTICATED' } })
  })

  it('refuses a body over the limit with 413, whether its size is declared or not', async () => {
    const { errors, status } = await world.graphql(
      'mutation ($object: submit_session_input!) { submit_session(object: $object) { id } }',
      {
        variables: { object: aSession(world.camden, { data: { long: 'x'.repeat(30_000) } }) },
        authorization: basic(world.source),
      },
    )
    expect(status).toBe(413)
    expect(errors?.[0]?.message).toMatch(/larger than 20000 bytes/)
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(10_000)) })
    const streamed = await fetch(`${world.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: basic(world.source) },
      body: endless,
      duplex: 'half',
    } as RequestInit).then(
      (response) => response.status,
      // The gateway may hang up before the client has finished sending.
      () => 413,
    )
    expect(streamed).toBe(413)
  })

  it('keeps an idle connection for longer than balancers do, so that it is not the one who closes it', async () => {
    const { headers } = await fetch(`${world.url}/healthz`)
    expect(headers.get('keep-alive')).toBe('timeout=75')
  })

  it.each([
    [
      'what is no HTTP',
      'nonsense\r\n\r\n',
      /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*\r\n\r\nThis is not a request .*\n$/,
    ],
    [
      'headers that are too large',
      `GET /healthz HTTP/1.1\r\nhost: a\r\ncookie: ${'x'.repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 [\s\S]*text\/plain[\s\S]*\r\n\r\nThe headers of the request are too large: 16 KiB at most.*\n$/,
    ],
  ])('answers %s with a sentence', async (_, bytes, expected) => {
    const socket = connectSocket(Number(new URL(world.url).port), '127.0.0.1')
    socket.write(bytes)
    expect(await text(socket)).toMatch(expected)
  })

  it('answers bad JSON with 400 and an unknown path with 404', async () => {
    const authorization = basic(world.source)
    const bad = await fetch(`${world.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: '{"query":',
    })
    expect(bad.status).toBe(400)
    expect((await fetch(`${world.url}/nowhere`)).status).toBe(404)
  })

  it('shows GraphiQL to a browser without anything from elsewhere', async () => {
    const response = await fetch(`${world.url}/graphql`, { headers: { accept: 'text/html' } })
    const page = await response.text()
    expect(response.status).toBe(200)
    expect(page).toMatch(/GraphiQL|graphiql/)
    expect(page).not.toMatch(/(src|href)="https?:/)
  })

  it("masks what is not the client's doing", async () => {
    await world.database.pool.query('alter table trips rename to trips_away')
    try {
      const { errors } = await world.graphql('{ trips { id } }', {
        authorization: basic(world.camden.granted.consumer),
      })
      expect(errors?.[0]?.message).toMatch(/^Something went wrong on our side. Tell the operator this request id/)
    } finally {
      await world.database.pool.query('alter table trips_away rename to trips')
    }
  })
})

describe('browsers', () => {
  it('may call from any origin, with a token in a header', async () => {
    const asked = await fetch(`${world.url}/graphql`, { method: 'OPTIONS', headers: { origin: 'https://example.org' } })
    expect(asked.status).toBe(204)
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE, OPTIONS',
      'access-control-allow-headers':
        'authorization, content-type, x-hasura-role, idempotency-key, last-event-id, if-match, if-none-match, x-request-id, traceparent',
    })
    const answered = await fetch(`${world.url}/.well-known/jwks.json`)
    expect(answered.headers.get('access-control-allow-origin')).toBe('*')
    expect(answered.headers.get('access-control-allow-credentials')).toBeNull()
  })

  it('that go away in the middle of a body leave nothing behind', async () => {
    const { connect } = await import('node:net')
    const { once } = await import('node:events')
    const { hostname, port } = new URL(world.url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.write(
      'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"query":',
    )
    socket.destroy()
    await once(socket, 'close')
    const { status } = await world.graphql('{ whoami { role } }')
    expect(status).toBe(200)
  })
})

describe('operators', () => {
  const metrics = () => scrape(world.gateway.metricsUrl ?? '')
  const graphql = '/graphql'
  const call = (path: string, init: RequestInit = {}) => fetch(world.url + path, init)
  const asConsumer = () => ({ authorization: basic(world.camden.granted.consumer) })

  it('are served what the documentation says, no more and no less', async () => {
    expect(described(await metrics())).toEqual(documented('Gateways'))
    expect((await call('/metrics')).status).toBe(404)
  })

  it('see requests of every interface by what came of them, once each', async () => {
    const before = await metrics()
    const query = (document: string, headers: Record<string, string> = {}) =>
      call(graphql, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...asConsumer(), ...headers },
        body: JSON.stringify({ query: document }),
      }).then((response) => response.text())
    await query('{ sessions { id } }')
    await query('{ whoami { role } }')
    await query('{ nothing_of_the_kind }')
    await query(`{ ${'teams { flows { sessions { '.repeat(8)} id ${'} } }'.repeat(8)} }`)
    await query(`{ sessions(where: { id: { _eq: "${'x'.repeat(30_000)}" } }) { id } }`)
    await query('{ sessions { id } }', { accept: 'text/event-stream' })
    await world.submit(aSession(world.camden))
    await token({ grant_type: 'client_credentials' }, basic(world.source)).then((response) => response.text())
    await call('/v1/sessions', { headers: asConsumer() }).then((response) => response.text())
    await call('/v1/nothing', { headers: asConsumer() }).then((response) => response.text())
    await call('/hooks/org.example.none/00000000-0000-4000-8000-000000000000', { method: 'POST', body: '{}' })
    await call('/console', { redirect: 'manual' }).then((response) => response.text())
    const socket = await openAcknowledged(world.url, asConsumer().authorization)
    socket.send({ type: 'subscribe', id: 'query', payload: { query: '{ sessions { id } }' } })
    expect(await socket.next()).toMatchObject({ type: 'next', id: 'query' })
    expect(await socket.next()).toMatchObject({ type: 'complete', id: 'query' })
    socket.send({ type: 'subscribe', id: 'live', payload: { query: 'subscription { sessions { id } }' } })
    expect(await socket.next()).toMatchObject({ type: 'next', id: 'live' })

    let after = before
    const more = (name: string, labels: Record<string, string> = {}) =>
      readingOf(after, name, labels) - readingOf(before, name, labels)
    const requests = (used: string, outcome: string) => more('sluice_requests_total', { interface: used, outcome })
    const counted = async () => {
      after = await metrics()
      return {
        graphql: [requests('graphql', 'ok'), requests('graphql', 'refused'), requests('graphql', 'failed')],
        sse: requests('sse', 'ok'),
        oauth: requests('oauth', 'ok'),
        rest: [requests('rest', 'ok'), requests('rest', 'refused')],
        hooks: requests('hooks', 'refused'),
        console: requests('console', 'ok') + requests('console', 'refused') + requests('console', 'failed'),
        socket: requests('socket', 'ok'),
      }
    }
    // A request is counted when its answer is out, which its client may know first.
    await expect.poll(counted, { timeout: 20_000 }).toEqual({
      graphql: [3, 3, 0],
      sse: 1,
      oauth: 1,
      rest: [1, 1],
      hooks: 1,
      console: 1,
      socket: 2,
    })
    expect(more('sluice_request_seconds', { interface: 'graphql' })).toBe(6)
    expect(more('sluice_request_seconds', { interface: 'socket' })).toBe(1)
    expect(more('sluice_operations_total', { kind: 'action' })).toBe(2)
    // REST's list is one of them.
    expect(more('sluice_operations_total', { kind: 'read' })).toBe(4)
    expect(more('sluice_operations_total', { kind: 'live_query' })).toBe(1)
    expect(more('sluice_limit_refusals_total', { limit: 'operation' })).toBe(1)
    expect(more('sluice_limit_refusals_total', { limit: 'body' })).toBe(1)
    expect(more('sluice_sessions_submitted_total', { became: 'submitted' })).toBe(1)
    expect(more('sluice_live_evaluations_total')).toBeGreaterThan(0)
    expect(more('sluice_live_evaluation_seconds')).toBeGreaterThan(0)
    expect(more('sluice_sockets')).toBe(1)
    expect(more('sluice_live_subscribers')).toBe(1)
    expect(readingOf(after, 'sluice_database_connections_max')).toBe(10)
    socket.socket.close()
    await socket.closed()
  })

  it('are told whether it lives, and what it lacks to be ready', async () => {
    expect(await (await call('/healthz')).json()).toEqual({ status: 'ok' })
    const port = new URL(world.gateway.metricsUrl ?? '')
    expect((await fetch(new URL('/healthz', port))).status).toBe(204)
    const ready = async (url: URL | string) => {
      const response = await fetch(url)
      return [response.status, await response.json()]
    }
    const ok = { database: 'ok', migrations: 'ok', change_feed: 'ok', running: 'ok' }
    expect(await ready(`${world.url}/readyz`)).toEqual([200, { status: 'ready', checks: ok }])
    const undo = 'update _prisma_migrations set rolled_back_at = null'
    await world.database.pool.query(
      'update _prisma_migrations set rolled_back_at = now() where id = (select id from _prisma_migrations order by migration_name desc limit 1)',
    )
    try {
      // An answer is kept for a second.
      const lacking = [503, { status: 'not ready', checks: { ...ok, migrations: 'failed' } }]
      await expect.poll(() => ready(new URL('/readyz', port)), { timeout: 20_000 }).toEqual(lacking)
      expect(await ready(`${world.url}/readyz`)).toEqual(lacking)
    } finally {
      await world.database.pool.query(undo)
    }
  })

  it.each([
    ['its own id', { 'x-request-id': 'proxy.0123:abc-def' }, /^proxy\.0123:abc-def$/],
    [
      'a trace',
      { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
      /^4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7$/,
    ],
    ['an id that is too long', { 'x-request-id': 'a'.repeat(129) }, /^[0-9a-f]{8}-[-0-9a-f]{27}$/],
    ['a formula', { 'x-request-id': '=cmd|0123456789' }, /^[0-9a-f]{8}-[-0-9a-f]{27}$/],
    ['a trace of zeros', { traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` }, /^[0-9a-f]{8}-[-0-9a-f]{27}$/],
  ])('find a request of a caller that brings %s, in header, errors and audit', async (_, headers, id) => {
    const response = await call(graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer nonsense', ...headers },
      body: JSON.stringify({ query: '{ sessions { id } }' }),
    })
    const given = response.headers.get('x-request-id')
    expect(given).toMatch(id)
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { requestId: given } }] })
    const rest = await call('/v1/nothing', { headers })
    expect(await rest.json()).toMatchObject({ request_id: expect.stringMatching(id) })
    const object = aSession(world.camden)
    const submitted = await call(graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: basic(world.source), ...headers },
      body: JSON.stringify({
        query: 'mutation ($object: submit_session_input!) { submit_session(object: $object) { id } }',
        variables: { object },
      }),
    })
    expect(await submitted.json()).toEqual({ data: { submit_session: { id: object.id } } })
    const { rows } = await world.database.pool.query(
      `select request_id from audit_entries where operation = 'submit_session' and $1 = any(session_ids)`,
      [object.id],
    )
    expect(rows).toEqual([{ request_id: submitted.headers.get('x-request-id') }])
  })
})
