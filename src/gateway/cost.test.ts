import { buildSchema, getOperationAST, parse } from 'graphql'
import { expect, it } from 'vitest'
import { costOf } from './cost.ts'

const schema = buildSchema(`
  type Query {
    sessions(limit: Int): [Session!]!
    sessions_by_pk(id: ID!): Session
    sessions_aggregate(limit: Int): Aggregate!
  }
  type Mutation { update_sessions: Response }
  type Subscription { sessions_stream(batch_size: Int!): [Session!]! }
  type Session { id: ID! tags: [String!] flow: Flow! sessions(limit: Int): [Session!]! }
  type Flow { slug: String! sessions(limit: Int): [Session!]! }
  type Aggregate { aggregate: Functions nodes: [Session!]! }
  type Functions { count: Int! }
  type Response { affected_rows: Int! returning: [Session!]! }
`)

function cost(query: string, variables: Record<string, unknown> = {}): number {
  const document = parse(query)
  const operation = getOperationAST(document)
  if (!operation) throw new Error('one operation, please')
  return costOf(schema, document, operation)(variables)
}

it.each([
  ['a field of a row', '{ sessions_by_pk(id: 1) { id flow { slug } } }', 1 + (1 + (1 + 1))],
  ['a list, by its limit', '{ sessions(limit: 10) { id flow { slug } } }', 1 + 10 * 3],
  ['a list without limit', '{ sessions { id } }', 1 + 20],
  ['a limit of null', '{ sessions(limit: null) { id } }', 1 + 20],
  ['a limit of nothing as one row', '{ sessions(limit: 0) { id } }', 1 + 1],
  ['lists within lists', '{ sessions(limit: 10) { sessions(limit: 5) { id } } }', 1 + 10 * (1 + 5)],
  ['a column that is a list as one field', '{ sessions(limit: 10) { tags } }', 1 + 10],
  ['aliases and repeated fields', '{ a: sessions(limit: 1) { id x: id id } b: sessions(limit: 1) { id } }', 4 + 2],
  ['an aggregate once', '{ sessions_aggregate(limit: 50) { aggregate { count } } }', 1 + 2],
  ['the nodes of an aggregate by its limit', '{ sessions_aggregate(limit: 50) { nodes { id } } }', 1 + (1 + 50)],
  ['a stream by its batch', 'subscription { sessions_stream(batch_size: 7) { id } }', 1 + 7],
  ['what a mutation returns', 'mutation { update_sessions { affected_rows returning { id } } }', 1 + 1 + (1 + 20)],
  [
    'fragments wherever they are spread',
    '{ a: sessions(limit: 2) { ...f } b: sessions(limit: 3) { ...f ... on Session { id } } } fragment f on Session { id flow { slug } }',
    1 + 2 * 3 + (1 + 3 * 4),
  ],
])('counts %s', (_, query, expected) => {
  expect(cost(query)).toBe(expected)
})

it('takes limits from variables, and 20 rows where they are not given', () => {
  const query = 'query ($a: Int, $b: Int) { sessions(limit: $a) { flow { sessions(limit: $b) { id } } } }'
  expect(cost(query, { a: 10, b: 5 })).toBe(1 + 10 * (1 + (1 + 5)))
  expect(cost(query, { a: 10 })).toBe(1 + 10 * (1 + (1 + 20)))
  expect(cost('query ($a: Int) { sessions_aggregate(limit: $a) { nodes { id } } }', { a: 7 })).toBe(1 + (1 + 7))
})
