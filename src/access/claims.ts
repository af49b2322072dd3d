/**
 * What our access tokens say, and the principal that reads out of them. Hasura's
 * claims are in its own namespace, so that other parties can read them; what only
 * we need stands beside it.
 */
import { type Principal, type Role, roles, type SessionVariables } from './principal.ts'

/** Where Hasura looks for its claims. */
export const hasuraNamespace = 'https://hasura.io/jwt/claims'

/** Everything in the payload but who issued it, for whom, when and as which token (`iss aud sub iat exp jti`). */
export interface TokenClaims {
  readonly client_id: string
  readonly kind: Principal['kind']
  readonly team: string | null
  readonly integration: string | null
  /** The sign-in that the token comes from. */
  readonly sid?: string
  /** Session variables of the other roles that the bearer may act as. */
  readonly other_roles?: Readonly<Partial<Record<Role, SessionVariables>>>
  readonly [hasuraNamespace]: Readonly<Record<string, string | readonly string[] | null>>
}

/** What a verified token of ours holds. */
export interface TokenPayload extends TokenClaims {
  readonly sub: string
  readonly exp: number
  /** Seconds, with milliseconds. */
  readonly iat?: number
  readonly jti?: string
}

export function claimsOf({
  id,
  kind,
  role,
  teamId,
  integrationId,
  variables,
  otherRoles,
  signInId,
}: Principal): TokenClaims {
  return {
    client_id: id,
    kind,
    team: teamId,
    integration: integrationId,
    ...(signInId ? { sid: signInId } : {}),
    ...(otherRoles ? { other_roles: otherRoles } : {}),
    [hasuraNamespace]: {
      'x-hasura-default-role': role,
      'x-hasura-allowed-roles': [role, ...Object.keys(otherRoles ?? {})],
      ...variables,
    },
  }
}

/** @throws Error when the role is not one of ours. */
export function principalOf(payload: TokenPayload): Principal {
  const { 'x-hasura-default-role': role, 'x-hasura-allowed-roles': _, ...variables } = payload[hasuraNamespace]
  if (!roles.includes(role as Role)) throw new Error('unknown role')
  return {
    kind: payload.kind,
    id: payload.sub,
    role: role as Role,
    teamId: payload.team,
    integrationId: payload.integration,
    expiresAt: new Date(payload.exp * 1000),
    issuedAt: payload.iat === undefined ? null : new Date(Math.round(payload.iat * 1000)),
    tokenId: payload.jti ?? null,
    signInId: payload.sid ?? null,
    otherRoles: payload.other_roles,
    variables,
  }
}
