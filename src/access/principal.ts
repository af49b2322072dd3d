/** Who asks: a credential, a person, a connection, or nobody. */

/** What permissions test, by Hasura's names: `x-hasura-team-ids` and so on. */
export type SessionVariables = Readonly<Record<string, string | readonly string[] | null>>

export const roles = ['admin', 'editor', 'viewer', 'consumer', 'source', 'anonymous'] as const
export type Role = (typeof roles)[number]

export interface Principal {
  readonly kind: 'credential' | 'person' | 'connection' | 'system' | 'anonymous'
  /** Id of the credential, user or connection. */
  readonly id: string
  readonly role: Role
  /** What permissions test: `x-hasura-team-ids`, `x-hasura-integration-id`, `x-hasura-user-id`. */
  readonly variables: SessionVariables
  readonly teamId: string | null
  readonly integrationId: string | null
  /** When the token ends; a socket is closed then. */
  readonly expiresAt: Date | null
  /** When the token was made; of a person, by the database's clock, when their roles were read. */
  readonly issuedAt?: Date | null
  /** The token's `jti`; in revoked_tokens it opens nothing more. */
  readonly tokenId?: string | null
  /** The sign-in of a person, or the secret of a credential, that the token comes from; when it ends, so do all of its tokens. */
  readonly signInId?: string | null
  /** Addresses or CIDRs that a credential may be used from; empty or absent allows all. */
  readonly allowedAddresses?: readonly string[]
  /** What `x-hasura-role` may choose instead of `role`, each with its own session variables. */
  readonly otherRoles?: Readonly<Partial<Record<Role, SessionVariables>>> | undefined
}

/** Who has not said who they are: sees no table, may sign in. */
export const anonymous: Principal = {
  kind: 'anonymous',
  id: 'anonymous',
  role: 'anonymous',
  variables: {},
  teamId: null,
  integrationId: null,
  expiresAt: null,
}

/** The roles that this one may act as, strongest first. */
export function allowedRoles({ role, otherRoles = {} }: Principal): readonly Role[] {
  return roles.filter((one) => one === role || one in otherRoles)
}

/** The same one in another of their roles; null when it is not among them. */
export function actingAs(principal: Principal, role: Role): Principal | null {
  if (role === principal.role) return principal
  const { [role]: variables, ...others } = principal.otherRoles ?? {}
  if (!variables) return null
  return { ...principal, role, variables, otherRoles: { ...others, [principal.role]: principal.variables } }
}
