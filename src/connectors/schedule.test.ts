import { describe, expect, test } from 'vitest'
import { checkSchedule, nextRun, retryRun } from './schedule.ts'

const at = (schedule: string, time_zone: string, after: string) =>
  nextRun({ schedule, time_zone }, new Date(after))?.toISOString()

describe('the next run', () => {
  test('is meant in the local time of the zone, summer and winter', () => {
    expect(at('15 6 * * *', 'Europe/Zurich', '2026-03-27T12:00:00Z')).toBe('2026-03-28T05:15:00.000Z')
    expect(at('15 6 * * *', 'Europe/Zurich', '2026-03-29T12:00:00Z')).toBe('2026-03-30T04:15:00.000Z')
  })

  test('is after the gap when clocks go forward over it, and comes once when they go back', () => {
    expect(at('30 2 * * *', 'Europe/Zurich', '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:00:00.000Z')
    const first = at('30 2 * * *', 'Europe/Zurich', '2026-10-24T12:00:00Z') as string
    expect(first).toBe('2026-10-25T00:30:00.000Z')
    expect(at('30 2 * * *', 'Europe/Zurich', first)).toBe('2026-10-26T01:30:00.000Z')
  })

  test('makes up for nothing that was missed', () => {
    expect(at('*/10 * * * *', 'UTC', '2026-01-31T10:05:00Z')).toBe('2026-01-31T10:10:00.000Z')
  })

  test('is none without a schedule', () => {
    expect(nextRun({ schedule: null, time_zone: 'UTC' }, new Date())).toBeNull()
  })
})

test.each<[string | null, string, RegExp | null]>([
  ['15 6 * * 1-5', 'Europe/London', null],
  ['0 9 * * MON#1', 'UTC', null],
  ['0 0 L * *', 'UTC', null],
  ['@daily', 'America/New_York', null],
  [null, 'UTC', null],
  [null, 'Mars/Olympus', /^time_zone: "Mars\/Olympus" is no time zone. Write an IANA name/],
  ['* * *', 'UTC', /^schedule: write five fields/],
  ['*/10 * * * * *', 'UTC', /^schedule: write five fields/],
  ['61 * * * *', 'UTC', /^schedule: "61 \* \* \* \*" is no cron expression: Invalid value for minute: 61\./],
  ['0 0 30 2 *', 'UTC', /names no time that will ever come/],
])('%s in %s is checked when it is written', (schedule, time_zone, message) => {
  const check = () => checkSchedule({ schedule, time_zone })
  if (message) expect(check).toThrow(message)
  else expect(check).not.toThrow()
})

test('a failed run comes again before its next time, ever later, and then waits for it', () => {
  const now = new Date('2026-11-22T06:15:00Z')
  const next = new Date('2026-11-23T06:15:00Z')
  const minutes = (failures: number, at: Date | null = next) => {
    const again = retryRun(failures, at, now)
    return again === null ? null : (again.getTime() - now.getTime()) / 60_000
  }
  expect([0, 1, 2, 3, 4, 5].map((failures) => minutes(failures))).toEqual([null, 1, 5, 30, 120, null])
  expect(minutes(1, new Date('2026-11-22T06:15:30Z'))).toBeNull()
  expect(minutes(1, null)).toBeNull()
})
