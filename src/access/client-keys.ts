/** Public keys that clients register to sign their assertions with: a JWKS of a few, public only, strong enough. */
import { importJWK, type JWK } from 'jose'
import { z } from 'zod'
import { SluiceError } from '../errors.ts'

/** Signatures that assertions may bear. Ed25519 is EdDSA by its newer name (RFC 9864), which some clients send. */
export const assertionAlgorithms = ['EdDSA', 'Ed25519', 'ES256', 'RS256'] as const

const keysMost = 5
const text = z.string().min(1).max(2000)
const base = { kid: z.string().min(1).max(200).optional(), use: z.literal('sig').optional() }
const key = z.discriminatedUnion('kty', [
  z.object({
    ...base,
    kty: z.literal('OKP'),
    crv: z.literal('Ed25519'),
    x: text,
    alg: z.enum(['EdDSA', 'Ed25519']).optional(),
  }),
  z.object({
    ...base,
    kty: z.literal('EC'),
    crv: z.literal('P-256'),
    x: text,
    y: text,
    alg: z.literal('ES256').optional(),
  }),
  z.object({ ...base, kty: z.literal('RSA'), n: text, e: text, alg: z.literal('RS256').optional() }),
])

const algorithmOf = { OKP: 'EdDSA', EC: 'ES256', RSA: 'RS256' } as const
const privateParts = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']

/** @throws SluiceError VALIDATION_FAILED that says which key cannot be taken and why. */
export async function checkClientKeys(jwks: unknown): Promise<{ keys: JWK[] }> {
  const given = (jwks as { keys?: unknown } | null)?.keys
  if (!Array.isArray(given) || given.length === 0 || given.length > keysMost) {
    throw invalid(
      'jwks',
      `must be a JWKS of 1 to ${keysMost} public keys: {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "…"}]}.`,
    )
  }
  const keys: JWK[] = []
  for (const [index, value] of given.entries()) {
    const path = `jwks.keys[${index}]`
    if (value && typeof value === 'object' && privateParts.some((part) => part in value)) {
      throw invalid(
        path,
        'is a private key. Keep it, make a new one since it has been sent, and give the public half only.',
      )
    }
    const parsed = key.safeParse(value)
    if (!parsed.success) throw invalid(path, 'must be a public key: Ed25519 (OKP), P-256 (EC) or RSA, for signatures.')
    const alg = algorithmOf[parsed.data.kty]
    // Without `alg`, which would allow one of the two names of EdDSA only; the type of the key says enough.
    const { alg: _, ...jwk } = parsed.data
    const imported = await importJWK(jwk, alg).catch(() => null)
    if (!imported) throw invalid(path, 'cannot be read as a key.')
    // 2048 bits are 256 bytes, 342 characters and more of base64url.
    if (jwk.kty === 'RSA' && Buffer.from(jwk.n, 'base64url').length < 256) {
      throw invalid(path, 'is an RSA key of less than 2048 bits.')
    }
    keys.push(jwk)
  }
  const kids = keys.flatMap(({ kid }) => kid ?? [])
  if (new Set(kids).size < kids.length) throw invalid('jwks', 'has two keys with the same kid.')
  if (keys.length > 1 && kids.length < keys.length) throw invalid('jwks', 'has several keys, so each needs a kid.')
  return { keys }
}

function invalid(path: string, problem: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `${path} ${problem}`, { path })
}
