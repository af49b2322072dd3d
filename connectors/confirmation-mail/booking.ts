/** Reservations of one mail as one booking. */
import { assignTicketFees, type Booking, type TravelService } from 'sluice/connector'
import { journeyOf } from './journeys.ts'
import type { Mail } from './message.ts'
import { type Money, priceOf, sum } from './money.ts'
import { nodeOf, textOf } from './nodes.ts'
import { type PersonOptions, some, type Traveller } from './people.ts'
import type { Problems } from './problems.ts'
import { type Found, numberOf, type Reservation } from './reservations.ts'
import { stayOf } from './stays.ts'
import { momentOf } from './times.ts'

export interface BookingOptions extends PersonOptions {
  /** Remarks. */
  readonly remarks: boolean
}

const journeys: readonly string[] = ['FLIGHT', 'TRAIN', 'BUS', 'SHIP']

/** Undefined when no reservation says anything. What is missing in it stands in `problems`. */
export async function bookingOf(
  found: Found,
  mail: Pick<Mail, 'senderDomain' | 'senderName' | 'date'>,
  options: BookingOptions,
  problems: Problems,
): Promise<Booking | undefined> {
  const services: TravelService[] = []
  const travellers = new Map<string, Traveller>()
  const prices: (Money | undefined)[] = []
  for (const group of groupsOf(found.reservations)) {
    const made = journeys.includes(group[0].serviceType)
      ? await journeyOf(group, options, problems)
      : await stayOf(group[0], options, problems)
    if (!made) {
      problems.add(`a ${group[0].type} says neither what is reserved nor when`)
      continue
    }
    const { service, travellers: people, price } = made
    services.push({ ...service, ...(people.length > 0 ? { assignedTravelers: people.map(({ uuid }) => uuid) } : {}) })
    for (const each of people) travellers.set(each.uuid, { ...travellers.get(each.uuid), ...each })
    prices.push(price)
  }
  if (services.length === 0) return undefined
  const nodes = [...found.packages, ...found.reservations.map(({ node }) => node)]
  const first = <Value>(read: (node: (typeof nodes)[number]) => Value | undefined) =>
    nodes.map(read).find((value) => value !== undefined)
  const known = prices.filter((price) => price !== undefined)
  const whole = found.packages.map(priceOf).find((price) => price !== undefined)
  // One that is not known makes the sum wrong.
  const total = whole ?? (known.length < prices.length ? undefined : sum(known))
  const suppliers = new Set(
    services.map(({ providerName }) => providerName ?? undefined).filter((name) => name !== undefined),
  )
  const days = services.flatMap(({ departuredate, returndate }) => [departuredate, returndate].filter(isText)).sort()
  const remarks = options.remarks ? remarksOf(found.reservations) : undefined
  const reference = first(numberOf)
  return assignTicketFees({
    ...some('referenceNumber', reference),
    ...some('sourceDomain', mail.senderDomain),
    ...some('providerSourcename', mail.senderName ?? mail.senderDomain),
    ...some(
      'providerName',
      first((node) => textOf(node, 'bookingAgent', 'broker')),
    ),
    ...some('supplier', suppliers.size === 1 ? [...suppliers][0] : undefined),
    ...some(
      'created',
      first((node) => momentOf(textOf(node, 'bookingTime', 'bookingDate'))),
    ),
    ...some('lastModified', first((node) => momentOf(textOf(node, 'modifiedTime'))) ?? mail.date),
    ...some('departuredate', days[0]),
    ...some('returndate', days.at(-1)),
    ...some('destination', services[0]?.destination ?? undefined),
    ...some('totalprice', total?.amount),
    ...some('totalpricecurrency', total?.currency),
    ...some(
      'url',
      first((node) => webAddress(textOf(node, 'modifyReservationUrl', 'url'))),
    ),
    ...some('comment', remarks),
    travelservices: services,
    participants: [...travellers.values()].map((each) => ({ ...each })),
  })
}

type Group = readonly [Reservation, ...Reservation[]]

/** Journeys of a kind under one number are one service; everything else is one each. */
function groupsOf(reservations: readonly Reservation[]): readonly Group[] {
  const groups = new Map<string, [Reservation, ...Reservation[]]>()
  for (const [index, reservation] of reservations.entries()) {
    const { serviceType, reference = '' } = reservation
    const key = JSON.stringify(journeys.includes(serviceType) ? [serviceType, reference] : [index])
    const group = groups.get(key)
    if (group) group.push(reservation)
    else groups.set(key, [reservation])
  }
  return [...groups.values()]
}

/** What senders write for travellers to read. */
function remarksOf(reservations: readonly Reservation[]): string | undefined {
  const texts = reservations.flatMap(({ node }) => [
    textOf(node, 'description'),
    textOf(node, 'additionalTicketText'),
    textOf(nodeOf(node, 'reservationFor'), 'description'),
  ])
  return [...new Set(texts.filter(isText))].join('\n').slice(0, 4_000) || undefined
}

const isText = (value: string | null | undefined): value is string => typeof value === 'string' && value !== ''

function webAddress(text: string | undefined): string | undefined {
  const url = URL.parse(text ?? '')
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? url.href : undefined
}
