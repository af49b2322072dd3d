/** What the protocols beside HTTP share: whom they may reach, how long it may take, and how they say no. */
import { SluiceError } from '../errors.ts'
import type { Egress } from './egress.ts'

/** How a mailbox or a file server is reached. */
export interface RemoteAccess {
  readonly egress: Pick<Egress, 'connect'>
  /** `imap.example.org` (on the protocol's own port) or `imap.example.org:1993`. */
  readonly allowedHosts: readonly string[]
  /** Until the session can be used, in milliseconds. @default 20000 */
  readonly openMs?: number
  /** For each call, in milliseconds. @default 30000 */
  readonly callMs?: number
  readonly signal?: AbortSignal
}

/**
 * The server was reached and said no.
 *
 * `refused` is its answer to a credential, or ours to its key; `not_found` means a mail, file or folder; `too_large`
 * is what goes over a bound of ours; `invalid` can never be done like this.
 */
export type RefusalKind = 'refused' | 'not_found' | 'too_large' | 'invalid'

export class RemoteRefusal extends SluiceError {
  readonly kind: RefusalKind
  constructor(kind: RefusalKind, message: string, cause?: unknown) {
    super(kind === 'not_found' ? 'NOT_FOUND' : kind === 'refused' ? 'BLOCKED' : 'VALIDATION_FAILED', message, { cause })
    this.kind = kind
  }
}

/** What a server wrote, fit for a message of ours: one line of plain text, bounded. */
export function said(text: unknown): string {
  const line = typeof text === 'string' ? text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim() : ''
  return line.slice(0, 200)
}

/**
 * Waits for a promise at most so long. What is late is told by `late`, and its cause ended by it.
 *
 * @throws what `late` returns.
 */
export async function within<T>(ms: number, promise: Promise<T>, late: () => Error): Promise<T> {
  const timer = Promise.withResolvers<never>()
  const timeout = setTimeout(() => timer.reject(late()), ms)
  try {
    return await Promise.race([promise, timer.promise])
  } finally {
    clearTimeout(timeout)
    // Whichever lost may still fail, and nobody waits for it.
    promise.catch(() => undefined)
  }
}
