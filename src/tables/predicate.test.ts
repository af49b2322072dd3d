import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import type { Column, Model, Table } from './model.ts'
import { type Operator, operatorsOf, type Predicate, parsePredicate, type Shape } from './predicate.ts'
import { decidable, evaluate, type Row } from './predicate-memory.ts'
import { portablePattern } from './predicate-regex.ts'
import { predicateToSql } from './predicate-sql.ts'
import { SqlWriter } from './sql-writer.ts'

const seed = Number(process.env.PROPERTY_SEED ?? 20_261_121)
/** Each batch is one statement that evaluates this many predicates over all rows. */
const batches = Number(process.env.PROPERTY_BATCHES ?? 12)
const predicatesPerBatch = 150
const rowCount = 60

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground?.close())

// A table with a column of every type that predicates know, and a child table.

const types: Readonly<Record<string, string>> = {
  uuid: 'uuid',
  text: 'text',
  bool: 'bool',
  int4: 'int4',
  int8: 'int8',
  float8: 'float8',
  numeric: 'numeric',
  timestamptz: 'timestamptz',
  jsonb: 'jsonb',
  status: 'session_status',
}

function column(name: string, type: string, list = false): Column {
  return { name, type, enum: type === 'session_status', list, required: false, hasDefault: false }
}

const columns = new Map<string, Column>([
  ['id', column('id', 'int4')],
  ...Object.entries(types).map(([name, type]): [string, Column] => [name, column(name, type)]),
  ['texts', column('texts', 'text', true)],
  ['uuids', column('uuids', 'uuid', true)],
])
const parents: Table = {
  name: 'property_parents',
  columns,
  primaryKey: ['id'],
  uniques: [],
  relations: new Map([
    [
      'children',
      { name: 'children', table: 'property_children', list: true, required: false, on: [['id', 'parent_id']] },
    ],
  ]),
}
const children: Table = {
  name: 'property_children',
  columns: new Map([...columns, ['parent_id', column('parent_id', 'int4')]]),
  primaryKey: ['id'],
  uniques: [],
  relations: new Map([
    ['parent', { name: 'parent', table: 'property_parents', list: false, required: false, on: [['parent_id', 'id']] }],
  ]),
}
const model: Model = new Map([parents, children].map((table) => [table.name, table]))
const parentShape: Shape = {
  name: 'property_parents',
  columns,
  relations: new Map([['children', () => childShape]]),
  counted: new Set(['children']),
}
const childShape: Shape = {
  name: 'property_children',
  columns: children.columns,
  relations: new Map([['parent', () => parentShape]]),
}

// Values: pools, so that equal and nearly equal ones meet, and random ones beside them.

const texts = [
  ...['', 'a', 'A', 'b', 'Z', 'ab', 'abc', 'aab', 'Ab', 'k', 's', 'i', 'I', ' ', 'a b', 'a\nb', '\t', '0', '10', '9'],
  ...['é', 'É', 'e\u0301', 'ß', 'ẞ', 'ſ', '\u212a', 'ı', 'Σ', 'σ', 'ς', 'straße', 'STRASSE', 'ŵy', 'Ŵy', '日本'],
  ...['😀', '😁', '𝒜', '\uffff', '\ufffd', '\ue000', 'a😀b', '100%', 'a_b', 'a\\b', "it's", '"q"', 'a.b', '[a]', '{a}'],
]
const textValue = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...texts) },
  fc.string({ unit: fc.constantFrom(..."abAB%_\\.é😀'"), maxLength: 6 }),
  fc.string({ unit: 'binary', maxLength: 5 }).filter((text) => text.isWellFormed() && !text.includes('\0')),
)
const uuids = [
  '00000000-0000-0000-0000-000000000000',
  '0198f000-0000-7000-8000-00000000000a',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
]
const uuidValue = fc.oneof(fc.constantFrom(...uuids, uuids[1]?.toUpperCase() as string), fc.uuid())
const int4Value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(2_147_483_647, -2_147_483_648))
const int8Value = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom('9223372036854775807', '-9223372036854775808', '9007199254740993', '9007199254740992', '-1'),
)
const float8Value = fc.oneof(
  fc.constantFrom<number | string>(0, -0, 0.1, 0.30000000000000004, 1e308, 5e-324, 1.5, '1e3', '.5', '+2'),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const numericValue = fc.oneof(
  fc.constantFrom<number | string>(0, 1, '1.0', '1.00', '-0', 0.1, '0.1000000000000000000001', '1e30', '1e-30'),
  fc.constantFrom<number | string>('123456789012345678901234567890.5', '123456789012345678901234567891', 1e21, '.5'),
)
const timeValue = fc.oneof(
  fc.constantFrom(
    ...[
      '2026-04-15',
      '2026-04-15T00:00:00Z',
      '2026-04-15 00:00',
      '2026-04-15T02:00:00+02:00',
      '2026-04-14T23:59:59.999999Z',
    ],
    ...[
      '2026-04-15T00:00:00.000001+00',
      '2026-04-15T00:00:00.0000005Z',
      '2026-04-15T00:00:00.0000015Z',
      '2026-04-15T00:00:00.000000499Z',
    ],
    ...[
      '2026-04-15T00:00:00.1234565Z',
      '2026-04-15T05:30:00.123+0530',
      '0001-01-01',
      '9999-12-31T23:59:59.999999Z',
      '2024-02-29T12:00:00-11:30',
    ],
  ),
  fc
    .date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
)
const jsonKey = fc.constantFrom('a', 'b', 'aa', 'é', '', '__proto__', 'x y')
const jsonValue = fc.letrec((tie) => ({
  scalar: fc.oneof(
    fc.constantFrom<unknown>(
      null,
      true,
      false,
      0,
      1,
      -1,
      1.5,
      1e21,
      12_345_678_901_234_567_000,
      'a',
      'b',
      '',
      'é',
      '😀',
    ),
    fc.constantFrom<unknown>('\uffff', 'a\\b', '"', 2, 10),
  ),
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    { weight: 3, arbitrary: tie('scalar') },
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(jsonKey, tie('value')), { maxLength: 3 }).map((pairs) =>
      // Like JSON.parse, which makes an own key of "__proto__".
      JSON.parse(`{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`),
    ),
  ),
})).value
const jsonColumn = jsonValue.filter((value) => value !== null)
const statusValue = fc.constantFrom('submitted', 'invalid', 'purged')

const valuesOf: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  uuid: uuidValue,
  text: textValue,
  bool: fc.boolean(),
  int4: int4Value,
  int8: int8Value,
  float8: float8Value,
  numeric: numericValue,
  timestamptz: timeValue,
  jsonb: jsonColumn,
  session_status: statusValue,
}

/** What only rows hold: Postgres has them, callers may not send them. */
const rowOnly: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  float8: fc.constantFrom('NaN', 'Infinity', '-Infinity'),
  numeric: fc.constantFrom('NaN', 'Infinity', '-Infinity'),
  timestamptz: fc.constantFrom('infinity', '-infinity', '0044-03-15 00:00:00+00 BC', '20000-01-01 00:00:00+00'),
}

const storedRow = fc.record(
  Object.fromEntries(
    [...columns.values()]
      .filter(({ name }) => name !== 'id')
      .map(({ name, type, list }) => {
        const one = fc.oneof(
          { weight: 6, arbitrary: valuesOf[type] as fc.Arbitrary<unknown> },
          rowOnly[type] ?? (valuesOf[type] as fc.Arbitrary<unknown>),
        )
        const value = list ? fc.array(fc.option(one, { freq: 6 }), { maxLength: 3 }) : one
        return [name, fc.option(value, { freq: 5 })]
      }),
  ),
)

// Patterns.

const likePattern = fc
  .array(
    fc.constantFrom(
      '%',
      '%',
      '_',
      '\\%',
      '\\_',
      '\\\\',
      '\\a',
      'a',
      'b',
      'A',
      'é',
      'É',
      '😀',
      'k',
      'S',
      'i',
      "'",
      '0',
      ' ',
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''))

const portableRegex = (insensitive: boolean, similar: boolean) => {
  const characters = insensitive
    ? ['a', 'b', 'B', 'k', 'S', '\\.']
    : ['a', 'b', 'A', 'é', '😀', 'σ', '\\.', '\\\\', "'"]
  const sets = similar
    ? ['[ab]', '[^a]', '[a-c]', '%', '_', '.']
    : ['.', '[ab]', '[^a]', '[a-c]', '[^k]', '[A-Z_-]', '[\\]a]', '\\n', '^', '$']
  if (!insensitive) sets.push('[é-ü]', '[^😀]')
  const regex = fc.letrec<{ atom: string; piece: string; branch: string; whole: string }>((tie) => ({
    atom: fc.oneof(
      { depthSize: 'small', maxDepth: 3 },
      { weight: 3, arbitrary: fc.constantFrom(...characters) },
      { weight: 2, arbitrary: fc.constantFrom(...sets) },
      tie('whole').map((inner) => `(${inner})`),
    ),
    piece: fc
      .tuple(
        tie('atom'),
        fc.constantFrom('', '', '', '', '*', '+', '?', '{2}', '{1,}', '{0,2}', ...(similar ? [] : ['*?', '+?'])),
      )
      .map(([atom, quantifier]) => (atom === '^' || atom === '$' ? atom : atom + quantifier)),
    branch: fc.array(tie('piece'), { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join('')),
    whole: fc.array(tie('branch'), { minLength: 1, maxLength: 2 }).map((branches) => branches.join('|')),
  })).whole
  // Nonsense, too: whatever our reader accepts must mean the same to Postgres.
  const nonsense = fc.string({ unit: fc.constantFrom(...'ab^$.*+?(){}[]|\\-,123%_ é:!#"nk'), maxLength: 8 })
  const accepted = (pattern: string) =>
    !('problem' in portablePattern(pattern, similar ? 'similar' : 'regex', insensitive))
  return fc.oneof({ weight: 2, arbitrary: regex }, nonsense).filter(accepted)
}
const regexes = {
  _regex: portableRegex(false, false),
  _iregex: portableRegex(true, false),
  _similar: portableRegex(false, true),
}

// Expressions, in Hasura's form, so that the parser takes part too.

function operandFor(operator: Operator, { type, list }: { type: string; list: boolean }): fc.Arbitrary<unknown> {
  if (operator === '_is_null') return fc.boolean()
  const value = valuesOf[type] as fc.Arbitrary<unknown>
  if (list) return fc.array(value, { maxLength: 3 })
  if (operator === '_in' || operator === '_nin') return fc.array(value, { maxLength: 4 })
  if (operator.includes('like'))
    return fc.oneof(
      likePattern,
      textValue.filter((text) => !text.endsWith('\\')),
    )
  const regex = regexes[operator.replace('_n', '_') as keyof typeof regexes]
  if (regex) return regex
  if (operator === '_has_key') return jsonKey
  if (operator.startsWith('_has_keys')) return fc.array(jsonKey, { maxLength: 3 })
  if (operator === '_contains' || operator === '_contained_in') return jsonColumn
  return value
}

const comparison = (of: ReadonlyMap<string, Column>) =>
  fc.constantFrom(...of.values()).chain((one) =>
    fc
      .array(
        fc
          .constantFrom(...operatorsOf(one))
          .chain((operator) => operandFor(operator, one).map((operand) => [operator, operand])),
        { minLength: 1, maxLength: 2 },
      )
      .map((tests) => ({ [one.name]: Object.fromEntries(tests) })),
  )

const expression = fc.letrec((tie) => ({
  parent: fc.oneof(
    { depthSize: 'medium', maxDepth: 5 },
    { weight: 4, arbitrary: comparison(columns) },
    fc.array(tie('parent'), { maxLength: 3 }).map((of) => ({ _and: of })),
    fc.array(tie('parent'), { maxLength: 3 }).map((of) => ({ _or: of })),
    { weight: 2, arbitrary: tie('parent').map((of) => ({ _not: of })) },
    fc.tuple(tie('parent'), tie('parent')).map(([a, b]) => ({ ...(a as object), ...(b as object) })),
    tie('child').map((of) => ({ children: of })),
    tie('counted'),
  ),
  child: fc.oneof(
    { depthSize: 'medium', maxDepth: 5 },
    { weight: 4, arbitrary: comparison(children.columns) },
    fc.constant({}),
    fc.array(tie('child'), { maxLength: 2 }).map((of) => ({ _or: of })),
    tie('child').map((of) => ({ _not: of })),
    tie('parent').map((of) => ({ parent: of })),
  ),
  counted: fc
    .record(
      {
        predicate: fc.oneof(
          fc.dictionary(fc.constantFrom('_eq', '_gt', '_lte', '_neq'), fc.integer({ min: 0, max: 3 }), { maxKeys: 2 }),
          fc.record({ _in: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }) }),
        ),
        filter: tie('child'),
        distinct: fc.boolean(),
        arguments: fc.uniqueArray(fc.constantFrom('text', 'int4', 'jsonb', 'numeric', 'timestamptz', 'uuid'), {
          maxLength: 2,
        }),
      },
      { requiredKeys: ['predicate'] },
    )
    .map((count) => ({ children_aggregate: { count } })),
})).parent

describe('reading an expression', () => {
  it.each<[string, unknown, RegExp]>([
    ['null', null, /where must be an object/],
    ['a list', [], /where must be an object/],
    ['an unknown field', { nothing: {} }, /where\.nothing is not a field of property_parents; there are: id, uuid/],
    ['an unknown operator', { int4: { _like: 'a' } }, /where\.int4\._like is not an operator of int4; there are: _eq/],
    ['a comparison with null', { text: { _eq: null } }, /where\.text\._eq must not be null.*_is_null/],
    ['null in a list', { text: { _in: ['a', null] } }, /where\.text\._in\[1\] must not be null/],
    ['null for a list of expressions', { _and: null }, /where\._and\[0\] must be an object/],
    ['a label that the enum does not have', { status: { _eq: 'open' } }, /one of submitted, invalid, purged/],
    ['a number that does not fit', { int4: { _eq: 2 ** 31 } }, /fits in 32 bits/],
    ['a number in hexadecimal', { float8: { _eq: '0x10' } }, /must be a number/],
    ['an infinite number', { jsonb: { _contains: { a: Number.POSITIVE_INFINITY } } }, /beyond 1\.8e308/],
    ['a day that does not exist', { timestamptz: { _gt: '2025-02-29' } }, /ISO 8601/],
    ['a zone that does not exist', { timestamptz: { _gt: '2025-02-28T00:00:00+16:00' } }, /ISO 8601/],
    ['U+0000', { text: { _eq: 'a\0' } }, /U\+0000/],
    ['half a character', { text: { _like: '\ud800' } }, /unpaired surrogates/],
    ['a pattern that ends in a backslash', { text: { _ilike: 'a\\' } }, /must not end with a backslash/],
    ['an aggregate that is not counted', { parent_aggregate: {} }, /is not a field/],
    ['a count of nothing', { children_aggregate: { count: {} } }, /count\.predicate must be an object/],
    ['more than 12 levels', nested(13), /nests deeper than 12 levels/],
    ['more than 200 comparisons', { _or: Array(201).fill({ int4: { _eq: 1 } }) }, /at most 200 are allowed/],
    ['more than 1000 items', { int4: { _in: Array(1_001).fill(1) } }, /holds 1001 items; at most 1000/],
    ['more than 1000 expressions', { _or: Array(1_001).fill({}) }, /holds 1001 items; at most 1000/],
    ['a pattern longer than 2000', { text: { _regex: 'a'.repeat(2_001) } }, /at most 2000 are allowed/],
    [
      'JSON that nests deeper than 200',
      { jsonb: { _eq: JSON.parse('['.repeat(300) + ']'.repeat(300)) } },
      /200 levels/,
    ],
  ])('refuses %s and says where', (_, input, message) => {
    expect(() => parsePredicate(input, parentShape)).toThrow(message)
  })

  it.each([
    ['\\d+', /write \[0-9\]/],
    ['(?=a)', /"\(\?" other than "\(\?:"/],
    ['(a)\\1', /has \\1/],
    ['[[:alpha:]]', /has a "\[" inside/],
    ['a{1,300}', /up to 255/],
    ['((a{1,99}){1,99})', /too large/],
  ])('keeps patterns that are evaluated in memory to the portable dialect: not %s', (pattern, message) => {
    const read = () => parsePredicate({ text: { _regex: pattern } }, parentShape, { path: 'pattern', inMemory: true })
    expect(read).toThrow(message)
    expect(() => parsePredicate({ text: { _regex: pattern } }, parentShape)).not.toThrow()
  })

  it('gives a session variable that the caller lacks no truth, under NOT neither', () => {
    for (const operator of ['_eq', '_neq', '_in', '_nin']) {
      const rows = { _not: { text: { [operator]: 'x-hasura-nothing' } } }
      const predicate = parsePredicate(rows, parentShape, { trusted: true })
      expect(evaluate(predicate, { text: 'a' }, { variables: { 'x-hasura-nothing': null } })).toBeNull()
      const context = { writer: new SqlWriter(), model, variables: { 'x-hasura-nothing': null } }
      expect(predicateToSql(predicate, parents, 'p', context)).toBe('(not null::boolean)')
    }
  })
})

describe('what memory may decide', () => {
  const undecided: [string, string, string, unknown][] = [
    ['a class that depends on the locale', '_regex', '\\w', 'é'],
    ['the case of a letter beyond ASCII', '_ilike', 'é%', 'É'],
    ['the case of such a letter in the row', '_ilike', 'e%', 'É'],
  ]
  it.each(undecided)('is not %s', (_, operator, pattern, value) => {
    const predicate = parsePredicate({ text: { [operator]: pattern } }, parentShape) as Predicate & { kind: 'compare' }
    expect(decidable(predicate, value)).toBe(false)
    expect(decidable(predicate, null)).toBe(true)
  })

  it('takes no longer than pattern times text, for patterns that stop other engines', () => {
    const evil = portablePattern('(a+)+(a|aa)*$', 'regex', false) as { test(text: string): boolean }
    const like = parsePredicate({ text: { _like: `${'%a'.repeat(50)}%b` } }, parentShape)
    const began = performance.now()
    expect(evil.test(`${'a'.repeat(20_000)}b`)).toBe(false)
    expect(evaluate(like, { text: 'a'.repeat(20_000) }, {})).toBe(false)
    expect(performance.now() - began).toBeLessThan(30_000)
  })
})

function nested(levels: number): object {
  return levels === 1 ? {} : { _not: nested(levels - 1) }
}

describe('SQL and memory agree', () => {
  let parentRows: Row[]
  let childrenOf: Map<unknown, Row[]>
  const related = (relation: string, row: Row): Row[] =>
    relation === 'children'
      ? (childrenOf.get(row.id) ?? [])
      : parentRows.filter((parent) => parent.id === row.parent_id)

  beforeAll(async () => {
    const { pool } = ground.database
    const definition = [...columns.values()]
      .map(({ name, type, list }) => `"${name}" ${type}${list ? '[]' : ''}`)
      .join(', ')
    await pool.query(`create table property_parents (${definition})`)
    await pool.query(`create table property_children (${definition}, parent_id int4)`)
    const rows = fc.sample(storedRow, { seed, numRuns: rowCount * 3 })
    // One row of nothing but nulls.
    const nothing = Object.fromEntries(Object.keys(rows[0] ?? {}).map((key) => [key, null]))
    await insert('property_parents', [nothing, ...rows.slice(1, rowCount)])
    await insert('property_children', rows.slice(rowCount), (index) =>
      index % 7 === 0 ? null : index % (rowCount / 2),
    )
    parentRows = await read('property_parents')
    childrenOf = Map.groupBy(await read('property_children'), (row) => row.parent_id)
  })

  async function insert(table: string, rows: readonly object[], parent?: (index: number) => number | null) {
    const stored = rows.map((row, index) => ({ id: index, ...row, ...(parent ? { parent_id: parent(index) } : {}) }))
    await ground.database.pool.query(
      `insert into ${table} select * from jsonb_populate_recordset(null::${table}, $1)`,
      [JSON.stringify(stored)],
    )
  }

  /** As Postgres writes them in JSON, but with exact numbers as text. */
  async function read(table: string): Promise<Row[]> {
    const { rows } = await ground.database.pool.query(
      `select (to_jsonb(t) || jsonb_build_object('int8', t.int8::text, 'numeric', t.numeric::text))::text as row from ${table} t order by id`,
    )
    return rows.map(({ row }) => JSON.parse(row))
  }

  test(`on ${batches * predicatesPerBatch} expressions over ${rowCount} rows, nulls included (seed ${seed})`, async () => {
    let compared = 0
    const met = { true: 0, false: 0, null: 0 }
    for (let batch = 0; batch < batches; batch += 1) {
      const inputs = fc.sample(expression, { seed: seed + batch, numRuns: predicatesPerBatch })
      const writer = new SqlWriter()
      const context = { writer, model, variables: {} }
      const predicates = inputs.map((input) => parsePredicate(input, parentShape))
      const parts = predicates.map((predicate) => `(${predicateToSql(predicate, parents, 'p', context)})`)
      const { rows } = await ground.database.pool.query({
        text: `select array[${parts.join(',\n')}] as truths from property_parents p order by id`,
        values: writer.values as unknown[],
      })
      for (const [index, row] of parentRows.entries()) {
        for (const [number, predicate] of predicates.entries()) {
          const inSql = rows[index].truths[number]
          const inMemory = evaluate(predicate, row, { related })
          compared += 1
          met[String(inSql) as 'true'] += 1
          if (inSql === inMemory) continue
          throw new Error(
            `Postgres finds ${inSql}, memory ${inMemory}, for ${JSON.stringify(inputs[number])} over ${JSON.stringify(row)}`,
          )
        }
      }
    }
    expect(compared).toBe(batches * predicatesPerBatch * rowCount)
    // The three truths are all met often, or little was tested.
    for (const count of Object.values(met)) expect(count).toBeGreaterThan(compared / 50)
  })
})
