import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assembleTrip } from './assemble-trip.ts'
import { groupBookings, tripOf } from './grouping.ts'
import type { Booking } from './model.ts'

const [tripA, tripB] = ['aaaaaaaa-0000-4000-8000-000000000000', 'bbbbbbbb-0000-4000-8000-000000000000']
/** Only what grouping reads; `id` tells them apart. */
const booking = (id: string, more: Partial<Booking> = {}): Booking & { id: string } => ({
  id,
  travelservices: [],
  ...more,
})
const ids = (bookings: readonly Booking[], options = {}) =>
  groupBookings(bookings, options).map((group) => group.bookings.map(({ id }) => id))

test('bookings with one trip UUID are one trip, however it is written', () => {
  const bookings = [
    booking('1', { tripUuid: tripA }),
    booking('2', { tripUuid: tripB }),
    booking('3', { tripUuid: tripA.toUpperCase() }),
  ]
  expect(ids(bookings)).toEqual([['1', '3'], ['2']])
  expect(groupBookings(bookings).map(({ tripUuid }) => tripUuid)).toEqual([tripA, tripB])
})

test('two trips with UUIDs stay two, whatever they share', () => {
  const same = { midofficeReferenceNumber: 'F1', referenceNumber: 'R1' }
  expect(ids([booking('1', { tripUuid: tripA, ...same }), booking('2', { tripUuid: tripB, ...same })])).toEqual([
    ['1'],
    ['2'],
  ])
})

test('a shared file number or reference joins, also through others and across sources', () => {
  const bookings = [
    booking('1', { midofficeReferenceNumber: 'F1', referenceNumber: 'R1', sourceDomain: 'Galileo' }),
    booking('2', { midofficeReferenceNumber: ' f1 ' }),
    booking('3', { referenceNumber: 'r1', sourceDomain: 'Agency' }),
    booking('4', { referenceNumber: 'R2' }),
  ]
  expect(ids(bookings)).toEqual([['1', '2', '3'], ['4']])
})

test('blank references join nobody', () => {
  expect(ids([booking('1', { referenceNumber: ' ' }), booking('2', { referenceNumber: '' }), booking('3')])).toEqual([
    ['1'],
    ['2'],
    ['3'],
  ])
})

test('a booking that is linked to one trip with a UUID joins it, and those linked to it do too', () => {
  const bookings = [
    booking('1', { midofficeReferenceNumber: 'F2', referenceNumber: 'R9' }),
    booking('2', { midofficeReferenceNumber: 'F2', referenceNumber: 'R1' }),
    booking('3', { tripUuid: tripA, referenceNumber: 'R1' }),
  ]
  expect(groupBookings(bookings)).toEqual([{ tripUuid: tripA, bookings, ambiguous: [] }])
})

test('a booking that is linked to several trips joins none, and they are named', () => {
  const bookings = [
    booking('1', { tripUuid: tripB, midofficeReferenceNumber: 'F1' }),
    booking('2', { midofficeReferenceNumber: 'F1', referenceNumber: 'R1' }),
    booking('3', { tripUuid: tripA, referenceNumber: 'R1' }),
  ]
  const [, ambiguous] = groupBookings(bookings)
  expect(ids(bookings)).toEqual([['1'], ['2'], ['3']])
  expect(ambiguous).toMatchObject({ tripUuid: null, ambiguous: [tripA, tripB] })
})

test('a booking that asks for a new trip gets one, and keeps it once it has its UUID', () => {
  const uuid = 'cccccccc-0000-4000-8000-000000000000'
  const forced = { forceNewTrip: true, referenceNumber: 'R1', midofficeReferenceNumber: 'F1' }
  const other = booking('1', { referenceNumber: 'R1', midofficeReferenceNumber: 'F1' })
  expect(ids([other, booking('2', forced)])).toEqual([['1'], ['2']])
  expect(ids([booking('2', { ...forced, uuid }), other, booking('3', { uuid })])).toEqual([['2', '3'], ['1']])
  expect(ids([other, booking('2', { ...forced, tripUuid: tripA })])).toEqual([['1', '2']])
})

test('a producer may keep its bookings apart from those of another source', () => {
  const bookings = ['Galileo', 'Agency', 'Galileo'].map((sourceDomain, at) =>
    booking(`${at + 1}`, { sourceDomain, referenceNumber: 'R1' }),
  )
  const isModifyAllowedFrom = ({ sourceDomain }: Booking, other: string) =>
    !(sourceDomain === 'Galileo' && other === 'Agency')
  expect(ids(bookings)).toEqual([['1', '2', '3']])
  expect(ids(bookings, { isModifyAllowedFrom })).toEqual([['1', '3'], ['2']])
})

const few = (...values: string[]) => fc.option(fc.constantFrom(...values))
const anyBookings = fc
  .array(
    fc.record({
      tripUuid: fc.option(fc.constantFrom(tripA, tripB), { freq: 1 }),
      uuid: few('11111111-0000-4000-8000-000000000000', '22222222-0000-4000-8000-000000000000'),
      midofficeReferenceNumber: few('F1', 'F2', 'f2', ''),
      referenceNumber: few('R1', 'R2', 'R3', ' '),
      sourceDomain: few('Galileo', 'Agency', 'agency'),
      forceNewTrip: fc.option(fc.boolean()),
    }),
    { maxLength: 10 },
  )
  .map((all) => all.map((one, index) => booking(`${index}`, one as Partial<Booking>)))
const inAnotherOrder = anyBookings.chain((all) =>
  fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
)
const isModifyAllowedFrom = ({ sourceDomain }: Booking, other: string) =>
  sourceDomain !== 'Galileo' || other !== 'Agency'

describe.each([
  ['as it is', {}],
  ['with a say of the producers', { isModifyAllowedFrom }],
])('any bookings, %s', (_, options) => {
  test('each is in exactly one trip, and no trip is empty', () => {
    fc.assert(
      fc.property(anyBookings, (bookings) => {
        const groups = ids(bookings, options)
        expect(groups.flat().sort()).toEqual(bookings.map(({ id }) => id).sort())
        expect(groups.every((group) => group.length > 0)).toBe(true)
      }),
    )
  })

  test('their order does not matter', () => {
    const asSets = (bookings: readonly Booking[]) =>
      groupBookings(bookings, options)
        .map(({ bookings: members, ...more }) => JSON.stringify({ ids: members.map(({ id }) => id).sort(), ...more }))
        .sort()
    fc.assert(
      fc.property(inAnotherOrder, ([one, other]) => {
        expect(asSets(one)).toEqual(asSets(other))
      }),
    )
  })

  test('bookings with a trip UUID are with all of that UUID and none of another', () => {
    fc.assert(
      fc.property(anyBookings, (bookings) => {
        const groups = groupBookings(bookings, options)
        const named = groups.flatMap(({ tripUuid }) => tripUuid ?? [])
        expect(new Set(named).size).toBe(named.length)
        for (const { tripUuid, bookings: members } of groups) {
          for (const member of members) if (member.tripUuid) expect(member.tripUuid).toBe(tripUuid)
        }
      }),
    )
  })
})

test('bookings that are stored under one name are in one trip', () => {
  fc.assert(
    fc.property(anyBookings, (bookings) => {
      const groups = groupBookings(bookings)
      const groupsOf = new Map<string, Set<unknown>>()
      for (const one of bookings) {
        const { reference } = tripOf(one)
        if (reference === null) continue
        const group = groups.find((candidate) => candidate.bookings.includes(one))
        groupsOf.set(reference, (groupsOf.get(reference) ?? new Set()).add(group))
      }
      for (const found of groupsOf.values()) expect(found.size).toBe(1)
    }),
  )
})

test.each<[string, Booking, string | null]>([
  ['its trip', booking('', { tripUuid: tripA.toUpperCase(), midofficeReferenceNumber: 'F1' }), `trip:${tripA}`],
  ['its file', booking('', { midofficeReferenceNumber: 'F1', referenceNumber: 'R1' }), 'midoffice:f1'],
  ['its reference', booking('', { uuid: tripB, referenceNumber: 'R1' }), 'reference:r1'],
  [
    'itself, where it asks for a new trip',
    booking('', { uuid: tripB, referenceNumber: 'R1', forceNewTrip: true }),
    `booking:${tripB}`,
  ],
  ['nothing', booking(''), null],
])('a booking is stored by %s', (_, one, reference) => {
  expect(tripOf(one)).toEqual({ reference, title: null })
})

test('a trip is stored by its UUID, else by a name that does not depend on the order of its bookings', () => {
  const bookings = [booking('1', { referenceNumber: 'R2' }), booking('2', { referenceNumber: 'R1' }), booking('3')]
  expect(tripOf({ uuid: tripA, title: ' Oslo ', bookings })).toEqual({ reference: `trip:${tripA}`, title: 'Oslo' })
  expect(tripOf({ bookings }).reference).toBe('reference:r1')
  expect(tripOf({ bookings: bookings.toReversed() }).reference).toBe('reference:r1')
  const known = [...bookings, booking('4', { tripUuid: tripB })]
  expect(tripOf({ bookings: known }).reference).toBe(`trip:${tripB}`)
  expect(tripOf({ bookings: [] })).toEqual({ reference: null, title: null })
})

test('a trip made of bookings lasts from the first day to the last that any of them tells', () => {
  const bookings = [
    booking('1', {
      travelservices: [{ travelServiceType: 'HOTEL', departuredate: '2019-01-11', returndate: '2019-01-31' }],
    }),
    booking('2', {
      travelservices: [
        {
          travelServiceType: 'FLIGHT',
          segmentedLegs: [{ segments: [{ departuretime: '2019-01-02T09:10:00', arrivaltime: null }] }],
        },
      ],
    }),
  ]
  expect(assembleTrip(bookings, { title: 'Oslo' })).toEqual({
    uuid: null,
    title: 'Oslo',
    departuredate: '2019-01-02',
    returndate: '2019-01-31',
    bookings,
  })
  expect(assembleTrip([])).toMatchObject({ departuredate: null, returndate: null, bookings: [] })
})
