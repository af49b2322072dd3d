/** The keys that an OpenID Connect issuer signs with, fetched through the one way out and kept. */
import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import type { Egress } from '../egress/egress.ts'
import { messageOf, SluiceError } from '../errors.ts'

export interface OidcKeysOptions {
  readonly egress: Egress
  readonly issuer: string
  /** Without it, asked of the issuer (OpenID Connect Discovery 1.0, section 4). */
  readonly jwksUri: string | undefined
  /** An unknown key id fetches the keys again, but not more often than this. @default 30000 */
  readonly cooldownMs?: number
  /** @default 600000 */
  readonly keptMs?: number
}

const discovered = z.object({ issuer: z.string(), jwks_uri: z.url() })

/** @returns finds the key of a token. It throws SluiceError UNAVAILABLE when the issuer cannot be asked. */
export function createOidcKeys(options: OidcKeysOptions): JWTVerifyGetKey {
  const { egress, issuer, jwksUri, cooldownMs = 30_000, keptMs = 600_000 } = options
  let keys: Promise<JWTVerifyGetKey> | undefined
  let failed: { readonly at: number; readonly cause: unknown } | undefined

  const get = async (url: string): Promise<Response> => {
    const { status, body } = await egress.request({
      url,
      headers: { accept: 'application/json' },
      timeoutMs: 5000,
      maxResponseBytes: 256 * 1024,
    })
    return new Response(status === 204 ? null : new Uint8Array(body), { status })
  }

  const open = async (): Promise<JWTVerifyGetKey> => {
    const url = jwksUri ?? (await discover())
    return createRemoteJWKSet(new URL(url), {
      [customFetch]: (address: string) => get(address),
      cooldownDuration: cooldownMs,
      cacheMaxAge: keptMs,
      timeoutDuration: 6000,
    })
  }

  const discover = async (): Promise<string> => {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const response = await get(url)
    if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
    const parsed = discovered.safeParse(await response.json())
    if (!parsed.success) throw new Error(`${url} names no issuer and jwks_uri`)
    // Section 4.3: whoever answers for another issuer could speak for it.
    if (parsed.data.issuer !== issuer) throw new Error(`${url} is of another issuer`)
    return parsed.data.jwks_uri
  }

  return async (header, token) => {
    try {
      if (failed && performance.now() - failed.at < discoveryPauseMs) throw failed.cause
      keys ??= open().catch((cause) => {
        keys = undefined
        failed = { at: performance.now(), cause }
        throw cause
      })
      // It keeps the keys it has, and fetches one set at a time.
      return await (await keys)(header, token)
    } catch (cause) {
      if (isAboutToken(cause)) throw cause
      throw new SluiceError(
        'UNAVAILABLE',
        `The keys of ${issuer} could not be fetched, so its tokens cannot be checked now: ${messageOf(cause)}. Its operator or ours must see to it.`,
        { cause, details: { retry_after_seconds: discoveryPauseMs / 1000 } },
      )
    }
  }
}

/** An issuer that could not be asked for its addresses is asked again after this. */
const discoveryPauseMs = 5000

/** The keys are there, and none or several fit. */
function isAboutToken(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ERR_JWKS_NO_MATCHING_KEY' || code === 'ERR_JWKS_MULTIPLE_MATCHING_KEYS'
}
