import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import {
  buildSchema,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { printSchemaOf } from '../src/gateway/print-schema.ts'
import { enumValues } from '../src/tables/model.ts'
import { buildWorld, type World } from './ground/world.ts'

let world: World
let known: string[]
beforeAll(async () => {
  world = await buildWorld()
  const { prisma } = world.database
  for (const { granted, id } of [world.camden, world.lambeth]) {
    await prisma.webhook.create({
      data: { integration_id: granted.id, team_id: id, name: 'Hooks', url: 'https://hooks.example/' },
    })
  }
  const { rows } = await world.database.pool.query<{ id: string }>(
    ['teams', 'flows', 'integrations', 'destinations', 'webhooks', 'users', 'team_members']
      .map((table) => `select id from ${table}`)
      .join(' union all '),
  )
  known = rows.map(({ id }) => id)
})
afterAll(() => world?.close())

const tablesOfTeams = {
  teams: 'id',
  flows: 'team_id',
  integrations: 'team_id',
  webhooks: 'team_id',
  team_members: 'team_id',
  destinations: '(select f.team_id from flows f where f.id = flow_id)',
}

/** Every row of a team, as text. */
async function everythingOf(team: string): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {}
  for (const [table, column] of Object.entries(tablesOfTeams)) {
    const { rows } = await world.database.pool.query(`select t.* from ${table} t where ${column} = $1 order by id`, [
      team,
    ])
    all[table] = rows
  }
  return all
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    '',
    'apply',
    'camden',
    'a\u0000b',
    '\ud800',
    '%',
    "'; drop table flows; --",
    'https://hooks.example/',
  ),
)
const json = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom({}, [], { team: { _eq: 'camden' } }, { _or: [] }, { 'a\u0000': 1 }, 1e300, '\ud800'),
)

/** A value of an input type: mostly such as the schema allows, sometimes anything. */
function arbitraryOf(type: GraphQLInputType, depth = 0): fc.Arbitrary<unknown> {
  if (isNonNullType(type)) return arbitraryOf(type.ofType, depth).map((value) => value ?? {})
  if (isListType(type)) return fc.array(arbitraryOf(type.ofType, depth + 1), { maxLength: 3 })
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields())
    const required = fields.filter((field) => isNonNullType(field.type))
    const optional = fields.filter((field) => !isNonNullType(field.type))
    const most = depth > 4 ? 0 : type.name.endsWith('_insert_input') ? optional.length : 2
    return fc
      .subarray(optional, { maxLength: Math.min(most, optional.length), minLength: 0 })
      .chain((chosen) =>
        fc.record(
          Object.fromEntries([...required, ...chosen].map((field) => [field.name, arbitraryOf(field.type, depth + 1)])),
        ),
      )
  }
  return fc.oneof(
    { weight: 20, arbitrary: scalarOf(type.name) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) },
  )
}

function scalarOf(name: string): fc.Arbitrary<unknown> {
  const values = enumValues[name]
  if (values) return fc.oneof(fc.constantFrom(...values), text)
  switch (name) {
    case 'uuid':
      return fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...known) }, fc.uuid())
    case 'String':
      return text
    case 'Boolean':
      return fc.boolean()
    case 'Int':
      return fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1, 8, 5000, 2 ** 31 - 1, -(2 ** 31)))
    case 'jsonb':
      return json
    case 'timestamptz':
      return fc.oneof(
        fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
        text,
      )
    case 'bigint':
      return fc.oneof(fc.bigInt().map(String), fc.integer())
    case 'float8':
    case 'numeric':
      return fc.double()
    default:
      return fc.constantFrom(...(enumsOf.get(name) ?? ['x']))
  }
}

const enumsOf = new Map<string, string[]>()

interface Sent {
  readonly query: string
  readonly variables: Record<string, unknown>
}

/** Up to three root fields of one document, under aliases. */
function documentOf(schema: GraphQLSchema): fc.Arbitrary<Sent> {
  for (const type of Object.values(schema.getTypeMap())) {
    if ('getValues' in type)
      enumsOf.set(
        type.name,
        type.getValues().map(({ name }) => name),
      )
  }
  const fields = Object.values(schema.getMutationType()?.getFields() ?? {}).filter(({ name }) =>
    /^(insert|update|delete)_/.test(name),
  )
  expect(fields.length).toBeGreaterThan(20)
  const one = fc
    .constantFrom(...fields)
    .chain((field) =>
      fc
        .record(Object.fromEntries(field.args.map((argument) => [argument.name, arbitraryOf(argument.type)])))
        .map((args) => ({ field, args })),
    )
  return fc.array(one, { minLength: 1, maxLength: 3 }).map((chosen) => {
    const variables: Record<string, unknown> = {}
    const declared: string[] = []
    const parts = chosen.map(({ field, args }, index) => {
      const passed = field.args.map((argument) => {
        const name = `v${index}_${argument.name}`
        declared.push(`$${name}: ${argument.type}`)
        variables[name] = args[argument.name]
        return `${argument.name}: $${name}`
      })
      return `r${index}: ${field.name}(${passed.join(', ')}) ${selectionOf(field)}`
    })
    return { query: `mutation (${declared.join(', ')}) { ${parts.join(' ')} }`, variables }
  })
}

function selectionOf(field: GraphQLField<unknown, unknown>): string {
  const type = getNamedType(field.type)
  if (!isObjectType(type)) return ''
  return type.name.endsWith('_mutation_response') ? '{ affected_rows returning { __typename id } }' : '{ id }'
}

async function signIn(person: { email: string; password: string }): Promise<string> {
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: person },
  )
  return `Bearer ${data.sign_in.token}`
}

async function beEditorAgain(): Promise<void> {
  await world.database.pool.query(
    `insert into team_members (team_id, user_id, role) select $1, id, 'editor' from users where email = $2
     on conflict (team_id, user_id) do update set role = 'editor'`,
    [world.camden.id, world.camden.editor.email],
  )
}

describe.each(['editor', 'admin'] as const)('random mutations of an %s', (role) => {
  it('are answered or refused, never fail, and leave other teams as they were', async () => {
    const person = role === 'admin' ? world.admin : world.camden.editor
    let authorization = await signIn(person)
    const schema = buildSchema(printSchemaOf(role))
    const before = await everythingOf(world.lambeth.id)
    const codes = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(documentOf(schema), async ({ query, variables }) => {
        let answer = await world.graphql(query, { authorization, variables })
        if (answer.status === 401) {
          // It changed its own membership, which ended its tokens.
          await beEditorAgain()
          authorization = await signIn(person)
          answer = await world.graphql(query, { authorization, variables })
        }
        const { data, errors, status } = answer
        expect(status).toBeLessThan(500)
        expect(data ?? errors).toBeTruthy()
        for (const error of errors ?? []) {
          expect(error.extensions.code, error.message).not.toBe('INTERNAL')
          codes.set(error.extensions.code, (codes.get(error.extensions.code) ?? 0) + 1)
        }
        if (!errors) codes.set('', (codes.get('') ?? 0) + 1)
        if (role === 'editor') expect(JSON.stringify(data ?? null)).not.toContain(world.lambeth.id)
      }),
      { numRuns: 400, interruptAfterTimeLimit: 40_000, markInterruptAsFailure: false },
    )
    // Enough of them got past the schema for this to mean something.
    expect(codes.get('') ?? 0).toBeGreaterThan(40)
    if (role === 'editor') expect(await everythingOf(world.lambeth.id)).toEqual(before)
    const { rows } = await world.database.pool.query(
      `select d.id from destinations d join flows f on f.id = d.flow_id join integrations i on i.id = d.integration_id
        where f.team_id <> i.team_id
       union all select w.id from webhooks w join integrations i on i.id = w.integration_id where w.team_id is distinct from i.team_id`,
    )
    expect(rows).toEqual([])
    if (process.env.TEST_LOG) process.stderr.write(`${role} ${JSON.stringify(Object.fromEntries(codes))}\n`)
  }, 180_000)
})

it('a thousand rows at once are written in one go', async () => {
  const authorization = await signIn(world.admin)
  const team = await world.database.prisma.team.create({ data: { slug: randomUUID(), name: 'Many' } })
  const objects = Array.from({ length: 1_000 }, (_, n) => ({ team_id: team.id, slug: `flow-${n}`, name: `${n}` }))
  const { data, errors } = await world.graphql<{ insert_flows: { affected_rows: number; returning: object[] } }>(
    'mutation ($objects: [flows_insert_input!]!) { insert_flows(objects: $objects) { affected_rows returning { name } } }',
    { authorization, variables: { objects } },
  )
  expect(errors).toBeUndefined()
  expect(data.insert_flows).toEqual({ affected_rows: 1_000, returning: objects.map(({ name }) => ({ name })) })
})
