/**
 * The one error family. A `SluiceError` is meant for the person who caused it:
 * its message says what is wrong and what to do next, and holds no secret.
 * Any other error is a defect of ours and is answered as "internal error".
 */

/** Stable codes; a client may branch on them. `http` is the status that REST and OAuth faces answer with. */
const statusOf = {
  BAD_REQUEST: 400,
  VALIDATION_FAILED: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  GONE: 410,
  TOO_LARGE: 413,
  UNSUPPORTED: 415,
  RATE_LIMITED: 429,
  BLOCKED: 400,
  UNAVAILABLE: 503,
  CONFIGURATION: 500,
  INTERNAL: 500,
} as const

export type ErrorCode = keyof typeof statusOf

export interface SluiceErrorOptions {
  readonly cause?: unknown
  /** Where in the input the error is, as a JSON path: `object.team`. */
  readonly path?: string
  /** Machine-readable details that are safe to show to the caller. */
  readonly details?: Readonly<Record<string, unknown>>
}

/**
 * @example
 * throw new SluiceError('NOT_FOUND', 'There is no team "camdn". Check the slug; an admin can list teams.', { path: 'object.team' })
 */
export class SluiceError extends Error {
  override readonly name = 'SluiceError'
  readonly code: ErrorCode
  readonly http: number
  readonly path: string | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: ErrorCode, message: string, { cause, path, details }: SluiceErrorOptions = {}) {
    super(message, { cause })
    this.code = code
    this.http = statusOf[code]
    this.path = path
    this.details = details
  }
}

/** The message of anything thrown, for logs and rows that an operator reads. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
