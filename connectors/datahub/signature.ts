/** The hub's signature: `x-hub-signature: t=<seconds>,v1=<hex>`, HMAC-SHA256 of `<seconds>.` and the exact bytes. */

/**
 * How old it is does not matter: a payload may be looked at hours after it came, and one that is sent again is known by
 * its id.
 *
 * @throws Error for whoever sent it to read.
 */
export async function checkSignature(source: Uint8Array, header: string | undefined, secret: string): Promise<void> {
  const [, time, hex] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? '') ?? []
  if (time === undefined || hex === undefined)
    throw new Error('The header x-hub-signature is missing, or is no signature.')
  const encoder = new TextEncoder()
  const before = encoder.encode(`${time}.`)
  const signed = new Uint8Array(before.length + source.length)
  signed.set(before)
  signed.set(source, before.length)
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, ['verify'])
  const signature = Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
  if (!(await crypto.subtle.verify('HMAC', key, signature, signed))) {
    throw new Error('The signature is not one of this agency. Check the secret, and that the exact bytes are signed.')
  }
}
