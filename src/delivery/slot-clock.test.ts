import { expect, test } from 'vitest'
import { SlotClock } from './slot-clock.ts'

test('an answer that took long to arrive does not make the database later than it is', () => {
  const clock = new SlotClock()
  expect(clock.localOf(1_000_000, 10, 12)).toBe(12)
  expect(clock.localOf(1_000_100, 110, 400)).toBe(112)
  // A shorter way shows the difference better.
  expect(clock.localOf(1_000_500, 510, 511)).toBe(511)
  expect(clock.localOf(1_000_600, 605, 700)).toBe(611)
})

test('a clock that was set is noticed, and "now" lies between question and answer all the same', () => {
  const clock = new SlotClock()
  clock.localOf(1_000_000, 10, 12)
  const hour = 3_600_000
  expect(clock.localOf(1_000_100 - hour, 110, 115)).toBe(115)
  expect(clock.localOf(1_000_200 - hour, 210, 300)).toBe(215)
  expect(clock.localOf(1_000_300, 310, 314)).toBe(314)
})
