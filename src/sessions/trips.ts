/** Bookings are put into their trips as they come in, in the transaction that writes them. */
import type pg from 'pg'
import { type TripOf, tripOf } from '../travel/grouping.ts'
import { linkTrip } from '../travel/link-trip.ts'
import type { Booking, Trip } from '../travel/model.ts'
import { isTrip } from '../travel/parse.ts'

/** Links a session to the trip that its data names, or to one of its own; sessions of other kinds have none. */
export async function linkToTrip(
  client: pg.ClientBase,
  id: string,
  { kind, data }: { readonly kind: 'application' | 'booking'; readonly data: unknown },
): Promise<void> {
  if (kind === 'booking') await linkTrip(client, id, tripOfData(data))
}

const names = ['uuid', 'tripUuid', 'midofficeReferenceNumber', 'referenceNumber', 'title'] as const

/** Of any data: only where its flow has a schema it is known to be travel data. */
export function tripOfData(data: unknown): TripOf {
  if (!isTrip(data)) return tripOf(named(data) as Booking)
  return tripOf({ ...named(data), bookings: data.bookings.map(named) } as Trip)
}

function named(value: unknown): Record<string, unknown> {
  const given: Readonly<Record<string, unknown>> =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  const texts = names.filter((name) => typeof given[name] === 'string').map((name) => [name, given[name]])
  return { ...Object.fromEntries(texts), forceNewTrip: given.forceNewTrip === true }
}
