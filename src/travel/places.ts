/** When two locations are one place, and how a place is called. */
import type { Location } from './model.ts'

type MaybeLocation = Location | null | undefined

/** Whether any of their codes agrees. A place that has none is the same as no other. */
export function isSamePlace(one: MaybeLocation, other: MaybeLocation): boolean {
  const agree = (key: 'iataCode' | 'unLocationCode' | 'generalCode') => {
    const [a, b] = [codeOf(one?.[key]), codeOf(other?.[key])]
    return a !== null && a === b
  }
  return agree('iataCode') || agree('unLocationCode') || agree('generalCode')
}

/** UN location (it says the country), else IATA, general code, name; `?` for a place without any. */
export const placeName = (place: MaybeLocation): string =>
  codeOf(place?.unLocationCode) ?? codeOf(place?.iataCode) ?? codeOf(place?.generalCode) ?? place?.name?.trim() ?? '?'

const codeOf = (code: string | null | undefined): string | null => code?.trim().toUpperCase() || null
