/** Any JSON file of a finished session, recognised and put into the form that `submit_session` takes. */
import { SluiceError } from '../errors.ts'

export interface DemoSession {
  /** What the file was taken for, in words. */
  readonly recognised: string
  readonly kind: 'application' | 'booking'
  readonly flow: string
  readonly data: Readonly<Record<string, unknown>>
  readonly payment_id: string | null
  readonly schema_url: string | null
}

type Json = Readonly<Record<string, unknown>>

/**
 * Recognises a plain data object, a whole PlanX session, an application in the
 * Open Digital Planning schema, or a travel booking or trip.
 *
 * @throws SluiceError VALIDATION_FAILED when it is not a JSON object.
 */
export function recogniseSession(text: string, file: string): DemoSession {
  const value = parse(text, file)
  if (Array.isArray(value.travelservices) || Array.isArray(value.bookings)) {
    const what = Array.isArray(value.bookings) ? 'a travel trip with its bookings' : 'a travel booking'
    return { recognised: what, kind: 'booking', flow: 'book-a-trip', data: value, payment_id: null, schema_url: null }
  }
  const application = { kind: 'application' as const, flow: 'apply-for-a-certificate', data: value }
  const { metadata } = value
  if (isObject(value.data) && Array.isArray(value.responses) && isObject(metadata)) {
    const schema = typeof metadata.schema === 'string' && URL.canParse(metadata.schema) ? metadata.schema : null
    return {
      ...application,
      recognised: 'an application in the Open Digital Planning schema',
      payment_id: null,
      schema_url: schema,
    }
  }
  const inner = isObject(value.data) ? value.data : value
  if (isObject(inner.passport) && isObject(inner.breadcrumbs)) {
    return {
      ...application,
      recognised: 'a PlanX session (passport and breadcrumbs)',
      payment_id: paymentOf(inner),
      schema_url: null,
    }
  }
  return { ...application, recognised: 'a plain data object', payment_id: null, schema_url: null }
}

function parse(text: string, file: string): Json {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new SluiceError('VALIDATION_FAILED', `${file} is not JSON: ${(cause as Error).message}.`, { cause })
  }
  if (!isObject(value)) throw new SluiceError('VALIDATION_FAILED', `${file} must hold one JSON object, the session.`)
  return value
}

function paymentOf({ govUkPayment }: Json): string | null {
  return isObject(govUkPayment) && typeof govUkPayment.payment_id === 'string' ? govUkPayment.payment_id : null
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
