/** Changing a password, or setting a forgotten one by a link in a mail. Either ends every other sign-in. */
import { type Database, inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { checkNewPassword, hashPassword, passwordMatches } from './password.ts'
import { newLinkToken, tokenHash } from './refresh-token.ts'
import { endAllSignIns } from './sign-ins.ts'
import type { SlowHash } from './slow-hash.ts'

/** A person who forgot may ask a few times; a mailbox cannot be flooded from here. */
const openResets = 3

/**
 * A link for whoever has this address and may sign in; null for everybody else.
 *
 * @param seconds until it expires.
 */
export async function newPasswordReset(
  { pool }: Database,
  email: string,
  seconds: number,
): Promise<{ email: string; name: string; token: string } | null> {
  const token = newLinkToken()
  const { rows } = await pool.query<{ email: string; name: string }>(
    `with person as (
       select id, email, name from users u
        where email = $1 and disabled_at is null
          and (select count(*) from password_resets r
                where r.user_id = u.id and r.used_at is null and r.expires_at > now()) < $4
     ), made as (
       insert into password_resets (user_id, token_hash, expires_at)
       select id, $2, now() + make_interval(secs => $3) from person
     )
     select email, name from person`,
    [email.trim().toLowerCase(), tokenHash(token), seconds, openResets],
  )
  return rows[0] ? { ...rows[0], token } : null
}

/** @throws SluiceError GONE for a link that opens nothing; VALIDATION_FAILED for the password. */
export async function resetPassword(
  { pool }: Database,
  token: string,
  password: string,
): Promise<{ userId: string; email: string }> {
  const hash = tokenHash(token)
  const find = `select r.id, u.id as user_id, u.email from password_resets r join users u on u.id = r.user_id
                 where r.token_hash = $1 and r.used_at is null and r.expires_at > now() and u.disabled_at is null`
  const seen = (await pool.query<{ id: string; user_id: string; email: string }>(find, [hash])).rows[0]
  if (!seen) throw spent()
  await checkNewPassword(password, seen.email)
  const passwordHash = await hashPassword(password)
  await inTransaction(pool, async (client) => {
    await client.query('select 1 from users where id = $1 for no key update', [seen.user_id])
    const { rows } = await client.query(`${find} for update of r`, [hash])
    if (rows.length === 0) throw spent()
    await client.query('update password_resets set used_at = now() where user_id = $1 and used_at is null', [
      seen.user_id,
    ])
    await client.query('update users set password_hash = $2 where id = $1', [seen.user_id, passwordHash])
    await endAllSignIns(client, seen.user_id)
  })
  return { userId: seen.user_id, email: seen.email }
}

/**
 * Every other sign-in ends, and so do all access tokens; the caller's sign-in gets new ones (`SignIns.renew`).
 *
 * @throws SluiceError UNAUTHENTICATED when the old one is wrong; VALIDATION_FAILED for the new one.
 */
export async function changePassword(
  { pool }: Database,
  change: {
    readonly userId: string
    readonly signInId: string | null
    readonly old: string
    readonly new: string
    readonly slowHash?: Pick<SlowHash, 'verify'>
  },
): Promise<{ email: string }> {
  const { rows } = await pool.query<{ email: string; password_hash: string | null }>(
    'select email, password_hash from users where id = $1 and disabled_at is null',
    [change.userId],
  )
  const [user] = rows
  if (!(await passwordMatches(user?.password_hash, change.old, change.slowHash)) || !user) {
    throw new SluiceError('UNAUTHENTICATED', 'The old password is wrong.', { path: 'old_password' })
  }
  if (change.old === change.new) {
    throw new SluiceError('VALIDATION_FAILED', 'The new password is the old one; choose another.', {
      path: 'new_password',
    })
  }
  await checkNewPassword(change.new, user.email)
  const passwordHash = await hashPassword(change.new)
  await inTransaction(pool, async (client) => {
    await client.query('select 1 from users where id = $1 for no key update', [change.userId])
    const { rowCount } = await client.query(
      'update users set password_hash = $2 where id = $1 and password_hash = $3',
      [change.userId, passwordHash, user.password_hash],
    )
    if (rowCount === 0) throw new SluiceError('CONFLICT', 'The password was changed meanwhile; try again.')
    await client.query('update password_resets set used_at = now() where user_id = $1 and used_at is null', [
      change.userId,
    ])
    await endAllSignIns(client, change.userId, change.signInId)
  })
  return { email: user.email }
}

function spent(): SluiceError {
  return new SluiceError('GONE', 'This link was used, replaced or has expired. Ask for a new one.', { path: 'token' })
}
