import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aSession, basic, buildWorld, type World } from './ground/world.ts'

let world: World
beforeAll(async () => {
  world = await buildWorld()
})
afterAll(() => world?.close())

const byPk = 'query ($id: uuid!) { sessions_by_pk(id: $id) { id status data payment_id flow { slug team { slug } } } }'

describe('submitting a session', () => {
  it('writes session, grant and event together and says what it did', async () => {
    const session = aSession(world.camden)
    const result = await world.submit(session)
    expect(result).toMatchObject({ id: session.id, created: true, grants: 1, deliveries: 0 })
    const { rows } = await world.database.pool.query(
      `select s.payment_id, (select count(*)::int from session_events e where e.session_id = s.id) as events,
              (select array_agg(g.integration_id::text) from session_grants g where g.session_id = s.id) as grants
         from sessions s where id = $1`,
      [session.id],
    )
    expect(rows).toEqual([{ payment_id: 'payment-1', events: 1, grants: [world.camden.granted.id] }])
  })

  it('returns the first result for the same content, and a conflict for other content', async () => {
    const session = aSession(world.camden)
    const first = await world.submit(session)
    // The same content with its keys in another order.
    const again = await world.submit(Object.fromEntries(Object.entries(session).reverse()))
    expect(again).toEqual({ ...first, created: false })
    await expect(world.submit({ ...session, payment_id: 'payment-2' })).rejects.toThrow(
      /already a session .* with other content/,
    )
    const { rows } = await world.database.pool.query(
      'select count(*)::int as events from session_events where session_id = $1',
      [session.id],
    )
    expect(rows).toEqual([{ events: 1 }])
  })

  it.each([
    ['an unknown team', { team: 'nowhere' }, 'NOT_FOUND', /no team "nowhere"/],
    ['an unknown flow', { flow: 'nothing' }, 'NOT_FOUND', /no flow "nothing"/],
    ['an unknown kind', { kind: 'poem' }, 'VALIDATION_FAILED', /object.kind/],
    ['data that is a list', { data: [] }, 'VALIDATION_FAILED', /object.data/],
    ['a text that Postgres cannot hold', { data: { a: '\u0000' } }, 'VALIDATION_FAILED', /U\+0000/],
  ])('refuses %s with a clear error and writes nothing', async (_, changes, code, message) => {
    const session = aSession(world.camden, changes)
    const { errors } = await world.graphql(
      'mutation ($object: submit_session_input!) { submit_session(object: $object) { id } }',
      { variables: { object: session }, authorization: basic(world.source) },
    )
    expect(errors?.[0]?.message).toMatch(message)
    expect(errors?.[0]?.extensions.code).toBe(code)
    const { rows } = await world.database.pool.query('select 1 from sessions where id = $1', [session.id])
    expect(rows).toEqual([])
  })

  it('is not offered to consumers', async () => {
    const { errors } = await world.graphql(
      'mutation { submit_session(object: { team: "a", flow: "b", data: {} }) { id } }',
      {
        authorization: basic(world.camden.granted.consumer),
      },
    )
    expect(errors?.[0]?.message).toMatch(/Cannot query field "submit_session"/)
  })
})

describe('pulling a session', () => {
  it('hands it to the integration that was granted, with an audit entry and the short clock started', async () => {
    const session = aSession(world.camden)
    await world.submit(session)
    const { data } = await world.graphql<{ sessions_by_pk: { data: unknown } }>(byPk, {
      variables: { id: session.id },
      authorization: basic(world.camden.granted.consumer),
    })
    expect(data.sessions_by_pk).toEqual({
      id: session.id,
      status: 'submitted',
      payment_id: 'payment-1',
      data: session.data,
      flow: { slug: 'apply', team: { slug: 'camden' } },
    })
    const { rows } = await world.database.pool.query(
      `select a.operation, a.outcome, a.actor_id, g.first_retrieved_at is not null as retrieved,
              g.expires_at < now() + interval '5 days 1 minute' as short
         from audit_entries a join session_grants g on g.session_id = any(a.session_ids) where $1 = any(a.session_ids) and a.operation = 'query'`,
      [session.id],
    )
    expect(rows).toEqual([
      {
        operation: 'query',
        outcome: 'granted',
        actor_id: world.camden.granted.consumer.id,
        retrieved: true,
        short: true,
      },
    ])
  })

  it('does not count reading metadata as a retrieval', async () => {
    const session = aSession(world.camden)
    await world.submit(session)
    await world.graphql('query ($id: uuid!) { sessions_by_pk(id: $id) { id submitted_at } }', {
      variables: { id: session.id },
      authorization: basic(world.camden.granted.consumer),
    })
    const { rows } = await world.database.pool.query(
      'select 1 from audit_entries where $1 = any(session_ids) and actor_id <> $2',
      [session.id, world.source.id],
    )
    expect(rows).toEqual([])
  })

  it('counts data reached through another table as a retrieval too', async () => {
    const session = aSession(world.camden)
    await world.submit(session)
    const { data } = await world.graphql<{ session_events: unknown[] }>(
      'query ($id: uuid!) { session_events(where: { session_id: { _eq: $id } }) { type session { data } } }',
      { variables: { id: session.id }, authorization: basic(world.camden.granted.consumer) },
    )
    expect(data.session_events).toEqual([{ type: 'session.submitted', session: { data: session.data } }])
    const { rows } = await world.database.pool.query(
      "select session_ids::text[] from audit_entries where $1 = any(session_ids) and operation = 'query'",
      [session.id],
    )
    expect(rows).toEqual([{ session_ids: [session.id] }])
  })

  it('shows nothing to another integration of the team, nor to another team', async () => {
    const session = aSession(world.camden)
    await world.submit(session)
    for (const { consumer } of [world.camden.other, world.lambeth.granted]) {
      const { data } = await world.graphql<{
        sessions_by_pk: unknown
        sessions: unknown[]
        sessions_aggregate: unknown
      }>(
        `query ($id: uuid!) {
          sessions_by_pk(id: $id) { id data }
          sessions { id }
          sessions_aggregate { aggregate { count } }
          session_events { id }
          flows { slug sessions { id } }
        }`,
        { variables: { id: session.id }, authorization: basic(consumer) },
      )
      expect(data).toMatchObject({
        sessions_by_pk: null,
        sessions: [],
        sessions_aggregate: { aggregate: { count: 0 } },
        session_events: [],
      })
    }
  })

  it('filters, orders, limits and aggregates in one statement', async () => {
    const ids: string[] = []
    for (const payment of ['p-a', 'p-b', 'p-c']) {
      const session = aSession(world.lambeth, { payment_id: payment, config: { region: payment } })
      ids.push((await world.submit(session)).id)
    }
    const { data, errors } = await world.graphql(
      `query ($ids: [uuid!]!) {
        newest: sessions(where: { id: { _in: $ids } }, order_by: { payment_id: desc }, limit: 2) { payment_id ...more }
        matched: sessions(where: { _and: [{ id: { _in: $ids } }, { config: { _contains: { region: "p-b" } } }] }) { payment_id part: config(path: "$.region") }
        sessions_aggregate(where: { id: { _in: $ids } }) { aggregate { count max { payment_id } } nodes { __typename } }
        none: sessions(where: { id: { _in: [] } }) { id }
      }
      fragment more on sessions { flow { slug sessions_aggregate(where: { id: { _in: $ids } }) { aggregate { count } } } }`,
      { variables: { ids }, authorization: basic(world.lambeth.granted.consumer) },
    )
    expect(errors).toBeUndefined()
    const flow = { slug: 'apply', sessions_aggregate: { aggregate: { count: 3 } } }
    expect(data).toEqual({
      newest: [
        { payment_id: 'p-c', flow },
        { payment_id: 'p-b', flow },
      ],
      matched: [{ payment_id: 'p-b', part: 'p-b' }],
      sessions_aggregate: {
        aggregate: { count: 3, max: { payment_id: 'p-c' } },
        nodes: Array(3).fill({ __typename: 'sessions' }),
      },
      none: [],
    })
  })

  it('answers the same through graphql-js, when table fields stand beside other fields', async () => {
    const session = aSession(world.camden)
    await world.submit(session)
    const { data } = await world.graphql(
      'query ($id: uuid!) { whoami { role } one: sessions_by_pk(id: $id) { key: id data flow { slug } } }',
      {
        variables: { id: session.id },
        authorization: basic(world.camden.granted.consumer),
      },
    )
    expect(data).toEqual({
      whoami: { role: 'consumer' },
      one: { key: session.id, data: session.data, flow: { slug: 'apply' } },
    })
  })

  it.each([
    ['null in a comparison', '{ sessions(where: { id: { _eq: null } }) { id } }', /must not be null/],
    ['a bad UUID', '{ sessions_by_pk(id: "x") { id } }', /Expected a UUID/],
    ['a negative limit', '{ sessions(limit: -1) { id } }', /must not be negative/],
    [
      'a broken regular expression',
      '{ sessions(where: { payment_id: { _regex: "(" } }) { id } }',
      /regular expression/,
    ],
    ['a hidden column', '{ sessions { content_hash } }', /Cannot query field/],
    ['an unreadable path', '{ sessions { config(path: "$..a") } }', /path cannot be read/],
    [
      'too deep a selection',
      `{ flows { ${'sessions { flow { '.repeat(8)} id ${'} }'.repeat(8)} } }`,
      /at most 12 are allowed/,
    ],
    ['a syntax error', '{ sessions {', /Syntax Error/],
  ])('answers %s with an error and no data', async (_, query, message) => {
    const { errors, data } = await world.graphql(query, { authorization: basic(world.camden.granted.consumer) })
    expect(errors?.[0]?.message).toMatch(message)
    expect(data ?? null).toBeNull()
  })
})

describe('what a filter tells', () => {
  it('is nothing of the data: a consumer cannot filter, sort or count by it', async () => {
    const authorization = basic(world.camden.granted.consumer)
    for (const query of [
      '{ sessions(where: { data: { _has_key: "passport" } }) { id } }',
      '{ sessions(order_by: { data: asc }) { id } }',
      '{ sessions(distinct_on: data) { id } }',
      '{ sessions_aggregate { aggregate { count(columns: data) } } }',
      '{ flows(where: { sessions: { data: { _has_key: "passport" } } }) { id } }',
    ]) {
      const { errors, data } = await world.graphql(query, { authorization })
      expect(errors?.[0]?.message).toMatch(/"data"|data/)
      expect(data ?? null).toBeNull()
    }
  })
})
