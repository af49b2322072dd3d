/**
 * Runs prepared operations. Operations that only read tables become one
 * statement whose JSON text is the answer, and those that only write tables one
 * transaction; they never pass through graphql-js.
 * The rest is executed by graphql-js, which asks `resolveRoot` for the table
 * root fields among them.
 */
import type { GraphQLResolveInfo } from 'graphql'
import type { Audit } from '../access/audit.ts'
import type { Principal } from '../access/principal.ts'
import { clientError } from '../database/client-errors.ts'
import type { Database } from '../database/database.ts'
import { createPreparedNames } from '../database/prepared.ts'
import { SluiceError } from '../errors.ts'
import { dependenciesOf } from '../live/dependencies.ts'
import type { LiveQueries } from '../live/live-queries.ts'
import type { Streams } from '../live/streams.ts'
import { planOperation, planRootField } from '../tables/plan.ts'
import type { Root } from '../tables/query.ts'
import {
  type SelectContext,
  type Statement,
  type StreamRoot,
  selectStatement,
  streamStatement,
} from '../tables/select.ts'
import { createTemplates } from '../tables/templates.ts'
import { auditAbsent, sessionsAsked } from './audit-absent.ts'
import type { Mutations } from './mutations.ts'
import type { PreparedOperation } from './operation.ts'
import type { RoleSchema } from './role-schemas.ts'

export interface Caller {
  readonly principal: Principal
  readonly requestId: string
  readonly address: string | null
  readonly userAgent?: string | null
}

/** What kinds of operation there are, by what they cost: statements, transactions, graphql-js, what stays open. */
export interface OperationCounts {
  read: number
  write: number
  action: number
  live_query: number
  stream: number
}

export interface Engine {
  /** The JSON text of `data`, or null when the operation does not only read tables. */
  read(operation: PreparedOperation, caller: Caller): Promise<string> | null
  /** The JSON text of `data`, or null when the operation does not only write tables. */
  write(operation: PreparedOperation, caller: Caller): Promise<string> | null
  /** JSON texts of `data`, one whenever the result differs. */
  live(operation: PreparedOperation, caller: Caller): AsyncGenerator<string, void, undefined>
  /** A resolver's answer for one table root field. */
  resolveRoot(info: GraphQLResolveInfo, role: RoleSchema, caller: Caller): Promise<unknown>
  /** Operations since the start. Whoever runs an action without asking here first counts it. */
  readonly counts: OperationCounts
}

export interface EngineOptions {
  readonly database: Database
  readonly liveQueries: LiveQueries
  readonly streams: Streams
  readonly mutations: Mutations
  readonly audit: Audit
  readonly retentionAfterRetrievalDays: number
}

export function createEngine({
  database,
  liveQueries,
  streams,
  mutations,
  audit,
  retentionAfterRetrievalDays,
}: EngineOptions): Engine {
  const selectContext = (
    { view }: RoleSchema,
    { principal, requestId, address }: Caller,
    operation: string,
  ): SelectContext => ({
    view,
    principal,
    retentionAfterRetrievalDays,
    request: { id: requestId, address, operation },
  })
  const statementOf = (roots: readonly Root[], role: RoleSchema, caller: Caller, operation: string) =>
    selectStatement(roots, selectContext(role, caller, operation))

  const templates = createTemplates()
  const names = createPreparedNames()
  const run = async ({ text, values }: Statement): Promise<string> => {
    try {
      const { rows } = await database.pool.query<[string]>({
        text,
        values: values as unknown[],
        rowMode: 'array',
        name: names.nameOf(text),
      })
      return rows[0]?.[0] as string
    } catch (error) {
      throw clientError(error) ?? error
    }
  }

  const counts: OperationCounts = { read: 0, write: 0, action: 0, live_query: 0, stream: 0 }
  return {
    counts,
    read(operation, caller) {
      if (operation.operation.operation !== 'query') return null
      const statement = templates.statement(planInput(operation), selectContext(operation.role, caller, 'query'))
      counts[statement ? 'read' : 'action'] += 1
      if (!statement) return null
      const asked = sessionsAsked(operation)
      if (asked.length === 0) return run(statement)
      return run(statement).then((text) => {
        auditAbsent(audit, asked, text, operation, caller)
        return text
      })
    },

    write(operation, caller) {
      if (operation.operation.operation !== 'mutation') return null
      const answer = mutations.answer(planInput(operation), selectContext(operation.role, caller, 'mutation'))
      counts[answer ? 'write' : 'action'] += 1
      return answer
    },

    live(operation, caller) {
      const roots = planOperation(planInput(operation))
      const only = roots?.length === 1 ? roots[0] : undefined
      if (!only || only.kind === 'typename') {
        throw new SluiceError('BAD_REQUEST', 'A subscription has exactly one root field, a table.')
      }
      const dependencies = dependenciesOf([only], operation.role.view, caller.principal.variables)
      counts[only.kind === 'stream' ? 'stream' : 'live_query'] += 1
      if (only.kind === 'stream') {
        const context = selectContext(operation.role, caller, 'stream')
        return streams.subscribe({
          dependencies,
          batchSize: only.batchSize,
          startAfter: startAfter(only),
          statement: (step) => streamStatement(only, step, context),
        })
      }
      const statement = statementOf([only], operation.role, caller, 'subscription')
      return liveQueries.subscribe({ key: cohortKey(statement, caller), dependencies, statement })
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
      if (info.operation.operation === 'mutation') {
        return mutations.field(input, selectContext(role, caller, 'mutation'), caller, info)
      }
      const root = planRootField(input, info.parentType, key, info.fieldNodes)
      return JSON.parse(await run(statementOf([root], role, caller, 'query')))[key]
    },
  }
}

/** Equal statement and values give equal results; one that writes an audit entry is never shared between principals. */
function cohortKey({ text, values, retrieves }: Statement, { principal }: Caller): string {
  return JSON.stringify([retrieves ? principal.id : '', text, values])
}

/** A stream by position only follows; one by another column first reads what is there. */
function startAfter({ cursor }: StreamRoot): string | null {
  if (cursor.column !== 'position' || !cursor.ascending) return null
  return typeof cursor.from === 'string' ? cursor.from : ''
}

function planInput({ role, document, operation, variables, parameters }: PreparedOperation) {
  const sentVariables = parameters.variables
  return { schema: role.schema, view: role.view, document, operation, variables, sentVariables }
}

function documentOf(info: GraphQLResolveInfo) {
  return {
    kind: 'Document' as const,
    definitions: [info.operation, ...Object.values(info.fragments)],
  } as unknown as PreparedOperation['document']
}
