import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { silentLog } from '../log.ts'
import { storeSchemaFolder } from '../sessions/payload-schemas.ts'
import { createSchemaChecker } from '../sessions/schema-checker.ts'
import { travelJsonSchema, travelSchemaNames, travelSchemaUrl } from './json-schemas.ts'
import { bookingProblems } from './parse.ts'

const folder = path.join(import.meta.dirname, 'schemas')
const read = async (file: string) => JSON.parse(await readFile(file, 'utf8'))

const ajv = new Ajv2020({ allErrors: true, strict: false })
formats.default(ajv)
const compiled = new Map(travelSchemaNames.map((name) => [name, ajv.compile(travelJsonSchema(name))]))
const errorsOf = (value: unknown) => {
  const validate = compiled.get('booking')
  return validate?.(value) ? [] : (validate?.errors ?? [])
}

test('the published files are the ones that the model makes', async () => {
  const files = await readdir(folder)
  expect(files.sort()).toEqual(travelSchemaNames.map((name) => `${name}-1.json`).sort())
  for (const name of travelSchemaNames) {
    const made = JSON.parse(JSON.stringify(travelJsonSchema(name)))
    expect(await read(path.join(folder, `${name}-1.json`)), 'run: node src/travel/write-schemas.ts').toEqual(made)
    expect(made.$id).toBe(travelSchemaUrl(name))
  }
})

const examples = path.resolve(import.meta.dirname, '../../../shared/data/travel')

describe.skipIf(!existsSync(examples))('real data', () => {
  test.each(['booking', 'trip'] as const)('the real %s follows its schema', async (name) => {
    const validate = compiled.get(name)
    expect(
      validate?.(await read(path.join(examples, `${name}-7383012568246.json`))),
      JSON.stringify(validate?.errors),
    ).toBe(true)
  })
})

const service = (more: object) => ({ travelservices: [{ travelServiceType: 'FLIGHT', ...more }] })
const segment = (more: object) => service({ segmentedLegs: [{ segments: [more] }] })

test.each<[string, unknown]>([
  ['the least', { referenceNumber: null }],
  ['a booking with what nobody knows', { ...service({ wings: 2 }), more: true }],
  ['a status that is null', service({ bookingstatus: null })],
  [
    'a document whose traveller is a reference',
    service({ transportDocuments: [{ traveler: '5a2b8f0e-8ef7-4c55-9d5c-2f2b1c9d8a11' }, { traveler: null }] }),
  ],
  ['a customer that is null', { referenceNumber: 'A', customer: null }],
  ['blank codes', segment({ departingFromLocation: { iataCode: '', unLocationCode: '', countryCode: '' } })],
])('schema and parser both take %s', (_, booking) => {
  expect(errorsOf(booking)).toEqual([])
  expect(bookingProblems(booking)).toEqual([])
})

test.each<[string, unknown, string]>([
  ['nothing', {}, ''],
  ['a list', [], ''],
  ['a service without a type', { travelservices: [{}] }, '/travelservices/0'],
  [
    'a zone in a local time',
    segment({ departuretime: '2019-01-02T09:10:00Z' }),
    '/travelservices/0/segmentedLegs/0/segments/0/departuretime',
  ],
  [
    'a day that is none',
    segment({ arrivaltime: '2019-02-29T09:10:00' }),
    '/travelservices/0/segmentedLegs/0/segments/0/arrivaltime',
  ],
  ['a local time of a server', { referenceNumber: 'A', created: '2019-04-15T13:09:00' }, '/created'],
  ['an unknown status', service({ bookingstatus: 'LOST' }), '/travelservices/0/bookingstatus'],
  [
    'a traveller that is a number',
    service({ transportDocuments: [{ traveler: 7 }] }),
    '/travelservices/0/transportDocuments/0/traveler',
  ],
  [
    'a wrong birthday',
    service({ transportDocuments: [{ traveler: { birthdate: 'x' } }] }),
    '/travelservices/0/transportDocuments/0/traveler/birthdate',
  ],
  ['a half segment number', segment({ segNr: 1.5 }), '/travelservices/0/segmentedLegs/0/segments/0/segNr'],
])('schema and parser both refuse %s, at its place', (_, booking, where) => {
  const places = errorsOf(booking).map(({ instancePath }) => instancePath)
  expect(places).toContain(where)
  for (const place of places) expect(where.startsWith(place)).toBe(true)
  expect(bookingProblems(booking).map((problem) => problem.path)).toEqual([expect.stringContaining(where)])
})

/** Every field of the booking, with one object in every list. */
const whole = () => sample(travelJsonSchema('booking'), travelJsonSchema('booking').$defs as Definitions)
type Definitions = Readonly<Record<string, SchemaNode>>
interface SchemaNode {
  readonly $ref?: string
  readonly else?: SchemaNode
  readonly items?: SchemaNode
  readonly properties?: Definitions
  readonly enum?: readonly unknown[]
  readonly type?: unknown
}

function sample(
  { $ref, else: object, items, properties, enum: values, type }: SchemaNode,
  definitions: Definitions,
): unknown {
  const target = definitions[($ref ?? object?.$ref ?? '').replace('#/$defs/', '')]
  if (target) return sample(target, definitions)
  if (items) return [sample(items, definitions)]
  if (!properties) return values?.[0] ?? (type === 'string' ? '' : null)
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, sample(value, definitions)]))
}

function placesIn(value: unknown, above: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [above]
  return [above, ...Object.entries(value).flatMap(([key, item]) => placesIn(item, [...above, key]))]
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by
  if (Array.isArray(value)) return value.map((item, index) => (`${index}` === key ? replaced(item, rest, by) : item))
  return { ...(value as object), [key]: replaced((value as Record<string, unknown>)[key], rest, by) }
}

test('schema and parser agree on a booking in which anything is something else', () => {
  const booking = whole()
  const places = placesIn(booking)
  expect(places.length).toBeGreaterThan(200)
  expect(errorsOf(booking)).toEqual([])
  expect(bookingProblems(booking)).toEqual([])
  const anything = fc.oneof(
    fc.constantFrom(null, '', 'CHF', 'ZRH', 'ZRH/CH', 'CH', 'FLIGHT', 0, 1.5, 7, true, [], {}, [null], ['x']),
    fc.constantFrom('2019-01-02', '2019-02-29', '2020-02-29T10:00', '2019-01-02T09:10:00', '2019-01-02T09:10:00Z'),
    fc.uuid(),
    fc.constant([{ travelServiceType: 'HOTEL' }]),
  )
  fc.assert(
    fc.property(fc.constantFrom(...places), anything, (place, value) => {
      const changed = replaced(booking, place, value)
      expect(errorsOf(changed).length === 0).toBe(bookingProblems(changed).length === 0)
    }),
    { numRuns: 2000 },
  )
})

describe('as payload schemas', () => {
  const opened: TestDatabase[] = []
  afterAll(() => Promise.all(opened.map((ground) => ground.close())))

  test('the folder is stored as it is, and bookings are checked against it', async () => {
    const ground = await testDatabase()
    opened.push(ground)
    const checker = createSchemaChecker()
    try {
      await storeSchemaFolder(folder, { database: ground.database, checker, log: silentLog })
      const { rows } = await ground.database.pool.query<{ url: string; document: string }>(
        'select url, document::text from payload_schemas order by url',
      )
      expect(rows.map(({ url }) => url)).toEqual(travelSchemaNames.map(travelSchemaUrl).sort())
      const load = async (url: string) => rows.find((row) => row.url === url)?.document ?? null
      const url = travelSchemaUrl('booking')
      const check = (booking: unknown) => checker.validate({ url, key: 'test', data: JSON.stringify(booking), load })
      expect(await check(service({ comment: 'fine' }))).toEqual([])
      const problems = await check(segment({ departuretime: '2019-01-02T09:10:00Z' }))
      expect(problems.map(({ path: where }) => where)).toContain(
        '/travelservices/0/segmentedLegs/0/segments/0/departuretime',
      )
    } finally {
      await checker.close()
    }
  })
})
