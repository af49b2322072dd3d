import fc from 'fast-check'
import { execute, type GraphQLSchema, getOperationAST, getVariableValues, parse, validate } from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Principal, Role } from '../../src/access/principal.ts'
import { createBuilder } from '../../src/tables/builder.ts'
import { readModel } from '../../src/tables/model.ts'
import { type RoleView, roleView } from '../../src/tables/role-view.ts'
import { addTables } from '../../src/tables/schema.ts'
import { createTemplates } from '../../src/tables/templates.ts'
import { type TestDatabase, testDatabase } from '../ground/database.ts'
import { keyless, type RandomOperation, randomOperation } from './documents.ts'
import { type NaiveContext, naiveExecution } from './naive.ts'
import { fillTables, type Rows } from './rows.ts'

const seed = Number(process.env.DIFFERENTIAL_SEED ?? 20_261_121)
const documentsPerRole = Number(process.env.DIFFERENTIAL_DOCUMENTS ?? 120)
const timeout = 60_000 + documentsPerRole * 1000
const roles: readonly Role[] = ['admin', 'editor', 'viewer', 'consumer', 'source']

let ground: TestDatabase
let rows: Rows
const model = readModel()
/** As the gateway compiles. */
const templates = createTemplates()

beforeAll(async () => {
  ground = await testDatabase()
  rows = await fillTables(ground.database, model, roleView(model, 'admin').tables.keys(), { seed, count: 24 })
})
afterAll(() => ground?.close())

describe('the compiled path answers as graphql-js does over the same rows in memory', () => {
  it.each(roles)(
    'as %s',
    async (role) => {
      const view = roleView(model, role)
      const principal = principalOf(role)
      const schema = tablesSchema(view)
      const naive = naiveExecution({ schema, view, rows, variables: principal.variables })
      let characters = 0
      await fc.assert(
        fc.asyncProperty(fc.gen(), async (g) => {
          const operation = randomOperation(g, view, rows)
          const compiled = await runCompiled(operation, schema, view, principal)
          const expected = runNaive(operation, naive)
          const difference = firstDifference(compiled, expected, 'data')
          if (difference)
            throw new Error(`${difference}\n${operation.document}\n${JSON.stringify(operation.variables)}`)
          characters += JSON.stringify(compiled).length
        }),
        { seed, numRuns: documentsPerRole, endOnFailure: true },
      )
      expect(characters).toBeGreaterThan(documentsPerRole * 50)
    },
    timeout,
  )
})

function principalOf(role: Role): Principal {
  const ids = (table: string) => [...new Set((rows.get(table) ?? []).map((row) => row.id as string))]
  const integration = (rows.get('session_grants') ?? [])[0]?.integration_id as string
  return {
    kind: 'credential',
    id: 'test',
    role,
    teamId: null,
    integrationId: integration,
    expiresAt: null,
    variables: {
      'x-hasura-team-ids': ids('teams').slice(0, 5),
      'x-hasura-integration-id': integration,
      'x-hasura-user-id': ids('users')[0] ?? null,
    },
  }
}

function tablesSchema(view: RoleView): GraphQLSchema {
  const builder = createBuilder()
  builder.queryType({})
  builder.subscriptionType({})
  builder.mutationType({ fields: (t) => ({ nothing: t.boolean({ resolve: () => true }) }) })
  addTables(builder, view)
  return builder.toSchema({ sortSchema: false })
}

async function runCompiled(
  { document: text, variables: sent }: RandomOperation,
  schema: GraphQLSchema,
  view: RoleView,
  principal: Principal,
): Promise<unknown> {
  const document = parse(text)
  const errors = validate(schema, document)
  if (errors.length > 0) throw new Error(`${errors[0]?.message}\n${text}`)
  const operation = getOperationAST(document)
  if (!operation) throw new Error('no operation')
  const { coerced, errors: refused } = getVariableValues(schema, operation.variableDefinitions ?? [], sent)
  if (!coerced) throw new Error(`${refused?.[0]?.message}\n${text}\n${JSON.stringify(sent)}`)
  const statement = templates.statement(
    { schema, view, document, operation, variables: coerced, sentVariables: sent },
    {
      view,
      principal,
      retentionAfterRetrievalDays: 5,
      request: { id: 'test', address: null, operation: 'query' },
    },
  )
  if (!statement) throw new Error('not an operation of tables alone')
  const client = await ground.database.pool.connect()
  try {
    // Reading as a consumer writes; the rows in memory do not change, so these shall not either.
    if (statement.retrieves) await client.query('begin')
    const { rows: answer } = await client.query({ text: statement.text, values: statement.values as unknown[] })
    return JSON.parse(answer[0].data)
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${text}\n${JSON.stringify(sent)}\n${statement.text}`)
  } finally {
    if (statement.retrieves) await client.query('rollback')
    client.release()
  }
}

function runNaive(
  { document, variables, written }: RandomOperation,
  naive: ReturnType<typeof naiveExecution>,
): unknown {
  const contextValue: NaiveContext = {
    asWritten(orderBy) {
      const found = written.get(keyless(orderBy))
      return found === undefined ? orderBy : JSON.parse(JSON.stringify(found))
    },
  }
  const result = execute({ ...naive, document: parse(document), variableValues: variables, contextValue })
  if (result instanceof Promise || result.errors) {
    throw new Error(`graphql-js: ${'errors' in result ? result.errors?.[0]?.stack : 'a promise'}\n${document}`)
  }
  return result.data
}

/** Where two answers differ, keys and their order included; numbers may differ in their last digits, as sums do. */
function firstDifference(left: unknown, right: unknown, path: string): string | null {
  if (typeof left === 'number' && typeof right === 'number') {
    const near = Math.abs(left - right) <= 1e-9 * Math.max(1, Math.abs(left), Math.abs(right))
    return near ? null : `${path}: compiled ${left}, graphql-js ${right}`
  }
  if (typeof left !== 'object' || left === null || typeof right !== 'object' || right === null) {
    return left === right ? null : `${path}: compiled ${JSON.stringify(left)}, graphql-js ${JSON.stringify(right)}`
  }
  const [mine, theirs] = [Object.keys(left), Object.keys(right)]
  if (Array.isArray(left) !== Array.isArray(right) || JSON.stringify(mine) !== JSON.stringify(theirs)) {
    return `${path}: compiled ${JSON.stringify(left)?.slice(0, 500)}, graphql-js ${JSON.stringify(right)?.slice(0, 500)}`
  }
  for (const key of mine) {
    const values = [left, right].map((value) => (value as Record<string, unknown>)[key])
    const difference = firstDifference(values[0], values[1], `${path}.${key}`)
    if (difference) return difference
  }
  return null
}
