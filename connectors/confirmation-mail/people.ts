/** Travellers of reservations. */
import { bareName, isNode, type Node, nodeOf, nodesOf, textOf, typesOf, valuesOf } from './nodes.ts'
import { clean, uuidOf } from './text.ts'
import { localTimeOf } from './times.ts'

export interface PersonOptions {
  /** Seats, and memberships of loyalty programmes. */
  readonly preferences: boolean
  /** Passport, nationality, date of birth. */
  readonly passports: boolean
}

export interface Traveller {
  readonly uuid: string
  readonly firstname?: string
  readonly lastname?: string
  readonly fullname: string
  readonly salutation?: string
  readonly email?: string
  birthdate?: string
  passportCountry?: string
  passportNumber?: string
  passportExpiration?: string
  extendedProfileData?: { readonly memberships: readonly Membership[] }
}

interface Membership {
  readonly number: string
  readonly program?: string
}

/** Those that a reservation or a ticket is made out to; nameless ones are left out. */
export async function travellersOf(node: Node, options: PersonOptions): Promise<readonly Traveller[]> {
  const people = valuesOf(node, 'underName', 'passenger').slice(0, 100)
  const found = await Promise.all(people.map((person) => travellerOf(person, options)))
  const named = found.filter((each) => each !== undefined)
  const memberships = options.preferences ? membershipsOf(node) : []
  const [only] = named
  if (only && named.length === 1 && memberships.length > 0) only.extendedProfileData = { memberships }
  return named
}

async function travellerOf(given: unknown, { preferences, passports }: PersonOptions): Promise<Traveller | undefined> {
  const person = isNode(given) ? given : undefined
  if (person && typesOf(person).includes('Organization')) return undefined
  const name = namesOf(typeof given === 'string' ? { name: given } : person)
  if (!name) return undefined
  const traveller: Traveller = {
    uuid: await uuidOf('traveller', name.fullname.toLowerCase()),
    ...name,
    ...some('salutation', textOf(person, 'honorificPrefix')),
    ...some('email', emailOf(person)),
  }
  const memberships = preferences ? membershipsOf(person) : []
  if (memberships.length > 0) traveller.extendedProfileData = { memberships }
  return passports && person ? { ...traveller, ...passportOf(person) } : traveller
}

type Names = Pick<Traveller, 'firstname' | 'lastname' | 'fullname'>

function namesOf(person: Node | undefined): Names | undefined {
  const given = textOf(person, 'givenName')
  const family = textOf(person, 'familyName')
  const whole = textOf(person, 'name') ?? [given, family].filter(Boolean).join(' ')
  if (whole === '') return undefined
  if (given || family) return { ...some('firstname', given), ...some('lastname', family), fullname: whole }
  // As tickets have it: GREEN/EVA MS
  const [last = '', first] = whole.split(/[/,]/).map((part) => part.trim())
  if (first && last) {
    const firstname = first.replace(/\s+(?:MR|MRS|MS|MISS|MSTR|DR|PROF)$/i, '') || first
    return { firstname, lastname: last, fullname: `${firstname} ${last}` }
  }
  const at = whole.lastIndexOf(' ')
  return at === -1
    ? { lastname: whole, fullname: whole }
    : { firstname: whole.slice(0, at), lastname: whole.slice(at + 1), fullname: whole }
}

function emailOf(person: Node | undefined): string | undefined {
  const email = textOf(person, 'email')?.replace(/^mailto:/i, '')
  return email && /^[^\s@]+@[^\s@]+$/.test(email) ? email : undefined
}

function membershipsOf(node: Node | undefined): readonly Membership[] {
  return nodesOf(node, 'programMembership', 'programMembershipUsed', 'memberOf').flatMap((each) => {
    const number = textOf(each, 'memberNumber', 'membershipNumber', 'identifier')
    const program = textOf(each, 'programName', 'program', 'name')
    return number === undefined ? [] : [{ number, ...some('program', program) }]
  })
}

/** Where markup has what a passport says. schema.org has no word for it, so senders use several. */
const passportKeys = [
  'passportNumber',
  'passport',
  'passportCountry',
  'passportExpiration',
  'passportExpirationDate',
  'nationality',
  'birthDate',
]

const isPassport = (value: unknown): value is Node =>
  isNode(value) && /passport/i.test(textOf(value, 'propertyID', 'name', 'additionalType') ?? '')

function passportOf(person: Node): Partial<Traveller> {
  const passport = nodeOf(person, 'passport') ?? nodesOf(person, 'identifier').find(isPassport)
  const day = (text: string | undefined) => localTimeOf(text ?? '')?.day
  const country =
    textOf(person, 'passportCountry') ??
    textOf(nodeOf(passport, 'issuedBy', 'country'), 'identifier', 'name') ??
    textOf(passport, 'issuedBy', 'country') ??
    textOf(nodeOf(person, 'nationality'), 'identifier', 'name') ??
    textOf(person, 'nationality')
  return {
    ...some('birthdate', day(textOf(person, 'birthDate'))),
    ...some(
      'passportNumber',
      textOf(person, 'passportNumber') ??
        textOf(passport, 'value', 'number', 'identifier') ??
        textOf(person, 'passport'),
    ),
    ...some('passportCountry', /^[A-Za-z]{2,3}$/.test(country ?? '') ? country?.toUpperCase() : undefined),
    ...some(
      'passportExpiration',
      day(
        textOf(person, 'passportExpiration', 'passportExpirationDate') ??
          textOf(passport, 'validThrough', 'expires', 'validUntil'),
      ),
    ),
  }
}

/**
 * The same things without what a passport says.
 *
 * @returns undefined when nothing of the kind was there.
 */
export function withoutPassports(things: readonly Node[]): readonly unknown[] | undefined {
  let isFound = false
  let left = 5_000
  // Things may hold each other once their references are replaced: what is too deep or too much is left out.
  const copy = (value: unknown, depth: number): unknown => {
    if (left-- <= 0 || depth > 16) return undefined
    if (typeof value === 'string') return clean(value, 2_000)
    if (Array.isArray(value)) return value.slice(0, 200).map((each) => copy(each, depth + 1))
    if (!isNode(value)) return value
    if (isPassport(value)) {
      isFound = true
      return undefined
    }
    const entries = Object.entries(value).filter(([key]) => {
      const isKept = !passportKeys.includes(bareName(key))
      if (!isKept) isFound = true
      return isKept
    })
    return Object.fromEntries(entries.map(([key, each]) => [key, copy(each, depth + 1)]))
  }
  const copies = things.map((thing) => copy(thing, 0))
  return isFound ? copies : undefined
}

/** `{ [key]: value }`, or nothing for undefined. */
export function some<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [Name in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [Name in Key]?: Value }
}
