import { expect, test } from 'vitest'
import { bookingStatusOf, statusCodeOf } from './booking-status.ts'
import { bookingStatus } from './enums.ts'

test.each([
  ['CONFIRMED', ['OK', 'HK', 'AK', 'KK', 'TK', 'GK', 'YK', 'PK', 'RR']],
  ['OPTION', ['OP', 'HL', 'GL', 'KL', 'PA', 'PB', 'PC', 'PD', 'TL', 'UU']],
  ['PROCESSING', ['RQ', 'HQ', 'UC', 'PN']],
  ['CANCELED', ['XX', 'HX', 'UN', 'NO']],
  ['UNDEFINED', ['ZZ', 'P', '', '  ', '03OK']],
])('%s is what %j stand for', (status, codes) => {
  expect(codes.map(bookingStatusOf)).toEqual(codes.map(() => status))
})

test('two letters count, in any case', () => {
  expect(['OK03', 'hk1', ' TK '].map(bookingStatusOf)).toEqual(['CONFIRMED', 'CONFIRMED', 'CONFIRMED'])
})

test('a source without codes tells of what is booked', () => {
  expect(bookingStatusOf(null)).toBe('CONFIRMED')
  expect(bookingStatusOf(undefined)).toBe('CONFIRMED')
})

test('the code of a status stands for that status', () => {
  for (const status of bookingStatus.options) expect(bookingStatusOf(statusCodeOf(status))).toBe(status)
  expect(statusCodeOf(null)).toBe('')
})
