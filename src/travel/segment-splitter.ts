/**
 * Splits the segments of a service into legs, by the stay at each place. For bookings whose legs are not known, and for
 * travellers who go on from place to place.
 */
import type { SegmentedLeg, TransportSegment } from './model.ts'
import { isSamePlace, placeName } from './places.ts'

export interface SplitOptions {
  /**
   * A stay of more than so many whole hours ends a leg: 8 h 59 min do not with 8, 9 h do.
   * @default 8
   */
  readonly maxHoursForLayover?: number
  /** Some sources count from 0. @default 1 */
  readonly firstLegNr?: number
}

/** `segments` are the ones that were given, untouched. */
export type Leg = SegmentedLeg & { readonly legNr: number; readonly segments: TransportSegment[] }

/**
 * Every segment is in exactly one leg; legs and their segments are in the order of time, and splitting the result again
 * gives the same.
 *
 * A new leg begins where a segment goes straight back to where the one before it came from, however short the stay, and
 * where the stay is longer than allowed. A stay without both its times ends nothing. Arrival and departure are told by
 * the clock of the same place, so their difference is real; only sorting compares clocks of different places, and there
 * a flight that lands "before" it left may be misplaced where nothing but time tells the order.
 *
 * @example
 * splitSegments(segments).map((leg) => placeName(leg.segments.at(-1)?.arrivingAtLocation))
 */
export function splitSegments(
  segments: readonly TransportSegment[],
  { maxHoursForLayover = 8, firstLegNr = 1 }: SplitOptions = {},
): Leg[] {
  const legs: Leg[] = []
  let previous: TransportSegment | undefined
  for (const segment of inOrder(segments)) {
    const leg = legs.at(-1)
    if (!leg || !previous || isTurnaround(previous, segment) || hoursBetween(previous, segment) > maxHoursForLayover) {
      legs.push({ legNr: firstLegNr + legs.length, segments: [segment] })
    } else leg.segments.push(segment)
    previous = segment
  }
  return legs
}

/** `ZRH/CH - FRA/DE - JFK/US`; where a segment starts elsewhere than the last one ended, a comma and the new start. */
export function routing(segments: readonly TransportSegment[]): string {
  let text = ''
  let previous: TransportSegment | undefined
  for (const segment of segments) {
    const from = placeName(segment.departingFromLocation)
    if (!previous) text = from
    else if (placeName(previous.arrivingAtLocation) !== from) text += `, ${from}`
    text += ` - ${placeName(segment.arrivingAtLocation)}`
    previous = segment
  }
  return text
}

/**
 * In the order of departure, then arrival, then `segNr`. A segment without any time stays behind the one that it was
 * given behind; those before the first time are ordered by `segNr`. Comparing in pairs and skipping what is missing
 * would not be an order: it could say a < b < c < a.
 */
function inOrder(segments: readonly TransportSegment[]): TransportSegment[] {
  const untimed: TransportSegment[] = []
  const blocks: { readonly head: TransportSegment; readonly all: TransportSegment[] }[] = []
  for (const segment of segments) {
    if (timesOf(segment)[0] !== undefined) blocks.push({ head: segment, all: [segment] })
    else (blocks.at(-1)?.all ?? untimed).push(segment)
  }
  untimed.sort((a, b) => numberOf(a) - numberOf(b) || 0)
  blocks.sort((a, b) => compare(a.head, b.head))
  return [...untimed, ...blocks.flatMap(({ all }) => all)]
}

function compare(a: TransportSegment, b: TransportSegment): number {
  const [departureA = 0, arrivalA = 0] = timesOf(a)
  const [departureB = 0, arrivalB = 0] = timesOf(b)
  return departureA - departureB || arrivalA - arrivalB || numberOf(a) - numberOf(b) || 0
}

/** Departure and arrival, each for the other where it is missing. */
function timesOf({ departuretime, arrivaltime }: TransportSegment): readonly [number?, number?] {
  const departure = clock(departuretime ?? arrivaltime)
  return departure === undefined ? [] : [departure, clock(arrivaltime ?? departuretime)]
}

/** Without a number is behind those with one. (Infinity less Infinity is no number; hence `|| 0` above.) */
const numberOf = ({ segNr }: TransportSegment) => segNr ?? Number.POSITIVE_INFINITY

function isTurnaround(previous: TransportSegment, next: TransportSegment): boolean {
  return (
    isSamePlace(previous.arrivingAtLocation, next.departingFromLocation) &&
    isSamePlace(previous.departingFromLocation, next.arrivingAtLocation)
  )
}

/** Whole hours; 0 where a time is missing. */
function hoursBetween({ arrivaltime }: TransportSegment, { departuretime }: TransportSegment): number {
  const [arrival, departure] = [clock(arrivaltime), clock(departuretime)]
  return arrival === undefined || departure === undefined ? 0 : Math.trunc((departure - arrival) / 3_600_000)
}

/** Milliseconds of the clock that shows it, as if it were UTC; days have 24 hours then, whatever the machine's zone. */
function clock(localDateTime: string | null | undefined): number | undefined {
  const milliseconds = localDateTime ? Date.parse(`${localDateTime}Z`) : Number.NaN
  return Number.isNaN(milliseconds) ? undefined : milliseconds
}
