/** Who an OAuth client is, by any of the three ways that it may prove it (RFC 6749, section 2.3; RFC 7523, section 2.2). */
import type { IncomingMessage } from 'node:http'
import { checkAddress, decodeBasic } from '../access/authenticate.ts'
import type { CredentialVerifier } from '../access/credentials.ts'
import type { Principal } from '../access/principal.ts'
import { type AssertionVerifier, assertionType } from '../access/private-key-jwt.ts'
import type { Revocations } from '../access/revocations.ts'
import { SluiceError } from '../errors.ts'
import type { ClientAddress } from './client-address.ts'

export interface OAuthClientOptions {
  readonly credentials: Pick<CredentialVerifier, 'verify'>
  readonly assertions: AssertionVerifier
  readonly revocations: Pick<Revocations, 'check'>
  readonly clientAddress: ClientAddress
}

export interface OAuthClient {
  /** The API key, which is the `client_id`. */
  readonly key: string
  readonly principal: Principal
}

export type IdentifyClient = (request: IncomingMessage, form: URLSearchParams) => Promise<OAuthClient>

/** The client of a request to the token or revocation endpoint. The function throws as `Authenticator` does. */
export function createIdentifyClient(options: OAuthClientOptions): IdentifyClient {
  const { credentials, assertions, revocations, clientAddress } = options
  return async (request, form) => {
    const address = clientAddress(request)
    const proof = proofOf(request, form)
    const client =
      'assertion' in proof
        ? await assertions.verify(proof.assertion, form.get('client_id'), address)
        : { key: proof.key, principal: await credentials.verify(proof.key, proof.secret, address) }
    revocations.check(client.principal)
    checkAddress(client.principal, address)
    return client
  }
}

type Proof = { readonly key: string; readonly secret: string } | { readonly assertion: string }

/** Exactly one of Basic (which the RFC prefers), form fields, and a signed assertion. */
function proofOf(request: IncomingMessage, form: URLSearchParams): Proof {
  const basic = /^basic +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const [key, secret, assertion] = [form.get('client_id'), form.get('client_secret'), form.get('client_assertion')]
  if ([basic, secret, assertion].filter(Boolean).length > 1) {
    throw new SluiceError(
      'BAD_REQUEST',
      'Prove who you are in one way: by HTTP Basic, as client_secret, or as client_assertion.',
    )
  }
  if (assertion) {
    if (form.get('client_assertion_type') === assertionType) return { assertion }
    throw new SluiceError('BAD_REQUEST', `client_assertion needs client_assertion_type=${assertionType}.`)
  }
  if (basic) {
    const given = decodeBasic(basic)
    if (key === null || key === given.key) return given
    throw new SluiceError('BAD_REQUEST', 'client_id and the key in HTTP Basic differ. Leave client_id out.')
  }
  if (key && secret) return { key, secret }
  throw new SluiceError(
    'UNAUTHENTICATED',
    'Send the API key and secret by HTTP Basic or as client_id and client_secret, or a signed client_assertion.',
  )
}
