/** Who a request comes from, by its `Authorization` header, on every transport. */
import { SluiceError } from '../errors.ts'
import type { CredentialVerifier } from './credentials.ts'
import type { Principal } from './principal.ts'
import type { Revocations } from './revocations.ts'
import type { Tokens } from './tokens.ts'

export interface Authenticator {
  /**
   * @param authorization `Bearer <token>` or `Basic <base64 of key:secret>`.
   * @throws SluiceError UNAUTHENTICATED with what to send instead.
   */
  authenticate(authorization: string | undefined): Promise<Principal>
}

export interface AuthenticatorOptions {
  readonly tokens: Tokens
  readonly credentials: CredentialVerifier
  readonly revocations: Revocations
}

export function createAuthenticator({ tokens, credentials, revocations }: AuthenticatorOptions): Authenticator {
  const identify = (scheme: string, value: string): Promise<Principal> => {
    if (scheme.toLowerCase() === 'bearer') return tokens.verify(value)
    if (scheme.toLowerCase() === 'basic') {
      const { key, secret } = decodeBasic(value)
      return credentials.verify(key, secret)
    }
    throw new SluiceError(
      'UNAUTHENTICATED',
      `The scheme "${scheme.slice(0, 20)}" is not known here; use Bearer or Basic.`,
    )
  }
  return {
    async authenticate(authorization) {
      const [, scheme, value] = /^(\w+) +(\S+)$/.exec(authorization ?? '') ?? []
      if (!scheme || !value) {
        throw new SluiceError(
          'UNAUTHENTICATED',
          'Send "Authorization: Bearer <token>" with a token from POST /oauth/token, or "Authorization: Basic <base64 of key:secret>".',
        )
      }
      const principal = await identify(scheme, value)
      revocations.check(principal.id)
      return principal
    },
  }
}

/** @throws SluiceError UNAUTHENTICATED when it is not `key:secret` in base64. */
export function decodeBasic(value: string): { key: string; secret: string } {
  const text = Buffer.from(value, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 1) throw new SluiceError('UNAUTHENTICATED', 'HTTP Basic needs the base64 of "key:secret".')
  return { key: decodeForm(text.slice(0, colon)), secret: decodeForm(text.slice(colon + 1)) }
}

/** RFC 6749, section 2.3.1: both parts are form-encoded. Ours have no reserved characters, so plain ones read the same. */
function decodeForm(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}
