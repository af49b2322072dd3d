import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pauseWhenAsked, retryBySchedule, standardDelaysMs } from './retry-policy.ts'

const now = new Date('2026-11-21T10:00:00Z')
const day = 86_400_000
const failed = { outcome: 'failed' } as const

test('the standard schedule makes ten attempts over more than three days', () => {
  const policy = retryBySchedule({ jitter: 0 })
  const delays = standardDelaysMs.map((_, index) => {
    const next = policy({ attempt: index + 1, now, report: failed })
    return (next?.getTime() ?? 0) - now.getTime()
  })
  expect(delays).toEqual(standardDelaysMs)
  expect(delays.reduce((sum, delay) => sum + delay)).toBeGreaterThan(3 * day)
  expect(policy({ attempt: 10, now, report: failed })).toBeNull()
})

test('a retry is never before its schedule, nor after schedule and jitter', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.option(fc.integer({ min: 0, max: 30 * day }), { nil: undefined }),
      (attempt, jitter, chance, retryAfterMs) => {
        const policy = retryBySchedule({ jitter, random: () => chance })
        const delay = (policy({ attempt, now, report: { ...failed, retryAfterMs } })?.getTime() ?? 0) - now.getTime()
        const asked = Math.max(standardDelaysMs[attempt - 1] ?? 0, Math.min(retryAfterMs ?? 0, day))
        expect(delay).toBeGreaterThanOrEqual(asked)
        expect(delay).toBeLessThanOrEqual(asked * (1 + jitter) + 1)
      },
    ),
  )
})

test('a delivery ends after as many retries as there are delays, whatever is reported', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: day }), { maxLength: 20 }), (delaysMs) => {
      const policy = retryBySchedule({ delaysMs })
      let attempts = 1
      while (policy({ attempt: attempts, now, report: failed })) attempts++
      expect(attempts).toBe(delaysMs.length + 1)
    }),
  )
})

test('what is gone or final is not retried', () => {
  const policy = retryBySchedule()
  expect(policy({ attempt: 1, now, report: { ...failed, gone: true } })).toBeNull()
  expect(policy({ attempt: 1, now, report: { ...failed, final: true } })).toBeNull()
})

test('a whole target is left alone after 429, and after 503 that says for how long, within bounds', () => {
  const pause = pauseWhenAsked({ leastMs: 5000, mostMs: 60_000 })
  const failed = (status_code: number, retryAfterMs?: number) => pause({ outcome: 'failed', status_code, retryAfterMs })
  expect([failed(429), failed(429, 10_000), failed(429, 1e9), failed(503, 1)]).toEqual([5000, 10_000, 60_000, 5000])
  expect([failed(503), failed(500, 10_000), pause({ outcome: 'succeeded' })]).toEqual([undefined, undefined, undefined])
})
