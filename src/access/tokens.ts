/**
 * Access tokens: short-lived JWTs (RFC 9068), signed with EdDSA by a key of this
 * installation whose public half is published as a JWKS. They carry Hasura's
 * claims, so that a token is checked without asking the database.
 */
import { randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK, jwtVerify, SignJWT } from 'jose'
import { type Database, inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { claimsOf, principalOf, type TokenPayload } from './claims.ts'
import type { Principal } from './principal.ts'
import type { Sealer } from './seal.ts'

export interface Tokens {
  /** A signed token for `principal`, and its life in seconds. */
  issue(principal: Principal): Promise<{ token: string; expiresIn: number }>
  /** @throws SluiceError UNAUTHENTICATED when it is not ours, changed, or ended. */
  verify(token: string): Promise<Principal>
  /** The public keys, as `/.well-known/jwks.json` shows them. */
  readonly jwks: { readonly keys: readonly JWK[] }
}

export interface TokensOptions {
  readonly database: Database
  readonly sealer: Sealer
  readonly issuer: string
  readonly seconds: number
}

/** Tokens whose signature was checked; about 1 KB each. */
const rememberedMost = 10_000
const sealPurpose = 'token-signing-key'

export async function createTokens({ database, sealer, issuer, seconds }: TokensOptions): Promise<Tokens> {
  const stored = await signingKeys(database, sealer)
  const newest = stored[0] as StoredKey
  const privateKey = await importJWK(JSON.parse(sealer.open(newest.sealed, sealPurpose)), 'EdDSA')
  const publicKeys = new Map(
    await Promise.all(stored.map(async (key) => [key.kid, await importJWK(key.public_jwk, 'EdDSA')] as const)),
  )

  // Checking a signature costs 140 µs and more, which would be most of a small read. A token says the same each
  // time until it ends, so it is checked once; what was revoked meanwhile is asked at every request (revocations.ts).
  const verified = new Map<string, Principal>()

  return {
    jwks: { keys: stored.map((key) => key.public_jwk) },

    async issue(principal) {
      const token = await new SignJWT({ ...claimsOf(principal), jti: randomUUID() })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: newest.kid })
        .setIssuer(issuer)
        .setAudience(issuer)
        .setSubject(principal.id)
        .setIssuedAt()
        .setExpirationTime(`${seconds}s`)
        .sign(privateKey)
      return { token, expiresIn: seconds }
    },

    async verify(token) {
      const known = verified.get(token)
      if (known?.expiresAt && known.expiresAt.getTime() > Date.now()) return known
      verified.delete(token)
      try {
        const { payload } = await jwtVerify(
          token,
          ({ kid }) => {
            const key = publicKeys.get(kid ?? '')
            if (!key) throw new Error('unknown key')
            return key
          },
          { issuer, audience: issuer, algorithms: ['EdDSA'], typ: 'at+jwt' },
        )
        const principal = principalOf(payload as unknown as TokenPayload)
        if (verified.size >= rememberedMost) verified.delete(verified.keys().next().value as string)
        verified.set(token, principal)
        return principal
      } catch (cause) {
        const ended = cause instanceof Error && 'code' in cause && cause.code === 'ERR_JWT_EXPIRED'
        throw new SluiceError(
          'UNAUTHENTICATED',
          ended
            ? 'The access token has ended; get a new one.'
            : 'The access token is not valid here; get one at POST /oauth/token.',
          { cause },
        )
      }
    },
  }
}

interface StoredKey {
  kid: string
  public_jwk: JWK
  sealed: Buffer
}

/** The live signing keys, newest first; the first process ever makes one. */
async function signingKeys({ pool }: Database, sealer: Sealer): Promise<StoredKey[]> {
  return inTransaction(pool, async (client) => {
    await client.query(`select pg_advisory_xact_lock(hashtext('sluice signing keys'))`)
    const select = `select kid, public_jwk, sealed from signing_keys where use = 'token' and retired_at is null order by created_at desc`
    const existing = await client.query<StoredKey>(select)
    if (existing.rows.length > 0) return existing.rows
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true })
    const publicJwk = await exportJWK(publicKey)
    const kid = await calculateJwkThumbprint(publicJwk)
    const published = { ...publicJwk, kid, use: 'sig', alg: 'EdDSA' }
    const sealed = sealer.seal(JSON.stringify(await exportJWK(privateKey)), sealPurpose)
    await client.query(`insert into signing_keys (kid, use, public_jwk, sealed) values ($1, 'token', $2, $3)`, [
      kid,
      published,
      sealed,
    ])
    return (await client.query<StoredKey>(select)).rows
  })
}
