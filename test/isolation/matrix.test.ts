/** The matrix of `matrix.ts` against the running gateway: every root field, for every role, on rows of one's own and of others. */
import { buildSchema, type GraphQLInputObjectType, type GraphQLObjectType, type GraphQLSchema } from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCredential } from '../../src/access/credentials.ts'
import { type Role, roles } from '../../src/access/principal.ts'
import { printSchemaOf } from '../../src/gateway/print-schema.ts'
import { readModel, type Table } from '../../src/tables/model.ts'
import type { Row } from '../../src/tables/predicate-memory.ts'
import { basic, buildWorld, type GraphQLAnswer, type World } from '../ground/world.ts'
import { actions, type Reads, type TableLine, tables, type Writes } from './matrix.ts'
import { type Owner, type Planted, plant, randomFrom } from './planted.ts'

type Known = Exclude<Role, 'anonymous'>
const known = roles.filter((role): role is Known => role !== 'anonymous')
/** Roles that write any table at all. */
const writing = known.filter((role) => Object.values(tables).some((line) => line.update[role] !== '-'))
const model = readModel()
const lines = Object.entries(tables)

let world: World
let planted: Planted
let mine: string
let authorizations: Record<Known, string>
let persons: Partial<Record<Known, string>>
/** Ids of sessions that a live grant opens to camden's granted integration. */
let granted: Set<string>

beforeAll(async () => {
  world = await buildWorld()
  mine = world.camden.id
  planted = await plant(world.database, {
    model,
    tables: Object.keys(tables),
    teams: [world.camden.id, world.lambeth.id],
    integrations: [world.camden, world.lambeth].flatMap(({ id, granted: a, other: b }) => [
      { id: a.id, team: id },
      { id: b.id, team: id },
    ]),
    count: 8,
    random: randomFrom(20_261_122),
  })
  await world.database.pool.query(
    `insert into session_grants (session_id, integration_id, team_id, expires_at)
     select s.id, $1, s.team_id, now() + interval '1 day' from sessions s where s.team_id = $2
        and s.id in (select id from sessions where team_id = $2 order by id limit 3) on conflict do nothing`,
    [world.camden.granted.id, mine],
  )
  const { rows } = await world.database.pool.query<{ id: string }>(
    `select s.id from sessions s join session_grants g on g.session_id = s.id
      where g.integration_id = $1 and g.revoked_at is null and g.expires_at > now() and s.status = 'submitted'`,
    [world.camden.granted.id],
  )
  granted = new Set(rows.map(({ id }) => id))
  expect(granted.size).toBeGreaterThan(0)
  const source = await createCredential(world.database, {
    role: 'source',
    name: 'source',
    environment: 'test',
    teamId: mine,
    integrationId: null,
  })
  const [admin, editor, viewer] = await Promise.all([world.admin, world.camden.editor, world.camden.viewer].map(signIn))
  authorizations = {
    admin: `Bearer ${admin?.token}`,
    editor: `Bearer ${editor?.token}`,
    viewer: `Bearer ${viewer?.token}`,
    consumer: basic(world.camden.granted.consumer),
    source: basic(source),
  }
  persons = { admin: admin?.id, editor: editor?.id, viewer: viewer?.id }
})
afterAll(() => world?.close())

const schemas = Object.fromEntries(known.map((role) => [role, buildSchema(printSchemaOf(role))])) as Record<
  Known,
  GraphQLSchema
>

describe('every root field has a line', () => {
  it.each(known)('for %s', (role) => {
    const expected = new Set<string>()
    for (const [name, line] of lines) for (const field of tableFields(name, line, role)) expected.add(field)
    for (const [field, line] of Object.entries(actions))
      if (line.roles.includes(role)) expected.add(`${line.root}.${field}`)
    const actual = ['Query', 'Mutation', 'Subscription'].flatMap((root) =>
      Object.keys((schemas[role].getType(root) as GraphQLObjectType | undefined)?.getFields() ?? {}).map(
        (field) => `${root}.${field}`,
      ),
    )
    expect(actual.toSorted()).toEqual([...expected].toSorted())
  })
})

describe.each(known)('%s reads', (role) => {
  it.each(lines.filter(([, { read }]) => read[role] !== '-'))('of %s what the matrix says', async (name, line) => {
    const all = (await rowsOf(name)).filter(isPlanted)
    await look()
    const wanted = all.filter((row) => reads(line.read[role], row, name, role)).map(({ id }) => id as string)
    const { data } = await ask<Record<string, { id: string }[]>>(role, `{ ${name}(limit: 1000) { id } }`)
    const listed = data[name] ?? []
    expect(
      listed
        .filter(isPlanted)
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(wanted.toSorted())
    expect(all.length).toBeGreaterThan(1)
    // By their key, one by one: those that are not listed are not found either.
    const picked = [
      ...wanted.slice(0, 3),
      ...all
        .map(({ id }) => id as string)
        .filter((id) => !wanted.includes(id))
        .slice(0, 5),
    ]
    const byKey = await ask<Record<string, { id: string } | null>>(
      role,
      `{ ${picked.map((id, index) => `k${index}: ${name}_by_pk(id: "${id}") { id }`).join(' ')} }`,
    )
    for (const [index, id] of picked.entries()) {
      expect(byKey.data[`k${index}`], `${name} ${id}`).toEqual(wanted.includes(id) ? { id } : null)
    }
    const counted = await ask<Record<string, { aggregate: { count: number } }>>(
      role,
      `{ ${name}_aggregate { aggregate { count } } }`,
    )
    expect(counted.data[`${name}_aggregate`]?.aggregate.count).toBe(listed.length)
  })
})

describe.each(writing)('%s writes', (role) => {
  it.each(lines.filter(([, line]) => line.update[role] !== '-'))(
    'rows of %s as the matrix says',
    async (name, line) => {
      const column = firstUpdatable(role, name)
      for (const own of [true, false]) {
        const row = await aRow(name, own)
        const value = row[column]
        const { data, errors } = await ask<Record<string, { id: string } | null>>(
          role,
          `mutation ($value: ${typeOfInput(role, `${name}_set_input`, column)}) { update_${name}_by_pk(pk_columns: { id: "${row.id}" }, _set: { ${column}: $value }) { id } }`,
          { value },
        )
        const may = line.update[role] === 'all' || own
        // What is planted need not be valid (an address that is a mark); that is said of one's own rows only.
        if (errors) expect(may, `${name}: ${errors[0]?.message}`).toBe(true)
        else expect(data[`update_${name}_by_pk`]?.id ?? null).toBe(may ? row.id : null)
      }
    },
  )

  it.each(lines.filter(([, line]) => line.delete[role] === 'team'))(
    'no row of %s of another team away',
    async (name) => {
      const row = await aRow(name, false)
      const { data } = await ask(role, `mutation { delete_${name}_by_pk(id: "${row.id}") { id } }`)
      expect(data).toEqual({ [`delete_${name}_by_pk`]: null })
      expect((await rowsOf(name)).some(({ id }) => id === row.id)).toBe(true)
    },
  )

  it.each(lines.filter(([, line]) => line.insert[role] === 'team'))('no row of %s into another team', async (name) => {
    const type = inputOf(role, `${name}_insert_input`)
    const row = await aRow(name, false)
    const object = Object.fromEntries(
      Object.keys(type.getFields())
        .filter((column) => row[column] !== null && model.get(name)?.columns.has(column))
        .map((column) => [column, row[column]]),
    )
    const before = (await rowsOf(name)).length
    const { errors } = await ask(
      role,
      `mutation ($object: ${name}_insert_input!) { insert_${name}_one(object: $object) { id } }`,
      { object },
    )
    expect(errors?.[0]?.extensions.code, JSON.stringify(errors)).toMatch(/^(FORBIDDEN|VALIDATION_FAILED|CONFLICT)$/)
    expect((await rowsOf(name)).length).toBe(before)
  })
})

describe('actions', () => {
  it.each(
    Object.entries(actions).flatMap(([name, line]) =>
      line.foreign ? line.roles.filter((role) => role !== 'admin').map((role) => [name, role] as const) : [],
    ),
  )('%s is refused to %s on what is of another team', async (name, role) => {
    const line = actions[name]
    const variables = await line?.foreign?.({ row: (table) => aRow(table, false) })
    const before = await everything()
    const { errors, data } = await ask(role as Known, line?.document as string, variables)
    expect(errors?.[0]?.extensions.code, JSON.stringify(data)).toMatch(/^(FORBIDDEN|NOT_FOUND)$/)
    expect(await everything()).toEqual(before)
  })
})

async function signIn(who: { email: string; password: string }): Promise<{ token: string; id: string }> {
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: who },
  )
  const { data: me } = await world.graphql<{ whoami: { id: string } }>('{ whoami { id } }', {
    authorization: `Bearer ${data.sign_in.token}`,
  })
  return { token: data.sign_in.token, id: me.whoami.id }
}

function ask<T = Record<string, unknown>>(
  role: Known,
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
): Promise<GraphQLAnswer<T>> {
  return world.graphql<T>(query, { authorization: authorizations[role], variables })
}

async function rowsOf(name: string): Promise<Row[]> {
  const { rows } = await world.database.pool.query(`select to_jsonb(t) as row from ${name} t`)
  return rows.map(({ row }) => row)
}

/** One that belongs to camden, or to lambeth alone; of those that were planted. */
async function aRow(name: string, own: boolean): Promise<Row> {
  const wanted = own ? mine : world.lambeth.id
  const row = (await rowsOf(name)).find(({ id }) => planted.owners.get(id as string)?.team === wanted)
  if (!row) throw new Error(`No row of ${name} was planted for ${wanted}.`)
  return row
}

/** What the matrix's word means, told from rows alone. */
function reads(word: Reads, row: Row, name: string, role: Known): boolean {
  const owner = planted.owners.get(row.id as string) as Owner
  switch (word) {
    case '-':
      return false
    case 'all':
      return true
    case 'team':
      return name === 'users' ? members.has(row.id as string) : owner.team === mine
    case 'platform':
      return owner.team === mine || owner.team === null
    case 'integration':
      return owner.integration === world.camden.granted.id
    case 'granted':
      return name === 'trips' ? trips.has(row.id as string) : owner.session !== null && granted.has(owner.session)
    case 'person':
      return row.user_id === persons[role]
    case 'approved':
      return row.status === 'approved'
    case 'destined':
      return row.team_id === mine && destined.has(row.id as string)
  }
}

function isPlanted({ id }: { readonly id?: unknown }): boolean {
  return planted.owners.has(id as string)
}

/** Which persons are of camden, and which flows and trips its granted integration has to do with. */
let members = new Set<string>()
let destined = new Set<string>()
let trips = new Set<string>()

async function look(): Promise<void> {
  const ids = async (sql: string, values: readonly unknown[]) =>
    new Set((await world.database.pool.query<{ id: string }>(sql, [...values])).rows.map(({ id }) => id))
  members = await ids('select user_id as id from team_members where team_id = $1', [mine])
  trips = await ids('select trip_id as id from sessions where id = any($1)', [[...granted]])
  destined = await ids(
    `select flow_id as id from destinations where integration_id = $1
     union select flow_id from sessions where id = any($2)`,
    [world.camden.granted.id, [...granted]],
  )
}

/** The names of a table's root fields that a role with this line has. */
function tableFields(name: string, line: TableLine, role: Known): string[] {
  const table = model.get(name) as Table
  const fields: string[] = []
  if (line.read[role] !== '-') {
    for (const root of ['Query', 'Subscription'])
      fields.push(`${root}.${name}`, `${root}.${name}_by_pk`, `${root}.${name}_aggregate`)
    // Source reads no position of sessions, so it has nothing to stream by.
    if (table.columns.has('position') && inputOf(role, `${name}_stream_cursor_value_input`)?.getFields().position)
      fields.push(`Subscription.${name}_stream`)
  }
  const may = (writes: Readonly<Record<Known, Writes>>) => writes[role] !== '-'
  if (may(line.insert)) fields.push(`Mutation.insert_${name}`, `Mutation.insert_${name}_one`)
  if (may(line.update))
    fields.push(`Mutation.update_${name}`, `Mutation.update_${name}_by_pk`, `Mutation.update_${name}_many`)
  if (may(line.delete)) fields.push(`Mutation.delete_${name}`, `Mutation.delete_${name}_by_pk`)
  return table ? fields : []
}

function inputOf(role: Known, type: string): GraphQLInputObjectType {
  return schemas[role].getType(type) as GraphQLInputObjectType
}

/** A column that may be set to what it is already. */
function firstUpdatable(role: Known, name: string): string {
  const fields = Object.values(inputOf(role, `${name}_set_input`).getFields())
  return (fields.find((field) => ['String', 'jsonb'].includes(String(field.type))) ?? fields[0])?.name as string
}

function typeOfInput(role: Known, type: string, column: string): string {
  return String(inputOf(role, type).getFields()[column]?.type)
}

/** How many rows each table has, and what they hold. */
async function everything(): Promise<Record<string, string>> {
  const sums: Record<string, string> = {}
  for (const name of Object.keys(tables)) {
    // A refusal is audited.
    if (name === 'audit_entries') continue
    const { rows } = await world.database.pool.query<{ sum: string }>(
      `select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as sum from ${name} t`,
    )
    sums[name] = rows[0]?.sum ?? ''
  }
  return sums
}
