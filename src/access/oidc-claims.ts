/**
 * Hasura's claims in a token of somebody else's issuer: which roles, over which
 * teams. They come as an object, or as JSON text (Hasura's `claims_format:
 * stringified_json`); lists as JSON or in Postgres's form `{a,b}`, which is how
 * Hasura wants them.
 */
import type { JWTPayload } from 'jose'
import { z } from 'zod'
import { SluiceError } from '../errors.ts'
import type { Role, SessionVariables } from './principal.ts'

/** What people can be. Machines have keys of their own. */
export type PersonRole = 'admin' | 'editor' | 'viewer'

export interface ClaimedRoles {
  readonly role: PersonRole
  readonly otherRoles: Readonly<Partial<Record<Role, SessionVariables>>>
  readonly variables: SessionVariables
}

const claimed = z.object({
  'x-hasura-default-role': z.string(),
  'x-hasura-allowed-roles': z.array(z.string()),
})

/**
 * @param may the roles that this issuer may give; others among the allowed ones are left out.
 * @param id what `x-hasura-user-id` becomes, whatever the claims say: nobody speaks for somebody else.
 * @returns null when the token has no such claims.
 * @throws SluiceError UNAUTHENTICATED when they cannot be used.
 */
export function claimedRoles(
  payload: JWTPayload,
  namespace: string,
  may: readonly PersonRole[],
  id: string,
): ClaimedRoles | null {
  if (payload[namespace] === undefined) return null
  const claims = objectOf(payload[namespace])
  const named = Object.fromEntries(Object.entries(claims).map(([name, value]) => [name.toLowerCase(), value]))
  const parsed = claimed.safeParse(named)
  if (!parsed.success) {
    throw refused(`its claims at "${namespace}" need x-hasura-default-role and a list x-hasura-allowed-roles`)
  }
  const { 'x-hasura-default-role': role, 'x-hasura-allowed-roles': allowed } = parsed.data
  if (!allowed.includes(role)) {
    throw refused(`its x-hasura-default-role "${role.slice(0, 40)}" is not among its x-hasura-allowed-roles`)
  }
  if (!isOneOf(may, role)) {
    throw refused(`the role "${role.slice(0, 40)}" is none that its issuer may give here (${may.join(', ')})`)
  }
  const variables = { 'x-hasura-user-id': id, 'x-hasura-team-ids': teamIds(named['x-hasura-team-ids'], role) }
  const others = may.filter((one) => one !== role && allowed.includes(one))
  return { role, variables, otherRoles: Object.fromEntries(others.map((other) => [other, variables])) }
}

function isOneOf(list: readonly PersonRole[], role: string): role is PersonRole {
  return (list as readonly string[]).includes(role)
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  const parsed = typeof value === 'string' ? fromJson(value) : value
  if (parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed)) return parsed as Record<string, unknown>
  throw refused('its Hasura claims are neither an object nor JSON text of one')
}

const uuids = z.array(z.guid().transform((id) => id.toLowerCase())).max(500)

function teamIds(value: unknown, role: PersonRole): readonly string[] {
  if (value === undefined && role === 'admin') return []
  const list = typeof value === 'string' ? (fromJson(value) ?? fromPostgres(value)) : value
  const parsed = uuids.safeParse(list)
  if (parsed.success) return parsed.data
  throw refused('its x-hasura-team-ids must be a list of team ids: a JSON array, or {id,id}')
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function fromPostgres(text: string): unknown {
  const [, inside] = /^\{(.*)\}$/.exec(text.trim()) ?? []
  if (inside === undefined) return null
  return inside === '' ? [] : inside.split(',').map((item) => item.trim().replace(/^"(.*)"$/, '$1'))
}

function refused(why: string): SluiceError {
  return new SluiceError('UNAUTHENTICATED', `This token cannot be used here: ${why}.`)
}
