/** Random rows in every exposed table of a test database, and the same rows in memory. */
import fc from 'fast-check'
import type { Database } from '../../src/database/database.ts'
import { type Column, enumValues, type Model, type Table } from '../../src/tables/model.ts'
import type { Row } from '../../src/tables/predicate-memory.ts'

export type Rows = ReadonlyMap<string, readonly Row[]>

const words = [
  'a',
  'A',
  'b',
  'é',
  'É',
  'ß',
  '',
  'a b',
  "it's",
  '"q"',
  'a\\b',
  '100%',
  '😀',
  '\uffff',
  'north',
  'camden',
]
const times = [
  '2026-01-01T00:00:00Z',
  '2026-01-01T00:00:00.001Z',
  '2026-04-15T13:09:00.71Z',
  '1999-12-31T23:59:59.999Z',
]
const jsonValues: readonly unknown[] = [
  {},
  { a: 1 },
  { a: [1, 2, { b: 'x' }], b: null },
  { region: 'north', 'user.role': ['agent', 'applicant'] },
  { __proto__: null, é: { ß: 1.5 } },
  [],
  [1, 'a', null],
  'text',
  7,
  true,
]

/** How a value of a column may look; keys are made elsewhere. */
function arbitraryOf({ type, enum: isEnum, list }: Column): fc.Arbitrary<unknown> {
  const one = (): fc.Arbitrary<unknown> => {
    if (isEnum) return fc.constantFrom(...(enumValues[type] ?? []))
    switch (type) {
      case 'uuid':
        return fc.uuid()
      case 'bool':
        return fc.boolean()
      case 'int4':
      case 'int8':
        return fc.integer({ min: -2, max: 5 })
      case 'float8':
      case 'numeric':
        return fc.constantFrom(0, 0.5, 1.25, -3, 12.75, 1e6)
      case 'timestamptz':
        return fc.constantFrom(...times, '2999-01-01T00:00:00Z')
      case 'jsonb':
        return fc.constantFrom(...jsonValues)
      case 'bytea':
        return fc.constant('\\x00')
      default:
        return fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...words) }, fc.string({ maxLength: 4 }))
    }
  }
  return list ? fc.array(one(), { maxLength: 3 }) : one()
}

/** Fills every table that `wanted` names with up to `count` rows, whose references lead to each other. */
export async function fillTables(
  { pool }: Database,
  model: Model,
  wanted: Iterable<string>,
  { seed, count }: { readonly seed: number; readonly count: number },
): Promise<Rows> {
  const tables = [...wanted].map((name) => model.get(name) as Table)
  const ids = new Map(
    tables.map(({ name }, index) => [name, fc.sample(fc.uuid(), { seed: seed + index, numRuns: count })]),
  )
  // A few parents have most of the children, and some references lead nowhere.
  const refer = (table: string) => fc.constantFrom(...(ids.get(table) ?? []).slice(0, Math.ceil(count / 3)))
  for (const [index, table] of tables.entries()) {
    const references = new Map(
      [...table.relations.values()]
        .filter(({ list }) => !list)
        .flatMap((relation) => relation.on.map(([here]) => [here, relation.table])),
    )
    const record = fc.record(
      Object.fromEntries(
        [...table.columns.values()].map((column) => {
          const parent = references.get(column.name)
          const value = parent && ids.has(parent) ? refer(parent) : arbitraryOf(column)
          return [column.name, column.required ? value : fc.option(value, { freq: 3 })]
        }),
      ),
    )
    const keys = ids.get(table.name) ?? []
    const rows = fc.sample(record, { seed: seed + index, numRuns: count }).map((row, number) => ({
      ...row,
      ...(table.primaryKey[0] === 'id' ? { id: keys[number] } : {}),
      ...(table.columns.has('position') ? { position: `p${String(number).padStart(4, '0')}` } : {}),
      ...(table.columns.has('pending_hours') ? { pending_hours: 1 + number } : {}),
      // A delivery has one target, a webhook or a connection, and tells of one thing.
      ...(['deliveries', 'replays', 'operational_events'].includes(table.name)
        ? {
            [number % 2 === 0 ? 'webhook_id' : 'connection_id']: null,
            [number % 2 === 0 ? 'connection_id' : 'webhook_id']: keys[number],
          }
        : {}),
      ...(table.name === 'deliveries'
        ? number % 3 === 0
          ? { event_id: null, session_id: null, operational_event_id: keys[number] }
          : { event_id: keys[number], session_id: keys[number], operational_event_id: null }
        : {}),
    }))
    const columns = await written(pool, table.name)
    const client = await pool.connect()
    try {
      // Rows are random, so foreign keys and triggers rest meanwhile.
      await client.query("set session_replication_role = 'replica'")
      await client.query(
        `insert into ${table.name} (${columns}) select ${columns} from jsonb_populate_recordset(null::${table.name}, $1) on conflict do nothing`,
        [JSON.stringify(rows)],
      )
    } finally {
      await client.query('reset session_replication_role')
      client.release()
    }
  }
  const stored = new Map<string, Row[]>()
  for (const { name } of tables) {
    const { rows } = await pool.query(`select to_jsonb(t)::text as row from ${name} t`)
    stored.set(
      name,
      rows.map(({ row }) => JSON.parse(row)),
    )
  }
  return stored
}

/** The columns that an insert may name: Postgres makes the generated ones itself. */
async function written(pool: Database['pool'], table: string): Promise<string> {
  const { rows } = await pool.query<{ columns: string }>(
    `select string_agg(quote_ident(attname), ', ' order by attnum) as columns from pg_attribute
      where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''`,
    [table],
  )
  return rows[0]?.columns ?? ''
}
