import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { SqlWriter } from '../tables/sql-writer.ts'
import { createEvaluator, type LiveStatement } from './evaluator.ts'

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground?.close())

/** Shows what Postgres made of each value. */
function statementOf(values: readonly (readonly [type: string, value: unknown])[]): LiveStatement {
  const writer = new SqlWriter()
  const shown = values.map(([type, value]) => writer.value(value, type))
  return { text: `select json_build_array(${shown.join(', ')})::text as data`, values: writer.values, retrieves: false }
}

const text = fc
  .oneof(
    fc.constantFrom('', 'NULL', 'null', '"', '\\', '{}', ',', "'", '$1::text', '😀', 'é\n'),
    fc.string({ unit: 'binary' }),
  )
  .filter((value) => value.isWellFormed() && !value.includes('\0'))
const valuesOf: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  text,
  'text[]': fc.array(fc.option(text), { maxLength: 4 }),
  uuid: fc.uuid(),
  'uuid[]': fc.array(fc.uuid(), { maxLength: 3 }),
  int4: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  int8: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  'int4[]': fc.array(fc.option(fc.integer({ min: -5, max: 5 })), { maxLength: 3 }),
  float8: fc.double({ noNaN: true, noDefaultInfinity: true }),
  bool: fc.boolean(),
  timestamptz: fc.date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
  jsonb: fc.jsonValue({ stringUnit: fc.constantFrom(...'a"\\é😀{}[],:') }).map((value) => JSON.stringify(value)),
  '"session_status"': fc.constantFrom('submitted', 'invalid'),
}
const types = Object.keys(valuesOf)

describe('evaluating statements together', () => {
  it('gives each what it would get alone, whatever its values are', async () => {
    const { pool } = ground.database
    await fc.assert(
      fc.asyncProperty(
        fc
          .array(fc.constantFrom(...types), { minLength: 1, maxLength: 12 })
          .chain((chosen) =>
            fc.array(
              fc.tuple(
                ...chosen.map((type) =>
                  fc
                    .option(valuesOf[type] as fc.Arbitrary<unknown>, { freq: 6 })
                    .map((value) => [type, value] as const),
                ),
              ),
              { minLength: 2, maxLength: 20 },
            ),
          ),
        async (sets) => {
          const evaluator = createEvaluator({ pool, batch: 8 })
          const statements = sets.map(statementOf)
          const together = await Promise.all(statements.map((statement) => evaluator.run(statement)))
          const alone = await Promise.all(
            statements.map(async ({ text, values }) => (await pool.query({ text, values: [...values] })).rows[0]),
          )
          expect(together.map(({ data }) => data)).toEqual(alone.map(({ data }) => data))
          expect(evaluator.counts).toEqual({ statements: Math.ceil(sets.length / 8), evaluations: sets.length })
        },
      ),
      { numRuns: 60 },
    )
  })

  it('fails only the one whose values are refused', async () => {
    const evaluator = createEvaluator({ pool: ground.database.pool })
    const outcomes = await Promise.allSettled(
      ['a+', '(', 'b*'].map((pattern) => {
        const writer = new SqlWriter()
        const shown = `'aab' ~ ${writer.value(pattern, 'text')}`
        return evaluator.run({ text: `select (${shown})::text as data`, values: writer.values, retrieves: false })
      }),
    )
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: { data: 'true' } },
      { status: 'rejected', reason: expect.objectContaining({ code: '2201B' }) },
      { status: 'fulfilled', value: { data: 'true' } },
    ])
  })

  it('never joins statements that write', async () => {
    const evaluator = createEvaluator({ pool: ground.database.pool })
    const one = { ...statementOf([['int4', 1]]), retrieves: true }
    await Promise.all([evaluator.run(one), evaluator.run(one), evaluator.run(one)])
    expect(evaluator.counts).toEqual({ statements: 3, evaluations: 3 })
  })

  it('lets another plan have its turn between the batches of a large one', async () => {
    const evaluator = createEvaluator({ pool: ground.database.pool, concurrency: 1, batch: 10 })
    const order: string[] = []
    const many = Array.from({ length: 100 }, () =>
      evaluator.run(statementOf([['int4', 1]])).then(() => order.push('many')),
    )
    const other = evaluator.run(statementOf([['text', 'x']])).then(() => order.push('other'))
    await Promise.all([...many, other])
    expect(order.indexOf('other')).toBe(10)
  })
})
