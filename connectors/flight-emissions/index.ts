/** Adds `co2KiloPerPax` to the flights of a booking, or of all bookings of a trip. It calls nobody. */
import { defineConnector, type Json, type Modifier } from 'sluice/connector'
import { airport } from './airports.ts'
import { cabinOf, co2OfFlight, distanceKm } from './emissions.ts'

const implementation = 'sluice.flight-emissions'

type Row = Record<string, unknown>

/** What this connector keeps with the session. */
interface Kept {
  /** By flight: what it wrote, to tell its own figures from others'. */
  readonly figures?: Record<string, number>
}

const modify: Modifier<{ session: Row; settings: { replace?: boolean } }> = (
  session,
  { settings, extensionData, event, log },
) => {
  const before = ((extensionData[implementation] as Kept | undefined)?.figures ?? {}) as Record<string, number>
  const figures: Record<string, number> = {}
  const ui: Json[] = []
  const unknown = new Set<string>()
  let changed = 0
  const flights = flightsOf(session)
  for (const segment of flights) {
    const [from, to] = [codeOf(segment.departingFromLocation), codeOf(segment.arrivingAtLocation)]
    const [start, end] = [from && airport(from), to && airport(to)]
    if (!start || !end) {
      for (const [code, place] of [
        [from, start],
        [to, end],
      ])
        if (typeof code === 'string' && !place) unknown.add(code)
      continue
    }
    const key = `${from}-${to} ${text(segment.departuretime)}`
    const present = segment.co2KiloPerPax
    const isOthers = present !== null && present !== undefined && present !== before[key]
    if (isOthers && settings.replace !== true) continue
    const kilograms = co2OfFlight(distanceKm(start, end), cabinOf(segment.travelclass))
    figures[key] = kilograms
    if (present !== kilograms) {
      segment.co2KiloPerPax = kilograms
      changed += 1
    }
    if (typeof segment.uuid === 'string') {
      const value = Math.round(kilograms)
      ui.push({ contextType: 'SEGMENT', contextUuid: segment.uuid, labelKey: 'co2', valueType: 'INT', value })
    }
  }
  if (Object.keys(figures).length > 0) {
    const total = flights.reduce((sum, { co2KiloPerPax: each }) => sum + (typeof each === 'number' ? each : 0), 0)
    const value = Math.round(total)
    ui.unshift({ contextType: 'BOOKING', contextUuid: event.id, labelKey: 'co2.total', valueType: 'INT', value })
  }
  if (unknown.size > 0) log.info(`No coordinates are known of ${[...unknown].slice(0, 10).join(', ')}.`)
  if (Object.keys(figures).length > 0 || Object.keys(before).length > 0) {
    ;(extensionData as Record<string, unknown>)[implementation] = { figures, ui }
  }
  if (changed === 0) return null
  return { session, message: changed === 1 ? 'One flight has a figure now.' : `${changed} flights have figures now.` }
}

export default defineConnector({ modify })

/** Data is what a source sent: lists may be anything. */
function flightsOf(data: Row): Row[] {
  const bookings = Array.isArray(data.bookings) ? rows(data.bookings) : [data]
  return bookings
    .flatMap((booking) => rows(booking.travelservices))
    .filter(({ travelServiceType }) => travelServiceType === 'FLIGHT' || travelServiceType === 0)
    .flatMap((service) => rows(service.segmentedLegs))
    .flatMap((leg) => rows(leg.segments))
}

function rows(value: unknown): Row[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'object' && each !== null) : []
}

/** IATA; a location may have it in its own field, or as `ZRH/CH`. */
function codeOf(location: unknown): string | undefined {
  if (typeof location !== 'object' || location === null) return undefined
  const { iataCode, unLocationCode, generalCode } = location as Row
  for (const code of [iataCode, generalCode, unLocationCode]) {
    const [found] = /^[A-Z]{3}(?=$|\/)/i.exec(text(code).trim()) ?? []
    if (found) return found.toUpperCase()
  }
  return undefined
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
