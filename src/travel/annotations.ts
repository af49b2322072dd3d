/**
 * What connectors want shown beside a booking: the `ui` list in their part of `extensionData` (guide: "Additional data
 * for user"). Good ones are shown and wrong ones reported; a wrong one never hides a good one.
 */
import { z } from 'zod'
import type { Booking } from './model.ts'
import { bounded, type Problem, pointer, problemsOf } from './problems.ts'
import { isDate } from './values.ts'

export const contextTypes = ['BOOKING', 'SERVICE', 'SEGMENT', 'LEG', 'TRAVELER'] as const
export const valueTypes = ['STRING', 'DATE', 'INT', 'BOOLEAN'] as const

export type ContextType = (typeof contextTypes)[number]

/** One entry of a `ui` list. */
export const uiNodeSchema = z
  .looseObject({
    contextType: z.enum(contextTypes),
    /** The `uuid` of what it is about, as in the trip data. */
    contextUuid: z.guid({ error: 'must be the UUID of what it is about' }),
    /** Resolved by the connector's `getLabelForKey`. */
    labelKey: z.string().regex(/\S/, { error: 'must be a key that getLabelForKey knows' }).max(200),
    valueType: z.enum(valueTypes),
    value: z.unknown(),
  })
  .superRefine(({ valueType, value }, context) => {
    if (!fits[valueType].test(value)) {
      context.addIssue({
        code: 'custom',
        path: ['value'],
        message: `must be ${fits[valueType].noun}, as valueType is ${valueType}`,
      })
    }
  })

const fits = {
  STRING: { noun: 'a text', test: (value: unknown) => typeof value === 'string' },
  DATE: { noun: 'a date like 2019-04-19', test: (value: unknown) => typeof value === 'string' && isDate(value) },
  INT: { noun: 'a whole number', test: (value: unknown) => Number.isSafeInteger(value) },
  BOOLEAN: { noun: 'true or false', test: (value: unknown) => typeof value === 'boolean' },
} as const

/** `value` is of the type that `valueType` says: text, `YYYY-MM-DD`, whole number or boolean. */
export type UiNode = z.infer<typeof uiNodeSchema>

export interface Annotation extends UiNode {
  /** Whose it is: the key in `extensionData`, the connector's implementation. */
  readonly connector: string
}

export interface AnnotationOptions {
  /** What the annotations are about; with it, a `contextUuid` that it does not have is reported. */
  readonly booking?: Booking
  /** Further UUIDs by which the booking itself is known, such as its session's id. */
  readonly bookingUuids?: readonly string[]
}

export interface Annotations {
  readonly annotations: readonly Annotation[]
  /** `path` points into `extensionData`; at most 50 and one. */
  readonly problems: readonly Problem[]
}

/**
 * Reads the annotations of all connectors, in their order. `extensionData` may be null, and so may each connector's part.
 *
 * @example
 * annotationsOf(booking.extensionData, { booking }).problems // [{ path: '/org.example.co2/ui/0/value', … }]
 */
export function annotationsOf(
  extensionData: unknown,
  { booking, bookingUuids = [] }: AnnotationOptions = {},
): Annotations {
  if (extensionData === null || extensionData === undefined) return { annotations: [], problems: [] }
  if (!isObject(extensionData)) return { annotations: [], problems: [notA('an object', [])] }
  const known = booking && contextsOf(booking, bookingUuids)
  const annotations: Annotation[] = []
  const problems: Problem[] = []
  for (const [connector, part] of Object.entries(extensionData)) {
    const ui = isObject(part) ? part.ui : undefined
    if (ui === null || ui === undefined) continue
    if (!Array.isArray(ui)) {
      problems.push(notA('a list', [connector, 'ui']))
      continue
    }
    for (const [index, node] of ui.entries()) {
      const wrong = problemsOfNode(node, known).map(({ path, ...said }) => ({
        path: pointer([connector, 'ui', index]) + path,
        ...said,
      }))
      if (wrong.length > 0) problems.push(...wrong)
      else annotations.push({ ...(node as UiNode), connector })
    }
  }
  return { annotations, problems: bounded(problems) }
}

type Contexts = Readonly<Record<ContextType, ReadonlySet<string>>>

function problemsOfNode(node: unknown, known: Contexts | undefined): readonly Problem[] {
  const result = uiNodeSchema.safeParse(node, { reportInput: true })
  if (!result.success) return problemsOf(result.error.issues)
  const { contextType, contextUuid } = result.data
  if (!known || known[contextType].has(contextUuid.toLowerCase())) return []
  return [
    { path: '/contextUuid', keyword: 'reference', message: `must be the uuid of a ${contextType} of this booking` },
  ]
}

function contextsOf(booking: Booking, bookingUuids: readonly string[]): Contexts {
  const services = booking.travelservices ?? []
  const legs = services.flatMap((service) => service.segmentedLegs ?? [])
  const documents = services.flatMap((service) => service.transportDocuments ?? [])
  return {
    BOOKING: uuids([booking, ...bookingUuids]),
    SERVICE: uuids(services),
    LEG: uuids(legs),
    SEGMENT: uuids([...legs.flatMap((leg) => leg.segments ?? []), ...services.map((service) => service.singleSegment)]),
    TRAVELER: uuids([...(booking.participants ?? []), ...documents.map((document) => document.traveler)]),
  }
}

type Identified = string | { readonly uuid?: string | null } | null | undefined

const uuids = (all: readonly Identified[]): ReadonlySet<string> =>
  new Set(all.flatMap((one) => (typeof one === 'string' ? one : one?.uuid)?.toLowerCase() ?? []))

const notA = (noun: string, path: readonly PropertyKey[]): Problem => ({
  path: pointer(path),
  keyword: 'type',
  message: `must be ${noun}`,
})

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
