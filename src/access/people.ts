/** People: e-mail and password, and the roles that their memberships give. */
import argon2 from 'argon2'
import type { Database } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { argonOptions } from './credentials.ts'
import type { Principal, Role } from './principal.ts'

export interface NewPerson {
  readonly email: string
  readonly name: string
  readonly password: string
  readonly isAdmin?: boolean
  readonly memberships?: readonly { readonly teamId: string; readonly role: 'admin' | 'editor' | 'viewer' }[]
}

export async function createPerson({ prisma }: Database, person: NewPerson): Promise<{ id: string }> {
  if (person.password.length < 10) {
    throw new SluiceError('VALIDATION_FAILED', 'The password is too short: use at least 10 characters.', {
      path: 'password',
    })
  }
  return prisma.user.create({
    data: {
      email: person.email.trim().toLowerCase(),
      name: person.name,
      password_hash: await argon2.hash(person.password, argonOptions),
      is_admin: person.isAdmin ?? false,
      memberships: { create: (person.memberships ?? []).map(({ teamId, role }) => ({ team_id: teamId, role })) },
    },
    select: { id: true },
  })
}

/** What nobody's password is measured against, so that an unknown address costs as much as a wrong password. */
const nobody = argon2.hash('nobody has this password', argonOptions)

/**
 * The principal of an e-mail address and password.
 *
 * @throws SluiceError UNAUTHENTICATED; an unknown address and a wrong password look and cost the same.
 */
export async function verifyPassword(database: Database, email: string, password: string): Promise<Principal> {
  const user = await database.prisma.user.findUnique({ where: { email: email.trim().toLowerCase() } })
  const right = await argon2.verify(user?.password_hash ?? (await nobody), password)
  if (!user || !right || user.disabled_at || !user.password_hash) {
    throw new SluiceError('UNAUTHENTICATED', 'The e-mail address or the password is wrong.')
  }
  return personPrincipal(database, user.id)
}

/**
 * A person as they stand now. A platform admin has the role admin; anyone else
 * the strongest role of their teams, over exactly the teams where they have it.
 */
export async function personPrincipal(database: Database, userId: string): Promise<Principal> {
  const user = await database.prisma.user.findUnique({ where: { id: userId }, include: { memberships: true } })
  if (!user || user.disabled_at) throw new SluiceError('UNAUTHENTICATED', 'This person has no access any more.')
  const editing = user.memberships
    .filter((membership) => membership.role !== 'viewer')
    .map((membership) => membership.team_id)
  const viewing = user.memberships.map((membership) => membership.team_id)
  const role: Role = user.is_admin ? 'admin' : editing.length > 0 ? 'editor' : 'viewer'
  return {
    kind: 'person',
    id: user.id,
    role,
    teamId: null,
    integrationId: null,
    expiresAt: null,
    variables: { 'x-hasura-user-id': user.id, 'x-hasura-team-ids': role === 'viewer' ? viewing : editing },
  }
}
