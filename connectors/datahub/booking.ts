/** An export of the hub as a booking. */
import { type Booking, splitSegments, type Traveler, type TravelService } from 'sluice/connector'

/** What the hub posts. */
export interface HubExport {
  /** The id that phase one was given. */
  readonly export: string
  readonly agency: string
  readonly reference: string
  readonly status?: 'confirmed' | 'option' | 'cancelled'
  /** UTC. */
  readonly changed?: string
  readonly currency?: string
  readonly total?: number
  readonly remarks?: string
  readonly travellers?: readonly HubTraveller[]
  readonly flights?: readonly HubFlight[]
  readonly stays?: readonly HubStay[]
}

interface HubTraveller {
  readonly first: string
  readonly last: string
  readonly passport?: { readonly number: string; readonly country: string; readonly expires: string }
}

interface HubFlight {
  /** IATA codes. */
  readonly from: string
  readonly to: string
  /** Local to the airport. */
  readonly departs: string
  readonly arrives: string
  readonly carrier: string
  readonly number: string
}

interface HubStay {
  readonly name: string
  readonly city?: string
  readonly country?: string
  /** Days. */
  readonly from: string
  readonly to: string
  readonly amount?: number
}

/** @throws Error when it is none. */
export function exportIn(source: Uint8Array): HubExport {
  let found: unknown
  try {
    found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(source))
  } catch {
    throw new Error('The payload is no JSON.')
  }
  const { export: id, agency, reference } = Object(found) as Partial<Record<keyof HubExport, unknown>>
  for (const [name, value] of Object.entries({ export: id, agency, reference })) {
    if (typeof value !== 'string' || value === '') throw new Error(`The payload has no "${name}".`)
  }
  return found as HubExport
}

export interface BookingOptions {
  readonly include_passport_data?: boolean | undefined
  readonly include_non_travel_data?: boolean | undefined
}

const statuses = { confirmed: 'CONFIRMED', option: 'OPTION', cancelled: 'CANCELED' } as const

/** The same export gives the same booking, UUIDs included. */
export async function bookingOf(found: HubExport, options: BookingOptions): Promise<Booking> {
  const { reference, status = 'confirmed', changed, currency, total, remarks, flights = [], stays = [] } = found
  const bookingstatus = statuses[status] ?? 'UNDEFINED'
  const services = [
    ...(flights.length > 0 ? [await flightService(reference, flights, bookingstatus)] : []),
    ...(await Promise.all(stays.map((stay) => stayService(reference, stay, bookingstatus, currency)))),
  ]
  const days = services
    .flatMap(({ departuredate, returndate }) => [departuredate ?? [], returndate ?? []].flat())
    .toSorted()
  return {
    uuid: await uuidOf(reference),
    referenceNumber: reference,
    sourceDomain: 'datahub',
    providerSourcename: found.agency,
    ...(changed ? { lastModified: changed } : {}),
    ...(total !== undefined && currency ? { totalprice: total, totalpricecurrency: currency } : {}),
    ...(days.length > 0 ? { departuredate: days[0] ?? null, returndate: days.at(-1) ?? null } : {}),
    ...(remarks && options.include_non_travel_data ? { comment: remarks } : {}),
    participants: await Promise.all((found.travellers ?? []).map((each) => traveller(reference, each, options))),
    travelservices: services,
  }
}

async function traveller(
  reference: string,
  { first, last, passport }: HubTraveller,
  { include_passport_data }: BookingOptions,
): Promise<Traveler> {
  return {
    uuid: await uuidOf(reference, 'traveller', first, last),
    firstname: first,
    lastname: last,
    fullname: `${first} ${last}`,
    ...(passport && include_passport_data
      ? { passportNumber: passport.number, passportCountry: passport.country, passportExpiration: passport.expires }
      : {}),
  }
}

/** Hours of a stay between two flights that make them two legs. */
const longestLayover = 8

async function flightService(
  reference: string,
  flights: readonly HubFlight[],
  bookingstatus: NonNullable<TravelService['bookingstatus']>,
): Promise<TravelService> {
  const segments = await Promise.all(
    flights.map(async ({ from, to, departs, arrives, carrier, number }, index) => ({
      uuid: await uuidOf(reference, 'flight', from, to, departs),
      segNr: index + 1,
      departingFromLocation: { iataCode: from },
      arrivingAtLocation: { iataCode: to },
      departuretime: departs,
      arrivaltime: arrives,
      operatorCode: carrier,
      connectionnumber: number,
      bookingstatus,
    })),
  )
  return {
    uuid: await uuidOf(reference, 'flights'),
    travelServiceType: 'FLIGHT',
    bookingstatus,
    referenceNumber: reference,
    departuredate: day(flights[0]?.departs),
    returndate: day(flights.at(-1)?.arrives),
    segmentedLegs: [...splitSegments(segments, { maxHoursForLayover: longestLayover })],
  }
}

async function stayService(
  reference: string,
  { name, city, country, from, to, amount }: HubStay,
  bookingstatus: NonNullable<TravelService['bookingstatus']>,
  currency: string | undefined,
): Promise<TravelService> {
  return {
    uuid: await uuidOf(reference, 'stay', name, from),
    travelServiceType: 'HOTEL',
    bookingstatus,
    referenceNumber: reference,
    providerName: name,
    departuredate: from,
    returndate: to,
    singleSegment: {
      providerDescription: name,
      startLocation: { name: city ?? name, ...(country ? { countryCode: country } : {}) },
      startTime: from,
      endTime: to,
    },
    ...(amount !== undefined && currency
      ? {
          priceitems: [
            { uuid: await uuidOf(reference, 'price', name, from), priceItemType: 'DEFAULT', currency, amount },
          ],
        }
      : {}),
  }
}

function day(time: string | undefined): string | null {
  return time?.slice(0, 10) ?? null
}

/** RFC 9562, section 5.8: version 8, of a SHA-256. */
async function uuidOf(...words: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(['datahub', ...words]))
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  const hex = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
