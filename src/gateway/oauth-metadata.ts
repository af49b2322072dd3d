/** Where OAuth clients find everything: authorization server metadata (RFC 8414). */
import { assertionAlgorithms } from '../access/client-keys.ts'

export interface OAuthAddresses {
  readonly token: string
  readonly revocation: string
  readonly jwks: string
}

/** Addresses under the issuer's own, which may have a path where a proxy puts it under one. */
export function oauthAddresses(issuer: string): OAuthAddresses {
  const base = issuer.replace(/\/$/, '')
  return { token: `${base}/oauth/token`, revocation: `${base}/oauth/revoke`, jwks: `${base}/.well-known/jwks.json` }
}

/** Where the metadata is asked for: RFC 8414, section 3.1, puts the issuer's own path behind the well-known one. */
export function metadataPaths(issuer: string): readonly string[] {
  const path = new URL(issuer).pathname.replace(/\/$/, '')
  return [
    '/.well-known/oauth-authorization-server',
    ...(path ? [`/.well-known/oauth-authorization-server${path}`] : []),
  ]
}

/**
 * The metadata document. There is no openid-configuration: Sluice signs nobody in for others, it has no ID tokens and
 * no authorization endpoint, which is what an empty `response_types_supported` says.
 */
export function oauthMetadata(issuer: string): Readonly<Record<string, unknown>> {
  const { token, revocation, jwks } = oauthAddresses(issuer)
  const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']
  return {
    issuer,
    token_endpoint: token,
    token_endpoint_auth_methods_supported: methods,
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    revocation_endpoint: revocation,
    revocation_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    jwks_uri: jwks,
    grant_types_supported: ['client_credentials'],
    response_types_supported: [],
    scopes_supported: ['consumer', 'source'],
  }
}
