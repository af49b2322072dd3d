/** People: who they are, and the roles that their memberships give. */
import type { PoolClient } from 'pg'
import { z } from 'zod'
import { type Database, inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { everyTeam } from './every-team.ts'
import { checkNewPassword, hashPassword, passwordMatches } from './password.ts'
import type { Principal, Role, SessionVariables } from './principal.ts'
import type { SlowHash } from './slow-hash.ts'

export interface NewPerson {
  readonly email: string
  readonly name: string
  readonly password: string
  readonly isAdmin?: boolean
  readonly memberships?: readonly { readonly teamId: string; readonly role: 'admin' | 'editor' | 'viewer' }[]
}

/** @throws SluiceError VALIDATION_FAILED for the address, the name or the password; CONFLICT when the address is known. */
export async function createPerson({ prisma }: Database, person: NewPerson): Promise<{ id: string }> {
  const email = checkedEmail(person.email)
  const name = checkedName(person.name)
  await checkNewPassword(person.password, email)
  if (await prisma.user.findUnique({ where: { email } })) {
    throw new SluiceError('CONFLICT', `There is already a person with the address ${email}.`, { path: 'email' })
  }
  return prisma.user.create({
    data: {
      email,
      name,
      password_hash: await hashPassword(person.password),
      is_admin: person.isAdmin ?? false,
      memberships: { create: (person.memberships ?? []).map(({ teamId, role }) => ({ team_id: teamId, role })) },
    },
    select: { id: true },
  })
}

/** Addresses are compared in lower case. @throws SluiceError VALIDATION_FAILED */
export function checkedEmail(email: string): string {
  const parsed = z.email().max(254).safeParse(email.trim().toLowerCase())
  if (parsed.success) return parsed.data
  throw new SluiceError('VALIDATION_FAILED', 'This is not an e-mail address.', { path: 'email' })
}

/** @throws SluiceError VALIDATION_FAILED */
export function checkedName(name: string): string {
  const trimmed = name.trim()
  // A line break would end a header of a mail that greets by name.
  if (trimmed.length > 0 && trimmed.length <= 200 && !/\p{Cc}/u.test(trimmed)) return trimmed
  throw new SluiceError('VALIDATION_FAILED', 'The name must have 1 to 200 characters, on one line.', { path: 'name' })
}

/**
 * Whether this is the password of whoever has this address and may sign in. An unknown address, a wrong password and a
 * disabled person cost the same; answer them the same (`wrongPassword`). `userId` is for the audit log alone.
 */
export async function checkPassword(
  { pool }: Database,
  email: string,
  password: string,
  slowHash?: Pick<SlowHash, 'verify'>,
): Promise<
  { readonly right: true; readonly userId: string } | { readonly right: false; readonly userId: string | null }
> {
  const { rows } = await pool.query<{ id: string; password_hash: string | null; disabled: boolean }>(
    'select id, password_hash, disabled_at is not null as disabled from users where email = $1',
    [email.trim().toLowerCase()],
  )
  const [user] = rows
  const matches = await passwordMatches(user?.password_hash, password, slowHash)
  if (user && matches && !user.disabled) return { right: true, userId: user.id }
  return { right: false, userId: user?.id ?? null }
}

export function wrongPassword(): SluiceError {
  return new SluiceError('UNAUTHENTICATED', 'The e-mail address or the password is wrong.')
}

/** A person as a token will say it, as of now. */
export function personPrincipal({ pool }: Database, userId: string): Promise<Principal> {
  return inTransaction(pool, (client) => readPerson(client, userId))
}

/**
 * The same within a transaction. Holds the person's row until it ends: a change of their roles waits for that, and
 * then voids whatever was issued from this reading (see the migration `people`).
 *
 * @param options.mayBeAdmin without it, a platform admin has the roles of their memberships only.
 * @throws SluiceError UNAUTHENTICATED when they are gone or disabled.
 */
export async function readPerson(
  client: PoolClient,
  userId: string,
  { mayBeAdmin = true }: { readonly mayBeAdmin?: boolean } = {},
): Promise<Principal> {
  const { rows } = await client.query<{ is_admin: boolean; disabled: boolean; now: Date }>(
    `select is_admin, disabled_at is not null as disabled, greatest(clock_timestamp(), tokens_valid_from) as now
       from users where id = $1 for share`,
    [userId],
  )
  const [user] = rows
  if (!user || user.disabled) throw new SluiceError('UNAUTHENTICATED', 'This person has no access any more.')
  const memberships = await client.query<Membership>(
    'select team_id, role from team_members where user_id = $1 order by team_id',
    [userId],
  )
  return personOf({ id: userId, isAdmin: user.is_admin && mayBeAdmin, memberships: memberships.rows, now: user.now })
}

export interface Membership {
  readonly team_id: string
  readonly role: 'admin' | 'editor' | 'viewer'
}

/**
 * Roles of a person. The first that applies is theirs unless `x-hasura-role` asks for another:
 *
 * - `admin`, on the whole platform, for platform admins;
 * - `editor`, over the teams in which they edit;
 * - `viewer`, over all of their teams; who may edit a team may also look at it only.
 *
 * A platform admin may act as editor or viewer of every team, to see what those see.
 */
export function personOf({ id, isAdmin, memberships, now }: PersonFacts): Principal {
  const over = (teams: typeof everyTeam | readonly Membership[]): SessionVariables => ({
    'x-hasura-user-id': id,
    'x-hasura-team-ids': teams === everyTeam ? everyTeam : teams.map(({ team_id }) => team_id),
  })
  const editing = memberships.filter(({ role }) => role !== 'viewer')
  const choice: Partial<Record<Role, SessionVariables>> = isAdmin
    ? { admin: over(editing), editor: over(everyTeam), viewer: over(everyTeam) }
    : { ...(editing.length > 0 ? { editor: over(editing) } : {}), viewer: over(memberships) }
  const [[role, variables], ...others] = Object.entries(choice) as [[Role, SessionVariables]]
  return {
    kind: 'person',
    id,
    role,
    teamId: null,
    integrationId: null,
    expiresAt: null,
    issuedAt: now,
    variables,
    ...(others.length > 0 ? { otherRoles: Object.fromEntries(others) } : {}),
  }
}

export interface PersonFacts {
  readonly id: string
  readonly isAdmin: boolean
  readonly memberships: readonly Membership[]
  /** By the database's clock, before the memberships were read. */
  readonly now: Date
}
