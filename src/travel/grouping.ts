/**
 * Which bookings make one trip.
 *
 * | a booking | is in the trip |
 * |---|---|
 * | with `tripUuid` | of that UUID, whatever else it shares with whom |
 * | with `forceNewTrip`, and no `tripUuid` | of its own; another version of it (same `uuid`) joins it |
 * | else | of those that share its `uuid`, its `midofficeReferenceNumber` or its `referenceNumber`, directly or through others |
 *
 * A `referenceNumber` is shared across sources (the same file at the reservation system and at the agency), unless a
 * producer says that it takes no changes from that source (`isModifyAllowedFrom`). Bookings that are linked to one trip
 * with a UUID join it; those that are linked to several such trips join none of them and stay together, as nobody can
 * tell which one is meant.
 */
import type { Booking, Trip } from './model.ts'
import { isTrip } from './parse.ts'

export interface GroupingOptions {
  /** Whether a booking may belong to the trip of one with the same reference at another source. @default all may */
  readonly isModifyAllowedFrom?: (booking: Booking, crossOriginSourceDomain: string) => boolean
}

export interface TripGroup<B extends Booking = Booking> {
  /** Of its bookings, in lower case; null for a trip that has none yet. */
  readonly tripUuid: string | null
  /** In the order in which they were given. */
  readonly bookings: readonly B[]
  /** Trips that its bookings are linked to, where they are several: to be shown to an editor. */
  readonly ambiguous: readonly string[]
}

/**
 * Every booking is in exactly one group. Which ones are together does not depend on their order; groups come in the order
 * of their first bookings.
 */
export function groupBookings<B extends Booking>(
  bookings: readonly B[],
  options: GroupingOptions = {},
): TripGroup<B>[] {
  const parent = bookings.map((_, index) => index)
  const rootOf = (index: number): number => {
    let root = index
    while (parent[root] !== root) root = parent[root] as number
    parent[index] = root
    return root
  }
  const explicit = bookings.map(({ tripUuid }) => normal(tripUuid))

  // Bookings without a trip of their own are joined first, those with one only looked at: two trips never become one.
  const touching: [free: number, fixed: number][] = []
  for (const [a, b] of links(bookings, options)) {
    if (explicit[a] === null && explicit[b] === null) parent[rootOf(a)] = rootOf(b)
    else if (explicit[a] === null) touching.push([a, b])
    else if (explicit[b] === null) touching.push([b, a])
  }
  const trips = new Map<number, Set<string>>()
  for (const [free, fixed] of touching) {
    const root = rootOf(free)
    trips.set(root, (trips.get(root) ?? new Set()).add(explicit[fixed] as string))
  }

  const groups = new Map<string, { tripUuid: string | null; bookings: B[]; ambiguous: readonly string[] }>()
  for (const [index, booking] of bookings.entries()) {
    const own = explicit[index] ?? null
    const candidates = own === null ? [...(trips.get(rootOf(index)) ?? [])].sort() : [own]
    const tripUuid = candidates.length === 1 ? (candidates[0] ?? null) : null
    const key = tripUuid ?? `#${rootOf(index)}`
    const group = groups.get(key)
    if (group) group.bookings.push(booking)
    else groups.set(key, { tripUuid, bookings: [booking], ambiguous: candidates.length > 1 ? candidates : [] })
  }
  return [...groups.values()]
}

/** Pairs of indexes that belong together. */
function* links(bookings: readonly Booking[], { isModifyAllowedFrom }: GroupingOptions): Generator<Link> {
  const hasTrip = (index: number) => normal(bookings[index]?.tripUuid) !== null
  const setsOf = (keyOf: (booking: Booking) => string | null | undefined) =>
    indexesBy(bookings, (booking) => normal(keyOf(booking)))
  yield* pairs(
    setsOf(({ uuid }) => uuid),
    hasTrip,
  )
  yield* pairs(
    setsOf((booking) => (mayJoin(booking) ? booking.midofficeReferenceNumber : null)),
    hasTrip,
  )
  const ofReference = setsOf((booking) => (mayJoin(booking) ? booking.referenceNumber : null))
  yield* isModifyAllowedFrom ? allowedPairs(ofReference, bookings, isModifyAllowedFrom) : pairs(ofReference, hasTrip)
}

type Link = readonly [number, number]

/** A booking with `tripUuid` has its trip already; that it once asked for a new one no longer counts. */
const mayJoin = ({ forceNewTrip, tripUuid }: Booking) => !forceNewTrip || normal(tripUuid) !== null

/** One without a trip with each other is enough; those with a trip pass on no link. */
function* pairs(sets: Iterable<readonly number[]>, hasTrip: (index: number) => boolean): Generator<Link> {
  for (const set of sets) {
    const free = set.find((index) => !hasTrip(index))
    if (free !== undefined) for (const other of set) yield [free, other]
  }
}

/** Whether two sources take changes from each other says nothing about a third: each pair is asked. */
function* allowedPairs(
  sets: Iterable<readonly number[]>,
  bookings: readonly Booking[],
  isAllowed: NonNullable<GroupingOptions['isModifyAllowedFrom']>,
): Generator<Link> {
  for (const set of sets) {
    for (const [at, a] of set.entries()) {
      for (const b of set.slice(at + 1)) {
        const [one, other] = [bookings[a] as Booking, bookings[b] as Booking]
        const [here, there] = [one.sourceDomain ?? '', other.sourceDomain ?? '']
        if (normal(here) === normal(there) || (isAllowed(one, there) && isAllowed(other, here))) yield [a, b]
      }
    }
  }
}

function indexesBy(
  bookings: readonly Booking[],
  keyOf: (booking: Booking) => string | null,
): Iterable<readonly number[]> {
  const sets = new Map<string, number[]>()
  for (const [index, booking] of bookings.entries()) {
    const key = keyOf(booking)
    if (key === null) continue
    const set = sets.get(key)
    if (set) set.push(index)
    else sets.set(key, [index])
  }
  return sets.values()
}

const normal = (text: string | null | undefined): string | null => text?.trim().toLowerCase() || null

/** By what name the trip of one booking is stored. */
export interface TripOf {
  /** `trip:<uuid>`, `midoffice:<number>`, `reference:<number>` or `booking:<uuid>`; null for one that names none. */
  readonly reference: string | null
  readonly title: string | null
}

/**
 * The name of the trip of a booking, or of a trip with its bookings, for whoever stores them one at a time and cannot
 * look at the others. Two with equal names are always in one group of `groupBookings`; a group may have several names,
 * where its bookings are linked through a third, or only some of them know the trip's UUID.
 */
export function tripOf(data: Booking | Trip): TripOf {
  if (isTrip(data)) {
    const members = data.bookings.flatMap((booking) => tripOf(booking).reference ?? []).sort(byStrength)
    return { reference: name('trip', data.uuid) ?? members[0] ?? null, title: data.title?.trim() || null }
  }
  const own = name('booking', data.uuid)
  if (!mayJoin(data)) return { reference: own, title: null }
  const { tripUuid, midofficeReferenceNumber, referenceNumber } = data
  const shared =
    name('trip', tripUuid) ?? name('midoffice', midofficeReferenceNumber) ?? name('reference', referenceNumber)
  return { reference: shared ?? own, title: null }
}

const kinds = ['trip', 'midoffice', 'reference', 'booking'] as const

function byStrength(one: string, other: string): number {
  const rank = (reference: string) => kinds.findIndex((kind) => reference.startsWith(`${kind}:`))
  return rank(one) - rank(other) || (one < other ? -1 : 1)
}

const name = (kind: (typeof kinds)[number], value: string | null | undefined): string | null => {
  const known = normal(value)
  return known === null ? null : `${kind}:${known.slice(0, 200)}`
}
