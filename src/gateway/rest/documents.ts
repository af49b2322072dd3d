/** REST handlers read by GraphQL documents, through the same permissions and the same engine: there is no second way to the data. */
import { SluiceError } from '../../errors.ts'
import type { Caller, Engine } from '../engine.ts'
import { Operations } from '../operation.ts'
import type { RoleSchemas } from '../role-schemas.ts'

/** @throws SluiceError as the engine; FORBIDDEN when the caller's role knows no such field. */
export type RunDocument = <T>(query: string, variables: Readonly<Record<string, unknown>>, caller: Caller) => Promise<T>

export interface DocumentsOptions {
  readonly schemas: RoleSchemas
  readonly engine: Engine
  readonly maxCost: number
}

/** The documents are our own, so those that clients are limited to (TRUSTED_DOCUMENTS) do not matter here. */
export function createDocuments({ schemas, engine, maxCost }: DocumentsOptions): RunDocument {
  const operations = new Operations({ introspection: 'off', maxCost, trusted: null })
  return async <T>(query: string, variables: Readonly<Record<string, unknown>>, caller: Caller) => {
    const prepared = operations.prepare({ query, variables }, caller.principal, schemas(caller.principal.role))
    if ('errors' in prepared) {
      throw new SluiceError('FORBIDDEN', `The role "${caller.principal.role}" may not read this.`, {
        cause: new AggregateError(prepared.errors),
      })
    }
    const data = engine.read(prepared, caller)
    if (!data) throw new Error('A REST document may only read tables.')
    return JSON.parse(await data) as T
  }
}
