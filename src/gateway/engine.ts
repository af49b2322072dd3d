/**
 * Runs prepared operations. Operations that only read tables become one
 * statement whose JSON text is the answer; they never pass through graphql-js.
 * The rest is executed by graphql-js, which asks `resolveRoot` for the table
 * root fields among them.
 */
import type { GraphQLResolveInfo } from 'graphql'
import type { Principal } from '../access/principal.ts'
import { clientError } from '../database/client-errors.ts'
import type { Database } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import type { LiveQueries, LiveQuery } from '../live/live-queries.ts'
import { planOperation, planRootField, tablesOf } from '../tables/plan.ts'
import type { Root } from '../tables/query.ts'
import { type Statement, selectStatement } from '../tables/select.ts'
import type { PreparedOperation } from './operation.ts'
import type { RoleSchema } from './role-schemas.ts'

export interface Caller {
  readonly principal: Principal
  readonly requestId: string
  readonly address: string | null
}

export interface Engine {
  /** The JSON text of `data`, or null when the operation does not only read tables. */
  read(operation: PreparedOperation, caller: Caller): Promise<string> | null
  /** JSON texts of `data`, one whenever the result differs. */
  live(operation: PreparedOperation, caller: Caller): AsyncGenerator<string, void, undefined>
  /** A resolver's answer for one table root field. */
  resolveRoot(info: GraphQLResolveInfo, role: RoleSchema, caller: Caller): Promise<unknown>
}

export interface EngineOptions {
  readonly database: Database
  readonly liveQueries: LiveQueries
  readonly retentionAfterRetrievalDays: number
}

export function createEngine({ database, liveQueries, retentionAfterRetrievalDays }: EngineOptions): Engine {
  const statementOf = (
    roots: readonly Root[],
    { view }: RoleSchema,
    { principal, requestId, address }: Caller,
    operation: string,
  ) =>
    selectStatement(roots, {
      view,
      principal,
      retentionAfterRetrievalDays,
      request: { id: requestId, address, operation },
    })

  const run = async ({ text, values }: Statement): Promise<string> => {
    try {
      const { rows } = await database.pool.query<[string]>({ text, values: values as unknown[], rowMode: 'array' })
      return rows[0]?.[0] as string
    } catch (error) {
      throw clientError(error) ?? error
    }
  }

  return {
    read(operation, caller) {
      if (operation.operation.operation !== 'query') return null
      const roots = planOperation(planInput(operation))
      return roots ? run(statementOf(roots, operation.role, caller, 'query')) : null
    },

    live(operation, caller) {
      const roots = planOperation(planInput(operation))
      const only = roots?.length === 1 ? roots[0] : undefined
      if (!only || only.kind === 'typename') {
        throw new SluiceError('BAD_REQUEST', 'A subscription has exactly one root field, a table.')
      }
      const statement = statementOf([only], operation.role, caller, 'subscription')
      return liveQueries.subscribe(
        liveQuery(statement, tablesOf([only], operation.role.view), caller, () => run(statement)),
      )
    },

    async resolveRoot(info, role, caller) {
      const key = String(info.path.key)
      const input = {
        schema: info.schema,
        view: role.view,
        document: documentOf(info),
        operation: info.operation,
        variables: info.variableValues,
      }
      const root = planRootField(input, info.parentType, key, info.fieldNodes)
      return JSON.parse(await run(statementOf([root], role, caller, 'query')))[key]
    },
  }
}

/** Equal statement and values give equal results; one that writes an audit entry is never shared between principals. */
function liveQuery(
  statement: Statement,
  tables: ReadonlySet<string>,
  { principal }: Caller,
  evaluate: () => Promise<string>,
): LiveQuery {
  const owner = statement.retrieves ? principal.id : ''
  return { key: JSON.stringify([owner, statement.text, statement.values.slice(0)]), tables, evaluate }
}

function planInput({ role, document, operation, variables }: PreparedOperation) {
  return { schema: role.schema, view: role.view, document, operation, variables }
}

function documentOf(info: GraphQLResolveInfo) {
  return {
    kind: 'Document' as const,
    definitions: [info.operation, ...Object.values(info.fragments)],
  } as unknown as PreparedOperation['document']
}
