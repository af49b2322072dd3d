/** What the GraphQL actions of webhooks do, for who may do it: admins, and editors of the webhook's team. */
import type { Principal } from '../access/principal.ts'
import { SluiceError } from '../errors.ts'
import type { WebhookActions } from './schema.ts'
import { createWebhookSecret } from './secrets.ts'
import { createWebhook, type NewWebhook, type WebhookParts } from './webhooks.ts'

/** The longest that an old secret goes on beside a new one. */
const longestOverlapSeconds = 30 * 86_400

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

    async rotateSecret(id, overlapSeconds, { principal }) {
      if (overlapSeconds !== null && (overlapSeconds < 0 || overlapSeconds > longestOverlapSeconds)) {
        throw new SluiceError('VALIDATION_FAILED', `overlap_seconds must be between 0 and ${longestOverlapSeconds}.`, {
          path: 'overlap_seconds',
        })
      }
      await requireOwn('webhook', id, principal)
      const overlapMs = overlapSeconds === null ? undefined : overlapSeconds * 1000
      const secret = await createWebhookSecret({ pool: database.pool, sealer }, { webhook_id: id, overlapMs })
      committed()
      return { secret }
    },
  }

  /** What is another team's is answered as what is not there. */
  async function requireOwn(what: 'integration' | 'webhook', id: string, principal: Principal): Promise<void> {
    const teams = principal.variables['x-hasura-team-ids']
    const { rows } = await database.pool.query(
      `select 1 from ${what === 'webhook' ? 'webhooks' : 'integrations'} where id = $1 and ($2 or team_id = any($3::uuid[]))`,
      [id, principal.role === 'admin', Array.isArray(teams) ? teams : []],
    )
    if (rows.length === 0) throw new SluiceError('NOT_FOUND', `You have no ${what} ${id}.`, { path: 'id' })
  }
}
