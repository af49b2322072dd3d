import { expect, test } from 'vitest'
import { missingFunctions } from './kinds.ts'
import { ticketFeeWarnings } from './ticket-fee-warnings.ts'

test.each([
  ['consumer', ['consume'], []],
  ['producer', ['getRawSources', 'convertRawSource'], []],
  ['producer', ['getRawSources', 'convertRawSourceToTripData'], []],
  ['producer', ['convertRawSource'], ['getRawSources']],
  ['two-phase-producer', ['getRawSources'], ['getExternalId', 'convertRawSource']],
  ['modifier', ['consume'], ['modify']],
  ['webhook', ['validatePayload'], ['convertRawSource']],
] as const)('a %s with %j lacks %j', (kind, functions, missing) => {
  expect(missingFunctions([kind], functions)).toEqual(
    missing.map(
      (name) => `The manifest says that it is a ${kind}, but its code has no ${name}. Export it, or change "kinds".`,
    ),
  )
})

test('ticket fees on a service are told with their places, in a booking and in a trip', () => {
  const booking = {
    travelservices: [
      {
        travelServiceType: 'FLIGHT',
        transportDocuments: [{ transportDocumentType: 'TICKET' }],
        priceitems: [{ priceItemType: 'FARE_PER_PAX', amount: 10 }],
      },
    ],
  }
  const [line] = ticketFeeWarnings({ kind: 'booking', data: booking })
  expect(line).toMatch(/^\/travelservices\/0\/priceitems\/0 .*assignTicketFees/)
  expect(ticketFeeWarnings({ kind: 'booking', data: { bookings: [booking] } })[0]).toMatch(
    /^\/bookings\/0\/travelservices/,
  )
  expect(ticketFeeWarnings({ kind: 'application', data: {} })).toEqual([])
})
