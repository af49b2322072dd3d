import { buildSchema } from 'graphql'
import { expect, it } from 'vitest'
import { type OperationRequest, Operations } from './operation.ts'
import type { RoleSchema } from './role-schemas.ts'

const schema = buildSchema(`
  type Query { rows(where: Where, data: [String]): [Row!]! }
  type Row { id: ID! row: Row }
  input Where { not: Where }
`)
const role = { schema } as unknown as RoleSchema

function refusalOf(request: OperationRequest, operations = new Operations()) {
  const prepared = operations.prepare(request, { kind: 'person', role: 'editor' }, role)
  return 'errors' in prepared ? prepared.errors.map(({ extensions }) => extensions.code) : null
}

/** `{"not":{"not":…{}}}`, or the like. */
const nested = (open: string, close: string, times: number) => `${open.repeat(times)}{}${close.repeat(times)}`

it('refuses values that nest too deep to be walked, in variables as in the document', () => {
  const query = 'query ($where: Where) { rows(where: $where) { id } }'
  const where = JSON.parse(nested('{"not":', '}', 100_000))
  expect(refusalOf({ query, variables: { where } })).toEqual(['LIMIT_DEPTH'])
  const literal = `{ rows(where: ${nested('{not:', '}', 1_990)}) { id } }`
  expect([null, ['LIMIT_DEPTH']]).toContainEqual(refusalOf({ query: literal }))
})

it.each([
  ['one field over and over', `{ rows { ${'id '.repeat(1_990)} } }`],
  ['one field with fields over and over', `{ rows { ${'row { id } '.repeat(900)} } }`],
  [
    'hundreds of fragments side by side',
    `{ rows { ${Array.from({ length: 600 }, (_, i) => `...f${i}`).join(' ')} } } ${Array.from({ length: 600 }, (_, i) => `fragment f${i} on Row { id }`).join(' ')}`,
  ],
  ['hundreds of directives', `{ rows { id ${'@include(if: true) '.repeat(1_100)} } }`],
])('reads a document with %s in bounded time', (_, query) => {
  const startedAt = performance.now()
  refusalOf({ query })
  expect(performance.now() - startedAt).toBeLessThan(5_000)
})

it('keeps documents up to a bound, those used last', () => {
  const operations = new Operations()
  const prepare = (query: string) =>
    operations.prepare({ query }, { kind: 'person', role: 'editor' }, role) as { document?: unknown }
  const kept = prepare('{ rows { id } }').document
  const long = (index: number) => `{ rows { a${index}: id } } # ${'x'.repeat(300_000)}`
  prepare(long(0))
  expect(prepare('{ rows { id } }').document).toBe(kept)
  const first = prepare(long(1)).document
  for (let index = 2; index < 5; index += 1) {
    prepare(long(index))
    expect(prepare('{ rows { id } }').document).toBe(kept)
  }
  expect(prepare(long(1)).document).not.toBe(first)
})
