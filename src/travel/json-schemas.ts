/**
 * The JSON Schemas (2020-12) of travel data, made of model.ts. Each is complete in itself, so that one file is enough to
 * validate with, and carries the URL under which it is stored as a payload schema.
 */
import { z } from 'zod'
import * as model from './model.ts'

/** Raised when data that was valid no longer is; then both versions stand side by side. */
export const travelSchemaVersion = '1'

/** A name that stays, under a domain that nobody owns; nothing is ever fetched from it. */
export const travelSchemaUrl = (name: TravelSchemaName): string =>
  `https://sluice.example/schemas/travel/${travelSchemaVersion}/${name}.json`

const published = {
  trip: { schema: model.tripSchema, title: 'Travel trip' },
  booking: { schema: model.bookingSchema, title: 'Travel booking' },
  service: { schema: model.travelServiceSchema, title: 'Travel service' },
  leg: { schema: model.segmentedLegSchema, title: 'Travel leg' },
  segment: { schema: model.transportSegmentSchema, title: 'Travel segment' },
  'single-segment': { schema: model.singleSegmentSchema, title: 'Travel single segment' },
  document: { schema: model.transportDocumentSchema, title: 'Travel document' },
  price: { schema: model.priceItemSchema, title: 'Travel price' },
  payment: { schema: model.bookingPaymentSchema, title: 'Travel payment' },
  traveller: { schema: model.travelerSchema, title: 'Traveller' },
} as const

export type TravelSchemaName = keyof typeof published

export const travelSchemaNames = Object.keys(published) as readonly TravelSchemaName[]

/**
 * The document as it lies in `src/travel/schemas/<name>-<version>.json`. `title` and `version` name it when it is stored from a
 * folder (`SCHEMA_FOLDER=src/travel/schemas`).
 */
export function travelJsonSchema(name: TravelSchemaName): Record<string, unknown> {
  const { schema, title } = published[name]
  const { $schema, id, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' }) as Record<
    string,
    unknown
  >
  return { $schema, $id: travelSchemaUrl(name), title, version: travelSchemaVersion, ...plain(rest) }
}

type Json = Readonly<Record<string, unknown>>

/** `id` is Zod's word for a definition, and `additionalProperties: {}` allows what is allowed anyway. */
function plain(schema: Json): Json {
  return JSON.parse(JSON.stringify(schema), (key, item) => {
    if (key === 'additionalProperties' && Object.keys(item).length === 0) return undefined
    if (key === 'id' && typeof item === 'string') return undefined
    return Array.isArray(item?.anyOf) ? oneTyped(item) : item
  })
}

/**
 * `anyOf` over types (a text or null, a UUID or an object) as one schema with a list of types. It allows the same, and a
 * validator names the one thing that is wrong instead of every branch that failed.
 */
function oneTyped({ anyOf, ...rest }: { readonly anyOf: readonly Json[] }): Json {
  const references = anyOf.filter((branch) => '$ref' in branch)
  const typed = anyOf.filter((branch) => 'type' in branch)
  if (references.length > 1 || references.length + typed.length < anyOf.length) return { anyOf, ...rest }
  // A branch may be such a schema itself: a reference or a UUID, or null.
  const constraints: Json = Object.assign({}, ...typed)
  const definition = references[0] ?? constraints.else
  const types = typed
    .flatMap((branch) => branch.type as string | string[])
    .filter((type) => type !== 'object' || !definition)
  return {
    ...constraints,
    type: definition ? ['object', ...types] : types,
    ...(Array.isArray(constraints.enum) && types.includes('null') ? { enum: [...constraints.enum, null] } : {}),
    // Definitions are objects, all of them.
    ...(definition ? { if: { type: types }, else: definition } : {}),
    ...rest,
  }
}
