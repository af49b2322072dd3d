import fc, { type GeneratorValue } from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readModel } from '../../src/tables/model.ts'
import { type RoleView, roleView } from '../../src/tables/role-view.ts'
import { aSession, basic, buildWorld, type World } from '../ground/world.ts'
import { randomOperation } from './documents.ts'
import type { Rows } from './rows.ts'

const seed = Number(process.env.FUZZ_SEED ?? 20_261_121)
const runs = Number(process.env.FUZZ_RUNS ?? 120)
const timeout = 60_000 + runs * 1000

/** In every row of the other team, and in nothing that is sent. */
const marker = 'only-for-lambeth'

let world: World
let rows: Rows
let callers: { readonly role: 'editor' | 'consumer'; readonly view: RoleView; readonly authorization: string }[]

beforeAll(async () => {
  world = await buildWorld()
  const { pool } = world.database
  for (const [team, word] of [
    [world.camden, 'camden'],
    [world.lambeth, marker],
  ] as const) {
    for (let number = 0; number < 5; number += 1) {
      await world.submit(
        aSession(team, { payment_id: `${word}-${number}`, config: { word }, data: { word, list: [1, { a: word }] } }),
      )
    }
    await pool.query('update teams set name = $2 where id = $1', [team.id, word])
    await pool.query('update flows set name = $2 where team_id = $1', [team.id, word])
    await pool.query('update integrations set name = $2 where team_id = $1', [team.id, word])
  }
  // Ids of both teams are tried.
  const model = readModel()
  const stored = await Promise.all(
    [...roleView(model, 'admin').tables.keys()].map(async (table): Promise<[string, Record<string, unknown>[]]> => {
      const { rows: found } = await pool.query(`select to_jsonb(t)::text as row from ${table} t`)
      return [table, found.map(({ row }) => withoutMarker(JSON.parse(row)))]
    }),
  )
  rows = new Map(stored)
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: world.camden.editor },
  )
  callers = [
    { role: 'consumer', view: roleView(model, 'consumer'), authorization: basic(world.camden.granted.consumer) },
    { role: 'editor', view: roleView(model, 'editor'), authorization: `Bearer ${data.sign_in.token}` },
  ]
})
afterAll(() => world?.close())

function withoutMarker<T>(value: T): T {
  return JSON.parse(JSON.stringify(value).replaceAll(marker, 'x'))
}

/** A GraphQL answer, or errors with codes; never a failure of ours, never a row of the other team. */
async function tried(body: string, authorization: string): Promise<string> {
  const response = await fetch(`${world.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body,
  })
  const text = await response.text()
  const shown = `${body.slice(0, 1_500)}\n→ ${response.status} ${text.slice(0, 1_500)}`
  expect(response.status, shown).toBeLessThan(500)
  expect(text, shown).not.toContain(marker)
  const { errors, ...rest } = JSON.parse(text) as { errors?: { message: string; extensions?: { code?: string } }[] }
  expect('data' in rest || errors, shown).toBeTruthy()
  for (const { message, extensions } of errors ?? []) {
    expect(message, shown).not.toBe('')
    expect(extensions?.code, shown).toMatch(/^[A-Z_]+$/)
    expect(extensions?.code, shown).not.toBe('INTERNAL')
  }
  return errors?.[0]?.extensions?.code ?? 'data'
}

// Nonsense of many kinds, as JSON text, so that numbers beyond double precision arrive as they are.

const deep = (open: string, close: string, levels: number, inside = '1') =>
  open.repeat(levels) + inside + close.repeat(levels)
const nonsense: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)) },
  fc.constantFrom(
    ...['null', '[]', '{}', '""', '0', '-1', '1.5', 'true', '1e400', '-1e400', '2147483648', '9223372036854775808'],
    ...[
      '9007199254740993',
      '"\\u0000"',
      '"\\ud800"',
      '"a\\\\"',
      '"("',
      '"[[:alpha:]]"',
      '"(a+)+$"',
      '"%_%_%"',
      '"infinity"',
    ],
    ...[
      '"2026-02-30"',
      '"2026-01-01T25:00Z"',
      '"0000-01-01"',
      '"now"',
      '"NaN"',
      '"1e999"',
      '"0x10"',
      '"x-hasura-team-ids"',
    ],
    ...[
      '"now()"',
      '{"__proto__":{"a":1}}',
      '{"constructor":1}',
      '{"_and":null}',
      '{"_or":{}}',
      '{"_not":[]}',
      '{"":{}}',
    ],
    deep('[', ']', 3_000),
    deep('{"_not":', '}', 300, '{}'),
    deep('{"_and":[', ']}', 13, '{}'),
    deep('{"a":', '}', 250),
    `[${Array(1_001).fill('1').join(',')}]`,
    `[${Array(5_000).fill('"a"').join(',')}]`,
    JSON.stringify('x'.repeat(100_000)),
    JSON.stringify({ _or: Array(201).fill({ id: { _is_null: true } }) }),
    JSON.stringify(Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`k${index}`, index]))),
  ),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => JSON.stringify(text)),
)

/** JSON text with one value, anywhere in it, replaced. */
function spoiled(g: GeneratorValue, value: unknown): string {
  const places: (readonly (string | number)[])[] = []
  const visit = (item: unknown, path: readonly (string | number)[]) => {
    places.push(path)
    if (typeof item !== 'object' || item === null) return
    for (const [key, inner] of Object.entries(item)) visit(inner, [...path, key])
  }
  visit(value, [])
  const chosen = JSON.stringify(places[g(fc.nat, { max: places.length - 1 })])
  const replacement = g(() => nonsense)
  const write = (item: unknown, path: readonly (string | number)[]): string => {
    if (JSON.stringify(path) === chosen) return replacement
    if (Array.isArray(item)) return `[${item.map((inner, index) => write(inner, [...path, String(index)])).join(',')}]`
    if (typeof item !== 'object' || item === null) return JSON.stringify(item)
    return `{${Object.entries(item)
      .map(([key, inner]) => `${JSON.stringify(key)}:${write(inner, [...path, key])}`)
      .join(',')}}`
  }
  return write(value, [])
}

const sample = (name: string, run: (g: GeneratorValue, authorization: string, view: RoleView) => Promise<string>) =>
  it.each(['consumer', 'editor'] as const)(
    `${name}, as %s`,
    async (role) => {
      const { authorization, view } = callers.find((caller) => caller.role === role) as (typeof callers)[number]
      const codes = new Map<string, number>()
      await fc.assert(
        fc.asyncProperty(fc.gen(), async (g) => {
          const code = await run(g, authorization, view)
          codes.set(code, (codes.get(code) ?? 0) + 1)
        }),
        { seed, numRuns: runs, endOnFailure: true },
      )
      expect(codes.size, JSON.stringify([...codes])).toBeGreaterThan(0)
    },
    timeout,
  )

describe('whatever is sent, the answer is data or an error with a code', () => {
  sample('valid operations', (g, authorization, view) => {
    const { document, variables } = randomOperation(g, view, rows)
    return tried(JSON.stringify({ query: document, variables }), authorization)
  })

  sample('valid operations with one value of a variable replaced', (g, authorization, view) => {
    const { document, variables } = randomOperation(g, view, rows)
    return tried(`{"query":${JSON.stringify(document)},"variables":${spoiled(g, variables)}}`, authorization)
  })

  sample('an argument of each table with any value', (g, authorization, view) => {
    const tables = [...view.tables.keys()]
    const table = tables[g(fc.nat, { max: tables.length - 1 })] as string
    const [argument, type] = g(
      fc.constantFrom,
      ...([
        ['where', `${table}_bool_exp`],
        ['order_by', `[${table}_order_by!]`],
        ['distinct_on', `[${table}_select_column!]`],
        ['limit', 'Int'],
        ['offset', 'Int'],
      ] as const),
    )
    const columns = [...(view.tables.get(table)?.columns.keys() ?? [])]
    const column = columns[g(fc.nat, { max: columns.length - 1 })] as string
    const value = g(() => nonsense)
    const operator = g(
      fc.constantFrom,
      '_eq',
      '_gt',
      '_in',
      '_nin',
      '_like',
      '_regex',
      '_similar',
      '_contains',
      '_has_keys_any',
      '_is_null',
      '_cast',
    )
    const sent = argument === 'where' ? `{"${column}":{"${operator}":${value}}}` : value
    const query = `query ($v: ${type}) { ${table}(${argument}: $v) { __typename } }`
    return tried(`{"query":${JSON.stringify(query)},"variables":{"v":${sent}}}`, authorization)
  })

  sample('documents with a few characters changed', (g, authorization, view) => {
    const { document, variables } = randomOperation(g, view, rows)
    let query = document
    for (let change = g(fc.nat, { max: 3 }); change >= 0; change -= 1) {
      const at = g(fc.nat, { max: query.length })
      const inserted = g(
        fc.constantFrom,
        '',
        '{',
        '}',
        '(',
        ')',
        '"',
        '$',
        '@',
        '...',
        ' null ',
        '!',
        '-1',
        'x',
        '\u0000',
        '"""',
        '#',
        'é',
      )
      query = query.slice(0, at) + inserted + query.slice(at + g(fc.nat, { max: 4 }))
    }
    return tried(JSON.stringify({ query, variables }), authorization)
  })

  sample('any body', (g, authorization) => {
    const query = g(
      fc.constantFrom,
      '"{ __typename }"',
      '"{ sessions { id } }"',
      '""',
      '1',
      'null',
      '[]',
      '{"a":1}',
      '"query A { __typename } query B { __typename }"',
    )
    const others = ['variables', 'operationName', 'extensions'].flatMap((key) =>
      g(fc.boolean) ? [`"${key}":${g(() => nonsense)}`] : [],
    )
    return tried(`{${[`"query":${query}`, ...others].join(',')}}`, authorization)
  })
})

describe('caps are named', () => {
  const many = (count: number, make: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => make(index)).join(' ')
  it.each<[string, string, RegExp, unknown?]>([
    ['tokens', `{ ${many(9_000, () => 'a')} }`, /Document contains more that 8000 tokens/],
    ['depth', `{ ${'flows { team { '.repeat(7)} id ${'} }'.repeat(7)} }`, /at most 12 are allowed/],
    ['root fields', `{ ${many(21, (index) => `k${index}: flows { id }`)} }`, /21 root fields; at most 20/],
    [
      'fields of fragments within fragments',
      `{ flows { ...f0 } } ${many(11, (index) => `fragment f${index} on flows { a: team { flows { ...f${index + 1} } } b: team { flows { ...f${index + 1} } } }`)} fragment f11 on flows { id }`,
      /at most (2000|12) are allowed/,
    ],
    [
      'fields',
      `{ flows { ${many(15, (index) => `k${index}: team { ${many(150, (inner) => `k${inner}: id`)} }`)} } }`,
      /at most 2000 are allowed/,
    ],
    ['rows of a list', '{ sessions(limit: 1001) { id } }', /sessions\.limit is 1001; at most 1000 are allowed/],
    [
      'order_by',
      'query ($v: [sessions_order_by!]) { sessions(order_by: $v) { id } }',
      /at most 10 are allowed/,
      Array(11).fill({ id: 'asc' }),
    ],
    [
      'relationships to order by',
      'query ($v: [delivery_attempts_order_by!]) { delivery_attempts(order_by: $v) { id } }',
      /more than 4 relationships/,
      { delivery: { event: { session: { flow: { team: { id: 'asc' } } } } } },
    ],
    [
      'comparisons',
      'query ($v: sessions_bool_exp) { sessions(where: $v) { id } }',
      /at most 200 are allowed/,
      { _or: Array(201).fill({ id: { _is_null: true } }) },
    ],
    [
      'items',
      'query ($v: sessions_bool_exp) { sessions(where: $v) { id } }',
      /holds 1001 items; at most 1000/,
      { kind: { _in: Array(1_001).fill('booking') } },
    ],
    [
      'levels',
      'query ($v: sessions_bool_exp) { sessions(where: $v) { id } }',
      /nests deeper than 12 levels/,
      nestedNot(13),
    ],
    ['steps of a path', `{ sessions { config(path: "${'[0]'.repeat(51)}") } }`, /more than 50 steps/],
    [
      'values',
      `query ($v: sessions_bool_exp) { ${many(15, (index) => `k${index}: flows { ${many(8, (inner) => `k${inner}: sessions(where: $v) { id }`)} }`)} }`,
      /more than 20000 values/,
      { _or: Array(200).fill({ payment_id: { _eq: 'a' } }) },
    ],
  ])('of %s', async (_, query, message, v) => {
    const { errors, status } = await world.graphql(query, {
      authorization: callers[0]?.authorization,
      variables: { v },
    })
    expect(errors?.[0]?.message).toMatch(message)
    expect(errors?.[0]?.extensions.code).toMatch(/^[A-Z_]+$/)
    expect(status).toBeLessThan(500)
  })
})

function nestedNot(levels: number): object {
  return levels === 1 ? {} : { _not: nestedNot(levels - 1) }
}
