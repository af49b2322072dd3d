/** Texts that strangers wrote, made fit to be kept: one line, no control characters, bounded. */

const mostCharacters = 500

/** Undefined when nothing is left. */
export function clean(value: string, most = mostCharacters): string | undefined {
  // Cut first: what is cleaned must be short, whatever was sent.
  const line = value
    .slice(0, 4 * most)
    .toWellFormed()
    .replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
    .slice(0, most)
    .toWellFormed()
  return line === '' ? undefined : line
}

/** The domain of a mail address, in lower case; undefined for what is none. */
export function domainOf(address: string | undefined): string | undefined {
  const domain = /@([a-z0-9.-]{1,253})$/i.exec(address?.trim() ?? '')?.[1]
  return domain?.toLowerCase()
}

/**
 * A UUID that is the same for the same text, so that converting a mail again gives the same booking.
 *
 * @see RFC 9562, section 5.8: version 8, made of a SHA-256.
 */
export async function uuidOf(...parts: readonly (string | number | undefined)[]): Promise<string> {
  const hash = await sha256(new TextEncoder().encode(JSON.stringify(['confirmation-mail', ...parts])))
  const digits = `${hash.slice(0, 12)}8${hash.slice(13, 16)}8${hash.slice(17, 32)}`
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Hex. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
