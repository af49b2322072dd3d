/**
 * What a GraphQL request over HTTP asks for: a JSON body of POST, or the query
 * string of GET ("GraphQL over HTTP", section 5).
 */
import type { IncomingMessage } from 'node:http'
import { SluiceError } from '../errors.ts'
import type { OperationRequest } from './operation.ts'

/**
 * @returns null where a parameter is missing or of the wrong type.
 * @throws SluiceError UNSUPPORTED for a body that is not JSON by its content type, BAD_REQUEST for one that is not JSON
 * after all, or that holds several operations.
 */
export function requestParameters(request: IncomingMessage, body: Buffer | undefined): OperationRequest | null {
  const given = body ? bodyParameters(request, body) : queryParameters(request)
  return given && wellFormed(given) ? given : null
}

function bodyParameters(request: IncomingMessage, body: Buffer): OperationRequest | null {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/(graphql\+)?json *(;|$)/i.test(type)) {
    // Forms are refused, too: a page of any site may send them.
    const named = type ? `"${type.slice(0, 80)}"` : 'no content type'
    throw new SluiceError('UNSUPPORTED', `Send the operation as application/json; this request has ${named}.`)
  }
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(type)?.[1]
  if (charset && !/^utf-?8$/i.test(charset)) {
    throw new SluiceError('UNSUPPORTED', `Send the operation in UTF-8; this request has "${charset.slice(0, 40)}".`)
  }
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new SluiceError('BAD_REQUEST', 'The request body is not JSON.', { cause: error })
  }
  if (Array.isArray(value)) {
    throw new SluiceError(
      'BAD_REQUEST',
      'Batches are off: send one operation a request. An operation may have several root fields.',
    )
  }
  return typeof value === 'object' ? value : null
}

function queryParameters(request: IncomingMessage): OperationRequest | null {
  const search = new URL(request.url ?? '/', 'http://localhost').searchParams
  try {
    const variables = search.get('variables')
    const extensions = search.get('extensions')
    return {
      query: search.get('query'),
      documentId: search.get('documentId') ?? undefined,
      operationName: search.get('operationName'),
      variables: variables ? JSON.parse(variables) : null,
      extensions: extensions ? JSON.parse(extensions) : null,
    }
  } catch {
    return null
  }
}

function wellFormed({ query, documentId, operationName, variables, extensions }: OperationRequest): boolean {
  return (
    (typeof query === 'string' || (nothing(query) && (!nothing(documentId) || !nothing(extensions)))) &&
    (nothing(documentId) || typeof documentId === 'string') &&
    (nothing(operationName) || typeof operationName === 'string') &&
    (nothing(variables) || isObject(variables)) &&
    (nothing(extensions) || isObject(extensions))
  )
}

const nothing = (value: unknown) => value === undefined || value === null
const isObject = (value: unknown) => typeof value === 'object' && !Array.isArray(value)
