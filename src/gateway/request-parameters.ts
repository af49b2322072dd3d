/**
 * What a GraphQL request over HTTP asks for: a JSON body of POST, or the query
 * string of GET ("GraphQL over HTTP", section 5).
 */
import type { IncomingMessage } from 'node:http'
import { SluiceError } from '../errors.ts'
import type { OperationRequest } from './operation.ts'

/**
 * @throws SluiceError UNSUPPORTED for a body that is not plain JSON by its headers, BAD_REQUEST for one that is not JSON
 * after all, holds several operations, or where a parameter is missing or of the wrong type.
 */
export function requestParameters(request: IncomingMessage, body: Buffer | undefined): OperationRequest {
  return wellFormed(body ? bodyParameters(request, body) : queryParameters(request))
}

function bodyParameters(request: IncomingMessage, body: Buffer): unknown {
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
  const coding = request.headers['content-encoding'] ?? 'identity'
  if (!/^identity$/i.test(coding)) {
    throw new SluiceError('UNSUPPORTED', `Send the operation uncompressed; this request has "${coding.slice(0, 40)}".`)
  }
  let value: unknown
  try {
    // Fatal: bytes of another encoding would otherwise be stored as U+FFFD, and nobody would hear of it.
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    throw new SluiceError('BAD_REQUEST', 'The request body is not JSON in UTF-8.', { cause: error })
  }
  if (Array.isArray(value)) {
    throw new SluiceError(
      'BAD_REQUEST',
      'Batches are off: send one operation a request. An operation may have several root fields.',
    )
  }
  return value
}

function queryParameters(request: IncomingMessage): unknown {
  const search = new URL(request.url ?? '/', 'http://localhost').searchParams
  return {
    query: search.get('query'),
    documentId: search.get('documentId'),
    operationName: search.get('operationName'),
    variables: parsed('variables', search.get('variables')),
    extensions: parsed('extensions', search.get('extensions')),
  }
}

function parsed(name: string, text: string | null): unknown {
  if (!text) return null
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new SluiceError('BAD_REQUEST', `"${name}" in the URL is not JSON.`, { cause: error, path: name })
  }
}

function wellFormed(given: unknown): OperationRequest {
  if (!isObject(given)) throw new SluiceError('BAD_REQUEST', 'The request body must be a JSON object with "query".')
  for (const [name, is, kind] of kinds) {
    const value = given[name]
    if (value !== undefined && value !== null && !is(value)) {
      throw new SluiceError('BAD_REQUEST', `"${name}" must be ${kind}.`, { path: name })
    }
  }
  const { query, documentId, extensions } = given as OperationRequest
  if (!query && !documentId && !extensions?.persistedQuery) {
    throw new SluiceError('BAD_REQUEST', 'Send a document as "query".', { path: 'query' })
  }
  return given as OperationRequest
}

const isText = (value: unknown) => typeof value === 'string'
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const kinds = [
  ['query', isText, 'a text'],
  ['documentId', isText, 'a text'],
  ['operationName', isText, 'a text'],
  ['variables', isObject, 'a JSON object'],
  ['extensions', isObject, 'a JSON object'],
] as const
