/** What a conversion returned. Pure. */
import { z } from 'zod'
import { SluiceError } from '../errors.ts'
import { jsonProblem } from '../tables/predicate.ts'
import { executionError } from './verdict.ts'

/** The session that a raw source becomes, in the words of a submission. */
export interface ConvertedSession {
  readonly kind: 'application' | 'booking'
  readonly data: Readonly<Record<string, unknown>>
  readonly payment_id?: string | null | undefined
  readonly config?: Readonly<Record<string, unknown>> | null | undefined
  readonly schema_url?: string | null | undefined
  /** That the connector chose. */
  readonly id?: string | undefined
}

export interface ConversionResult {
  /** Undefined when the source becomes nothing. */
  readonly session: ConvertedSession | undefined
  /** Names the session across raw sources. */
  readonly key: string | undefined
  /** To be kept in place of the raw source. */
  readonly updated: Buffer | undefined
  readonly message: string | null
  /** Processed, but listed among the failed. */
  readonly isListedAsFailed: boolean
}

/** The very value: zod's record is a copy without the key `__proto__`. */
const object = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  { message: 'must be an object' },
)
const said = { message: z.string().nullish(), returnCode: z.int().nullish() }
const result = z.looseObject({
  booking: object.nullish(),
  session: z
    .strictObject({
      data: object,
      kind: z.enum(['application', 'booking']).nullish(),
      payment_id: z.string().max(200).nullish(),
      config: object.nullish(),
      schema_url: z.url().max(2000).nullish(),
      id: z.uuid({ message: 'must be a UUID' }).nullish(),
    })
    .nullish(),
  discard: z.boolean().nullish(),
  key: z.string().min(1).max(500).nullish(),
  updatedRawSource: z.union([z.instanceof(Uint8Array), z.string()]).nullish(),
  ...said,
})

/**
 * Reads what `convertRawSource` returned. Null, nothing, `{discard: true}` and a result with neither `booking` nor
 * `session` mean that the source becomes no session.
 *
 * @throws SluiceError VALIDATION_FAILED that names what is wrong.
 */
export function readConversion(returned: unknown): ConversionResult {
  if (returned === null || returned === undefined) {
    return { session: undefined, key: undefined, updated: undefined, message: null, isListedAsFailed: false }
  }
  const parsed = result.safeParse(returned)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const place = issue?.path.length ? `"${issue.path.join('.')}"` : 'what it returned'
    throw refused(
      `convertRawSource must return {booking}, {session: {data}}, {discard: true} or null, and ${place} does not fit: ${issue?.message}.`,
    )
  }
  const { booking, session, discard, key, updatedRawSource, message, returnCode } = parsed.data
  if (booking && session) throw refused('convertRawSource returned both a booking and a session. Return one of them.')
  const problem = jsonProblem({ booking, session, key })
  if (problem !== null) throw refused(`What convertRawSource returned ${problem}.`)
  const isListedAsFailed = returnCode === executionError
  const words = message?.trim() || null
  const code = returnCode && !isListedAsFailed ? `Code ${returnCode}${words ? `: ${words}` : ''}` : words
  return {
    session: discard ? undefined : sessionOf(booking, session),
    key: key ?? undefined,
    updated: updatedRawSource === null || updatedRawSource === undefined ? undefined : Buffer.from(updatedRawSource),
    message: isListedAsFailed ? (words ?? 'The connector reported that its execution failed (code 999).') : code,
    isListedAsFailed,
  }
}

type Parsed = z.output<typeof result>

function sessionOf(booking: Parsed['booking'], session: Parsed['session']): ConvertedSession | undefined {
  if (booking) return { kind: 'booking', data: booking }
  if (!session) return undefined
  const { data, kind, id, ...rest } = session
  return { kind: kind ?? 'application', data, ...rest, ...(id ? { id } : {}) }
}

export interface SourceMetadata {
  readonly created_by_source_at: string | null
  readonly mime: string | null
  readonly description: string | null
  readonly participants: string | null
  readonly isIntermediate: boolean
}

const metadata = z.looseObject({
  createdAt: z.string().nullish(),
  creationDate: z.string().nullish(),
  mimeType: z.string().nullish(),
  description: z.string().nullish(),
  participants: z.string().nullish(),
  discardAsIntermediate: z.boolean().nullish(),
})

/**
 * Reads what `extractMetadata` returned; undefined for nothing. Texts are cut to what people read.
 *
 * @throws SluiceError VALIDATION_FAILED that names what is wrong.
 */
export function readMetadata(returned: unknown): SourceMetadata | undefined {
  if (returned === null || returned === undefined) return undefined
  const parsed = metadata.safeParse(returned)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw refused(
      `extractMetadata returned what does not fit: ${issue?.path.join('.') || 'the whole'}: ${issue?.message}.`,
    )
  }
  const { createdAt, creationDate, mimeType, description, participants, discardAsIntermediate } = parsed.data
  const text = (value: string | null | undefined, most: number) => value?.replaceAll('\0', '').slice(0, most) || null
  return {
    created_by_source_at: text(createdAt ?? creationDate, 100),
    mime: text(mimeType, 100),
    description: text(description, 1000),
    participants: text(participants, 1000),
    isIntermediate: discardAsIntermediate ?? false,
  }
}

/**
 * By what a booking is known when the connector names no key: its number at the source, else the one that the customer
 * knows, else its UUID; undefined without any. Two sources may use the same number for different bookings, so the
 * source's domain belongs to it.
 *
 * @param withDomain false where the connector itself says which other source may change its bookings.
 */
export function bookingKey(booking: Readonly<Record<string, unknown>>, { withDomain = true } = {}): string | undefined {
  const text = (value: unknown) => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined)
  // The field has had both spellings.
  const number =
    text(booking.sourceInternalReferencenumber) ??
    text(booking.sourceInternalReferenceNumber) ??
    text(booking.referenceNumber)
  const uuid = text(booking.uuid)
  if (number === undefined) return uuid === undefined ? undefined : `uuid:${uuid.toLowerCase()}`
  const domain = withDomain ? text(booking.sourceDomain) : undefined
  return `${domain ? `${domain}/` : ''}${number}`.slice(0, 500)
}

function refused(message: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', message)
}
