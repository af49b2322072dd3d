/** What the GraphQL actions of credentials do, for who may do it: admins, and editors of the credential's team. */
import {
  createCredential,
  createKeylessCredential,
  type NewCredential,
  revokeCredential,
  revokeSecret,
  rotateSecret,
  setClientKeys,
} from '../access/credentials.ts'
import { requireOwn } from '../access/own.ts'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import type { Database } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import type { CredentialActions, CredentialInput } from './credential-schema.ts'

export interface CredentialActionsOptions {
  readonly database: Database
  readonly environment: string
  /** Rows have changed. */
  readonly committed: () => void
}

/** How long an old secret goes on beside a new one, unless it is said. */
const usualOverlapSeconds = 86_400
const longestOverlapSeconds = 30 * 86_400
const nameLength = 200

export function createCredentialActions(options: CredentialActionsOptions): CredentialActions {
  const { database, environment, committed } = options
  return {
    async create(object, { principal }) {
      const owner = await ownerOf(database, object, principal)
      const input: NewCredential = {
        ...owner,
        name: checkName(object.name),
        environment,
        expiresAt: checkExpiry(object.expires_at),
        allowedAddresses: object.allowed_addresses ?? [],
        createdBy: principal.kind === 'person' ? principal.id : null,
      }
      const keyless = object.jwks !== undefined && object.jwks !== null
      const made = keyless
        ? { ...(await createKeylessCredential(database, input, object.jwks)), secret: null }
        : await createCredential(database, input)
      committed()
      return made
    },

    async rotate(id, overlapSeconds, { principal }) {
      const overlap = overlapSeconds ?? usualOverlapSeconds
      if (overlap < 0 || overlap > longestOverlapSeconds) {
        throw invalid('overlap_seconds', `must be between 0 and ${longestOverlapSeconds}.`)
      }
      await requireOwn(database.pool, 'credential', id, principal, 'id')
      const { secret, secretId, previousExpiresAt } = await rotateSecret(database, id, overlap)
      committed()
      return { id, secret, secret_id: secretId, previous_expires_at: previousExpiresAt?.toISOString() ?? null }
    },

    async revoke(id, { principal }) {
      await requireOwn(database.pool, 'credential', id, principal, 'id')
      const at = await revokeCredential(database, id)
      committed()
      return { id, ended_at: at.toISOString() }
    },

    async revokeSecret(id, { principal }) {
      await requireOwn(database.pool, 'secret', id, principal, 'id')
      const at = await revokeSecret(database, id)
      committed()
      return { id, ended_at: at.toISOString() }
    },

    async setKeys(id, jwks, { principal }) {
      await requireOwn(database.pool, 'credential', id, principal, 'id')
      await setClientKeys(database, id, jwks)
      committed()
      return { id }
    },
  }
}

/** Whom a new credential is for: an integration (it consumes), or a team, or with neither every team (it is a source). */
async function ownerOf(
  { pool }: Database,
  object: CredentialInput,
  principal: Principal,
): Promise<Pick<NewCredential, 'role' | 'teamId' | 'integrationId'>> {
  const { integration_id: integrationId = null, team_id: teamId = null } = object
  const role = object.role ?? (integrationId ? 'consumer' : 'source')
  if (role !== 'consumer' && role !== 'source') throw invalid('role', 'must be consumer or source.')
  if (role === 'source') {
    if (integrationId) throw invalid('integration_id', 'is for the role consumer; a source belongs to a team.')
    if (!teamId) {
      if (principal.role === 'admin') return { role, teamId: null, integrationId: null }
      throw invalid('team_id', 'must say for which of your teams this source submits.')
    }
    await requireOwn(pool, 'team', teamId, principal, 'object.team_id')
    return { role, teamId, integrationId: null }
  }
  if (!integrationId) throw invalid('integration_id', 'must say which integration this consumer reads for.')
  const { rows } = await pool.query<{ team_id: string | null }>(
    'select team_id from integrations where id = $1 and ($2 or team_id = any($3::uuid[]))',
    [integrationId, ...Object.values(reachOf(principal))],
  )
  const path = 'object.integration_id'
  if (!rows[0]) throw new SluiceError('NOT_FOUND', `You have no integration ${integrationId}.`, { path })
  if (teamId && teamId !== rows[0].team_id) {
    throw invalid('team_id', 'is not the team of this integration. Leave it out; it is known.')
  }
  return { role, teamId: rows[0].team_id, integrationId }
}

function checkName(name: string): string {
  const trimmed = name.trim()
  if (trimmed.length === 0 || trimmed.length > nameLength) {
    throw invalid('name', `must say who holds the credential, in 1 to ${nameLength} characters.`)
  }
  return trimmed
}

function checkExpiry(text: string | null | undefined): Date | null {
  if (text === undefined || text === null) return null
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) throw invalid('expires_at', 'must be a time such as 2027-01-31T12:00:00Z.')
  if (at.getTime() <= Date.now()) throw invalid('expires_at', 'is in the past.')
  return at
}

function invalid(field: string, problem: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `${field} ${problem}`, {
    path: field === 'overlap_seconds' ? field : `object.${field}`,
  })
}
