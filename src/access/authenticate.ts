/** Who a request comes from, by its `Authorization` header, on every transport. */
import { SluiceError } from '../errors.ts'
import { type AddressList, addressList } from './address-list.ts'
import type { CredentialVerifier } from './credentials.ts'
import type { Principal } from './principal.ts'
import type { Revocations } from './revocations.ts'
import type { Tokens } from './tokens.ts'

export interface Authenticator {
  /**
   * @param authorization `Bearer <token>` or `Basic <base64 of key:secret>`.
   * @param from the caller's address, as `clientAddress` tells it; null where it is not known.
   * @throws SluiceError UNAUTHENTICATED with what to send instead, FORBIDDEN from an address that is not allowed,
   *   RATE_LIMITED or UNAVAILABLE with `details.retry_after_seconds`.
   */
  authenticate(authorization: string | undefined, from: { readonly address: string | null }): Promise<Principal>
}

export interface AuthenticatorOptions {
  readonly tokens: Pick<Tokens, 'verify'>
  readonly credentials: Pick<CredentialVerifier, 'verify'>
  readonly revocations: Pick<Revocations, 'check'>
}

export function createAuthenticator({ tokens, credentials, revocations }: AuthenticatorOptions): Authenticator {
  const identify = (scheme: string, value: string, address: string | null): Promise<Principal> => {
    if (scheme.toLowerCase() === 'bearer') return tokens.verify(value)
    if (scheme.toLowerCase() === 'basic') {
      const { key, secret } = decodeBasic(value)
      return credentials.verify(key, secret, address)
    }
    throw new SluiceError(
      'UNAUTHENTICATED',
      // What stands here may be a secret that somebody put in the wrong place, so it is not repeated.
      'This kind of Authorization is not known here; use Bearer or Basic.',
    )
  }
  return {
    async authenticate(authorization, { address }) {
      const [, scheme, value] = /^(\w+) +(\S+)$/.exec(authorization ?? '') ?? []
      if (!scheme || !value) {
        throw new SluiceError(
          'UNAUTHENTICATED',
          'Send "Authorization: Bearer <token>" with a token from POST /oauth/token, or "Authorization: Basic <base64 of key:secret>".',
        )
      }
      const principal = await identify(scheme, value, address)
      revocations.check(principal)
      checkAddress(principal, address)
      return principal
    },
  }
}

/** A principal that is remembered keeps its list, so it is read once. */
const lists = new WeakMap<readonly string[], AddressList>()

/** @throws SluiceError FORBIDDEN when the credential may not be used from here. */
export function checkAddress({ allowedAddresses }: Principal, address: string | null): void {
  if (!allowedAddresses || allowedAddresses.length === 0) return
  let list = lists.get(allowedAddresses)
  if (!list) {
    list = addressList(allowedAddresses)
    lists.set(allowedAddresses, list)
  }
  if (address !== null && list(address)) return
  throw new SluiceError(
    'FORBIDDEN',
    `This credential may not be used from ${address ?? 'an unknown address'}. Its owner can add the address to allowed_addresses.`,
  )
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
