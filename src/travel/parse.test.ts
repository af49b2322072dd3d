import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../errors.ts'
import { bookingProblems, isTrip, parseBooking, parseTrip, tripProblems } from './parse.ts'

/** Real bookings, which are not part of the repository. */
const examples = path.resolve(import.meta.dirname, '../../../shared/data/travel')

describe.skipIf(!existsSync(examples))('real data', () => {
  test.each([
    ['booking-7383012568246.json', parseBooking],
    ['trip-7383012568246.json', parseTrip],
  ])('%s is accepted and survives a round trip unchanged', async (file, parse) => {
    const text = await readFile(path.join(examples, file), 'utf8')
    const before = JSON.parse(text)
    const after = JSON.stringify(parse(JSON.parse(text)))
    expect(after).toBe(JSON.stringify(before))
    expect(isTrip(before)).toBe(file.startsWith('trip'))
  })
})

const flight = (segment: object) => ({
  referenceNumber: 'ABC123',
  travelservices: [{ travelServiceType: 'FLIGHT', segmentedLegs: [{ legNr: 0, segments: [segment] }] }],
})
const atSegment = '/travelservices/0/segmentedLegs/0/segments/0'

test('keys that nobody knows stay, at every level, in their order', () => {
  const booking = {
    zebra: { kept: [1, null] },
    ...flight({ gate: 'A12', departuretime: '2019-01-02T09:10:00', departingFromLocation: { runway: 14 } }),
    travelservices2: [],
  }
  const text = JSON.stringify(booking)
  expect(JSON.stringify(parseBooking(JSON.parse(text)))).toBe(text)
})

test('null is allowed nearly everywhere, and a deletion needs only its reference', () => {
  expect(
    bookingProblems({ referenceNumber: null, travelservices: null, participants: null, destination: null }),
  ).toEqual([])
  expect(bookingProblems({ referenceNumber: 'ABC123', extensionCallAction: 'DELETE', extensionData: {} })).toEqual([])
  expect(bookingProblems(flight({ departuretime: null, arrivaltime: null, departingFromLocation: null }))).toEqual([])
})

test.each(['2019-04-20T04:56:00', '2019-04-20T04:56', '2019-04-20T04:56:00.123', '2020-02-29T23:59:59'])(
  'the local time %s is accepted',
  (departuretime) => expect(bookingProblems(flight({ departuretime }))).toEqual([]),
)

test.each([
  ['2019-04-20T04:56:00Z', 'Z'],
  ['2019-04-20T04:56Z', 'Z'],
  ['2019-04-20T04:56:00+02:00', '+02:00'],
  ['2019-04-20T04:56:00-0500', '-0500'],
  ['2019-04-20T04:56:00+02:00[Europe/Zurich]', '[Europe/Zurich]'],
])('the time %s is refused because of its zone', (departuretime, zone) => {
  const [problem, ...others] = bookingProblems(flight({ departuretime }))
  expect(others).toEqual([])
  expect(problem?.path).toBe(`${atSegment}/departuretime`)
  expect(problem?.message).toContain(`must carry no time zone: "${departuretime}" ends in "${zone}"`)
})

test.each(['2019-04-20', '2019-02-29T10:00:00', '2019-04-20T24:00:00', '20.4.2019 04:56', ''])(
  'the time %j is refused as none, not because of a zone',
  (arrivaltime) => {
    expect(bookingProblems(flight({ arrivaltime }))).toEqual([
      expect.objectContaining({
        path: `${atSegment}/arrivaltime`,
        message: expect.stringContaining('like 2019-04-20T04:56:00, and is'),
      }),
    ])
  },
)

test('moments of servers are UTC', () => {
  const at = (created: string) => bookingProblems({ referenceNumber: 'A', created })
  expect(at('2019-04-15T13:09:00.710Z')).toEqual([])
  for (const wrong of ['2019-04-15T13:09:00.710', '2019-04-15T15:09:00+02:00', '2019-04-15']) {
    expect(at(wrong), wrong).toEqual([
      { path: '/created', keyword: 'format', message: expect.stringContaining('a moment in UTC that ends in Z') },
    ])
  }
})

test('days are dates and nothing more', () => {
  expect(bookingProblems({ referenceNumber: 'A', departuredate: '2020-02-29', returndate: '2020-03-01' })).toEqual([])
  expect(bookingProblems({ referenceNumber: 'A', departuredate: '2019-02-29' })).toMatchObject([
    { path: '/departuredate' },
  ])
  expect(bookingProblems({ referenceNumber: 'A', returndate: '2019-04-19T00:00:00Z' })).toMatchObject([
    { path: '/returndate' },
  ])
})

test.each<[string, unknown, string, string]>([
  ['no object', 'ABC123', '', 'must be an object'],
  ['nothing that makes it one', { comment: 'x' }, '', 'must have a referenceNumber or travelservices to be a booking'],
  ['services that are no list', { travelservices: {} }, '/travelservices', 'must be a list'],
  ['a service without a type', { travelservices: [{}] }, '/travelservices/0/travelServiceType', 'is missing'],
  [
    'an unknown type',
    { travelservices: [{ travelServiceType: 'ROCKET' }] },
    '/travelservices/0/travelServiceType',
    'must be one of "FLIGHT", "HOTEL"',
  ],
  ['an amount in quotes', { referenceNumber: 'A', totalprice: '12.50' }, '/totalprice', 'must be a number'],
  [
    'a currency in words',
    { referenceNumber: 'A', totalpricecurrency: 'Franken' },
    '/totalpricecurrency',
    'three capital letters',
  ],
  [
    'a participant that is neither',
    { referenceNumber: 'A', participants: [7] },
    '/participants/0',
    'must be an object or the UUID',
  ],
  [
    'a traveller with a wrong birthday',
    { referenceNumber: 'A', participants: [{ birthdate: '1.1.1970' }] },
    '/participants/0/birthdate',
    'must be a date',
  ],
  [
    'a reference that is no UUID',
    { referenceNumber: 'A', participants: ['John'] },
    '/participants/0',
    'must be a UUID',
  ],
])('a booking with %s is refused, with the place', (_, value, where, message) => {
  expect(bookingProblems(value)).toEqual([
    expect.objectContaining({ path: where, message: expect.stringContaining(message) }),
  ])
})

test('in a trip the place leads through the booking', () => {
  const trip = { bookings: [flight({}), flight({ departuretime: '2019-01-02T09:10:00Z' })] }
  expect(tripProblems(trip)).toMatchObject([{ path: `/bookings/1${atSegment}/departuretime` }])
  expect(tripProblems({ title: 'x' })).toMatchObject([{ path: '/bookings', message: 'is missing; it must be a list' }])
})

test('slashes and tildes in keys are written as RFC 6901 has it', () => {
  const booking = { referenceNumber: 'A', extensionData: 'no' }
  expect(bookingProblems(booking)).toMatchObject([{ path: '/extensionData' }])
})

test('what is thrown names the places and carries them all', () => {
  const wrong = { referenceNumber: 7, travelservices: Array.from({ length: 60 }, () => ({})) }
  try {
    parseBooking(wrong)
    expect.unreachable()
  } catch (error) {
    expect(error).toBeInstanceOf(SluiceError)
    const { code, message, details } = error as SluiceError
    expect(code).toBe('VALIDATION_FAILED')
    expect(message).toMatch(/^This is no booking: \/referenceNumber must be a text; .*and 46 more\.$/)
    expect(details?.problems).toHaveLength(51)
  }
})
