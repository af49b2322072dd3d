/**
 * Extension data: the object of a session that holds a part for each connector, under its implementation. A run is
 * given all of it; what it changed is found by comparing, so that only changed keys are written, over whatever other
 * runs have written meanwhile. Pure, but for the SQL of the merge, which is `merge_extension_data` in the database.
 */
import { isDeepStrictEqual } from 'node:util'
import { annotationsOf } from '../travel/annotations.ts'
import type { Booking } from '../travel/model.ts'
import { isTrip } from '../travel/parse.ts'
import { sharedPart } from './sdk.ts'

export type ExtensionData = Readonly<Record<string, unknown>>

/** Parts that every connector may change: ours, and that of the extension guide's later versions. */
export const sharedParts: readonly string[] = [sharedPart, 'ch.want.funnel.extension._shared_']

/** Of one part, as PostgreSQL writes JSON. The merge has the last word; this tells it earlier. */
export const maxPartBytes = 64 * 1024

/** SQLSTATE of `merge_extension_data` for a part that is too large; its detail is the part's name. */
export const dataTooLarge = 'SLX01'

/** What to do to one part: keys to set and to take away, or the whole where it is no object. */
export type PartChange =
  | { readonly set: Readonly<Record<string, unknown>>; readonly remove: readonly string[] }
  | { readonly value: unknown }

/** By the part's name. The argument of `merge_extension_data`. */
export type ExtensionChange = Readonly<Record<string, PartChange>>

export interface ExtensionResult {
  /** Undefined when nothing is to be written. */
  readonly change: ExtensionChange | undefined
  /** A sentence for each part that it changed and may not. */
  readonly refused: readonly string[]
  /** Why nothing can be written; the run fails with it. */
  readonly fault: string | undefined
}

/**
 * What a run changed.
 *
 * @param implementation whose run it was.
 * @param before what it was given.
 * @param after what it left; null, undefined and anything but an object for no change.
 * @example
 * extensionChange('org.example.co2', {}, { 'org.example.co2': { kg: 84 } }).change
 * // { 'org.example.co2': { set: { kg: 84 }, remove: [] } }
 */
export function extensionChange(implementation: string, before: ExtensionData, after: unknown): ExtensionResult {
  if (!isObject(after)) return { change: undefined, refused: [], fault: undefined }
  const change: Record<string, PartChange> = {}
  const refused: string[] = []
  for (const part of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (isDeepStrictEqual(own(before, part), own(after, part))) continue
    if (part !== implementation && !sharedParts.includes(part)) {
      refused.push(
        `extensionData of ${JSON.stringify(part.slice(0, 100))} was changed, which is not this connector's, so it stays as it was. Write under ${JSON.stringify(implementation)}, or what others shall change too under ${JSON.stringify(sharedPart)}.`,
      )
      continue
    }
    const value = own(after, part)
    const bytes = Buffer.byteLength(JSON.stringify(value ?? null))
    if (bytes > maxPartBytes) return { change: undefined, refused, fault: tooLarge(part, bytes) }
    setOwn(change, part, partChange(own(before, part), value))
  }
  return { change: Object.keys(change).length > 0 ? change : undefined, refused, fault: undefined }
}

/** Both, the second over the first. */
export function combined(
  first: ExtensionChange | undefined,
  second: ExtensionChange | undefined,
): ExtensionChange | undefined {
  if (!first || !second) return first ?? second
  const both: Record<string, PartChange> = { ...first }
  for (const [part, later] of Object.entries(second)) {
    const earlier = own(first, part) as PartChange | undefined
    if (!earlier || 'value' in later || 'value' in earlier) {
      setOwn(both, part, earlier && 'value' in earlier ? { value: applied(earlier.value, later) } : later)
      continue
    }
    const set = { ...earlier.set, ...later.set }
    for (const key of later.remove) delete set[key]
    const remove = [...new Set([...earlier.remove.filter((key) => !Object.hasOwn(set, key)), ...later.remove])]
    setOwn(both, part, { set, remove })
  }
  return both
}

/** What the database's merge makes of it. */
export function withChange(data: ExtensionData, change: ExtensionChange | undefined): ExtensionData {
  if (!change) return data
  const merged: Record<string, unknown> = { ...data }
  for (const [part, what] of Object.entries(change)) setOwn(merged, part, applied(own(data, part), what))
  return merged
}

function applied(present: unknown, what: PartChange): unknown {
  if ('value' in what) return what.value
  const kept = { ...(isObject(present) ? present : {}) }
  for (const [key, value] of Object.entries(what.set)) setOwn(kept, key, value)
  for (const key of what.remove) delete kept[key]
  return kept
}

/** What a connector is given: what the source put into the booking itself, and what connectors wrote over it. */
export function givenData(kind: 'application' | 'booking', data: unknown, stored: unknown): ExtensionData {
  const parts = isObject(stored) ? stored : {}
  const sent = kind === 'booking' && isObject(data) && isObject(data.extensionData) ? data.extensionData : undefined
  return sent ? { ...sent, ...parts } : parts
}

export interface PartedBooking extends ExtensionResult {
  /** With the extension data with which it came, so that it is stored once, and no booking is changed by it. */
  readonly booking: Readonly<Record<string, unknown>>
}

/**
 * Takes the extension data out of a booking that a connector returned.
 *
 * @param before what the connector was given (`givenData`); {} for a booking that is new.
 * @param original the booking that it was given, if any.
 */
export function partedBooking(
  implementation: string,
  returned: Readonly<Record<string, unknown>>,
  before: ExtensionData = {},
  original?: unknown,
): PartedBooking {
  const { extensionData, ...rest } = returned
  const isSent = isObject(original) && Object.hasOwn(original, 'extensionData')
  const booking = isSent ? { ...rest, extensionData: original.extensionData } : rest
  return { booking, ...extensionChange(implementation, before, extensionData) }
}

/** What annotations may be about. */
export interface AnnotatedSession {
  readonly id: string
  readonly kind: 'application' | 'booking'
  readonly data: unknown
}

/** The annotations of `data`, and what is wrong with the others. Of an application, only the session itself has any. */
export function annotationsIn(data: ExtensionData, session: AnnotatedSession): ReturnType<typeof annotationsOf> {
  return annotationsOf(data, { booking: annotated(session), bookingUuids: uuidsOf(session) })
}

/** A line for the run's log about each of a connector's `ui` nodes that will not be shown. */
export function annotationWarnings(
  implementation: string,
  data: ExtensionData,
  session: AnnotatedSession,
): readonly string[] {
  const part = own(data, implementation)
  if (!isObject(part) || part.ui === undefined || part.ui === null) return []
  return annotationsIn({ [implementation]: part }, session).problems.map(
    ({ path, message }) => `extensionData${path} ${message}. It is not shown.`,
  )
}

/** All of a trip in one booking; nothing of what is no travel data. */
function annotated({ kind, data }: AnnotatedSession): Booking {
  if (kind !== 'booking' || !isObject(data)) return {} as Booking
  const bookings = (isTrip(data) ? data.bookings : [data as Booking]).filter(isObject) as Booking[]
  return {
    travelservices: bookings.flatMap(({ travelservices }) => objects(travelservices)).map(readable),
    participants: bookings.flatMap(({ participants }) => objects(participants)),
  } as Booking
}

/** Data is only checked where its flow has a schema, so lists may be anything. */
function readable(service: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const legs = objects(service.segmentedLegs)
  return {
    ...service,
    segmentedLegs: legs.map((leg) => ({ ...leg, segments: objects(leg.segments) })),
    transportDocuments: objects(service.transportDocuments),
  }
}

function uuidsOf({ id, kind, data }: AnnotatedSession): readonly string[] {
  if (kind !== 'booking' || !isObject(data)) return [id]
  return [id, ...[data, ...objects(data.bookings)].flatMap(({ uuid }) => (typeof uuid === 'string' ? [uuid] : []))]
}

function partChange(before: unknown, after: unknown): PartChange {
  if (after === undefined) {
    return isObject(before) ? { set: {}, remove: Object.keys(before) } : { value: null }
  }
  if (!isObject(after) || !(isObject(before) || before === undefined || before === null)) return { value: after }
  const given = isObject(before) ? before : {}
  const changed = Object.entries(after).filter(([key, value]) => !isDeepStrictEqual(own(given, key), value))
  return {
    set: Object.fromEntries(changed),
    remove: Object.keys(given).filter((key) => !Object.hasOwn(after, key)),
  }
}

export function tooLarge(part: string, bytes?: number): string {
  return `extensionData of ${part} ${bytes === undefined ? 'would be' : `is ${bytes} bytes:`} larger than the ${maxPartBytes} bytes that a part may have. Keep less there, or files in the store.`
}

function objects(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

function own(data: object, key: string): unknown {
  return Object.hasOwn(data, key) ? (data as Record<string, unknown>)[key] : undefined
}

/** `__proto__` is a key like any other. */
function setOwn(data: object, key: string, value: unknown): void {
  Object.defineProperty(data, key, { value, enumerable: true, configurable: true, writable: true })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
