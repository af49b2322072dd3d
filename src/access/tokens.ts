/**
 * Access tokens: short-lived JWTs (RFC 9068), signed with EdDSA by a key of this
 * installation whose public half is published as a JWKS. They carry Hasura's
 * claims, so that a token is checked without asking the database.
 */
import { randomUUID } from 'node:crypto'
import { type JWK, jwtVerify, SignJWT } from 'jose'
import type { Database } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { type Log, silentLog } from '../log.ts'
import { claimsOf, principalOf, type TokenPayload } from './claims.ts'
import type { Principal } from './principal.ts'
import type { Sealer } from './seal.ts'
import { openSigningKeys } from './signing-keys.ts'

export interface Tokens {
  /**
   * A signed token for `principal`, and its life in seconds: never beyond the end of the principal's own access.
   *
   * @param claims beside what the principal says: the OAuth client, and the scope it was given.
   */
  issue(
    principal: Principal,
    claims?: { readonly client_id?: string; readonly scope?: string },
  ): Promise<{ token: string; expiresIn: number }>
  /** @throws SluiceError UNAUTHENTICATED when it is not ours, changed, or ended. */
  verify(token: string): Promise<Principal>
  /** The public keys, as `/.well-known/jwks.json` shows them. */
  readonly jwks: { readonly keys: readonly JWK[] }
  close(): void
}

export interface TokensOptions {
  readonly database: Database
  readonly sealer: Sealer
  readonly issuer: string
  readonly seconds: number
  /** @default 90 */
  readonly keyDays?: number
  readonly log?: Log
}

/** Tokens whose signature was checked; about 1 KB each. */
const rememberedMost = 10_000
/** Longer ones are nobody's, and are not parsed. */
const longestToken = 16_384

/** What our tokens hold beside what every reader knows. */
interface OwnPayload extends TokenPayload {
  /** When it was issued, in milliseconds: `iat` counts seconds, and "void before this moment" must be finer. */
  readonly iat_ms?: number
  readonly allowed_addresses?: readonly string[]
}

export async function createTokens(options: TokensOptions): Promise<Tokens> {
  const { database, sealer, issuer, seconds, keyDays = 90, log = silentLog } = options
  const keys = await openSigningKeys({ database, sealer, log, keyDays, tokenSeconds: seconds })

  // Checking a signature costs 140 µs and more, which would be most of a small read. A token says the same each
  // time until it ends, so it is checked once; what was revoked meanwhile is asked at every request (revocations.ts).
  const verified = new Map<string, Principal>()
  keys.onRetired(() => verified.clear())

  return {
    get jwks() {
      return keys.jwks
    },

    async issue(principal, claims = {}) {
      const now = Date.now()
      const own = principal.expiresAt ? Math.floor((principal.expiresAt.getTime() - now) / 1000) : seconds
      const expiresIn = Math.min(seconds, own)
      if (expiresIn <= 0) throw new SluiceError('UNAUTHENTICATED', 'This access has ended.')
      const { kid, key } = keys.signer()
      const iat = Math.floor(now / 1000)
      const token = await new SignJWT({
        ...claimsOf(principal),
        ...claims,
        ...(principal.allowedAddresses?.length ? { allowed_addresses: principal.allowedAddresses } : {}),
        // A person's roles were read at that moment, by the clock that voids tokens.
        iat_ms: principal.issuedAt?.getTime() ?? now,
        jti: randomUUID(),
      })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
        .setIssuer(issuer)
        .setAudience(issuer)
        .setSubject(principal.id)
        .setIssuedAt(iat)
        .setExpirationTime(iat + expiresIn)
        .sign(key)
      return { token, expiresIn }
    },

    async verify(token) {
      const known = verified.get(token)
      if (known?.expiresAt && known.expiresAt.getTime() > Date.now()) return known
      verified.delete(token)
      try {
        if (token.length > longestToken) throw new Error('too long')
        const { payload } = await jwtVerify(
          token,
          async ({ kid }) => {
            const key = await keys.find(kid ?? '')
            if (!key) throw new Error('unknown key')
            return key
          },
          { issuer, audience: issuer, algorithms: ['EdDSA'], typ: 'at+jwt' },
        )
        const own = payload as unknown as OwnPayload
        const principal: Principal = {
          ...principalOf(own),
          ...(own.iat_ms === undefined ? {} : { issuedAt: new Date(own.iat_ms) }),
          ...(own.allowed_addresses ? { allowedAddresses: own.allowed_addresses } : {}),
        }
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

    close: () => keys.close(),
  }
}
