import { expect, it } from 'vitest'
import { clockTime, relativeTime, utcTime } from './time.tsx'

const moment = new Date('2026-11-22T10:00:00Z')
const after = (seconds: number) => moment.getTime() + seconds * 1000

it('says how long ago, or how soon, in the largest unit that fits', () => {
  expect(relativeTime(moment, after(2), 'en')).toBe('now')
  expect(relativeTime(moment, after(59), 'en')).toBe('59 seconds ago')
  expect(relativeTime(moment, after(3_600), 'en')).toBe('1 hour ago')
  expect(relativeTime(moment, after(-86_398), 'en')).toBe('in 24 hours')
  expect(relativeTime(moment, after(3 * 86_400), 'de')).toBe('vor 3 Tagen')
})

it('tells UTC as UTC, and the day alone where the hour says nothing', () => {
  expect(utcTime(moment, 'en')).toContain('10:00:00')
  expect(utcTime(moment, 'en')).toContain('UTC')
  expect(clockTime(moment, 'en', true)).toBe('Nov 22, 2026')
})
