/** What went wrong, as pages show it: one shape for refusals of the API, a broken network and defects of our own. */
import { CombinedError } from 'urql'

export interface FaultOptions {
  /** Where in the arguments the error is, such as `object.name`. */
  readonly path?: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/**
 * `code` is the API's (`VALIDATION_FAILED`, `NOT_FOUND` …), or one of ours: `NETWORK` when the gateway could not be
 * reached, `UNEXPECTED` for everything else. Messages of the API tell a person what to do; they are shown as they are.
 */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: string
  readonly path: string | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: string, message: string, { path, details, cause }: FaultOptions = {}) {
    super(message, { cause })
    this.code = code
    this.path = path
    this.details = details
  }
}

interface ErrorJson {
  readonly message: string
  readonly extensions?: Readonly<Record<string, unknown>> | null
}

/** The first of an answer's errors; the others of one operation seldom add anything. */
export function faultOfJson(error: ErrorJson, cause?: unknown): Fault {
  const { code, path, details } = error.extensions ?? {}
  return new Fault(typeof code === 'string' ? code : 'UNEXPECTED', error.message, {
    path: typeof path === 'string' ? path : undefined,
    details: typeof details === 'object' ? (details as Record<string, unknown>) : undefined,
    cause,
  })
}

/** @param error whatever was thrown, rejected with, or came as `result.error` from urql. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error
  if (error instanceof CombinedError) {
    const [first] = error.graphQLErrors
    if (first) return faultOfJson(first, error)
    return error.networkError instanceof Fault
      ? error.networkError
      : new Fault('NETWORK', error.networkError?.message ?? error.message, { cause: error })
  }
  if (error instanceof TypeError && /fetch|network|load failed/i.test(error.message)) {
    return new Fault('NETWORK', error.message, { cause: error })
  }
  return new Fault('UNEXPECTED', error instanceof Error ? error.message : String(error), { cause: error })
}
