import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseJsonPath } from '../../src/tables/json-path.ts'
import { aSession, basic, buildWorld, type World } from '../ground/world.ts'

let world: World
let authorization: string
const submitted: string[] = []

beforeAll(async () => {
  world = await buildWorld()
  authorization = basic(world.camden.granted.consumer)
  const configs = [
    { region: 'north', n: 1 },
    { region: 'north', n: 1.0 },
    { region: 'Süd', 'user.role': ['agent', { deep: '😀 "q" \\ %' }] },
  ]
  for (const [index, config] of configs.entries()) {
    const session = aSession(world.camden, { payment_id: ['b', 'a', 'B'][index], config })
    submitted.push((await world.submit(session)).id)
  }
  await world.database.pool.query(
    `insert into flows (team_id, slug, name) select id, 'empty', 'No sessions' from teams where slug = 'camden'`,
  )
  await world.database.prisma.destination.create({
    data: {
      flow_id: (await world.database.prisma.flow.findFirstOrThrow({ where: { slug: 'empty' } })).id,
      integration_id: world.camden.granted.id,
    },
  })
})
afterAll(() => world?.close())

async function data(query: string, variables: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  const answer = await world.graphql(query, { authorization, variables })
  expect(answer.errors).toBeUndefined()
  return answer.data
}

async function refusal(query: string, variables: Record<string, unknown> = {}): Promise<string> {
  const { errors } = await world.graphql(query, { authorization, variables })
  return `${errors?.[0]?.extensions.code}: ${errors?.[0]?.message}`
}

describe('order_by', () => {
  it('orders text by code point, whatever the locale of the database', async () => {
    const { sessions } = await data('{ sessions(order_by: { payment_id: asc }) { payment_id } }')
    expect(sessions).toEqual([{ payment_id: 'B' }, { payment_id: 'a' }, { payment_id: 'b' }])
  })

  it('takes the keys of one object in the order in which they are written, in documents and in variables', async () => {
    const byConfig = '{ sessions(order_by: { revision: desc, payment_id: desc, id: asc }) { payment_id } }'
    expect((await data(byConfig)).sessions).toEqual([{ payment_id: 'b' }, { payment_id: 'a' }, { payment_id: 'B' }])
    const query = 'query ($by: [sessions_order_by!]) { sessions(order_by: $by) { payment_id } }'
    const first = await data(query, { by: { payment_id: 'asc', id: 'desc' } })
    const second = await data(query, { by: { id: 'desc', payment_id: 'asc' } })
    expect(first.sessions).toEqual([{ payment_id: 'B' }, { payment_id: 'a' }, { payment_id: 'b' }])
    expect(second.sessions).toEqual(
      [{ payment_id: 'B' }, { payment_id: 'a' }, { payment_id: 'b' }].toSorted(newestFirst),
    )
  })

  const newestFirst = (x: { payment_id: string }, y: { payment_id: string }) => (idOf(y) < idOf(x) ? -1 : 1)
  const idOf = ({ payment_id }: { payment_id: string }) => submitted[['b', 'a', 'B'].indexOf(payment_id)] as string

  it('passes over a key that is null', async () => {
    const { sessions } = await data(
      '{ sessions(order_by: [{ kind: null }, { payment_id: desc }], limit: 1) { payment_id } }',
    )
    expect(sessions).toEqual([{ payment_id: 'b' }])
  })

  it('follows related rows and what is computed of them', async () => {
    const { flows } = await data(
      '{ flows(order_by: [{ sessions_aggregate: { count: asc } }, { team: { slug: asc } }]) { slug } }',
    )
    expect(flows).toEqual([{ slug: 'empty' }, { slug: 'apply' }])
  })
})

describe('distinct_on', () => {
  it('must agree with the first columns of order_by, as in Hasura', async () => {
    expect(await refusal('{ sessions(distinct_on: [flow_id], order_by: { payment_id: asc }) { id } }')).toBe(
      'VALIDATION_FAILED: sessions.distinct_on must name the first columns of order_by, in any order.',
    )
    const { sessions } = await data(
      '{ sessions(distinct_on: [flow_id, kind], order_by: [{ kind: asc }, { flow_id: asc }, { payment_id: desc }]) { payment_id } }',
    )
    expect(sessions).toEqual([{ payment_id: 'b' }])
  })
})

describe('where', () => {
  it.each<[string, unknown, number]>([
    ['counts related rows', { grants_aggregate: { count: { predicate: { _eq: 1 } } } }, 3],
    [
      'counts related rows that pass a filter',
      { events_aggregate: { count: { predicate: { _gt: 0 }, filter: { type: { _eq: 'x' } } } } },
      0,
    ],
    ['compares the text of JSON', { config: { _cast: { String: { _ilike: '%SÜD%' } } } }, 1],
    ['finds equal numbers equal, however they are written', { config: { _contains: { n: 1 } } }, 2],
    ['finds any character', { config: { _contains: { 'user.role': [{ deep: '😀 "q" \\ %' }] } } }, 1],
    ['takes an object for a list', { _or: { payment_id: { _in: ['a', 'B'] }, kind: { _eq: 'application' } } }, 2],
    ['is true of everything when empty', {}, 3],
    ['is false for an empty _or', { _or: [] }, 0],
    ['is true for an empty _nin', { payment_id: { _nin: [] } }, 3],
  ])('%s', async (_, where, count) => {
    const { sessions_aggregate } = await data(
      'query ($where: sessions_bool_exp) { sessions_aggregate(where: $where) { aggregate { count } } }',
      { where },
    )
    expect(sessions_aggregate).toEqual({ aggregate: { count } })
  })
})

describe('a selection', () => {
  it('may have more than fifty fields, and keys of any name and length', async () => {
    const keys = Array.from({ length: 120 }, (_, index) => `key_${index}_${'x'.repeat(70)}`)
    const { sessions } = await data(
      `{ sessions(limit: 1, order_by: { payment_id: asc }) { __proto__: payment_id constructor: kind ${keys.map((key) => `${key}: payment_id`).join(' ')} } }`,
    )
    const [session] = sessions as Record<string, unknown>[]
    expect(Object.keys(session ?? {})).toEqual(['__proto__', 'constructor', ...keys])
  })

  it('may ask for no row, and for the same field twice with other arguments', async () => {
    const { none, flows } = await data(
      '{ none: sessions(limit: 0) { id } flows(where: { slug: { _eq: "apply" } }) { a: sessions(limit: 1, order_by: { payment_id: asc }) { payment_id } b: sessions(offset: 2, order_by: { payment_id: asc }) { payment_id } } }',
    )
    expect(none).toEqual([])
    expect(flows).toEqual([{ a: [{ payment_id: 'B' }], b: [{ payment_id: 'b' }] }])
  })

  it('counts, and finds the least and greatest, of texts, times, keys and enums', async () => {
    const { sessions_aggregate } = await data(`{ sessions_aggregate { __typename aggregate {
      count one: count(columns: [payment_id]) kinds: count(columns: [kind, flow_id], distinct: true)
      max { id payment_id kind } min { id } stddev_pop { revision } variance { revision } sum { revision } avg { revision }
    } } }`)
    const sorted = submitted.toSorted()
    expect(sessions_aggregate).toEqual({
      __typename: 'sessions_aggregate',
      aggregate: {
        count: 3,
        one: 3,
        kinds: 1,
        max: { id: sorted.at(-1), payment_id: 'b', kind: 'application' },
        min: { id: sorted[0] },
        stddev_pop: { revision: 0 },
        variance: { revision: 0 },
        sum: { revision: 3 },
        avg: { revision: 1 },
      },
    })
  })

  it('audits the data of the sessions it reaches, also where some rows on the way lead to none', async () => {
    const { flows } = await data(
      '{ flows(order_by: { slug: asc }) { slug sessions(order_by: { payment_id: asc }) { id data } } }',
    )
    expect((flows as { sessions: unknown[] }[]).map(({ sessions }) => sessions.length)).toEqual([3, 0])
    const { rows } = await world.database.pool.query(
      'select session_ids::text[] as ids from audit_entries order by at desc limit 1',
    )
    expect(rows[0].ids.toSorted()).toEqual(submitted.toSorted())
  })
})

describe('the path of a JSON column', () => {
  it.each([
    ['$', []],
    ['', []],
    ['$.a.b[0]', ['a', 'b', '0']],
    ['a.b', ['a', 'b']],
    ['.a', ['a']],
    ['[0].a', ['0', 'a']],
    ['$[0]', ['0']],
    ['$["user.role"][0]', ['user.role', '0']],
    ["$['é \\'x']", ["é 'x"]],
    ['$.größe-1', ['größe-1']],
  ])('reads %s', (text, keys) => {
    expect(parseJsonPath(text, 'path')).toEqual(keys)
  })

  it.each(['$a', '.', '$.', 'a..b', 'a[', 'a[x]', "a['b]", 'a b', '$.1'])('refuses %s', (text) => {
    expect(() => parseJsonPath(text, 'path')).toThrow(/path cannot be read at/)
  })
})
