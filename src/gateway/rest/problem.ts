/** Errors of the REST face: problem details (RFC 9457). */
import type { ServerResponse } from 'node:http'
import { type ErrorCode, SluiceError } from '../../errors.ts'
import { quotaOfError, showQuotas } from '../rate-limit-headers.ts'
import { retryAfter } from '../reply.ts'

/** What an error is called, whatever its occurrence. */
const titles: Readonly<Record<ErrorCode | HttpCode, string>> = {
  BAD_REQUEST: 'The request cannot be understood',
  VALIDATION_FAILED: 'The input is not valid',
  UNAUTHENTICATED: 'Credentials are missing or wrong',
  FORBIDDEN: 'Not allowed',
  NOT_FOUND: 'Not found',
  METHOD_NOT_ALLOWED: 'Not a method of this path',
  NOT_ACCEPTABLE: 'Not available in that form',
  CONFLICT: 'In conflict with what is there',
  GONE: 'No longer available',
  PRECONDITION_FAILED: 'Changed meanwhile',
  UNPROCESSABLE: 'Taken, but not converted',
  TOO_LARGE: 'Too large',
  UNSUPPORTED: 'Not supported',
  RATE_LIMITED: 'Too many requests',
  BLOCKED: 'Blocked',
  UNAVAILABLE: 'Temporarily unavailable',
  CONFIGURATION: 'Wrongly configured',
  INTERNAL: 'Something went wrong on our side',
}

/** What only HTTP has. */
const httpStatuses = {
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  PRECONDITION_FAILED: 412,
  UNPROCESSABLE: 422,
} as const
type HttpCode = keyof typeof httpStatuses

/** An error of HTTP itself, which GraphQL does not know. */
export class HttpError extends SluiceError {
  readonly httpCode: HttpCode
  readonly headers: Readonly<Record<string, string>>

  constructor(
    httpCode: HttpCode,
    message: string,
    options: ConstructorParameters<typeof SluiceError>[2] & {
      readonly headers?: Readonly<Record<string, string>>
    } = {},
  ) {
    super('BAD_REQUEST', message, options)
    this.httpCode = httpCode
    this.headers = options.headers ?? {}
  }
}

export interface ProblemOptions {
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
  { headers = {}, extensions = {} }: ProblemOptions = {},
): void {
  const own = error instanceof HttpError ? error : undefined
  const code = own?.httpCode ?? error.code
  const status = own ? httpStatuses[own.httpCode] : error.http
  const body = JSON.stringify({
    ...error.details,
    type: `urn:sluice:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title: titles[code],
    status,
    detail: error.message,
    code,
    request_id: response.getHeader('x-request-id'),
    ...(error.path ? { path: error.path } : {}),
    ...extensions,
  })
  showQuotas(response, quotaOfError(error))
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(code === 'UNAUTHENTICATED' ? { 'www-authenticate': 'Bearer, Basic realm="sluice"' } : {}),
    ...(code === 'UNAVAILABLE' ? { 'retry-after': '10' } : {}),
    // The rest of a body that is too large is not worth reading.
    ...(code === 'TOO_LARGE' ? { connection: 'close' } : {}),
    ...retryAfter(error),
    ...own?.headers,
    ...headers,
  })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}
