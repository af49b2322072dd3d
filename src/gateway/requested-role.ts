/** `x-hasura-role`: which of their roles a caller acts in, as clients of Hasura say it. */
import { actingAs, allowedRoles, type Principal, type Role } from '../access/principal.ts'
import { SluiceError } from '../errors.ts'

/** A principal's other roles, made once: the same token asks for the same one again and again. */
const acting = new WeakMap<Principal, Map<Role, Principal>>()

/**
 * The principal in the role that was asked for, or as they are when none was.
 *
 * @param requested the header, or what `connection_init` carries.
 * @throws SluiceError FORBIDDEN, with the roles that are allowed.
 */
export function inRequestedRole(requested: unknown, principal: Principal): Principal {
  if (requested === undefined || requested === null || requested === principal.role) return principal
  const role = requested as Role
  const known = acting.get(principal)?.get(role)
  if (known) return known
  const found = principal.otherRoles && Object.hasOwn(principal.otherRoles, role) ? actingAs(principal, role) : null
  if (!found) throw notAllowed(requested, principal)
  const made = acting.get(principal) ?? new Map<Role, Principal>()
  acting.set(principal, made.set(role, found))
  return found
}

function notAllowed(requested: unknown, principal: Principal): SluiceError {
  const choice = allowedRoles(principal)
  const advice =
    choice.length > 1 ? `Leave it out, or send one of: ${choice.join(', ')}.` : 'Leave it out, or send your own.'
  return new SluiceError(
    'FORBIDDEN',
    `Your role is "${principal.role}", and x-hasura-role asks for "${String(requested).slice(0, 40)}". ${advice}`,
    { details: { allowed_roles: choice } },
  )
}
