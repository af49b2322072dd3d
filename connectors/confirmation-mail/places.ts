/** Airports, stations, hotels and desks as locations. */
import type { Location } from 'sluice/connector'
import { isNode, type Node, nodeOf, textOf, valuesOf } from './nodes.ts'
import { some } from './people.ts'

/** Undefined when nothing names it. */
export function locationOf(given: unknown): Location | undefined {
  if (typeof given === 'string') return locationOf({ name: given })
  if (!isNode(given)) return undefined
  const iataCode = codeOf(textOf(given, 'iataCode'))
  const address = nodeOf(given, 'address')
  const country = countryOf(address)
  const location: Location = {
    ...some('iataCode', iataCode),
    // A name such as "Zurich (ZRH)" is left as it is: three letters in brackets need not be a code.
    ...some('name', textOf(given, 'name') ?? textOf(address, 'addressLocality')),
    ...country,
  }
  return location.iataCode || location.name ? location : undefined
}

/** The first of these properties that names a place. */
export function placeOf(node: Node | undefined, ...names: readonly string[]): Location | undefined {
  for (const name of names) {
    const location = locationOf(valuesOf(node, name)[0])
    if (location) return location
  }
  return undefined
}

export interface Address {
  readonly street?: string
  readonly zip?: string
  readonly city?: string
  readonly countryCode?: string
  readonly countryName?: string
}

export function addressOf(place: Node | undefined): Address {
  const address = nodeOf(place, 'address')
  if (!address) return some('street', textOf(place, 'address'))
  return {
    ...some('street', textOf(address, 'streetAddress')),
    ...some('zip', textOf(address, 'postalCode')),
    ...some('city', textOf(address, 'addressLocality')),
    ...countryOf(address),
  }
}

function countryOf(address: Node | undefined): Pick<Address, 'countryCode' | 'countryName'> {
  const country = nodeOf(address, 'addressCountry')
  const text = textOf(country, 'identifier', 'name') ?? textOf(address, 'addressCountry')
  if (text === undefined) return {}
  return /^[A-Za-z]{2,3}$/.test(text) ? { countryCode: text.toUpperCase() } : { countryName: text }
}

const codeOf = (text: string | undefined) => (/^[A-Za-z]{3}$/.test(text ?? '') ? text?.toUpperCase() : undefined)
