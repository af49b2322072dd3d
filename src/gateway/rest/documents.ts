/**
 * REST handlers read, write and wait by GraphQL documents, through the same permissions and the same engine: there is no
 * second way to the data. What a document costs is counted as if its caller had sent it.
 */
import { execute, type GraphQLError } from 'graphql'
import { clientError } from '../../database/client-errors.ts'
import { SluiceError } from '../../errors.ts'
import type { Caller, Engine } from '../engine.ts'
import { Operations, type PreparedOperation } from '../operation.ts'
import type { RoleSchemas } from '../role-schemas.ts'

export interface DocumentCaller extends Caller {
  /** Counts what a document costs. @throws SluiceError RATE_LIMITED */
  readonly charge?: (cost: number) => Promise<void>
}

type Variables = Readonly<Record<string, unknown>>

/**
 * Each throws SluiceError as the engine and the actions do; FORBIDDEN when the caller's role knows no such field, and
 * BAD_REQUEST when a value does not fit.
 */
export interface Documents {
  /** Reads tables. */
  read<T>(query: string, variables: Variables, caller: DocumentCaller): Promise<T>
  /** As `read`, and gives the JSON text of `data` as Postgres wrote it: numbers keep all their digits. */
  readText(query: string, variables: Variables, caller: DocumentCaller): Promise<string>
  /** Runs a mutation of one action and gives what the action gave. */
  act<T>(mutation: string, variables: Variables, caller: DocumentCaller): Promise<T>
  /** JSON texts of `data`, one whenever there is something new. */
  live(
    subscription: string,
    variables: Variables,
    caller: DocumentCaller,
  ): Promise<AsyncGenerator<string, void, undefined>>
}

export type RunDocument = Documents['read']

export interface DocumentsOptions {
  readonly schemas: RoleSchemas
  readonly engine: Engine
  readonly maxCost: number
  /** Called with each document that is refused to a role. */
  readonly refused?: (error: SluiceError, caller: Caller) => void
}

/** The documents are our own, so those that clients are limited to (TRUSTED_DOCUMENTS) do not matter here. */
export function createDocuments({ schemas, engine, maxCost, refused }: DocumentsOptions): Documents {
  const operations = new Operations({ introspection: 'off', maxCost, trusted: null })

  const prepare = async (query: string, variables: Variables, caller: DocumentCaller): Promise<PreparedOperation> => {
    const { principal, charge } = caller
    const prepared = operations.prepare({ query, variables }, principal, schemas(principal.role))
    if ('errors' in prepared) {
      const error = prepared.document ? notForRole(principal.role, prepared.errors) : unfit(prepared.errors)
      if (prepared.document) refused?.(error, caller)
      throw error
    }
    await charge?.(prepared.cost)
    return prepared
  }

  const readText = async (query: string, variables: Variables, caller: DocumentCaller): Promise<string> => {
    const data = engine.read(await prepare(query, variables, caller), caller)
    if (!data) throw new Error('This REST document may only read tables.')
    return data
  }

  return {
    readText,
    read: async <T>(query: string, variables: Variables, caller: DocumentCaller) =>
      JSON.parse(await readText(query, variables, caller)) as T,
    async act<T>(mutation: string, variables: Variables, caller: DocumentCaller) {
      const { role, document, parameters } = await prepare(mutation, variables, caller)
      engine.counts.action += 1
      const result = await execute({
        schema: role.schema,
        document,
        variableValues: parameters.variables ?? {},
        contextValue: { ...caller, resolveRoot: () => Promise.reject(new Error('An action stands alone.')) },
      })
      const [error] = result.errors ?? []
      if (error) throw told(error)
      return Object.values(result.data ?? {})[0] as T
    },
    async live(subscription, variables, caller) {
      return engine.live(await prepare(subscription, variables, caller), caller)
    },
  }
}

function notForRole(role: string, errors: readonly GraphQLError[]): SluiceError {
  return new SluiceError('FORBIDDEN', `The role "${role}" may not do this.`, { cause: new AggregateError(errors) })
}

/** A variable that its type does not take, or a list that costs too much. */
function unfit(errors: readonly GraphQLError[]): SluiceError {
  const reasons = errors.map(({ message }) => message.replace(/^Variable "\$\w+" got invalid value .*; /s, ''))
  return new SluiceError('BAD_REQUEST', withoutObject(reasons.join(' ')), { cause: new AggregateError(errors) })
}

/** What an action threw; its argument `object` is the body of a REST request. */
function told({ originalError, message }: GraphQLError): unknown {
  const error = originalError instanceof SluiceError ? originalError : clientError(originalError)
  if (!error) return originalError ?? new Error(message)
  const { code, path, details, cause } = error
  const issues = details?.issues as readonly { readonly path: string; readonly message: string }[] | undefined
  return new SluiceError(code, withoutObject(error.message), {
    cause,
    ...(path === undefined ? {} : { path: withoutObject(path) }),
    ...(details === undefined
      ? {}
      : {
          details: issues
            ? { ...details, issues: issues.map((one) => ({ ...one, path: withoutObject(one.path) })) }
            : details,
        }),
  })
}

const withoutObject = (text: string) => text.replaceAll(/\bobject\.(?=\w)/g, '')
