/** Errors of the REST face: problem details (RFC 9457). */
import type { ServerResponse } from 'node:http'
import type { ErrorCode, SluiceError } from '../../errors.ts'

/** What an error is called, whatever its occurrence. */
const titles: Readonly<Record<ErrorCode, string>> = {
  BAD_REQUEST: 'The request cannot be understood',
  VALIDATION_FAILED: 'The input is not valid',
  UNAUTHENTICATED: 'Credentials are missing or wrong',
  FORBIDDEN: 'Not allowed',
  NOT_FOUND: 'Not found',
  CONFLICT: 'In conflict with what is there',
  GONE: 'No longer available',
  TOO_LARGE: 'Too large',
  UNSUPPORTED: 'Not supported',
  RATE_LIMITED: 'Too many requests',
  BLOCKED: 'Blocked',
  UNAVAILABLE: 'Temporarily unavailable',
  CONFIGURATION: 'Wrongly configured',
  INTERNAL: 'Something went wrong on our side',
}

export interface ProblemOptions {
  /** @default the error's own */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Members beside those of the standard. */
  readonly extensions?: Readonly<Record<string, unknown>>
}

/**
 * Answers with an error as `application/problem+json`: `type` names the kind, `detail` tells a person what to do,
 * `code` is what GraphQL says in `extensions.code`, and `request_id` what to tell the operator.
 *
 * @example
 * replyProblem(response, new SluiceError('NOT_FOUND', 'There is no such session.'))
 */
export function replyProblem(
  response: ServerResponse,
  error: SluiceError,
  { status = error.http, headers = {}, extensions = {} }: ProblemOptions = {},
): void {
  const body = JSON.stringify({
    type: `urn:sluice:problem:${error.code.toLowerCase().replaceAll('_', '-')}`,
    title: titles[error.code],
    status,
    detail: error.message,
    code: error.code,
    request_id: response.getHeader('x-request-id'),
    ...(error.path ? { path: error.path } : {}),
    ...error.details,
    ...extensions,
  })
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(error.code === 'UNAUTHENTICATED' ? { 'www-authenticate': 'Bearer, Basic realm="sluice"' } : {}),
    ...(error.code === 'UNAVAILABLE' ? { 'retry-after': '10' } : {}),
    // The rest of a body that is too large is not worth reading.
    ...(error.code === 'TOO_LARGE' ? { connection: 'close' } : {}),
    ...headers,
  })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}
