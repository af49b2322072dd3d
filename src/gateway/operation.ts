/**
 * One preparation for every transport: the document chosen, parsed, checked
 * against the role's schema, the caps and the policies, its operation chosen and
 * its variables coerced. HTTP, SSE and WebSocket all call this, so that no
 * control is missing on one of them.
 */
import {
  type DocumentNode,
  type GraphQLError,
  GraphQLError as GraphQLErrorClass,
  getOperationAST,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  validate,
  visit,
} from 'graphql'
import type { Principal } from '../access/principal.ts'
import { type Cost, costOf } from './cost.ts'
import { depthRule, introspects } from './depth-rule.ts'
import type { RoleSchema } from './role-schemas.ts'
import type { TrustedDocuments } from './trusted-documents.ts'

/** What a client sent, on whichever transport. */
export interface OperationRequest {
  readonly query?: string | null
  /** Names a trusted document, as does `extensions.persistedQuery.sha256Hash`. */
  readonly documentId?: unknown
  readonly operationName?: string | null
  readonly variables?: Readonly<Record<string, unknown>> | null
  readonly extensions?: Readonly<Record<string, unknown>> | null
}

export interface OperationParameters extends OperationRequest {
  /** The document itself, also where the client sent only its id. */
  readonly query: string
}

export interface PreparedOperation {
  readonly role: RoleSchema
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly variables: Readonly<Record<string, unknown>>
  readonly parameters: OperationParameters
  /** By the rule in `cost.ts`. */
  readonly cost: number
}

/** Why an operation does not run. Each error has a code in its extensions. */
export interface RefusedOperation {
  readonly errors: readonly GraphQLError[]
  /** Whether the document itself was refused, not what was sent along with it. */
  readonly document: boolean
}

/** Caps on one document; an error names the one that was passed. */
export const documentLimits = {
  tokens: 8_000,
  depth: 12,
  rootFields: 20,
  fields: 2_000,
  introspectionAliases: 5,
} as const

/** Who may ask for the schema: everybody, nobody, or people and not machines. */
export type IntrospectionPolicy = 'on' | 'off' | 'people'

/** What of a principal decides here. */
type Asker = Pick<Principal, 'kind' | 'role'>

export interface OperationPolicies {
  readonly introspection?: IntrospectionPolicy
  /** The most that an operation may cost, by the rule in `cost.ts`. */
  readonly maxCost?: number
  readonly trusted?: TrustedDocuments | null
}

interface CheckedDocument {
  readonly document: DocumentNode | null
  readonly errors: readonly GraphQLError[]
  readonly introspects: boolean
  readonly costs: Map<OperationDefinitionNode, Cost>
}

/**
 * Documents are few and requests many: each is parsed and validated once per role. Those used last are kept, up to
 * this many characters together; a parsed document takes some 50 times its text.
 */
const cacheCharacters = 1_000_000

export class Operations {
  readonly #checked = new Map<string, CheckedDocument>()
  #cached = 0
  readonly #introspection: IntrospectionPolicy
  readonly #maxCost: number
  readonly #trusted: TrustedDocuments | null
  #overCaps = 0

  constructor({ introspection = 'on', maxCost = 1_000_000, trusted = null }: OperationPolicies = {}) {
    this.#introspection = introspection
    this.#maxCost = maxCost
    this.#trusted = trusted
  }

  /** Operations since the start that a cap on a single one has refused. */
  get overCaps(): number {
    return this.#overCaps
  }

  prepare(request: OperationRequest, principal: Asker, role: RoleSchema): PreparedOperation | RefusedOperation {
    const prepared = this.#attempt(request, principal, role)
    if ('errors' in prepared && prepared.errors.some(({ extensions }) => isCap(extensions.code))) this.#overCaps += 1
    return prepared
  }

  #attempt(request: OperationRequest, principal: Asker, role: RoleSchema): PreparedOperation | RefusedOperation {
    try {
      return this.#prepare(request, principal, role)
    } catch (error) {
      // graphql-js walks values by recursion: thousands of lists within lists in a document or its variables end here.
      if (error instanceof RangeError) return { errors: [tooDeep()], document: false }
      throw error
    }
  }

  #prepare(request: OperationRequest, principal: Asker, role: RoleSchema): PreparedOperation | RefusedOperation {
    const query = this.#select(request)
    if (typeof query !== 'string') return { errors: [query], document: true }
    const checked = this.#check(query, principal, role)
    const { document, errors } = checked
    if (!document || errors.length > 0) return { errors, document: true }
    if (checked.introspects && !this.#mayIntrospect(principal)) return { errors: [noIntrospection()], document: true }
    const operation = getOperationAST(document, request.operationName)
    if (!operation) {
      const problem = request.operationName
        ? `The document has no operation "${request.operationName}".`
        : 'The document has more than one operation; say which with operationName.'
      return { errors: [refusal('BAD_REQUEST', problem)], document: false }
    }
    const coerced = getVariableValues(role.schema, operation.variableDefinitions ?? [], request.variables ?? {}, {
      maxErrors: 10,
    })
    if (coerced.errors) return { errors: coerced.errors.map(withCode), document: false }
    const cost = this.#costOf(checked, document, operation, role)(coerced.coerced)
    if (cost > this.#maxCost) return { errors: [tooCostly(cost, this.#maxCost)], document: false }
    return { role, document, operation, variables: coerced.coerced, parameters: { ...request, query }, cost }
  }

  /** The document that the request means, or why there is none. */
  #select({ query, documentId, extensions }: OperationRequest): string | GraphQLError {
    const trusted = this.#trusted
    if (query) return !trusted || trusted.has(query) ? query : notTrusted()
    const persisted = extensions?.persistedQuery as { sha256Hash?: unknown } | null | undefined
    const id = documentId ?? persisted?.sha256Hash
    if (typeof id !== 'string') return refusal('BAD_REQUEST', 'Send a document as "query".')
    if (!trusted) return noDocumentIds()
    return trusted.byId(id) ?? refusal('PERSISTED_QUERY_NOT_FOUND', `There is no trusted document "${shown(id)}" here.`)
  }

  /** Parses and validates; the result is shared, and errors are kept as well as successes. */
  #check(query: string, principal: Asker, { schema }: RoleSchema): CheckedDocument {
    const key = `${principal.role} ${query}`
    const known = this.#checked.get(key)
    if (known) {
      this.#checked.delete(key)
      this.#checked.set(key, known)
      return known
    }
    const checked = checkDocument(query, schema)
    this.#checked.set(key, checked)
    this.#cached += key.length
    for (const oldest of this.#checked.keys()) {
      if (this.#cached <= cacheCharacters) break
      this.#checked.delete(oldest)
      this.#cached -= oldest.length
    }
    return checked
  }

  #costOf({ costs }: CheckedDocument, document: DocumentNode, operation: OperationDefinitionNode, role: RoleSchema) {
    let cost = costs.get(operation)
    if (!cost) {
      cost = costOf(role.schema, document, operation)
      costs.set(operation, cost)
    }
    return cost
  }

  #mayIntrospect({ kind }: Asker): boolean {
    return this.#introspection === 'on' || (this.#introspection === 'people' && kind === 'person')
  }
}

function checkDocument(query: string, schema: RoleSchema['schema']): CheckedDocument {
  const costs = new Map()
  try {
    const document = parse(query, { maxTokens: documentLimits.tokens })
    // The caps first: some of the other rules take the square of a document's length.
    const passed = validate(schema, document, [depthRule(documentLimits)])
    const errors = passed.length > 0 ? passed : validate(schema, document, specifiedRules, { maxErrors: 20 })
    return { document, errors: errors.map(withCode), introspects: hasIntrospection(document), costs }
  } catch (error) {
    return { document: null, errors: [withCode(error as GraphQLError)], introspects: false, costs }
  }
}

function hasIntrospection(document: DocumentNode): boolean {
  let found = false
  visit(document, {
    [Kind.FIELD](field) {
      if (introspects(field)) found = true
    },
  })
  return found
}

/** Hasura's clients look for a code in `extensions`. */
function withCode(error: GraphQLError): GraphQLError {
  // Coercion collects whatever is thrown.
  if (!(error instanceof GraphQLErrorClass)) throw error
  if (error.extensions.code) return error
  return new GraphQLErrorClass(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    path: error.path,
    originalError: error.originalError,
    extensions: { ...error.extensions, code: codeOf(error.message) },
  })
}

function codeOf(message: string): string {
  if (!message.startsWith('Syntax Error')) return 'GRAPHQL_VALIDATION_FAILED'
  return message.includes('tokens') && message.includes(String(documentLimits.tokens))
    ? 'LIMIT_TOKENS'
    : 'GRAPHQL_PARSE_FAILED'
}

function refusal(code: string, message: string, details: Readonly<Record<string, unknown>> = {}): GraphQLError {
  return new GraphQLErrorClass(message, { extensions: { code, ...details } })
}

function tooCostly(cost: number, maxCost: number): GraphQLError {
  return refusal(
    'LIMIT_COST',
    `The operation costs ${cost}; at most ${maxCost} is allowed (MAX_COST). Ask for fewer rows, with limit, or for fewer fields.`,
    { cost, max_cost: maxCost },
  )
}

function tooDeep(): GraphQLError {
  return refusal('LIMIT_DEPTH', 'Values in the document or its variables nest too deep to be read.')
}

function noIntrospection(): GraphQLError {
  return refusal('INTROSPECTION_OFF', 'This gateway does not show you its schema (INTROSPECTION).')
}

function notTrusted(): GraphQLError {
  return refusal(
    'DOCUMENT_NOT_TRUSTED',
    'Only trusted documents run here, and this is none of them. Ask the operator to add it to TRUSTED_DOCUMENTS.',
  )
}

/** Apollo's clients, told so by this code, send the whole document. */
function noDocumentIds(): GraphQLError {
  return refusal('PERSISTED_QUERY_NOT_SUPPORTED', 'This gateway knows no documents by id; send the whole as "query".')
}

const isCap = (code: unknown) => typeof code === 'string' && code.startsWith('LIMIT_')

const shown = (id: string) => (id.length > 80 ? `${id.slice(0, 80)}…` : id)
