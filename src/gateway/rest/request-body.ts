/** The JSON object that a REST request carries. */
import type { IncomingMessage } from 'node:http'
import { SluiceError } from '../../errors.ts'
import { readBody } from '../body.ts'

/**
 * @param known members that the body may have
 * @throws SluiceError UNSUPPORTED, TOO_LARGE, BAD_REQUEST, VALIDATION_FAILED
 */
export async function jsonBody(
  request: IncomingMessage,
  { maxBytes, known }: { readonly maxBytes: number; readonly known: readonly string[] },
): Promise<Readonly<Record<string, unknown>>> {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/json *(;|$)/i.test(type)) {
    const named = type ? `"${type.slice(0, 80)}"` : 'no content type'
    throw new SluiceError('UNSUPPORTED', `Send the body as application/json; this request has ${named}.`)
  }
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(type)?.[1]
  if (charset && !/^utf-?8$/i.test(charset)) {
    throw new SluiceError('UNSUPPORTED', `Send the body in UTF-8; this request has "${charset.slice(0, 40)}".`)
  }
  const coding = request.headers['content-encoding']
  if (coding && coding.toLowerCase() !== 'identity') {
    throw new SluiceError('UNSUPPORTED', `Send the body uncompressed; this request has "${coding.slice(0, 40)}".`)
  }
  const value = parsed(await readBody(request, maxBytes))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SluiceError('BAD_REQUEST', 'The body must be a JSON object.')
  }
  const unknown = Object.keys(value).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    const path = unknown.slice(0, 60)
    throw new SluiceError('VALIDATION_FAILED', `There is no member "${path}" here. There are: ${known.join(', ')}.`, {
      path,
    })
  }
  return value as Record<string, unknown>
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (cause) {
    throw new SluiceError('BAD_REQUEST', 'The body is not JSON in UTF-8.', { cause })
  }
}
