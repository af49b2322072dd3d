/** What the GraphQL actions of webhooks do, for who may do it: admins, and editors of the webhook's team. */
import type { Principal } from '../access/principal.ts'
import { SluiceError } from '../errors.ts'
import { explainEvent } from './explain.ts'
import type { WebhookActions } from './schema.ts'
import { createWebhookSecret } from './secrets.ts'
import { setWebhookHeaders } from './set-headers.ts'
import { rotateWebhookKey } from './signing-keys.ts'
import { exportWebhooks, importWebhooks } from './transfer.ts'
import { createWebhook, type NewWebhook, type WebhookParts } from './webhooks.ts'

/** The longest that an old secret goes on beside a new one. */
const longestOverlapSeconds = 30 * 86_400
/** Workers sign with what they read of a webhook moments ago, and receivers keep public keys for minutes. */
const usualKeyOverlapSeconds = 7 * 86_400

/** `committed` is called when rows have changed. */
export function createWebhookActions(parts: WebhookParts & { readonly committed: () => void }): WebhookActions {
  const { database, sealer, committed } = parts
  return {
    async create(object, { principal }) {
      const integrationId = String(object.integration_id)
      await requireOwn('integration', integrationId, principal)
      const given = Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
      const { webhook, secret } = await createWebhook(parts, given as NewWebhook)
      committed()
      return { id: webhook.id, secret }
    },

    async setHeaders(change, { principal }) {
      await requireOwn('webhook', change.id, principal)
      const result = await setWebhookHeaders(database, sealer, change)
      committed()
      return result
    },

    async rotateSecret(id, overlapSeconds, { principal }) {
      checkOverlap(overlapSeconds ?? 0)
      await requireOwn('webhook', id, principal)
      const overlapMs = overlapSeconds === null ? undefined : overlapSeconds * 1000
      const secret = await createWebhookSecret({ pool: database.pool, sealer }, { webhook_id: id, overlapMs })
      committed()
      return { secret }
    },

    async rotateKey(overlapSeconds) {
      const seconds = overlapSeconds ?? usualKeyOverlapSeconds
      checkOverlap(seconds)
      const { kid, whpk, previous_until } = await rotateWebhookKey(database, sealer, seconds)
      committed()
      return { kid, whpk, previous_until: previous_until.toISOString() }
    },

    async export(teamId, format, { principal }) {
      await requireOwn('team', teamId, principal)
      return exportWebhooks(database.pool, teamId, format)
    },

    async import(request, { principal }) {
      await requireOwn('team', request.team_id, principal)
      const result = await importWebhooks(parts, request)
      if (result.written) committed()
      return result
    },

    explain: (event, { principal }) => explainEvent(database.pool, event, principal),
  }

  /** What is another team's is answered as what is not there. */
  async function requireOwn(what: keyof typeof owners, id: string, principal: Principal): Promise<void> {
    const teams = principal.variables['x-hasura-team-ids']
    const { rows } = await database.pool.query(
      `select 1 from ${owners[what].table} where id = $1 and ($2 or ${owners[what].team} = any($3::uuid[]))`,
      [id, principal.role === 'admin', Array.isArray(teams) ? teams : []],
    )
    if (rows.length > 0) return
    throw new SluiceError('NOT_FOUND', `You have no ${what} ${id}.`, { path: what === 'team' ? 'team_id' : 'id' })
  }
}

const owners = {
  team: { table: 'teams', team: 'id' },
  integration: { table: 'integrations', team: 'team_id' },
  webhook: { table: 'webhooks', team: 'team_id' },
} as const

function checkOverlap(seconds: number): void {
  if (seconds >= 0 && seconds <= longestOverlapSeconds) return
  throw new SluiceError('VALIDATION_FAILED', `overlap_seconds must be between 0 and ${longestOverlapSeconds}.`, {
    path: 'overlap_seconds',
  })
}
