/**
 * Invitations into a team, by mail. Of the link only a hash is kept. One that was
 * accepted, revoked or replaced by a newer one to the same address opens nothing.
 */
import type { PoolClient } from 'pg'
import { type Database, inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { checkNewPassword, hashPassword, passwordMatches } from './password.ts'
import { checkedEmail, checkedName } from './people.ts'
import { newLinkToken, tokenHash } from './refresh-token.ts'
import type { SlowHash } from './slow-hash.ts'

export type MemberRole = 'admin' | 'editor' | 'viewer'

export interface Invitation {
  readonly id: string
  readonly team_id: string
  readonly email: string
  readonly role: MemberRole
  readonly expires_at: Date
}

/** What goes into the mail, and nowhere else. */
export interface InvitationWithToken extends Invitation {
  readonly token: string
  readonly team_name: string
}

/** An editor cannot make this installation a source of mass mail. */
const openPerTeam = 200
const resendSeconds = 60

/**
 * @param days until it expires.
 * @throws SluiceError VALIDATION_FAILED for the address; CONFLICT when they are a member already; NOT_FOUND for the team.
 */
export async function invite(
  { pool }: Database,
  {
    teamId,
    email,
    role,
    invitedBy,
    days,
  }: { teamId: string; email: string; role: MemberRole; invitedBy: string | null; days: number },
): Promise<InvitationWithToken> {
  const address = checkedEmail(email)
  const token = newLinkToken()
  return inTransaction(pool, async (client) => {
    const team = await client.query<{ name: string }>('select name from teams where id = $1 for update', [teamId])
    const [found] = team.rows
    if (!found) throw new SluiceError('NOT_FOUND', `There is no team ${teamId}.`, { path: 'team_id' })
    const member = await client.query(
      'select 1 from team_members m join users u on u.id = m.user_id where m.team_id = $1 and u.email = $2',
      [teamId, address],
    )
    if (member.rows.length > 0) {
      throw new SluiceError('CONFLICT', `${address} is a member of this team already; change their role instead.`, {
        path: 'email',
      })
    }
    await client.query('delete from invitations where team_id = $1 and email = $2 and accepted_at is null', [
      teamId,
      address,
    ])
    const open = await client.query<{ count: number }>(
      'select count(*)::int as count from invitations where team_id = $1 and accepted_at is null and expires_at > now()',
      [teamId],
    )
    if ((open.rows[0]?.count ?? 0) >= openPerTeam) {
      throw new SluiceError(
        'RATE_LIMITED',
        `The team has ${openPerTeam} open invitations. Revoke some, or wait until they are accepted.`,
        { details: { limit: 'open_invitations' } },
      )
    }
    const { rows } = await client.query<Invitation>(
      `insert into invitations (team_id, email, role, token_hash, invited_by, expires_at)
       values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
       returning id, team_id, email, role, expires_at`,
      [teamId, address, role, tokenHash(token), invitedBy, days * 86_400],
    )
    return { ...(rows[0] as Invitation), token, team_name: found.name }
  })
}

/** The team and role of an invitation that is still open. @throws SluiceError NOT_FOUND */
export async function openInvitation({ pool }: Database, id: string): Promise<Invitation> {
  const { rows } = await pool.query<Invitation>(
    'select id, team_id, email, role, expires_at from invitations where id = $1 and accepted_at is null',
    [id],
  )
  if (!rows[0]) throw unknownInvitation(id)
  return rows[0]
}

/** A new link; the one before opens nothing any more. @throws SluiceError NOT_FOUND, RATE_LIMITED */
export async function renewInvitation({ pool }: Database, id: string, days: number): Promise<InvitationWithToken> {
  const token = newLinkToken()
  const { rows } = await pool.query<InvitationWithToken & { previous: Date }>(
    `update invitations i set token_hash = $2, expires_at = now() + make_interval(secs => $3), created_at = now()
       from teams t
      where i.id = $1 and i.accepted_at is null and t.id = i.team_id
        and i.created_at < now() - make_interval(secs => $4)
     returning i.id, i.team_id, i.email, i.role, i.expires_at, t.name as team_name`,
    [id, tokenHash(token), days * 86_400, resendSeconds],
  )
  if (rows[0]) return { ...rows[0], token }
  await openInvitation({ pool } as Database, id)
  throw new SluiceError(
    'RATE_LIMITED',
    `The invitation was sent less than ${resendSeconds} seconds ago; wait a little.`,
    {
      details: { limit: 'resend_invitation', retry_after_seconds: resendSeconds },
    },
  )
}

/** @throws SluiceError NOT_FOUND */
export async function revokeInvitation({ pool }: Database, id: string): Promise<void> {
  const { rowCount } = await pool.query('delete from invitations where id = $1 and accepted_at is null', [id])
  if (rowCount === 0) throw unknownInvitation(id)
}

export interface Acceptance {
  readonly token: string
  /** For a person who is new here. */
  readonly name: string | null
  /** A new person's own choice; for a known one, the one they have, unless they are signed in. */
  readonly password: string | null
  /** Who is signed in while accepting. */
  readonly signedIn: string | null
  /** Asked before a password is checked, and told when it was wrong. */
  readonly guard: { check(email: string): Promise<void>; failed(email: string): Promise<void> }
  readonly slowHash?: Pick<SlowHash, 'verify'>
}

/**
 * Makes the invited person a member. Nobody loses a stronger role by accepting a weaker one.
 *
 * @throws SluiceError GONE for a link that opens nothing; VALIDATION_FAILED for name or password; UNAUTHENTICATED when a
 * known person has not shown that it is them.
 */
export async function acceptInvitation(
  database: Database,
  acceptance: Acceptance,
): Promise<{ userId: string; invitation: Invitation }> {
  const { pool } = database
  const hash = tokenHash(acceptance.token)
  const seen = await findOpen(pool, hash)
  const known = await pool.query<{ id: string; password_hash: string | null; disabled: boolean }>(
    'select id, password_hash, disabled_at is not null as disabled from users where email = $1',
    [seen.email],
  )
  const [user] = known.rows
  // What costs argon2 is done before the transaction, which holds a connection.
  const proven = user ? await prove(user, seen.email, acceptance) : await newPerson(seen.email, acceptance)

  return inTransaction(pool, async (client) => {
    const invitation = await findOpen(client, hash, 'for update')
    const userId = 'id' in proven ? proven.id : await insertPerson(client, seen.email, proven)
    await client.query('update invitations set accepted_at = now() where id = $1', [invitation.id])
    await client.query(
      `insert into team_members (team_id, user_id, role) values ($1, $2, $3)
       on conflict (team_id, user_id) do update set role = excluded.role
        where (team_members.role, excluded.role) in (('viewer', 'editor'), ('viewer', 'admin'), ('editor', 'admin'))`,
      [invitation.team_id, userId, invitation.role],
    )
    return { userId, invitation }
  })
}

async function prove(
  user: { id: string; password_hash: string | null; disabled: boolean },
  email: string,
  { signedIn, password, guard, slowHash }: Acceptance,
): Promise<{ id: string }> {
  if (signedIn === user.id) return { id: user.id }
  if (password === null) {
    throw new SluiceError(
      'UNAUTHENTICATED',
      `There is already a person with the address ${email}. Sign in as them and accept then, or give their password.`,
      { path: 'password' },
    )
  }
  await guard.check(email)
  const right = await passwordMatches(user.password_hash, password, slowHash)
  if (!right || user.disabled) {
    await guard.failed(email)
    throw new SluiceError('UNAUTHENTICATED', 'The password is wrong.', { path: 'password' })
  }
  return { id: user.id }
}

async function newPerson(
  email: string,
  { name, password }: Acceptance,
): Promise<{ name: string; passwordHash: string }> {
  if (name === null || password === null) {
    throw new SluiceError('VALIDATION_FAILED', `${email} is new here: give a name and choose a password.`, {
      path: name === null ? 'name' : 'password',
    })
  }
  const checked = checkedName(name)
  await checkNewPassword(password, email)
  return { name: checked, passwordHash: await hashPassword(password) }
}

async function insertPerson(
  client: PoolClient,
  email: string,
  { name, passwordHash }: { name: string; passwordHash: string },
): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    'insert into users (email, name, password_hash) values ($1, $2, $3) on conflict (email) do nothing returning id',
    [email, name, passwordHash],
  )
  if (!rows[0]) throw new SluiceError('CONFLICT', `${email} has come here by another way meanwhile; accept once more.`)
  return rows[0].id
}

async function findOpen(
  client: Pick<PoolClient, 'query'>,
  hash: Buffer,
  lock: '' | 'for update' = '',
): Promise<Invitation> {
  const { rows } = await client.query<Invitation>(
    `select id, team_id, email, role, expires_at from invitations
      where token_hash = $1 and accepted_at is null and expires_at > now() ${lock}`,
    [hash],
  )
  if (rows[0]) return rows[0]
  throw new SluiceError(
    'GONE',
    'This invitation was accepted, withdrawn or replaced, or has expired. Ask the team for a new one.',
    { path: 'token' },
  )
}

function unknownInvitation(id: string): SluiceError {
  return new SluiceError('NOT_FOUND', `You have no open invitation ${id}.`, { path: 'id' })
}
