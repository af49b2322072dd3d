/**
 * API credentials: a public key that finds the row, and one or two live secrets of
 * which only argon2id hashes are kept, or public keys for `private_key_jwt`. A secret
 * that was verified is remembered for a minute as a hash with a salt of this
 * process, so that HTTP Basic on every request does not cost an argon2 run each.
 */
import { hash as digest, randomBytes } from 'node:crypto'
import argon2 from 'argon2'
import { type Database, inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { addressList } from './address-list.ts'
import type { Attempts } from './attempts.ts'
import { checkClientKeys } from './client-keys.ts'
import { everyTeam } from './every-team.ts'
import { checkKey, isSecret, newKey, newSecret, secretEnding } from './key-format.ts'
import { createLastUsed } from './last-used.ts'
import type { Principal, Role } from './principal.ts'
import { argonOptions, createSlowHash, type SlowHash } from './slow-hash.ts'

export interface NewCredential {
  readonly role: 'consumer' | 'source'
  readonly name: string
  readonly environment: string
  /** Null for an event source that may submit for every team. */
  readonly teamId: string | null
  /** A consumer's integration. */
  readonly integrationId: string | null
  readonly expiresAt?: Date | null
  /** Addresses or CIDRs that it may be used from; empty allows all. */
  readonly allowedAddresses?: readonly string[]
  readonly createdBy?: string | null
}

export interface IssuedCredential {
  readonly id: string
  readonly key: string
  /** Shown this once; only its hash is kept. */
  readonly secret: string
}

/** Makes a key and its first secret. @throws SluiceError VALIDATION_FAILED for an address that is none. */
export async function createCredential(database: Database, input: NewCredential): Promise<IssuedCredential> {
  const secret = newSecret(input.environment)
  const hashed = { hash: await argon2.hash(secret, argonOptions), ending: secretEnding(secret) }
  return { ...(await insertCredential(database, input, { secrets: { create: hashed } })), secret }
}

/**
 * Makes a key that has no secret: its holder signs assertions (RFC 7523) with a private key that never leaves them.
 *
 * @param jwks their public keys, as a JWKS.
 * @throws SluiceError VALIDATION_FAILED that says which key cannot be taken.
 */
export async function createKeylessCredential(
  database: Database,
  input: NewCredential,
  jwks: unknown,
): Promise<{ readonly id: string; readonly key: string }> {
  return insertCredential(database, input, { jwks: (await checkClientKeys(jwks)) as object })
}

async function insertCredential(
  { prisma }: Database,
  input: NewCredential,
  proof: { jwks: object } | { secrets: { create: { hash: string; ending: string } } },
): Promise<{ id: string; key: string }> {
  const allowed = [...(input.allowedAddresses ?? [])]
  addressList(allowed)
  const key = newKey(input.environment)
  const { id } = await prisma.apiCredential.create({
    data: {
      role: input.role,
      name: input.name,
      environment: input.environment,
      key_id: key,
      team_id: input.teamId,
      integration_id: input.integrationId,
      expires_at: input.expiresAt ?? null,
      allowed_addresses: allowed,
      created_by: input.createdBy ?? null,
      ...proof,
    },
    select: { id: true },
  })
  return { id, key }
}

export interface RotatedSecret {
  readonly secret: string
  readonly secretId: string
  /** When the secret before it ends; null when there was none. */
  readonly previousExpiresAt: Date | null
}

/**
 * Gives a credential a new secret; the one before lives on for the overlap. Never more than two are live: a still
 * older one ends at once.
 *
 * @throws SluiceError NOT_FOUND when there is no such credential, CONFLICT when it has ended or has no secrets.
 */
export async function rotateSecret(database: Database, id: string, overlapSeconds: number): Promise<RotatedSecret> {
  const { environment } = await database.prisma.apiCredential
    .findUniqueOrThrow({ where: { id }, select: { environment: true } })
    .catch(() => Promise.reject(noCredential(id)))
  const secret = newSecret(environment)
  const hash = await argon2.hash(secret, argonOptions)
  return inTransaction(database.pool, async (client) => {
    // Two who rotate at once wait for each other here.
    const { rows } = await client.query<{ ended: boolean; signs: boolean }>(
      `select revoked_at is not null or coalesce(expires_at <= now(), false) as ended, jwks is not null as signs
         from api_credentials where id = $1 for update`,
      [id],
    )
    if (!rows[0]) throw noCredential(id)
    if (rows[0].ended) throw new SluiceError('CONFLICT', 'This credential has ended; make a new one.', { path: 'id' })
    if (rows[0].signs) {
      throw new SluiceError(
        'CONFLICT',
        'This credential signs with its own keys and has no secret. Give it new keys.',
        {
          path: 'id',
        },
      )
    }
    const ended = await client.query<{ expires_at: Date }>(
      `with live as (select id, row_number() over (order by created_at desc, id desc) as place from api_secrets
                      where credential_id = $1 and (expires_at is null or expires_at > now()))
       update api_secrets s
          set expires_at = case when live.place = 1
                then least(s.expires_at, now() + make_interval(secs => $2)) else now() end
         from live where s.id = live.id
        returning s.expires_at`,
      [id, overlapSeconds],
    )
    const inserted = await client.query<{ id: string }>(
      'insert into api_secrets (credential_id, hash, ending) values ($1, $2, $3) returning id',
      [id, hash, secretEnding(secret)],
    )
    const last = ended.rows.map((row) => row.expires_at).sort((a, b) => b.getTime() - a.getTime())[0]
    return { secret, secretId: inserted.rows[0]?.id as string, previousExpiresAt: last ?? null }
  })
}

/** Replaces the public keys of a credential that signs. @throws SluiceError NOT_FOUND, CONFLICT, VALIDATION_FAILED. */
export async function setClientKeys({ pool }: Database, id: string, jwks: unknown): Promise<void> {
  const keys = await checkClientKeys(jwks)
  const { rowCount } = await pool.query(
    `update api_credentials set jwks = $2 where id = $1 and jwks is not null and revoked_at is null`,
    [id, JSON.stringify(keys)],
  )
  if (!rowCount)
    throw new SluiceError('CONFLICT', 'This credential has ended or uses a secret; make a new one with keys.')
}

/** Ends a credential with all its secrets and tokens; ended before, it stays as it is. Returns when it ended. */
export async function revokeCredential({ pool }: Database, id: string): Promise<Date> {
  const { rows } = await pool.query<{ revoked_at: Date }>(
    'update api_credentials set revoked_at = coalesce(revoked_at, now()) where id = $1 returning revoked_at',
    [id],
  )
  if (!rows[0]) throw noCredential(id)
  return rows[0].revoked_at
}

/** Ends one secret, and the tokens that were got with it. */
export async function revokeSecret({ pool }: Database, secretId: string): Promise<Date> {
  const { rows } = await pool.query<{ expires_at: Date }>(
    'update api_secrets set expires_at = least(expires_at, now()) where id = $1 returning expires_at',
    [secretId],
  )
  if (!rows[0]) throw new SluiceError('NOT_FOUND', `There is no secret ${secretId}.`, { path: 'id' })
  return rows[0].expires_at
}

function noCredential(id: string): SluiceError {
  return new SluiceError('NOT_FOUND', `There is no credential ${id}.`, { path: 'id' })
}

export interface CredentialVerifier {
  /**
   * The principal of a key and secret. Its `signInId` is the secret's id, its `expiresAt` when the credential or the
   * secret ends.
   *
   * @param address of the caller, for counting failures.
   * @throws SluiceError UNAUTHENTICATED; an unknown key and a wrong secret look and cost the same. RATE_LIMITED after
   *   too many failures, UNAVAILABLE when too many secrets are being checked.
   */
  verify(key: string, secret: string, address?: string | null): Promise<Principal>
  /** Forgets what was verified, of one credential or of all: something about it has changed. */
  forget(credentialId?: string): void
  close(): Promise<void>
}

export interface VerifierOptions {
  readonly database: Database
  readonly environment: string
  readonly attempts: Attempts
  readonly slowHash?: SlowHash
  readonly log: Log
}

/** What a wrong secret and an unknown key are both told. */
export const wrongSecret = 'The key or the secret is wrong, or the credential has ended.'

/** How long a verified secret is remembered. What ends meanwhile is forgotten at once, by the change feed. */
const rememberedMs = 60_000
const rememberedMost = 10_000

interface Verified {
  readonly principal: Principal
  readonly until: number
}

export function createCredentialVerifier(options: VerifierOptions): CredentialVerifier {
  const { database, environment, attempts, slowHash = createSlowHash(), log } = options
  const lastUsed = createLastUsed(database, log)
  const salt = randomBytes(32).toString('base64')
  const verified = new Map<string, Verified>()
  // Counts what was forgotten, so that a check which was under way then is not remembered.
  let forgotten = 0
  // What an unknown key is measured against, so that it costs as much as a wrong secret.
  const nobody = argon2.hash(randomBytes(32).toString('hex'), argonOptions)

  return {
    async verify(key, secret, address = null) {
      checkKey(key, environment)
      // The secret has 256 random bits, so a fast hash hides it; the one-shot form costs 1 µs.
      const memory = digest('sha256', `${salt}\u0000${key}\u0000${secret}`, 'base64')
      const known = verified.get(memory)
      if (known && known.until > Date.now()) {
        lastUsed.touch(known.principal.signInId as string)
        return known.principal
      }
      verified.delete(memory)

      await attempts.check('secret', key, address)
      const seen = forgotten
      const row = await findCredential(database, key)
      const accepted = await acceptedSecret(row, secret)
      if (!row || !accepted) {
        await attempts.failed('secret', key, address)
        throw new SluiceError('UNAUTHENTICATED', wrongSecret)
      }
      attempts.succeeded('secret', key, address)
      lastUsed.touch(accepted.id)
      const principal = credentialPrincipal(row, accepted)
      if (seen !== forgotten) return principal
      if (verified.size >= rememberedMost) verified.delete(verified.keys().next().value as string)
      const until = Math.min(Date.now() + rememberedMs, principal.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY)
      verified.set(memory, { principal, until })
      return principal
    },

    forget(credentialId) {
      forgotten += 1
      if (credentialId === undefined) verified.clear()
      for (const [memory, { principal }] of verified) if (principal.id === credentialId) verified.delete(memory)
    },

    close: () => lastUsed.close(),
  }

  /**
   * One argon2 run, whatever the key: of the hash whose secret ends like this one, or of nobody's. What has not the
   * form of a secret is refused without one, for any key.
   */
  async function acceptedSecret(row: CredentialRow | null, secret: string): Promise<SecretRow | null> {
    if (!isSecret(secret)) return null
    const ending = secretEnding(secret)
    const candidates = (row?.secrets ?? []).filter((stored) => stored.ending === null || stored.ending === ending)
    for (const candidate of candidates) if (await slowHash.verify(candidate.hash, secret)) return candidate
    if (candidates.length === 0) await slowHash.verify(await nobody, secret)
    return null
  }
}

interface SecretRow {
  readonly id: string
  readonly hash: string
  readonly ending: string | null
  readonly expires_at: string | null
}

export interface CredentialRow {
  readonly id: string
  readonly role: Role
  readonly team_id: string | null
  readonly integration_id: string | null
  readonly expires_at: Date | null
  readonly allowed_addresses: readonly string[]
  readonly jwks: { readonly keys: readonly object[] } | null
  readonly secrets: readonly SecretRow[]
}

/** The credential with what its principal needs, or null when there is none that is live. */
export async function findCredential({ pool }: Database, key: string): Promise<CredentialRow | null> {
  const { rows } = await pool.query<CredentialRow>({
    name: 'find-credential',
    text: `select c.id, c.role, c.team_id, c.integration_id, c.expires_at, c.allowed_addresses, c.jwks,
                  (select coalesce(json_agg(json_build_object('id', s.id, 'hash', s.hash, 'ending', s.ending,
                                                              'expires_at', s.expires_at)), '[]') from api_secrets s
                    where s.credential_id = c.id and (s.expires_at is null or s.expires_at > now())) as secrets
             from api_credentials c
             left join integrations i on i.id = c.integration_id
            where c.key_id = $1 and c.revoked_at is null and (c.expires_at is null or c.expires_at > now())
              and (i.id is null or i.status = 'active')`,
    values: [key],
  })
  return rows[0] ?? null
}

/** @param secret that it was proved with; null when it was proved by a signed assertion. */
export function credentialPrincipal(row: CredentialRow, secret: SecretRow | null): Principal {
  const ends = [row.expires_at, secret?.expires_at].flatMap((end) => (end ? [new Date(end).getTime()] : []))
  return {
    kind: 'credential',
    id: row.id,
    role: row.role,
    teamId: row.team_id,
    integrationId: row.integration_id,
    expiresAt: ends.length > 0 ? new Date(Math.min(...ends)) : null,
    signInId: secret?.id ?? null,
    allowedAddresses: row.allowed_addresses,
    variables: {
      // A platform's consumer and a source of every team serve also a team that is made while their token lives.
      'x-hasura-team-ids': row.team_id === null ? everyTeam : [row.team_id],
      'x-hasura-integration-id': row.integration_id,
    },
  }
}
