/** Producers are asked to put fees of tickets on the tickets; who does not is told where, and the booking is taken as it is. */
import type { Booking } from '../travel/model.ts'
import { isTrip } from '../travel/parse.ts'
import { misplacedTicketFees } from '../travel/ticket-fees.ts'

const mostTold = 10

/** Lines for the log of the run that made the booking. @param session checked travel data, or of another kind */
export function ticketFeeWarnings(session: {
  readonly kind: 'application' | 'booking'
  readonly data: unknown
}): readonly string[] {
  if (session.kind !== 'booking') return []
  const { data } = session
  const found = isTrip(data)
    ? data.bookings.flatMap((booking, at) =>
        misplacedTicketFees(booking).map(({ path, message }) => `/bookings/${at}${path} ${message}`),
      )
    : misplacedTicketFees(data as Booking).map(({ path, message }) => `${path} ${message}`)
  const rest = found.length - mostTold
  return [...found.slice(0, mostTold).map((line) => `${line}.`), ...(rest > 0 ? [`And ${rest} more such fees.`] : [])]
}
