/** Hotels, rental cars, and what is none of the other kinds: one service with a single segment each. */
import type { SingleSegment, TravelService } from 'sluice/connector'
import { itemOf, totalOf } from './journeys.ts'
import type { Money } from './money.ts'
import { nodeOf, textOf } from './nodes.ts'
import { type PersonOptions, some, type Traveller, travellersOf } from './people.ts'
import { addressOf, locationOf, placeOf } from './places.ts'
import type { Problems } from './problems.ts'
import type { Reservation } from './reservations.ts'
import { uuidOf } from './text.ts'
import type { LocalTime } from './times.ts'

export interface Stay {
  readonly service: TravelService
  readonly travellers: readonly Traveller[]
  readonly price: Money | undefined
}

/** Undefined when the reservation says neither what nor when. */
export async function stayOf(
  reservation: Reservation,
  options: PersonOptions,
  problems: Problems,
): Promise<Stay | undefined> {
  const { node, serviceType, type, reference, status } = reservation
  const read = readers[type]
  if (!read) return undefined
  const { start, end, segment, providerName } = read(reservation, problems)
  if (!start && !segment.providerDescription && !segment.startLocation) return undefined
  const travellers = await travellersOf(node, options)
  const price = totalOf([reservation])
  const [primary] = travellers
  const service: TravelService = {
    uuid: await uuidOf('service', type, reference, start?.day, segment.providerDescription ?? undefined, primary?.uuid),
    travelServiceType: serviceType,
    bookingstatus: status,
    ...some('referenceNumber', reference),
    ...some('providerName', providerName),
    ...some('departuredate', start?.day),
    ...some('returndate', end?.day),
    ...some('destination', segment.startLocation ?? undefined),
    singleSegment: {
      ...segment,
      ...some('startTime', start?.time ?? start?.day),
      ...some('endTime', end?.time ?? end?.day),
      ...some('primaryTraveller', primary?.fullname),
    },
    ...(price ? { priceitems: [itemOf(price, 'DEFAULT')] } : {}),
  }
  return { service, travellers, price }
}

interface Read {
  readonly start: LocalTime | undefined
  readonly end: LocalTime | undefined
  readonly segment: SingleSegment
  readonly providerName: string | undefined
}

type Reader = (reservation: Reservation, problems: Problems) => Read

const lodging: Reader = ({ node }, problems) => {
  const hotel = nodeOf(node, 'reservationFor')
  const { street, zip, city, ...country } = addressOf(hotel)
  const name = textOf(hotel, 'name') ?? textOf(node, 'reservationFor')
  return {
    start: problems.time(node, 'checkinTime', 'checkinDate'),
    end: problems.time(node, 'checkoutTime', 'checkoutDate'),
    providerName: name,
    segment: {
      ...some('providerDescription', name),
      ...some('serviceDescription', textOf(node, 'lodgingUnitDescription', 'lodgingUnitType')),
      ...some('startLocation', locationOf({ name: city }) && { name: city, ...country }),
      ...some('street', street),
      ...some('zip', zip),
      ...some('city', city),
      ...some('additionalDescription', guestsOf(textOf(node, 'numAdults'), textOf(node, 'numChildren'))),
    },
  }
}

function guestsOf(adults: string | undefined, children: string | undefined): string | undefined {
  const said = [adults && `Adults: ${adults}`, children && `Children: ${children}`].filter(Boolean)
  return said.length > 0 ? said.join(', ') : undefined
}

const rentalCar: Reader = ({ node }, problems) => {
  const car = nodeOf(node, 'reservationFor')
  const company =
    textOf(car, 'rentalCompany') ??
    textOf(node, 'provider', 'rentalCompany') ??
    textOf(nodeOf(node, 'pickupLocation'), 'name')
  const made = [textOf(car, 'brand', 'make', 'manufacturer'), textOf(car, 'model')].filter(Boolean).join(' ')
  const { street, zip, city } = addressOf(nodeOf(node, 'pickupLocation'))
  return {
    start: problems.time(node, 'pickupTime', 'pickupDate'),
    end: problems.time(node, 'dropoffTime', 'dropoffDate'),
    providerName: company,
    segment: {
      ...some('providerDescription', company),
      ...some('serviceDescription', textOf(car, 'name') ?? (made || undefined)),
      ...some('startLocation', placeOf(node, 'pickupLocation')),
      ...some('endLocation', placeOf(node, 'dropoffLocation')),
      ...some('street', street),
      ...some('zip', zip),
      ...some('city', city),
    },
  }
}

const taxi: Reader = ({ node }, problems) => {
  const provider = textOf(node, 'provider') ?? textOf(nodeOf(node, 'reservationFor'), 'provider', 'name')
  return {
    start: problems.time(node, 'pickupTime'),
    end: undefined,
    providerName: provider,
    segment: {
      serviceTypeCode: 'TRANSFER',
      ...some('providerDescription', provider),
      ...some('startLocation', placeOf(node, 'pickupLocation')),
      ...some('endLocation', placeOf(node, 'dropoffLocation')),
    },
  }
}

/** Events and tables. */
const pastime: Reader = ({ node }, problems) => {
  const what = nodeOf(node, 'reservationFor')
  const place = nodeOf(what, 'location') ?? what
  const { street, zip, city } = addressOf(place)
  return {
    start: problems.time(node, 'startTime') ?? problems.time(what, 'startDate'),
    end: problems.time(node, 'endTime') ?? problems.time(what, 'endDate'),
    providerName: textOf(node, 'provider') ?? textOf(what, 'name'),
    segment: {
      serviceTypeCode: 'EVENT',
      ...some('providerDescription', textOf(place, 'name')),
      ...some('serviceDescription', textOf(what, 'name')),
      ...some('startLocation', locationOf(place)),
      ...some('street', street),
      ...some('zip', zip),
      ...some('city', city),
    },
  }
}

const readers: Readonly<Record<string, Reader>> = {
  LodgingReservation: lodging,
  RentalCarReservation: rentalCar,
  TaxiReservation: taxi,
  EventReservation: pastime,
  FoodEstablishmentReservation: pastime,
}
