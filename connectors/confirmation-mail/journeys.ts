/** Flights, trains, buses and ships: what is reserved becomes segments, legs and tickets of one service. */
import { splitSegments, type TransportDocument, type TransportSegment, type TravelService } from 'sluice/connector'
import { type Money, priceOf, sum } from './money.ts'
import { type Node, nodeOf, nodesOf, textOf } from './nodes.ts'
import { type PersonOptions, some, type Traveller, travellersOf } from './people.ts'
import { placeOf } from './places.ts'
import type { Problems } from './problems.ts'
import type { Reservation } from './reservations.ts'
import { uuidOf } from './text.ts'
import type { LocalTime } from './times.ts'

/** Where each kind of journey says from, to, with whom and by which number. */
interface Words {
  readonly from: readonly string[]
  readonly to: readonly string[]
  readonly fromDetails: readonly (readonly [property: string, label: string])[]
  readonly toDetails: readonly (readonly [property: string, label: string])[]
  readonly carrier: readonly string[]
  readonly number: readonly string[]
  readonly vehicle: readonly string[]
}

const flight: Words = {
  from: ['departureAirport'],
  to: ['arrivalAirport'],
  fromDetails: [
    ['departureTerminal', 'Terminal'],
    ['departureGate', 'Gate'],
  ],
  toDetails: [
    ['arrivalTerminal', 'Terminal'],
    ['arrivalGate', 'Gate'],
  ],
  carrier: ['airline', 'provider', 'seller', 'carrier'],
  number: ['flightNumber'],
  vehicle: ['aircraft'],
}

const ride: Words = {
  from: ['departureStation', 'departureBusStop', 'departureBoatTerminal', 'departureStop'],
  to: ['arrivalStation', 'arrivalBusStop', 'arrivalBoatTerminal', 'arrivalStop'],
  fromDetails: [['departurePlatform', 'Platform']],
  toDetails: [['arrivalPlatform', 'Platform']],
  carrier: ['trainCompany', 'busCompany', 'provider'],
  number: ['trainNumber', 'busNumber'],
  vehicle: ['trainName', 'busName', 'name'],
}

export interface Journey {
  readonly service: TravelService
  readonly travellers: readonly Traveller[]
  readonly price: Money | undefined
}

/**
 * One service of all reservations of a kind under one number: senders repeat them for each traveller and each segment.
 *
 * @param reservations of one kind and one reference; at least one.
 */
export async function journeyOf(
  reservations: readonly Reservation[],
  options: PersonOptions,
  problems: Problems,
): Promise<Journey | undefined> {
  const segments = new Map<string, Segment>()
  const days: Days = new Map()
  const travellers = new Map<string, Traveller>()
  const tickets: Ticket[] = []
  const carriers = new Set<string>()
  for (const reservation of reservations) {
    const { node, serviceType } = reservation
    const words = serviceType === 'FLIGHT' ? flight : ride
    const own: string[] = []
    for (const trip of nodesOf(node, 'reservationFor')) {
      const carrier = words.carrier.map((name) => textOf(trip, name) ?? textOf(node, name)).find(Boolean)
      if (carrier) carriers.add(carrier)
      const departure = problems.time(trip, 'departureTime', 'departureDay', 'departureDate')
      const arrival = problems.time(trip, 'arrivalTime', 'arrivalDate')
      const segment = segmentOf(reservation, trip, words, [departure, arrival])
      if (!segment) continue
      const key = JSON.stringify([
        segment.providerCode,
        segment.connectionnumber,
        departure?.time ?? departure?.day,
        segment.departingFromLocation,
        segment.arrivingAtLocation,
      ])
      const known = segments.get(key)
      const uuid = known?.uuid ?? (await uuidOf('segment', reservation.reference, key))
      // Repeated for each traveller. Cancelled is the segment only when it is so for all of them.
      const isKept = known && segment.bookingstatus === 'CANCELED'
      segments.set(key, isKept ? { ...segment, ...known } : { ...known, ...segment, uuid })
      days.set(uuid, [departure?.day, arrival?.day])
      own.push(uuid)
    }
    const people = await travellersOf(node, options)
    for (const each of people) travellers.set(each.uuid, { ...travellers.get(each.uuid), ...each })
    const found = await ticketsOf(node, people, own, options)
    for (const { holder } of found) if (holder && !travellers.has(holder.uuid)) travellers.set(holder.uuid, holder)
    tickets.push(...found)
  }
  const [first] = reservations
  if (!first || (segments.size === 0 && tickets.length === 0)) return undefined
  const price = totalOf(reservations, tickets)
  const documents = await documentsOf(tickets, carriers)
  const hasTickets = documents.some(({ transportDocumentType }) => transportDocumentType === 'TICKET')
  const hasPrices = documents.some(({ priceitems }) => priceitems)
  const legs = splitSegments([...segments.values()])
  // The very segments that were given.
  const inOrder = legs.flatMap((leg) => leg.segments as Segment[])
  const [only] = carriers.size === 1 ? carriers : []
  const service: TravelService = {
    uuid: await uuidOf('service', first.serviceType, first.reference, inOrder[0]?.uuid),
    travelServiceType: first.serviceType,
    bookingstatus: statusOf(reservations),
    ...some('referenceNumber', first.reference),
    ...some('providerName', only),
    ...some('departuredate', firstDay(inOrder, days)),
    ...some('returndate', lastDay(inOrder, days)),
    ...some('destination', destinationOf(legs)),
    segmentedLegs: legs.map((leg) => ({
      legNr: leg.legNr,
      segments: leg.segments.map((segment, index) => ({ ...segment, segNr: index + 1 })),
    })),
    transportDocuments: [...documents],
    // A fare goes to the tickets in the end: see `assignTicketFees`.
    ...(price && !hasPrices ? { priceitems: [itemOf(price, hasTickets ? 'FARE_PER_PAX' : 'DEFAULT')] } : {}),
  }
  return { service, travellers: [...travellers.values()], price }
}

type Segment = TransportSegment & { readonly uuid: string }
/** Of departure and arrival by the segment's UUID: a day without a time has no place in the segment. */
type Days = Map<string, readonly [departure?: string, arrival?: string]>

function segmentOf(
  { node, reference, status, serviceType }: Reservation,
  trip: Node,
  words: Words,
  [departure, arrival]: readonly [LocalTime | undefined, LocalTime | undefined],
): TransportSegment | undefined {
  const from = placeOf(trip, ...words.from)
  const to = placeOf(trip, ...words.to)
  if (!departure && !from && !to) return undefined
  const carrier = words.carrier.map((name) => nodeOf(trip, name)).find(Boolean)
  const given = textOf(trip, ...words.number)
  const [providerCode, number] =
    serviceType === 'FLIGHT' ? split(given, airlineOf(textOf(carrier, 'iataCode'))) : [undefined, given]
  const [operatorCode, operatorNumber] = split(
    textOf(trip, 'operatingFlightNumber'),
    airlineOf(textOf(nodeOf(trip, 'operatedBy', 'operator'), 'iataCode')),
  )
  return {
    bookingstatus: status,
    ...some('departuretime', departure?.time),
    ...some('arrivaltime', arrival?.time),
    ...some('departingFromLocation', from),
    ...some('arrivingAtLocation', to),
    ...some('departingDetails', detailsOf(trip, words.fromDetails)),
    ...some('arrivalDetails', detailsOf(trip, words.toDetails)),
    ...some('providerCode', providerCode),
    ...some('connectionnumber', number),
    ...some('operatorCode', operatorCode),
    ...some('operatorNumber', operatorNumber),
    ...some('travelclass', textOf(node, 'airplaneSeatClass', 'seatingType')),
    ...some('reservationlocator', reference),
    ...some('vehicleType', textOf(trip, ...words.vehicle)),
    ...some('catering', textOf(trip, 'mealService')),
  }
}

const airlineOf = (text: string | undefined) => (/^[A-Z0-9]{2}$/i.test(text ?? '') ? text?.toUpperCase() : undefined)

/** `LX 138` and `138` with the code `LX` are the same: the code, and the number without it. */
function split(text: string | undefined, code: string | undefined): readonly [string | undefined, string | undefined] {
  const [, letters, number] = /^([A-Z0-9]{2})\s*-?\s*(\d{1,4}[A-Z]?)$/i.exec(text ?? '') ?? []
  if (letters && /[A-Z]/i.test(letters) && (code === undefined || code === letters.toUpperCase())) {
    return [letters.toUpperCase(), number]
  }
  return [code, text]
}

function detailsOf(trip: Node, details: Words['fromDetails']): string | undefined {
  const said = details.flatMap(([property, label]) => {
    const text = textOf(trip, property)
    if (text === undefined) return []
    return [text.toLowerCase().startsWith(label.toLowerCase()) ? text : `${label} ${text}`]
  })
  return said.length > 0 ? said.join(', ') : undefined
}

interface Ticket {
  readonly number?: string
  readonly holder?: Traveller
  readonly price?: Money
  readonly seat?: string
  /** UUIDs. */
  readonly segments: readonly string[]
}

/** Of the reservation itself, as flights have them, or of its `reservedTicket`, as trains and buses do. */
async function ticketsOf(
  node: Node,
  people: readonly Traveller[],
  segments: readonly string[],
  options: PersonOptions,
): Promise<readonly Ticket[]> {
  const [only] = people.length === 1 ? people : []
  const found: Ticket[] = []
  const number = textOf(node, 'ticketNumber')
  const seat = options.preferences ? seatOf(node) : undefined
  if (number !== undefined || seat !== undefined) {
    found.push({ ...some('number', number), ...some('holder', only), ...some('seat', seat), segments })
  }
  for (const ticket of nodesOf(node, 'reservedTicket')) {
    const [holder = only] = await travellersOf(ticket, options)
    found.push({
      ...some('number', textOf(ticket, 'ticketNumber')),
      ...some('holder', holder),
      ...some('price', priceOf(ticket)),
      ...some('seat', options.preferences ? seatOf(ticket) : undefined),
      segments,
    })
  }
  return found.slice(0, 200)
}

function seatOf(node: Node): string | undefined {
  const direct = textOf(node, 'airplaneSeat')
  if (direct !== undefined) return `Seat ${direct}`
  const seat = nodeOf(node, 'ticketedSeat', 'reservedSeat')
  const parts = [
    ['seatSection', 'Coach'],
    ['seatRow', 'Row'],
    ['seatNumber', 'Seat'],
  ].flatMap(([property = '', label]) => {
    const text = textOf(seat, property)
    return text === undefined ? [] : [`${label} ${text}`]
  })
  return parts.length > 0 ? parts.join(', ') : undefined
}

/** Tickets by their number, each once for all its segments; seats as EMDs. */
async function documentsOf(
  tickets: readonly Ticket[],
  carriers: ReadonlySet<string>,
): Promise<readonly TransportDocument[]> {
  const byNumber = new Map<string, Ticket>()
  for (const ticket of tickets) {
    if (ticket.number === undefined && ticket.price === undefined) continue
    const key = `${ticket.number ?? ''} ${ticket.number === undefined ? (ticket.holder?.uuid ?? byNumber.size) : ''}`
    const known = byNumber.get(key)
    const segments = [...new Set([...(known?.segments ?? []), ...ticket.segments])]
    byNumber.set(key, { ...known, ...ticket, segments })
  }
  const named = [...byNumber.values()]
  const [airline] = carriers.size === 1 ? carriers : []
  const documents: TransportDocument[] = []
  for (const [index, { number, holder, price, segments }] of named.entries()) {
    documents.push({
      uuid: await uuidOf('ticket', number, holder?.uuid, index),
      transportDocumentType: 'TICKET',
      ...some('referenceNumber', number),
      ...some('traveler', holder?.uuid),
      ...some('issuingAirline', airline),
      associatedSegments: [...segments],
      ...(price ? { priceitems: [itemOf(price, 'FARE_PER_PAX')] } : {}),
    })
  }
  const seats = new Map<string, Ticket & { readonly seat: string }>()
  for (const ticket of tickets) {
    if (ticket.seat === undefined) continue
    const key = JSON.stringify([ticket.seat, ticket.holder?.uuid, ticket.segments])
    seats.set(key, { ...ticket, seat: ticket.seat })
  }
  for (const [key, { seat, holder, number, segments }] of seats) {
    documents.push({
      uuid: await uuidOf('seat', key),
      transportDocumentType: 'EMD',
      description: seat,
      ...some('traveler', holder?.uuid),
      ...some('parentReferenceNumber', number),
      associatedSegments: [...segments],
    })
  }
  return documents
}

/**
 * What all of it costs. Where every reservation names the same price it is that of the whole, repeated; where they
 * differ each names its share.
 */
export function totalOf(
  reservations: readonly Pick<Reservation, 'node'>[],
  tickets: readonly Pick<Ticket, 'price'>[] = [],
): Money | undefined {
  const prices = reservations.map(({ node }) => priceOf(node)).filter((each) => each !== undefined)
  const [first] = prices
  if (!first) return sum(tickets.flatMap(({ price }) => (price ? [price] : [])))
  const isRepeated = prices.every(({ amount, currency }) => amount === first.amount && currency === first.currency)
  return isRepeated ? first : sum(prices)
}

export function itemOf({ amount, currency }: Money, priceItemType: 'DEFAULT' | 'FARE_PER_PAX') {
  return { priceItemType, amount, ...some('currency', currency) }
}

/** Cancelled when all are; else confirmed when any is. */
export function statusOf(reservations: readonly Pick<Reservation, 'status'>[]): Reservation['status'] {
  const left = reservations.map(({ status }) => status).filter((status) => status !== 'CANCELED')
  return left.length === 0 ? 'CANCELED' : left.includes('CONFIRMED') ? 'CONFIRMED' : (left[0] ?? 'UNDEFINED')
}

function firstDay([first]: readonly Segment[], days: Days): string | undefined {
  return first && days.get(first.uuid)?.[0]
}

function lastDay(segments: readonly Segment[], days: Days): string | undefined {
  const [departure, arrival] = days.get(segments.at(-1)?.uuid ?? '') ?? []
  return arrival ?? departure
}

/** Where the middle leg ends: where a return journey turns around. */
function destinationOf(legs: readonly { readonly segments: readonly TransportSegment[] }[]) {
  return legs[Math.floor((legs.length - 1) / 2)]?.segments.at(-1)?.arrivingAtLocation ?? undefined
}
