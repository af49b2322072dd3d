/** A trip made of its bookings, for those who get bookings one by one and want the whole. */
import type { Booking, Trip } from './model.ts'

/**
 * Dates are the first and the last of all that the bookings tell: their own, those of services, times of segments.
 * The bookings are the ones given.
 */
export function assembleTrip(
  bookings: readonly Booking[],
  { uuid = null, title = null }: { readonly uuid?: string | null; readonly title?: string | null } = {},
): Trip {
  const days = bookings.flatMap(daysOf).sort()
  return { uuid, title, departuredate: days[0] ?? null, returndate: days.at(-1) ?? null, bookings: [...bookings] }
}

/** Local days, `YYYY-MM-DD`: their order as text is the order of the calendar. */
function daysOf(booking: Booking): string[] {
  const services = booking.travelservices ?? []
  const segments = services.flatMap((service) => (service.segmentedLegs ?? []).flatMap((leg) => leg.segments ?? []))
  return [
    ...[booking, ...services].flatMap(({ departuredate, returndate }) => [departuredate, returndate]),
    ...segments.flatMap(({ departuretime, arrivaltime }) => [departuretime?.slice(0, 10), arrivaltime?.slice(0, 10)]),
  ].filter((day) => typeof day === 'string')
}
