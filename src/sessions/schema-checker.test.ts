import { setTimeout } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { createSchemaChecker, type LoadDocument } from './schema-checker.ts'

const checker = createSchemaChecker({ validateMs: 300 })
afterAll(() => checker.close())

const base = 'https://schemas.example/'
let keys = 0
const loading =
  (documents: Readonly<Record<string, unknown>>): LoadDocument =>
  async (url) =>
    url in documents ? JSON.stringify(documents[url]) : null
const validate = (schema: unknown, data: unknown, others: Readonly<Record<string, unknown>> = {}) => {
  const url = `${base}schema.json`
  keys += 1
  return checker.validate({
    url,
    key: `${keys}`,
    data: JSON.stringify(data),
    load: loading({ [url]: schema, ...others }),
  })
}
const check = (document: unknown) =>
  checker.check({ url: `${base}new.json`, document: JSON.stringify(document), load: async () => null })

describe('validating data', () => {
  it('says where it is wrong, how, and by which keyword', async () => {
    const schema = {
      type: 'object',
      required: ['name', 'date'],
      properties: {
        date: { format: 'date' },
        kind: { enum: ['a', 'b'] },
        people: { type: 'array', items: { properties: { age: { type: 'integer' } }, additionalProperties: false } },
      },
    }
    expect(await validate(schema, { date: '2026-02-30', kind: 'c', people: [{ age: 'x', hat: 1 }] })).toEqual([
      { path: '', keyword: 'required', message: "must have required property 'name'" },
      { path: '/date', keyword: 'format', message: 'must match format "date"' },
      { path: '/kind', keyword: 'enum', message: 'must be one of "a","b"' },
      { path: '/people/0', keyword: 'additionalProperties', message: 'must not have the property "hat"' },
      { path: '/people/0/age', keyword: 'type', message: 'must be integer' },
    ])
    expect(await validate(schema, { name: '', date: '2026-02-28', people: [{ age: 3 }] })).toEqual([])
  })

  it('knows 2020-12 and draft-07, each by its own rules', async () => {
    const tuple = (keyword: string, $schema: string) => ({ $schema, [keyword]: [{ type: 'string' }] })
    const [latest, seven] = ['https://json-schema.org/draft/2020-12/schema', 'http://json-schema.org/draft-07/schema#']
    expect(await validate(tuple('prefixItems', latest), [1])).toHaveLength(1)
    expect(await validate(tuple('items', seven), [1])).toHaveLength(1)
    expect(await validate(tuple('prefixItems', seven), [1])).toEqual([])
  })

  it('follows references between stored schemas, in circles too, and fetches nothing', async () => {
    const person = {
      type: 'object',
      properties: { parent: { $ref: 'person.json' }, name: { $ref: 'names.json#/$defs/name' } },
    }
    const others = { [`${base}person.json`]: person, [`${base}names.json`]: { $defs: { name: { type: 'string' } } } }
    expect(await validate({ $ref: 'person.json' }, { parent: { parent: { name: 1 } } }, others)).toEqual([
      { path: '/parent/parent/name', keyword: 'type', message: 'must be string' },
    ])
    expect(await validate({ $ref: 'http://127.0.0.1:1/elsewhere.json' }, {})).toEqual([
      {
        path: '',
        keyword: 'schema',
        message: 'The schema refers to http://127.0.0.1:1/elsewhere.json, which is not stored.',
      },
    ])
  })

  it('tells two patterns apart, and is not stopped by one that backtracks', async () => {
    const schema = { properties: { a: { pattern: '^(a+)+$' }, b: { pattern: '^\\d{4}$' } } }
    const begun = performance.now()
    expect(await validate(schema, { a: `${'a'.repeat(50_000)}!`, b: '12' })).toEqual([
      expect.objectContaining({ path: '/a', keyword: 'pattern' }),
      expect.objectContaining({ path: '/b', keyword: 'pattern' }),
    ])
    expect(await validate(schema, { a: 'aaa', b: '2026' })).toEqual([])
    expect(performance.now() - begun).toBeLessThan(30_000)
  })

  it('reports at most fifty problems, and how many more there are', async () => {
    const problems = await validate({ items: { type: 'string' } }, Array(5000).fill(1))
    expect(problems).toHaveLength(51)
    expect(problems.at(-1)).toEqual({ path: '', keyword: 'more', message: 'and 4950 more problems' })
  })

  it('gives up on what takes forever, meanwhile lets the process work, and goes on with others', async () => {
    const $defs: Record<string, unknown> = { d60: { type: 'object' } }
    for (let level = 0; level < 60; level += 1) {
      const next = { $ref: `#/$defs/d${level + 1}` }
      $defs[`d${level}`] = {
        allOf: [next, next],
        title: 'x',
        minProperties: 0,
        maxProperties: 9,
        propertyNames: {},
        default: 0,
      }
    }
    const bomb = validate({ $defs, $ref: '#/$defs/d0' }, {})
    let ticks = 0
    const done = bomb.then(() => true)
    while (!(await Promise.race([done, setTimeout(5, false)]))) ticks += 1
    expect(ticks).toBeGreaterThan(20)
    expect(await bomb).toEqual([expect.objectContaining({ keyword: 'time' })])
    const items = Array.from({ length: 60_000 }, (_, index) => ({ index }))
    expect(await validate({ uniqueItems: true }, items)).toEqual([expect.objectContaining({ keyword: 'time' })])
    expect(await validate({ type: 'object' }, {})).toEqual([])
  })

  it('survives data that nests without end', async () => {
    const url = `${base}deep.json`
    const load = loading({ [url]: { type: 'array', items: { $ref: '#' } } })
    const data = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    // Of its own, with time to spare: on a busy machine the second may be over before the stack is.
    const patient = createSchemaChecker({ validateMs: 50_000 })
    const problems = await patient.validate({ url, key: 'deep', data, load }).finally(() => patient.close())
    expect(problems.map(({ keyword }) => keyword)).toEqual(['depth'])
  })
})

describe('checking a schema', () => {
  it.each([
    ['an unknown type', { properties: { a: { type: 'strin' } } }, /\/properties\/a\/type must be one of "array"/],
    ['an older draft', { $schema: 'http://json-schema.org/draft-04/schema#' }, /Use JSON Schema 2020-12 or draft-07/],
    ['a pattern that looks ahead', { pattern: '(?=a)' }, /"\(\?=a\)" cannot be used.*no look-around/],
    [
      'a reference to nothing in itself',
      { $ref: '#/$defs/none' },
      /points into the schema itself, at something that is not there/,
    ],
    ['endless nesting', JSON.parse(`${'{"not":'.repeat(300)}{}${'}'.repeat(300)}`), /nests more than 200 levels/],
  ])('refuses %s and says why', async (_, document, message) => {
    expect((await check(document)).problem).toMatch(message)
  })

  it('accepts one that refers to what is stored later, and names it', async () => {
    expect(
      await check({ properties: { a: { $ref: 'later.json#/$defs/a' }, b: { $ref: 'later.json#/$defs/b' } } }),
    ).toEqual({
      problem: null,
      missing: [`${base}later.json`],
    })
    const { problem } = await check({ properties: { a: { $ref: 'later.json' }, b: { pattern: '(?=a)' } } })
    expect(problem).toMatch(/no look-around/)
  })
})
