/** What the REST face does beyond its contract: who is told what, what counts as a retrieval, and what nobody can break. */
import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aSession, basic, buildWorld, type World } from './ground/world.ts'

let world: World
beforeAll(async () => {
  world = await buildWorld()
})
afterAll(() => world?.close())

interface Sent {
  readonly authorization?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}
const consumer = () => basic(world.camden.granted.consumer)
const send = (path: string, { authorization = consumer(), method = 'GET', headers = {}, body }: Sent = {}) =>
  fetch(`${world.url}${path}`, { method, headers: { authorization, ...headers }, ...(body ? { body } : {}) })
// biome-ignore lint/suspicious/noExplicitAny: answers are checked by the expectations.
const get = async (path: string, sent?: Sent): Promise<any> => (await send(path, sent)).json()
const submitted = async (changes = {}): Promise<string> => (await world.submit(aSession(world.camden, changes))).id

const pool = () => world.database.pool
async function retrievals(session: string): Promise<number> {
  const { rows } = await pool().query(
    `select count(*)::int as n from audit_entries where $1 = any(session_ids) and outcome = 'granted' and actor_kind = 'credential' and operation = 'query'`,
    [session],
  )
  return rows[0].n
}
async function clock(session: string): Promise<boolean> {
  const { rows } = await pool().query('select first_retrieved_at from session_grants where session_id = $1', [session])
  return rows[0].first_retrieved_at !== null
}

/** Answers as they come over the wire, still compressed. */
async function raw(path: string, encoding: string): Promise<{ headers: Record<string, unknown>; body: Buffer }> {
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    const headers = { authorization: consumer(), 'accept-encoding': encoding }
    httpRequest(`${world.url}${path}`, { headers }, resolve).on('error', reject).end()
  })
  return { headers: response.headers, body: await buffer(response) }
}

describe('a session', () => {
  test('is retrieved once by GET, with its audit entry and clock, and not by list, HEAD or 304', async () => {
    const id = await submitted()
    const etag = (await send(`/v1/sessions/${id}`, { method: 'HEAD' })).headers.get('etag') as string
    await get('/v1/sessions')
    await get('/v1/events')
    expect(await send(`/v1/sessions/${id}`, { headers: { 'if-none-match': etag } })).toMatchObject({ status: 304 })
    expect(await clock(id)).toBe(false)
    expect(await retrievals(id)).toBe(0)
    expect((await send(`/v1/sessions/${id}`)).status).toBe(200)
    expect(await clock(id)).toBe(true)
    expect(await retrievals(id)).toBe(1)
  })

  test('comes with every digit of its numbers', async () => {
    const id = randomUUID()
    const data = '{"amount": 12345678901234567890.123456789, "small": 1e-30}'
    await pool().query('update sessions set data = $2::jsonb where id = $1', [await submitted({ id }), data])
    expect(await (await send(`/v1/sessions/${id}`)).text()).toContain('12345678901234567890.123456789')
  })

  test('is compressed as the client likes it, under an ETag of its own that the client may send back', async () => {
    const id = await submitted({ data: { text: 'abc'.repeat(2_000) } })
    const path = `/v1/sessions/${id}`
    const plain = await raw(path, 'identity')
    for (const [accepted, coding, unpack] of [
      ['gzip', 'gzip', gunzipSync],
      ['gzip;q=0.5, br', 'br', brotliDecompressSync],
      ['*', 'br', brotliDecompressSync],
      ['br;q=0, *;q=0.1', 'gzip', gunzipSync],
    ] as const) {
      const { headers, body } = await raw(path, accepted)
      expect(headers).toMatchObject({
        'content-encoding': coding,
        etag: `"1-${coding}"`,
        vary: expect.stringMatching(/accept-encoding/),
      })
      expect(body.length).toBeLessThan(plain.body.length / 5)
      expect(unpack(body)).toEqual(plain.body)
      const again = await send(path, { headers: { 'if-none-match': headers.etag as string } })
      expect([again.status, again.headers.get('etag')]).toEqual([304, headers.etag])
    }
    expect((await raw(path, 'gzip;q=0, br;q=0')).headers['content-encoding']).toBeUndefined()
    expect((await raw(`/v1/sessions/${await submitted()}`, 'gzip')).headers['content-encoding']).toBeUndefined()
  })

  test('that was never open to somebody is as absent as one that is not there, and leaves a trace', async () => {
    const id = await submitted()
    const stranger = basic(world.lambeth.granted.consumer)
    const [there, nowhere] = await Promise.all(
      [id, randomUUID()].map((one) => get(`/v1/sessions/${one}`, { authorization: stranger })),
    )
    expect({ ...there, request_id: '' }).toEqual({ ...nowhere, request_id: '' })
    await expect
      .poll(async () => {
        const { rows } = await pool().query(
          `select 1 from audit_entries where $1 = any(session_ids) and outcome = 'refused' and integration_id = $2`,
          [id, world.lambeth.granted.id],
        )
        return rows.length
      })
      .toBe(1)
  })
})

describe('lists', () => {
  test('followed by their cursor give each session once, also while many are submitted', async () => {
    let { next: after } = await get('/v1/sessions?limit=1000')
    const writing = Promise.all(Array.from({ length: 60 }, () => submitted()))
    let done = false
    const ids = writing.finally(() => {
      done = true
    })
    const seen: string[] = []
    for (let last = false; !last; ) {
      last = done
      const page = await get(`/v1/sessions?limit=7&after=${after}`)
      seen.push(...page.sessions.map(({ id }: { id: string }) => id))
      after = page.next
      if (page.more) last = false
    }
    const expected = new Set(await ids)
    await expect
      .poll(async () => {
        const page = await get(`/v1/sessions?limit=7&after=${after}`)
        seen.push(...page.sessions.map(({ id }: { id: string }) => id))
        after = page.next
        return seen.length
      })
      .toBe(60)
    expect(new Set(seen)).toEqual(expected)
  })

  test('link to their next page with all that was asked for', async () => {
    const link = (await send('/v1/sessions?flow=apply&limit=1')).headers.get('link') ?? ''
    const next = /^<(.+)>; rel="next"$/.exec(link)?.[1] ?? ''
    expect(next).toMatch(/^\/v1\/sessions\?flow=apply&limit=1&after=[0-9a-f]+$/)
    expect((await send(next)).status).toBe(200)
  })

  test('hold nothing of other teams or of sessions that are over', async () => {
    const { id: foreign } = await world.submit(aSession(world.lambeth))
    const over = await submitted()
    await pool().query(`update session_grants set expires_at = now() where session_id = $1`, [over])
    const text = JSON.stringify([await get('/v1/sessions?limit=1000'), await get('/v1/events?limit=1000')])
    expect(text).not.toContain(foreign)
    expect(text).not.toContain(over)
  })
})

describe('a long poll', () => {
  const cursor = async () => (await get('/v1/events?limit=1000')).next

  test('answers with an event as soon as it is there, without asking the database meanwhile', async () => {
    const waiting = get(`/v1/events?after=${await cursor()}&wait=50`)
    const id = await submitted()
    const { events, next } = await waiting
    expect(events).toMatchObject([{ session_id: id, type: 'session.submitted' }])
    expect((await get(`/v1/events?after=${next}`)).events).toEqual([])
  })

  test('waits for those that were asked for', async () => {
    const waiting = get(`/v1/events?after=${await cursor()}&wait=50&types=session.updated`)
    const id = await submitted()
    await world.graphql('mutation ($id: uuid!) { update_session(object: { id: $id, data: { a: 1 } }) { revision } }', {
      variables: { id },
      authorization: basic(world.source),
    })
    expect((await waiting).events).toMatchObject([{ session_id: id, type: 'session.updated', revision: 2 }])
  })

  test('that saw nothing ends empty, with a cursor from which nothing is missed', async () => {
    const { events, next } = await get(`/v1/events?after=${await cursor()}&wait=1`)
    expect(events).toEqual([])
    const id = await submitted()
    await expect
      .poll(async () =>
        (await get(`/v1/events?after=${next}`)).events.map((one: { session_id: string }) => one.session_id),
      )
      .toEqual([id])
  })

  test('ends when the access of who waits does', async () => {
    const authorization = basic(world.camden.other.consumer)
    await get('/v1/events', { authorization })
    const waiting = send('/v1/events?wait=50', { authorization })
    await get('/v1/events', { authorization })
    await pool().query('update api_credentials set revoked_at = now() where integration_id = $1', [
      world.camden.other.id,
    ])
    expect((await waiting).status).toBe(401)
  })

  test('takes one of the streams that its principal may have, and a gateway that stops ends it', async () => {
    const narrow = await buildWorld({ config: { LIMIT_STREAMS: '1' } })
    const authorization = basic(narrow.camden.granted.consumer)
    const poll = (wait: number) => fetch(`${narrow.url}/v1/events?wait=${wait}`, { headers: { authorization } })
    // Either of two that come at once may be refused; the long one asks again.
    const stay = async (): Promise<Response> => {
      const response = await poll(50)
      return response.status === 429 ? stay() : response
    }
    const waiting = stay()
    await expect
      .poll(async () => {
        const { status, headers } = await poll(0)
        return [status, headers.get('retry-after')]
      })
      .toEqual([429, '1'])
    const closed = narrow.close()
    const { status, events } = await waiting.then(async (response) => ({
      status: response.status,
      ...(await response.json()),
    }))
    // It is answered, whether it was waiting already or about to: with nothing, or with when to ask again.
    expect([
      [200, []],
      [503, undefined],
    ]).toContainEqual([status, events])
    await closed
  })
})

describe('the door', () => {
  test.each([
    ['DELETE', '/v1/sessions', 'GET, HEAD, POST'],
    ['POST', `/v1/sessions/${randomUUID()}`, 'GET, HEAD, PUT, PATCH'],
    ['PUT', '/v1/events', 'GET, HEAD'],
  ])('%s %s is not allowed, and what is allowed is said', async (method, path, allow) => {
    const response = await send(path, { method })
    expect([response.status, (await response.json()).code]).toEqual([405, 'METHOD_NOT_ALLOWED'])
    expect(response.headers.get('allow')?.split(', ').sort()).toEqual(allow.split(', ').sort())
  })

  test.each(['/v1', '/v1/', '/v1/sesions'])('%s leads to the documentation', async (path) => {
    const response = await send(path)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect([response.status, await response.json()]).toEqual([
      404,
      expect.objectContaining({ code: 'NOT_FOUND', detail: expect.stringContaining('/docs shows every path') }),
    ])
  })

  test('a parameter that is mistyped or sent twice is told', async () => {
    expect(await get('/v1/sessions?aftr=1')).toMatchObject({ status: 400, path: 'aftr' })
    expect(await get('/v1/sessions?limit=1&limit=2')).toMatchObject({ status: 400, path: 'limit' })
  })

  test('a refused write is audited like one by GraphQL', async () => {
    await send('/v1/sessions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"team":"camden","flow":"apply","data":{}}',
    })
    await expect
      .poll(async () => {
        const { rows } = await pool().query(
          `select detail from audit_entries where outcome = 'refused' and detail->>'entrance' = 'rest' and detail->>'code' = 'FORBIDDEN'`,
        )
        return rows.length
      })
      .toBeGreaterThan(0)
  })

  test('a write is audited once, as its action', async () => {
    const id = randomUUID()
    const body = JSON.stringify({ team: 'camden', flow: 'apply', data: {} })
    const headers = { 'content-type': 'application/json' }
    await send(`/v1/sessions/${id}`, { method: 'PUT', authorization: basic(world.source), headers, body })
    const { rows } = await pool().query(
      'select operation, outcome from audit_entries where $1 = any(session_ids) order by position',
      [id],
    )
    expect(rows).toEqual([{ operation: 'submit_session', outcome: 'granted' }])
  })

  test('the page and the contract are served, whole and without anything from elsewhere', async () => {
    const page = await fetch(`${world.url}/docs`)
    const text = await page.text()
    expect(page.headers.get('content-security-policy')).toMatch(/script-src 'self';/)
    expect(text).not.toMatch(/https?:/)
    for (const [, file] of text.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      const part = await fetch(`${world.url}${file}`)
      expect(part.status, file).toBe(200)
      expect((await part.text()).length).toBeGreaterThan(100)
    }
    const contract = await (await fetch(`${world.url}/openapi.json`)).json()
    expect(contract).toMatchObject({ openapi: '3.1.0', servers: [{ url: world.config.PUBLIC_URL }] })
    expect((await fetch(`${world.url}/docs`, { method: 'POST' })).status).toBe(405)
  })
})

describe('whatever is sent', () => {
  const junk = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom(
      '',
      '0',
      '-1',
      '1e9',
      '%00',
      '..',
      '../..',
      'null',
      '٣',
      '9'.repeat(40),
      'f'.repeat(32),
      'f'.repeat(16),
    ),
    fc.uuid(),
  )
  const part = junk.map((text) => encodeURIComponent(text.toWellFormed()))
  const pathParts = fc.oneof(part, fc.constantFrom('sessions', 'events', 'files', 'audit', '%', '%ff', '%2f'))
  const header = fc.constantFrom(
    'accept',
    'accept-encoding',
    'if-none-match',
    'if-match',
    'content-type',
    'content-encoding',
    'x-hasura-role',
    'range',
  )
  const headerText = fc.oneof(
    fc.string({ maxLength: 60 }).map((text) => text.replaceAll(/[^\x20-\x7e]/g, '?')),
    fc.constantFrom(
      'W/"1"',
      '"1", "2"',
      '"',
      '*',
      ';q=1',
      'a/b;q=x',
      'application/json;charset=utf-16',
      ',,,',
      'gzip;q=1;q=0',
    ),
  )
  const query = fc.dictionary(
    fc.constantFrom(
      'after',
      'limit',
      'flow',
      'team',
      'kind',
      'types',
      'wait',
      'revision',
      'format',
      'from',
      '__proto__',
    ),
    junk,
    { maxKeys: 3 },
  )
  const json = fc.oneof(
    fc.json(),
    fc.constantFrom(
      '',
      '{',
      '[]',
      'null',
      '{"team":"camden","flow":"apply","data":{"a":"\\u0000"}}',
      `${'['.repeat(5_000)}`,
      `{"team":"camden","flow":"apply","data":{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}}`,
      '{"__proto__":{}}',
      '{"data":1e400}',
    ),
    fc
      .record(
        {
          team: fc.constantFrom<unknown>('camden', 1, null, '\u0000'),
          flow: fc.constantFrom<unknown>('apply', {}),
          data: fc.oneof(fc.object(), fc.anything()),
          id: junk,
          config: fc.anything(),
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value) ?? ''),
  )

  test('is answered below 500, an error as problem details', async () => {
    const id = await submitted()
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'),
        fc.oneof(
          fc.array(pathParts, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
          fc.constantFrom('sessions', 'events', 'audit', `sessions/${id}`, `sessions/${id}/files`),
          part.map((one) => `sessions/${one}`),
        ),
        query,
        fc.dictionary(header, headerText, { maxKeys: 2 }),
        json,
        fc.boolean(),
        async (method, path, parameters, headers, body, isSource) => {
          const { wait: _, ...search } = parameters
          const response = await send(`/v1/${path}?${new URLSearchParams(search)}`, {
            method,
            authorization: isSource ? basic(world.source) : consumer(),
            headers: {
              ...(method === 'GET' || method === 'HEAD' ? {} : { 'content-type': 'application/json' }),
              ...headers,
            },
            ...(method === 'GET' || method === 'HEAD' ? {} : { body }),
          })
          const text = await response.text()
          expect(response.status, `${method} /v1/${path} ${text}`).toBeLessThan(500)
          // fetch itself resolves dots in a path.
          if (response.status < 400 || method === 'HEAD' || !new URL(response.url).pathname.startsWith('/v1/')) return
          expect(response.headers.get('content-type')).toBe('application/problem+json')
          expect(JSON.parse(text)).toMatchObject({
            status: response.status,
            request_id: response.headers.get('x-request-id'),
          })
        },
      ),
      { numRuns: 400 },
    )
  })
})
