import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TransportSegment } from './model.ts'
import { placeName } from './places.ts'
import { routing, splitSegments } from './segment-splitter.ts'

const place = (code: string) => ({ unLocationCode: code })

/** `hop('ZRH/CH', '15T10:30', 'FRA/DE', '15T11:25')`, in October 2019. */
const hop = (from: string, departure: string | null, to: string, arrival: string | null): TransportSegment => ({
  departingFromLocation: place(from),
  departuretime: departure && `2019-10-${departure}:00`,
  arrivingAtLocation: place(to),
  arrivaltime: arrival && `2019-10-${arrival}:00`,
})

const lastArrivals = (segments: readonly TransportSegment[], maxHoursForLayover = 8) =>
  splitSegments(segments, { maxHoursForLayover }).map((leg) =>
    placeName(leg.segments.at(-1)?.arrivingAtLocation).slice(0, 3),
  )

test('there and straight back on one day is two legs, however short the stay', () => {
  const segments = [hop('ZRH/CH', '15T10:30', 'FRA/DE', '15T11:25'), hop('FRA/DE', '15T17:30', 'ZRH/CH', '15T18:25')]
  expect(lastArrivals(segments)).toEqual(['FRA', 'ZRH'])
})

test('a change of planes on the way is no stay, four days are one', () => {
  const segments = [
    hop('ZRH/CH', '15T10:30', 'FRA/DE', '15T11:25'),
    hop('FRA/DE', '15T14:18', 'JFK/US', '16T08:45'),
    hop('JFK/US', '18T16:38', 'FRA/DE', '19T07:25'),
    hop('FRA/DE', '19T09:30', 'ZRH/CH', '19T10:25'),
  ]
  expect(lastArrivals(segments)).toEqual(['JFK', 'ZRH'])
  expect(splitSegments(segments).map(({ legNr }) => legNr)).toEqual([1, 2])
  expect(splitSegments(segments, { firstLegNr: 0 }).map(({ legNr }) => legNr)).toEqual([0, 1])
})

test('who travels on each day has a leg for each, also where a plane lands before it left by the clocks', () => {
  const segments = [
    hop('ZRH/CH', '15T10:30', 'WAW/PL', '15T12:05'),
    hop('WAW/PL', '16T08:18', 'SVO/RU', '16T10:31'),
    hop('SVO/RU', '17T07:38', 'BEG/RS', '17T07:25'),
    hop('BEG/RS', '18T09:30', 'ZRH/CH', '18T10:25'),
  ]
  expect(lastArrivals(segments)).toEqual(['WAW', 'SVO', 'BEG', 'ZRH'])
})

test('without times there is nothing to split by', () => {
  const segments = [
    hop('ZRH/CH', '15T10:30', 'FRA/DE', null),
    hop('FRA/DE', null, 'JFK/US', null),
    hop('JFK/US', null, 'ZRH/CH', null),
  ]
  expect(lastArrivals(segments)).toEqual(['ZRH'])
})

test('only whole hours count, and as many as allowed are allowed', () => {
  const after = (departure: string) =>
    lastArrivals([hop('ZRH/CH', '15T08:00', 'FRA/DE', '15T09:00'), hop('FRA/DE', departure, 'JFK/US', '16T20:00')])
  expect(after('15T17:59')).toEqual(['JFK'])
  expect(after('15T18:00')).toEqual(['FRA', 'JFK'])
})

test('the night in which clocks change has 24 hours like any other, wherever the machine is', () => {
  const segments = [hop('ZRH/CH', '26T20:00', 'FRA/DE', '26T21:00'), hop('FRA/DE', '27T05:30', 'JFK/US', '27T12:00')]
  expect(lastArrivals(segments)).toEqual(['JFK'])
})

test('places without a code are no turnaround, and no error', () => {
  const nowhere: TransportSegment = { departingFromLocation: null, arrivingAtLocation: {} }
  expect(splitSegments([nowhere, nowhere])).toHaveLength(1)
  expect(splitSegments([])).toEqual([])
})

test('the route is written place by place, with a comma where it is broken', () => {
  const segments = [
    hop('ZRH/CH', null, 'FRA/DE', null),
    hop('FRA/DE', null, 'JFK/US', null),
    hop('BOS/US', null, 'FRA/DE', null),
    { departingFromLocation: { iataCode: 'FRA' }, arrivingAtLocation: { name: 'Zürich' } },
  ]
  expect(routing(segments)).toBe('ZRH/CH - FRA/DE - JFK/US, BOS/US - FRA/DE, FRA - Zürich')
  expect(routing([])).toBe('')
})

const localTime = fc.option(
  fc
    .date({ min: new Date('2019-10-14T00:00:00Z'), max: new Date('2019-10-18T00:00:00Z'), noInvalidDate: true })
    .map((date) => `${date.toISOString().slice(0, 13)}:00:00`),
)
const somewhere = fc.option(fc.constantFrom('ZRH/CH', 'FRA/DE', 'JFK/US').map(place))
const anySegments = fc.array(
  fc.record({
    segNr: fc.option(fc.integer({ min: 0, max: 3 })),
    departuretime: localTime,
    arrivaltime: localTime,
    departingFromLocation: somewhere,
    arrivingAtLocation: somewhere,
  }),
  { maxLength: 9 },
)

test('every segment is in exactly one leg, untouched, and no leg is empty', () => {
  fc.assert(
    fc.property(anySegments, fc.integer({ min: 0, max: 48 }), (segments, maxHoursForLayover) => {
      const legs = splitSegments(segments, { maxHoursForLayover })
      const all = legs.flatMap((leg) => leg.segments)
      expect(all).toHaveLength(segments.length)
      expect(new Set(all)).toEqual(new Set(segments))
      expect(legs.every((leg) => leg.segments.length > 0)).toBe(true)
      expect(legs.map((leg) => leg.legNr)).toEqual(legs.map((_, index) => index + 1))
    }),
  )
})

test('the order of time is kept, and that in which they were given where no time tells', () => {
  fc.assert(
    fc.property(anySegments, (segments) => {
      const all = splitSegments(segments).flatMap((leg) => leg.segments)
      const departures = all.flatMap(({ departuretime, arrivaltime }) => departuretime ?? arrivaltime ?? [])
      expect(departures).toEqual([...departures].sort())
    }),
  )
  fc.assert(
    fc.property(anySegments, (segments) => {
      const untimed = segments.map((segment) => ({ ...segment, segNr: null, departuretime: null, arrivaltime: null }))
      expect(splitSegments(untimed).flatMap((leg) => leg.segments)).toEqual(untimed)
    }),
  )
})

test('splitting what was split gives the same', () => {
  fc.assert(
    fc.property(anySegments, fc.integer({ min: 0, max: 48 }), (segments, maxHoursForLayover) => {
      const legs = splitSegments(segments, { maxHoursForLayover })
      expect(
        splitSegments(
          legs.flatMap((leg) => leg.segments),
          { maxHoursForLayover },
        ),
      ).toEqual(legs)
    }),
  )
})

test('where all departures differ, the order in which segments come does not matter', () => {
  const distinct = fc
    .uniqueArray(fc.integer({ min: 10, max: 31 }), { maxLength: 8 })
    .map((days) => days.map((day) => hop('ZRH/CH', `${day}T08:00`, 'FRA/DE', `${day}T09:00`)))
  const shuffled = distinct.chain((segments) =>
    fc.tuple(fc.constant(segments), fc.shuffledSubarray(segments, { minLength: segments.length })),
  )
  fc.assert(
    fc.property(shuffled, ([one, other]) => {
      expect(splitSegments(one)).toEqual(splitSegments(other))
    }),
  )
})
