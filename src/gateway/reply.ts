/** Small answers outside GraphQL, and errors in the forms that each face speaks. */
import type { ServerResponse } from 'node:http'
import type { SluiceError } from '../errors.ts'

export function replyJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}

/** An error before or beside GraphQL execution, in GraphQL's own form. */
export function replyGraphQLError(response: ServerResponse, error: SluiceError): void {
  const headers: Record<string, string> =
    error.code === 'UNAUTHENTICATED' ? { 'www-authenticate': 'Bearer, Basic realm="sluice"' } : {}
  // The rest of a body that is too large is not worth reading.
  if (error.code === 'TOO_LARGE') headers.connection = 'close'
  const requestId = response.getHeader('x-request-id')
  const extensions = {
    code: error.code,
    ...(error.details ? { details: error.details } : {}),
    ...(requestId ? { requestId } : {}),
  }
  replyJson(
    response,
    error.http,
    { errors: [{ message: error.message, extensions }] },
    { ...headers, ...retryAfter(error) },
  )
}

/** The header `Retry-After`, for errors that know when to come back: `details.retry_after_seconds`. */
export function retryAfter({ details }: SluiceError): Readonly<Record<string, string>> {
  const seconds = details?.retry_after_seconds
  return typeof seconds === 'number' ? { 'retry-after': String(Math.max(1, Math.ceil(seconds))) } : {}
}
