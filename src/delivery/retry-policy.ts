/** When a failed delivery is tried again. A policy is a function of values; the engine only asks it. */
import type { AttemptReport } from './carrier.ts'

export interface RetryContext {
  /** Number of the attempt that failed; the first is 1. */
  readonly attempt: number
  readonly now: Date
  readonly report: AttemptReport
}

/** The time of the next attempt, or null when there is none: the delivery is exhausted. */
export type RetryPolicy = (context: RetryContext) => Date | null

export interface ScheduleOptions {
  /** Delay in milliseconds after the first failure, the second, … Its length is the number of retries. */
  readonly delaysMs?: readonly number[]
  /** A delay grows by up to this part of itself, so that deliveries that failed together do not return together. @default 0.2 */
  readonly jitter?: number
  /** The longest wait that a target may ask for. @default 24 hours */
  readonly maxRetryAfterMs?: number
  /** From 0 to 1. */
  readonly random?: () => number
}

const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** The example schedule of Standard Webhooks: ten attempts within 75.6 hours, before jitter. */
export const standardDelaysMs: readonly number[] = [
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
]

/**
 * Retries by schedule. A target that asks to be left alone (Retry-After) is left
 * alone at least that long; it cannot shorten the schedule, and is heard up to
 * `maxRetryAfterMs`. A target that is gone, or an attempt that cannot be mended by
 * repeating it, is not retried.
 *
 * @example
 * const policy = retryBySchedule({ delaysMs: [1000, 60_000] })
 * policy({ attempt: 3, now: new Date(), report: { outcome: 'failed' } }) // null
 */
export function retryBySchedule({
  delaysMs = standardDelaysMs,
  jitter = 0.2,
  maxRetryAfterMs = 24 * hour,
  random = Math.random,
}: ScheduleOptions = {}): RetryPolicy {
  return ({ attempt, now, report }) => {
    const delay = delaysMs[attempt - 1]
    if (delay === undefined || report.gone || report.final) return null
    const asked = Math.min(report.retryAfterMs ?? 0, maxRetryAfterMs)
    return new Date(now.getTime() + Math.max(delay, asked) * (1 + jitter * random()))
  }
}

/**
 * How long a target is left alone after an answer, in milliseconds: all of it, not
 * only the delivery that was refused. Undefined when it did not ask for that.
 */
export type PausePolicy = (report: AttemptReport) => number | undefined

/**
 * 429, and 503 with Retry-After, ask for a pause (RFC 6585, section 4; RFC 9110,
 * 15.6.4). What is asked is heard between `leastMs` and `mostMs`.
 */
export function pauseWhenAsked({ leastMs = 5 * second, mostMs = hour } = {}): PausePolicy {
  return ({ outcome, status_code, retryAfterMs }) => {
    if (outcome === 'succeeded') return undefined
    if (status_code !== 429 && !(status_code === 503 && retryAfterMs !== undefined)) return undefined
    return Math.min(Math.max(retryAfterMs ?? 0, leastMs), mostMs)
  }
}
