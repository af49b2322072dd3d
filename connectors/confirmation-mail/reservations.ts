/** Which of a mail's things are reservations, what kind of service each is, and how far it is confirmed. */
import type { TravelService } from 'sluice/connector'
import { bareName, isNode, linked, type Node, nodesOf, textOf, typesOf } from './nodes.ts'

type ServiceType = TravelService['travelServiceType']
type Status = NonNullable<TravelService['bookingstatus']>

const serviceTypes: Readonly<Record<string, ServiceType>> = {
  FlightReservation: 'FLIGHT',
  TrainReservation: 'TRAIN',
  BusReservation: 'BUS',
  BoatReservation: 'SHIP',
  LodgingReservation: 'HOTEL',
  RentalCarReservation: 'CARRENTAL',
  TaxiReservation: 'MISC',
  EventReservation: 'MISC',
  FoodEstablishmentReservation: 'MISC',
}

/** They are no travel, and are taken on request only. */
const pastimes = ['EventReservation', 'FoodEstablishmentReservation']

export interface Reservation {
  readonly node: Node
  readonly serviceType: ServiceType
  /** schema.org's name. */
  readonly type: string
  /** Its own, or its package's. */
  readonly reference?: string
  readonly status: Status
}

export interface Found {
  readonly reservations: readonly Reservation[]
  /** What holds some of them together: an agency's package. */
  readonly packages: readonly Node[]
  /** Things that call themselves a reservation, of a kind that is not read. */
  readonly others: readonly string[]
}

const mostReservations = 200

/**
 * All reservations, wherever they stand: at the top, in a list, in a graph, in an order, in a package. Each once, also
 * where the markup repeats it word by word.
 *
 * @param pastimes whether tickets to events and tables in restaurants count.
 * @throws Error when there are more than can be a mail's.
 */
export function reservationsIn(roots: readonly unknown[], options: { readonly pastimes: boolean }): Found {
  const things = linked(roots)
  const packages = things.filter((thing) => typesOf(thing).includes('ReservationPackage'))
  const packageOf = new Map(packages.flatMap((each) => nodesOf(each, 'subReservation').map((sub) => [sub, each])))
  const others = new Set<string>()
  const seen = new Set<string>()
  const reservations: Reservation[] = []
  for (const node of things) {
    const types = typesOf(node)
    const type = types.find((each) => Object.hasOwn(serviceTypes, each))
    if (type === undefined) {
      const other = types.find((each) => /^[A-Za-z]{1,40}Reservation$/.test(each))
      if (other) others.add(other)
      continue
    }
    const whole = wordsOf(node)
    if ((pastimes.includes(type) && !options.pastimes) || seen.has(whole)) continue
    seen.add(whole)
    if (reservations.length === mostReservations) {
      throw new Error(`The mail has more than ${mostReservations} reservations.`)
    }
    const reference = numberOf(node) ?? numberOf(packageOf.get(node))
    reservations.push({
      node,
      type,
      serviceType: serviceTypes[type] as ServiceType,
      status: statusOf(textOf(node, 'reservationStatus', 'status')),
      ...(reference === undefined ? {} : { reference }),
    })
  }
  return {
    reservations,
    others: [...others],
    packages: packages.filter((each) => nodesOf(each, 'subReservation').length),
  }
}

export const numberOf = (node: Node | undefined) =>
  textOf(node, 'reservationNumber', 'reservationId', 'confirmationNumber')

/** http://schema.org/ReservationConfirmed, http://schema.org/Confirmed, Confirmed; none means confirmed. */
function statusOf(text: string | undefined): Status {
  if (text === undefined) return 'CONFIRMED'
  const name = bareName(text)
    .replace(/^Reservation/i, '')
    .toLowerCase()
  return Object.hasOwn(statuses, name) ? (statuses[name] as Status) : 'UNDEFINED'
}

const statuses: Readonly<Record<string, Status>> = {
  confirmed: 'CONFIRMED',
  hold: 'OPTION',
  pending: 'PROCESSING',
  cancelled: 'CANCELED',
  canceled: 'CANCELED',
}

/** Equal for things that say the same. Bounded: what differs behind the bound only counts as the same. */
function wordsOf(node: Node): string {
  const words: string[] = []
  let length = 0
  const visit = (value: unknown, depth: number) => {
    if (length > 20_000 || depth > 8) return
    if (Array.isArray(value)) for (const each of value) visit(each, depth + 1)
    else if (isNode(value)) {
      for (const key of Object.keys(value).sort()) {
        words.push(key)
        length += key.length + 1
        visit(value[key], depth + 1)
        if (length > 20_000) return
      }
    } else {
      const word = String(value).slice(0, 500)
      words.push(word)
      length += word.length + 1
    }
  }
  visit(node, 0)
  return words.join('\n')
}
