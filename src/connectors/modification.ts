/** What a modifier returned. Pure. */
import { executionError } from './verdict.ts'

export interface ModificationResult {
  /** The whole data as the modifier wants it; undefined for no change. */
  readonly data: Readonly<Record<string, unknown>> | undefined
  readonly succeeded: boolean
  /** It failed, and trying again may help. */
  readonly again: boolean
  readonly message: string | null
}

const keys = ['session', 'booking', 'message', 'returnCode', 'updatedRawSource', 'extensionData']

/**
 * Reads what `modify` returned. Nothing, an empty object, and a result without `session` and `booking` mean that there is
 * nothing to change; so does the text `success`. A result was processed, whatever its code: 999 is listed among the
 * failed runs, and its change is taken all the same, as the extension guide has it. Any other text is a failure in words.
 *
 * @example modificationOf({ booking, message: 'Two segments.' }) // { data: booking, succeeded: true, message: 'Two segments.', … }
 */
export function modificationOf(returned: unknown): ModificationResult {
  if (returned === null || returned === undefined || returned === 'success') return unchanged
  if (typeof returned === 'string') {
    const said = returned.trim()
    return failed(said === '' || said === 'failed' ? 'The connector reported a failure.' : said)
  }
  if (!isObject(returned)) return failed(wrong('a list or a plain value'))
  const strange = Object.keys(returned).find((key) => !keys.includes(key))
  if (strange !== undefined) return failed(wrong(`an object with ${JSON.stringify(strange.slice(0, 100))}`))
  const { session, booking, message, returnCode } = returned
  if (session && booking) return failed('modify returned both a session and a booking. Return one of them.')
  const data = session ?? booking ?? undefined
  if (data !== undefined && !isObject(data)) return failed(wrong('data that is no object'))
  const code = returnCode ?? 0
  const words = typeof message === 'string' ? message.trim() : ''
  if (!Number.isInteger(code)) return failed(wrong('a returnCode that is no whole number'))
  if (code === executionError) {
    const told = words || 'The connector reported that its execution failed (code 999).'
    return { data, succeeded: false, again: false, message: told }
  }
  const told = code === 0 ? words : `Code ${code}${words ? `: ${words}` : ''}`
  return { data, succeeded: true, again: false, message: told || null }
}

const unchanged: ModificationResult = { data: undefined, succeeded: true, again: false, message: null }

function failed(message: string): ModificationResult {
  return { data: undefined, succeeded: false, again: true, message }
}

function wrong(what: string): string {
  return `modify returned ${what}. It must return nothing, or {session: …} or {booking: …} with the whole data, and perhaps a message and a returnCode.`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
