/**
 * Standard Webhooks 1.0.0, symmetric (`v1`, HMAC-SHA256) and asymmetric (`v1a`, Ed25519) signatures:
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 * Any of its libraries verifies what is signed here.
 */
import { createHmac, type KeyObject, randomBytes, sign as signWithKey } from 'node:crypto'
import { SluiceError } from '../errors.ts'

export const signatureKinds = ['v1', 'v1a'] as const

/** A fresh secret: `whsec_` and 32 random bytes in base64. The specification allows 24 to 64. */
export function newSigningSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/**
 * The key of a secret, for signing.
 *
 * @throws SluiceError VALIDATION_FAILED unless it is `whsec_` and 24 to 64 bytes in base64.
 */
export function readSigningSecret(secret: string): Buffer {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1]
  const key = encoded === undefined ? undefined : Buffer.from(encoded, 'base64')
  if (!key || key.length < 24 || key.length > 64) {
    throw new SluiceError(
      'VALIDATION_FAILED',
      'A signing secret is "whsec_" followed by 24 to 64 random bytes in base64. Leave it out to have one made.',
    )
  }
  return key
}

export interface SignedMessage {
  /** Names the message, the same for every attempt, so that a receiver can recognise a repetition. Holds no dot. */
  readonly id: string
  readonly at: Date
  /** Exactly what is sent as the body. */
  readonly body: string
  /** Every live key signs: while a secret is being replaced, old and new verify. For `v1`. */
  readonly keys?: readonly Buffer[]
  /** Private Ed25519 keys, for `v1a`; every live one signs too. */
  readonly privateKeys?: readonly KeyObject[]
}

/** Type alias, not interface, so that it is a plain record of headers. */
export type SignatureHeaders = {
  readonly 'webhook-id': string
  readonly 'webhook-timestamp': string
  readonly 'webhook-signature': string
}

/**
 * The three headers of one attempt. The time is the attempt's, because receivers
 * refuse old ones.
 *
 * @example
 * sign({ id: 'msg_1', at: new Date(), body: '{"a":1}', keys: [readSigningSecret(secret)] })
 */
export function sign({ id, at, body, keys = [], privateKeys = [] }: SignedMessage): SignatureHeaders {
  const timestamp = String(Math.floor(at.getTime() / 1000))
  const content = Buffer.from(`${id}.${timestamp}.${body}`)
  const signatures = [
    ...keys.map((key) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`),
    ...privateKeys.map((key) => `v1a,${signWithKey(null, content, key).toString('base64')}`),
  ]
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}
