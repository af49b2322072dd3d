/**
 * One preparation for every transport: parsed, checked against the role's schema
 * and the caps, its operation chosen and its variables coerced. HTTP, SSE and
 * WebSocket all call this, so that no control is missing on one of them.
 */
import {
  type DocumentNode,
  type GraphQLError,
  GraphQLError as GraphQLErrorClass,
  getOperationAST,
  getVariableValues,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  validate,
} from 'graphql'
import type { Role } from '../access/principal.ts'
import { depthRule } from './depth-rule.ts'
import type { RoleSchema } from './role-schemas.ts'

export interface OperationParameters {
  readonly query: string
  readonly operationName?: string | null
  readonly variables?: Readonly<Record<string, unknown>> | null
}

export interface PreparedOperation {
  readonly role: RoleSchema
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly variables: Readonly<Record<string, unknown>>
  readonly parameters: OperationParameters
}

/** Caps on one document; an error names the one that was passed. */
export const documentLimits = { tokens: 8_000, depth: 12, rootFields: 20, fields: 2_000 } as const

interface CheckedDocument {
  readonly document: DocumentNode | null
  readonly errors: readonly GraphQLError[]
}

/** Documents are few and requests many: each is parsed and validated once per role. */
const cacheSize = 1_000

export class Operations {
  readonly #checked = new Map<string, CheckedDocument>()

  /** Parses and validates; the result is shared, and errors are kept as well as successes. */
  check(query: string, role: Role, { schema }: RoleSchema): CheckedDocument {
    const key = `${role} ${query}`
    const known = this.#checked.get(key)
    if (known) return known
    const checked = checkDocument(query, schema)
    if (this.#checked.size >= cacheSize) this.#checked.delete(this.#checked.keys().next().value as string)
    this.#checked.set(key, checked)
    return checked
  }

  prepare(
    parameters: OperationParameters,
    roleName: Role,
    role: RoleSchema,
  ): PreparedOperation | { readonly errors: readonly GraphQLError[] } {
    const { document, errors } = this.check(parameters.query, roleName, role)
    if (!document || errors.length > 0) return { errors }
    const operation = getOperationAST(document, parameters.operationName)
    if (!operation) {
      const problem = parameters.operationName
        ? `The document has no operation "${parameters.operationName}".`
        : 'The document has more than one operation; say which with operationName.'
      return { errors: [badRequest(problem)] }
    }
    const coerced = getVariableValues(role.schema, operation.variableDefinitions ?? [], parameters.variables ?? {}, {
      maxErrors: 10,
    })
    if (coerced.errors) return { errors: coerced.errors.map(withCode) }
    return { role, document, operation, variables: coerced.coerced, parameters }
  }
}

function checkDocument(query: string, schema: RoleSchema['schema']): CheckedDocument {
  try {
    const document = parse(query, { maxTokens: documentLimits.tokens })
    const errors = validate(schema, document, [...specifiedRules, depthRule(documentLimits)], { maxErrors: 20 })
    return { document, errors: errors.map(withCode) }
  } catch (error) {
    return { document: null, errors: [withCode(error as GraphQLError)] }
  }
}

/** Hasura's clients look for a code in `extensions`. */
function withCode(error: GraphQLError): GraphQLError {
  if (error.extensions.code) return error
  return new GraphQLErrorClass(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    path: error.path,
    originalError: error.originalError,
    extensions: {
      ...error.extensions,
      code: error.message.startsWith('Syntax Error') ? 'GRAPHQL_PARSE_FAILED' : 'GRAPHQL_VALIDATION_FAILED',
    },
  })
}

function badRequest(message: string): GraphQLError {
  return new GraphQLErrorClass(message, { extensions: { code: 'BAD_REQUEST' } })
}
