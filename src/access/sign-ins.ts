/**
 * Sign-ins: what a person has after proving who they are, on one device.
 *
 * A sign-in is **live** from its start until it ends: it is signed out of, its
 * person is (everywhere), it was not used for `idleSeconds`, it is
 * `longestSeconds` old, or an old refresh token of it was used again. While it
 * is live its newest refresh token gives a new access token and the next
 * refresh token. An **ended** one gives nothing, and its access tokens, which
 * carry its id, are void at once in every gateway process (revocations.ts).
 *
 * One token back is answered for `graceMs` after it was replaced, because an
 * answer may be lost on its way; later, or an older one, it is taken for stolen
 * (RFC 9700, 4.14.2).
 */
import { randomUUID } from 'node:crypto'
import type { PoolClient } from 'pg'
import { type Database, inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { readPerson } from './people.ts'
import { allowedRoles, type Principal } from './principal.ts'
import { createRefreshTokens, tokenHash } from './refresh-token.ts'
import type { Tokens } from './tokens.ts'

/** What a person gets; in GraphQL's names. */
export interface SignInAnswer {
  readonly token: string
  /** Seconds. */
  readonly expires_in: number
  readonly role: string
  readonly allowed_roles: readonly string[]
  readonly refresh_token: string
  /** When the refresh token ends unless it is used before. */
  readonly refresh_expires_at: Date
  /** Seconds until then. */
  readonly refresh_expires_in: number
}

export interface Begun {
  readonly answer: SignInAnswer
  readonly principal: Principal
}

/** Where a sign-in is used from; shown to the person. */
export interface Device {
  readonly address: string | null
  readonly userAgent?: string | null
}

export interface SignIns {
  /** Starts one for a person who has proved who they are. */
  begin(userId: string, device: Device): Promise<Begun>
  /**
   * @throws SluiceError UNAUTHENTICATED. With `details.reason` `reused` the sign-in was ended for safety: `userId` of
   * the thrown `RefreshReused` says whose.
   */
  refresh(refreshToken: string, device: Device): Promise<Begun>
  /** Goes on with one after its person's tokens were voided: new tokens for this device. */
  renew(signInId: string, device: Device): Promise<Begun>
  end(signInId: string, userId: string): Promise<void>
}

export interface SignInsOptions {
  readonly database: Database
  readonly tokens: Pick<Tokens, 'issue'>
  readonly secretKey: string
  readonly idleSeconds: number
  readonly longestSeconds: number
  /** @default 10000 */
  readonly graceMs?: number
}

/** An old refresh token came back. */
export class RefreshReused extends SluiceError {
  readonly userId: string

  constructor(userId: string) {
    super(
      'UNAUTHENTICATED',
      'This refresh token was used before, so somebody else may have a copy. The sign-in was ended; sign in again, and change your password if you do not know why.',
      { details: { reason: 'reused' } },
    )
    this.userId = userId
  }
}

interface SignInRow {
  id: string
  user_id: string
  refresh_hash: Buffer
  previous_refresh_hash: Buffer | null
  ended: boolean
  in_grace: boolean
}

export function createSignIns(options: SignInsOptions): SignIns {
  const { database, tokens, secretKey, idleSeconds, longestSeconds, graceMs = 10_000 } = options
  const { pool } = database
  const refreshTokens = createRefreshTokens(secretKey)

  const answered = async (principal: Principal, refreshToken: string, expiresAt: Date): Promise<Begun> => {
    const { token, expiresIn } = await tokens.issue(principal)
    return {
      principal,
      answer: {
        token,
        expires_in: expiresIn,
        role: principal.role,
        allowed_roles: allowedRoles(principal),
        refresh_token: refreshToken,
        refresh_expires_at: expiresAt,
        refresh_expires_in: Math.max(
          0,
          Math.round((expiresAt.getTime() - (principal.issuedAt?.getTime() ?? 0)) / 1000),
        ),
      },
    }
  }

  /** Replaces the refresh token of a live sign-in. */
  const rotate = async (
    client: PoolClient,
    { id, refresh_hash }: SignInRow,
    next: string,
    device: Device,
  ): Promise<Date> => {
    const { rows } = await client.query<{ expires_at: Date }>(
      `update sign_ins
          set refresh_hash = $2, previous_refresh_hash = $3, last_used_at = clock_timestamp(),
              expires_at = least(clock_timestamp() + make_interval(secs => $4), created_at + make_interval(secs => $5)),
              address = coalesce($6, address), user_agent = coalesce($7, user_agent)
        where id = $1 returning expires_at`,
      [id, tokenHash(next), refresh_hash, idleSeconds, longestSeconds, device.address, agentOf(device)],
    )
    return (rows[0] as { expires_at: Date }).expires_at
  }

  return {
    async begin(userId, device) {
      const { principal, refreshToken, expiresAt } = await inTransaction(pool, async (client) => {
        const person = await readPerson(client, userId)
        const id = randomUUID()
        const first = refreshTokens.first(id)
        const { rows } = await client.query<{ expires_at: Date }>(
          `insert into sign_ins (id, user_id, refresh_hash, expires_at, address, user_agent)
           values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4), $5, $6) returning expires_at`,
          [id, userId, tokenHash(first), Math.min(idleSeconds, longestSeconds), device.address, agentOf(device)],
        )
        const { expires_at } = rows[0] as { expires_at: Date }
        return { principal: { ...person, signInId: id }, refreshToken: first, expiresAt: expires_at }
      })
      return answered(principal, refreshToken, expiresAt)
    },

    async refresh(refreshToken, device) {
      const signInId = refreshTokens.signInOf(refreshToken)
      if (!signInId) throw ended()
      const outcome = await inTransaction(pool, async (client) => {
        const known = await client.query<{ user_id: string }>('select user_id from sign_ins where id = $1', [signInId])
        const userId = known.rows[0]?.user_id
        if (!userId) return { refused: ended() }
        // The person first, as everything that changes both does.
        const person = await readPerson(client, userId)
        const row = await lockSignIn(client, signInId, graceMs)
        if (!row || row.ended) return { refused: ended() }
        const hash = tokenHash(refreshToken)
        const next = refreshTokens.next(refreshToken)
        const principal = { ...person, signInId }
        if (hash.equals(row.refresh_hash)) {
          return { principal, next, expiresAt: await rotate(client, row, next, device) }
        }
        const isOneBack = row.previous_refresh_hash !== null && hash.equals(row.previous_refresh_hash)
        if (isOneBack && row.in_grace && tokenHash(next).equals(row.refresh_hash)) {
          const again = await client.query<{ expires_at: Date }>('select expires_at from sign_ins where id = $1', [
            signInId,
          ])
          return { principal, next, expiresAt: (again.rows[0] as { expires_at: Date }).expires_at }
        }
        await endSignIn(client, signInId)
        return { refused: new RefreshReused(userId) }
      })
      if ('refused' in outcome) throw outcome.refused
      return answered(outcome.principal, outcome.next, outcome.expiresAt)
    },

    async renew(signInId, device) {
      const outcome = await inTransaction(pool, async (client) => {
        const known = await client.query<{ user_id: string }>('select user_id from sign_ins where id = $1', [signInId])
        const userId = known.rows[0]?.user_id
        if (!userId) throw ended()
        const person = await readPerson(client, userId)
        const row = await lockSignIn(client, signInId, graceMs)
        if (!row || row.ended) throw ended()
        const next = refreshTokens.first(signInId)
        return { principal: { ...person, signInId }, next, expiresAt: await rotate(client, row, next, device) }
      })
      return answered(outcome.principal, outcome.next, outcome.expiresAt)
    },

    async end(signInId, userId) {
      await inTransaction(pool, async (client) => {
        const { rows } = await client.query('select 1 from sign_ins where id = $1 and user_id = $2 for update', [
          signInId,
          userId,
        ])
        if (rows.length === 0) throw new SluiceError('NOT_FOUND', 'You have no such sign-in.')
        await endSignIn(client, signInId)
      })
    },
  }
}

/**
 * Ends what a person has: every access token from before now is void, and every sign-in but one is over.
 *
 * @param except the sign-in that goes on; its access tokens are void like the others.
 * @returns false when there is no such person.
 */
export async function endAllSignIns(
  client: PoolClient,
  userId: string,
  except: string | null = null,
): Promise<boolean> {
  // Locked before the clock is read: see the migration `people`.
  await client.query('select 1 from users where id = $1 for no key update', [userId])
  const { rowCount } = await client.query('update users set tokens_valid_from = next_token_moment() where id = $1', [
    userId,
  ])
  await client.query(
    'update sign_ins set ended_at = clock_timestamp() where user_id = $1 and ended_at is null and id is distinct from $2',
    [userId, except],
  )
  return rowCount === 1
}

function endSignIn(client: PoolClient, signInId: string): Promise<unknown> {
  return client.query('update sign_ins set ended_at = clock_timestamp() where id = $1 and ended_at is null', [signInId])
}

async function lockSignIn(client: PoolClient, signInId: string, graceMs: number): Promise<SignInRow | undefined> {
  const { rows } = await client.query<SignInRow>(
    `select id, user_id, refresh_hash, previous_refresh_hash,
            ended_at is not null or expires_at <= clock_timestamp() as ended,
            last_used_at > clock_timestamp() - make_interval(secs => $2) as in_grace
       from sign_ins where id = $1 for update`,
    [signInId, graceMs / 1000],
  )
  return rows[0]
}

function ended(): SluiceError {
  return new SluiceError(
    'UNAUTHENTICATED',
    'This sign-in has ended, or the refresh token is not from here. Sign in again.',
    {
      details: { reason: 'ended' },
    },
  )
}

function agentOf({ userAgent }: Device): string | null {
  return userAgent?.slice(0, 300) ?? null
}
