import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Booking, PriceItem, TransportDocument } from './model.ts'
import { assignTicketFees, misplacedTicketFees } from './ticket-fees.ts'

const ticket = (more: object = {}): TransportDocument => ({ transportDocumentType: 'TICKET', priceitems: [], ...more })
const price = (amount: number, more: object = {}): PriceItem => ({
  priceItemType: 'FEE_PER_PAX',
  currency: 'CHF',
  amount,
  ...more,
})
const flight = (
  priceitems: (string | PriceItem)[],
  transportDocuments: TransportDocument[],
  more: object = {},
): Booking => ({
  travelservices: [{ travelServiceType: 'FLIGHT', priceitems, transportDocuments }],
  ...more,
})
const amounts = (booking: Booking, key = 'amount') =>
  booking.travelservices?.[0]?.transportDocuments?.map((document) =>
    document.priceitems?.map((item) => (typeof item === 'string' ? item : item[key])),
  )

test('a fee of a service with tickets is reported, at its place', () => {
  const booking = flight([price(5, { priceItemType: 'AUX_PER_BOOKING' }), price(10)], [ticket()])
  expect(misplacedTicketFees(booking)).toEqual([
    {
      path: '/travelservices/0/priceitems/1',
      keyword: 'ticketFee',
      message: expect.stringContaining('is a FEE_PER_PAX of a service with tickets'),
    },
  ])
})

test('it is split among the tickets, odd cents to the first, and what it cost likewise', () => {
  const booking = flight(
    [price(100, { purchasePrice: 99.99, purchasePriceCurrency: 'JPY', uuid: 'x', note: 'kept' })],
    [ticket(), ticket(), ticket()],
  )
  const assigned = assignTicketFees(booking)
  expect(amounts(assigned)).toEqual([[33.34], [33.33], [33.33]])
  expect(amounts(assigned, 'purchasePrice')).toEqual([[33.33], [33.33], [33.33]])
  expect(amounts(assigned, 'uuid')).toEqual([[null], [null], [null]])
  expect(amounts(assigned, 'note')).toEqual([['kept'], ['kept'], ['kept']])
  expect(assigned.travelservices?.[0]?.priceitems).toEqual([])
  expect(misplacedTicketFees(assigned)).toEqual([])
})

test('currencies have the digits that they have', () => {
  const split = (amount: number, currency: string) =>
    amounts(assignTicketFees(flight([price(amount, { currency })], [ticket(), ticket()])))?.flat()
  expect(split(101, 'JPY')).toEqual([51, 50])
  expect(split(1.001, 'KWD')).toEqual([0.501, 0.5])
  expect(split(-0.05, 'CHF')).toEqual([-0.03, -0.02])
  expect(split(0.1 + 0.2, 'CHF')).toEqual([0.15, 0.15])
})

test('seats and bags are no tickets; a document without a type is one', () => {
  const booking = flight(
    [price(10)],
    [ticket({ transportDocumentType: 'EMD' }), ticket({ transportDocumentType: null })],
  )
  expect(amounts(assignTicketFees(booking))).toEqual([[], [10]])
  expect(
    assignTicketFees(flight([price(10)], [ticket({ transportDocumentType: 'EMD' })])).travelservices?.[0]?.priceitems,
  ).toHaveLength(1)
})

test('what is in its place is left alone, and the booking is the same object', () => {
  const uuid = '10000000-0000-4000-8000-000000000001'
  for (const booking of [
    flight([price(10)], []),
    flight([price(10, { priceItemType: 'OFF_TICKET_PER_PAX' })], [ticket()]),
    flight([price(10, { uuid })], [ticket({ priceitems: [uuid] })]),
    flight([uuid], [ticket({ priceitems: [price(10, { uuid })] })]),
    { referenceNumber: 'A' },
  ]) {
    expect(misplacedTicketFees(booking)).toEqual([])
    expect(assignTicketFees(booking)).toBe(booking)
  }
})

test("the booking's list loses what was split, so that nothing counts twice", () => {
  const uuid = '10000000-0000-4000-8000-000000000001'
  const kept = '20000000-0000-4000-8000-000000000002'
  const booking = flight([price(10, { uuid })], [ticket(), ticket()], { priceitems: [uuid, kept] })
  expect(assignTicketFees(booking).priceitems).toEqual([kept])
})

test('shares add up to what there was, and differ by a unit at most', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.integer({ min: 1, max: 9 }), (cents, tickets) => {
      const booking = flight(
        [price(cents / 100)],
        Array.from({ length: tickets }, () => ticket()),
      )
      const shares = amounts(assignTicketFees(booking))?.flat() as number[]
      const units = shares.map((share) => Math.round(share * 100))
      expect(units.reduce((sum, unit) => sum + unit, 0)).toBe(cents)
      expect(Math.max(...units) - Math.min(...units)).toBeLessThanOrEqual(1)
    }),
  )
})
