/** What a client is told when something fails: our own errors as they are, everything else masked and logged. */
import { GraphQLError } from 'graphql'
import { clientError } from '../database/client-errors.ts'
import { SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'

export function toGraphQLError(error: unknown, log: Log, requestId: string): GraphQLError {
  if (error instanceof GraphQLError) {
    const cause = error.originalError
    if (!cause || cause instanceof GraphQLError) return withCode(error)
    return shown(cause, error, log, requestId)
  }
  return shown(error, undefined, log, requestId)
}

/** What graphql-js itself refuses, such as a variable of the wrong type. */
function withCode(error: GraphQLError): GraphQLError {
  if (error.extensions.code) return error
  const { nodes, source, positions, path, originalError, extensions } = error
  return new GraphQLError(error.message, {
    nodes,
    source,
    positions,
    path,
    originalError,
    extensions: { ...extensions, code: 'GRAPHQL_VALIDATION_FAILED' },
  })
}

function shown(cause: unknown, located: GraphQLError | undefined, log: Log, requestId: string): GraphQLError {
  const place = { nodes: located?.nodes, source: located?.source, positions: located?.positions, path: located?.path }
  const known = cause instanceof SluiceError ? cause : clientError(cause)
  if (known && known.code !== 'INTERNAL' && known.code !== 'CONFIGURATION') {
    return new GraphQLError(known.message, {
      ...place,
      extensions: {
        code: known.code,
        ...(known.path ? { path: known.path } : {}),
        ...(known.details ? { details: known.details } : {}),
      },
    })
  }
  log.error({ err: cause, requestId }, 'an operation failed')
  return new GraphQLError(`Something went wrong on our side. Tell the operator this request id: ${requestId}.`, {
    ...place,
    extensions: { code: 'INTERNAL', requestId },
  })
}
