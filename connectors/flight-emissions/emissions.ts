/**
 * Carbon dioxide of one passenger on one flight: that of the fuel which is burned, without other effects on the climate.
 *
 * Method: the fuel part of myclimate's flight calculator
 * (https://www.myclimate.org/en/information/about-myclimate/downloads/flight-emission-calculator/), which follows EN 16258:
 *
 *   (a·x² + b·x + c) / (seats · load) · (1 − cargo) · class · 3.15
 *
 * where x is the great-circle distance and 95 km for detours, and a·x² + b·x + c the kilograms of fuel of a mean aircraft.
 * Up to 1,500 km it is one of short flights, from 2,500 km one of long flights; in between, a straight line joins them.
 */
import type { Place } from './airports.ts'

export type Cabin = 'economy' | 'business' | 'first'

interface Aircraft {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly seats: number
  /** Share of the fuel that freight answers for. */
  readonly cargo: number
  /** By the room that a seat takes. */
  readonly cabin: Readonly<Record<Cabin, number>>
}

const short: Aircraft = {
  a: 0,
  b: 2.714,
  c: 1166.52,
  seats: 153.51,
  cargo: 0.07,
  cabin: { economy: 0.96, business: 1.26, first: 2.4 },
}
const long: Aircraft = {
  a: 0.0001,
  b: 7.104,
  c: 5044.93,
  seats: 280.21,
  cargo: 0.26,
  cabin: { economy: 0.8, business: 1.54, first: 2.4 },
}
const limits = { short: 1500, long: 2500 }
const detourKm = 95
const load = 0.82
/** Kilograms of carbon dioxide from one of kerosene. */
const carbon = 3.15

/** @param km great-circle distance. @returns kilograms, to a tenth. */
export function co2OfFlight(km: number, cabin: Cabin): number {
  return Math.round(exactly(km, cabin) * 10) / 10
}

function exactly(km: number, cabin: Cabin): number {
  if (km <= limits.short) return burned(short, km, cabin)
  if (km >= limits.long) return burned(long, km, cabin)
  const share = (km - limits.short) / (limits.long - limits.short)
  return burned(short, limits.short, cabin) * (1 - share) + burned(long, limits.long, cabin) * share
}

function burned({ a, b, c, seats, cargo, cabin: weights }: Aircraft, km: number, cabin: Cabin): number {
  const x = km + detourKm
  return ((a * x * x + b * x + c) / (seats * load)) * (1 - cargo) * weights[cabin] * carbon
}

/** Mean radius of the Earth, IUGG. */
const earthKm = 6371.0088

/** Along the great circle, by the haversine formula. */
export function distanceKm(from: Place, to: Place): number {
  const radians = Math.PI / 180
  const north = ((to.latitude - from.latitude) * radians) / 2
  const east = ((to.longitude - from.longitude) * radians) / 2
  const h =
    Math.sin(north) ** 2 + Math.cos(from.latitude * radians) * Math.cos(to.latitude * radians) * Math.sin(east) ** 2
  return 2 * earthKm * Math.asin(Math.min(1, Math.sqrt(h)))
}

/** First letters of booking classes and words for cabins; whatever it is, else economy. */
export function cabinOf(travelClass: unknown): Cabin {
  const said = typeof travelClass === 'string' ? travelClass.trim().toLowerCase() : ''
  if (/^(first|f|a|p)$/.test(said) || said.startsWith('first')) return 'first'
  if (/^(c|d|j|z|i)$/.test(said) || said.startsWith('business')) return 'business'
  return 'economy'
}
