/**
 * argon2id, at most so many at once. A run costs 8 ms of a core and 19 MiB, on a
 * thread of libuv's pool, which has four, shared with files and DNS: one or two run,
 * some wait, and who comes then is asked to come back. So a flood of wrong secrets
 * fills a short queue and nothing else.
 */
import { availableParallelism } from 'node:os'
import argon2 from 'argon2'
import { SluiceError } from '../errors.ts'

/** OWASP's minimum for argon2id: 19 MiB, two passes. */
export const argonOptions = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

export interface SlowHash {
  /**
   * Whether `plain` is what `hash` was made of.
   *
   * @throws SluiceError UNAVAILABLE with `details.retry_after_seconds` when too many wait.
   */
  verify(hash: string, plain: string): Promise<boolean>
  /** At this moment; and refused since the start, because too many waited. */
  readonly counts: { readonly running: number; readonly waiting: number; readonly refused: number }
}

export interface SlowHashOptions {
  /** Runs at once. @default half of the cores, up to 2: leaves cores to requests, and half of libuv's threads to files and DNS */
  readonly concurrent?: number
  /** Waiting beside them. @default 100: a second's wait, or less */
  readonly waiting?: number
}

const usualConcurrent = Math.max(1, Math.min(2, Math.floor(availableParallelism() / 2)))

export function createSlowHash({ concurrent = usualConcurrent, waiting: most = 100 }: SlowHashOptions = {}): SlowHash {
  const waiting: (() => void)[] = []
  let running = 0
  let refused = 0
  return {
    get counts() {
      return { running, waiting: waiting.length, refused }
    },
    async verify(hash, plain) {
      if (running >= concurrent) {
        if (waiting.length >= most) {
          refused += 1
          throw overloaded()
        }
        await new Promise<void>((resolve) => waiting.push(resolve))
      } else {
        running += 1
      }
      try {
        return await argon2.verify(hash, plain)
      } finally {
        // Its place goes to who waits longest.
        const next = waiting.shift()
        if (next) next()
        else running -= 1
      }
    },
  }
}

function overloaded(): SluiceError {
  return new SluiceError(
    'UNAVAILABLE',
    'Too many secrets are being checked at this moment. Try again in a second; a token from POST /oauth/token needs no such check.',
    { details: { limit: 'secret_checks', retry_after_seconds: 1 } },
  )
}
