/**
 * API credentials: a public key that finds the row, and a secret of which only
 * an argon2id hash is kept. A secret that was verified is remembered for a
 * minute as an HMAC under a key of this process, so that HTTP Basic on every
 * request does not cost an argon2 run each.
 */
import { createHmac, randomBytes } from 'node:crypto'
import argon2 from 'argon2'
import type { Database } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { checkKey, newKey, newSecret } from './key-format.ts'
import type { Principal, Role } from './principal.ts'

export interface NewCredential {
  readonly role: 'consumer' | 'source'
  readonly name: string
  readonly environment: string
  /** Null for an event source that may submit for every team. */
  readonly teamId: string | null
  /** A consumer's integration. */
  readonly integrationId: string | null
}

export interface IssuedCredential {
  readonly id: string
  readonly key: string
  /** Shown this once; only its hash is kept. */
  readonly secret: string
}

/** OWASP's minimum for argon2id: 19 MiB, two passes. The secret itself has 256 bits, so more would only cost. */
export const argonOptions = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** Makes a key and its first secret. */
export async function createCredential({ prisma }: Database, input: NewCredential): Promise<IssuedCredential> {
  const key = newKey(input.environment)
  const secret = newSecret(input.environment)
  const { id } = await prisma.apiCredential.create({
    data: {
      role: input.role,
      name: input.name,
      environment: input.environment,
      key_id: key,
      team_id: input.teamId,
      integration_id: input.integrationId,
      secrets: { create: { hash: await argon2.hash(secret, argonOptions) } },
    },
    select: { id: true },
  })
  return { id, key, secret }
}

export interface CredentialVerifier {
  /**
   * The principal of a key and secret.
   *
   * @throws SluiceError UNAUTHENTICATED; an unknown key and a wrong secret look and cost the same.
   */
  verify(key: string, secret: string): Promise<Principal>
}

interface CredentialRow {
  id: string
  role: Role
  team_id: string | null
  integration_id: string | null
  secrets: { id: string; hash: string }[]
  team_ids: string[]
}

/** How long a verified secret is remembered. A revoked credential may be used this much longer over Basic. */
const rememberedMs = 60_000
const rememberedMost = 10_000

export function createCredentialVerifier(database: Database, environment: string): CredentialVerifier {
  const processKey = randomBytes(32)
  const verified = new Map<string, { principal: Principal; until: number }>()
  // What an unknown key is measured against, so that it costs as much as a wrong secret.
  const nobody = argon2.hash(randomBytes(32).toString('hex'), argonOptions)

  return {
    async verify(key, secret) {
      checkKey(key, environment)
      const memory = createHmac('sha256', processKey).update(`${key}\u0000${secret}`).digest('base64')
      const known = verified.get(memory)
      if (known && known.until > Date.now()) return known.principal
      verified.delete(memory)

      const row = await findCredential(database, key)
      const accepted = await acceptedSecret(row, secret, await nobody)
      if (!row || !accepted)
        throw new SluiceError('UNAUTHENTICATED', 'The key or the secret is wrong, or the credential has ended.')
      await database.pool.query('update api_secrets set last_used_at = now() where id = $1', [accepted])
      const principal = principalOf(row)
      if (verified.size >= rememberedMost) verified.delete(verified.keys().next().value as string)
      verified.set(memory, { principal, until: Date.now() + rememberedMs })
      return principal
    },
  }
}

/** The credential with what its principal needs, or null when there is none that is live. */
async function findCredential({ pool }: Database, key: string): Promise<CredentialRow | null> {
  const { rows } = await pool.query<CredentialRow>({
    name: 'find-credential',
    text: `select c.id, c.role, c.team_id, c.integration_id,
                  array(select t.id::text from teams t where c.team_id is null or t.id = c.team_id) as team_ids,
                  (select coalesce(json_agg(json_build_object('id', s.id, 'hash', s.hash)), '[]') from api_secrets s
                    where s.credential_id = c.id and (s.expires_at is null or s.expires_at > now())) as secrets
             from api_credentials c
             left join integrations i on i.id = c.integration_id
            where c.key_id = $1 and c.revoked_at is null and (c.expires_at is null or c.expires_at > now())
              and (i.id is null or i.status = 'active')`,
    values: [key],
  })
  return rows[0] ?? null
}

async function acceptedSecret(row: CredentialRow | null, secret: string, nobody: string): Promise<string | null> {
  for (const candidate of row?.secrets ?? []) if (await argon2.verify(candidate.hash, secret)) return candidate.id
  if (!row || row.secrets.length === 0) await argon2.verify(nobody, secret)
  return null
}

function principalOf(row: CredentialRow): Principal {
  return {
    kind: 'credential',
    id: row.id,
    role: row.role,
    teamId: row.team_id,
    integrationId: row.integration_id,
    expiresAt: null,
    variables: { 'x-hasura-team-ids': row.team_ids, 'x-hasura-integration-id': row.integration_id },
  }
}
