/** What the GraphQL actions of webhooks do, for who may do it: admins, and editors of the webhook's team. */
import { requireOwn } from '../access/own.ts'
import { SluiceError } from '../errors.ts'
import type { ChangeFeed } from '../live/change-feed.ts'
import { explainEvent } from './explain.ts'
import { createReplayActions } from './replay-actions.ts'
import type { WebhookActions } from './schema.ts'
import { createWebhookSecret } from './secrets.ts'
import { setWebhookHeaders } from './set-headers.ts'
import { rotateWebhookKey } from './signing-keys.ts'
import { testWebhook } from './test-event.ts'
import { exportWebhooks, importWebhooks } from './transfer.ts'
import { createWebhook, type NewWebhook, type WebhookParts } from './webhooks.ts'

/** The longest that an old secret goes on beside a new one. */
const longestOverlapSeconds = 30 * 86_400
/** Workers sign with what they read of a webhook moments ago, and receivers keep public keys for minutes. */
const usualKeyOverlapSeconds = 7 * 86_400

/** The longest that `test_webhook` waits: more than an attempt may take (30 s) would tell no more. */
const longestTestSeconds = 35

/** `committed` is called when rows have changed; `feed` tells of what workers did. */
export function createWebhookActions(
  parts: WebhookParts & { readonly committed: () => void; readonly feed: ChangeFeed },
): WebhookActions {
  const { database, sealer, committed, feed } = parts
  return {
    ...createReplayActions({ pool: database.pool, committed }),

    async test(id, waitSeconds, { principal }) {
      if (!(waitSeconds >= 0 && waitSeconds <= longestTestSeconds)) {
        const message = `wait_seconds must be between 0 and ${longestTestSeconds}.`
        throw new SluiceError('VALIDATION_FAILED', message, { path: 'wait_seconds' })
      }
      await requireOwn(database.pool, 'webhook', id, principal, 'id')
      const requestedBy = principal.kind === 'person' ? principal.id : null
      return testWebhook({ pool: database.pool, feed, committed }, id, { waitMs: waitSeconds * 1000, requestedBy })
    },

    async create(object, { principal }) {
      const integrationId = String(object.integration_id)
      await requireOwn(database.pool, 'integration', integrationId, principal, 'integration_id')
      const given = Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
      const { webhook, secret } = await createWebhook(parts, given as NewWebhook)
      committed()
      return { id: webhook.id, secret }
    },

    async setHeaders(change, { principal }) {
      await requireOwn(database.pool, 'webhook', change.id, principal, 'id')
      const result = await setWebhookHeaders(database, sealer, change)
      committed()
      return result
    },

    async rotateSecret(id, overlapSeconds, { principal }) {
      checkOverlap(overlapSeconds ?? 0)
      await requireOwn(database.pool, 'webhook', id, principal, 'id')
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
      await requireOwn(database.pool, 'team', teamId, principal, 'team_id')
      return exportWebhooks(database.pool, teamId, format)
    },

    async import(request, { principal }) {
      await requireOwn(database.pool, 'team', request.team_id, principal, 'team_id')
      const result = await importWebhooks(parts, request)
      if (result.written) committed()
      return result
    },

    explain: (event, draft, { principal }) => explainEvent(database.pool, event, principal, draft),
  }
}

function checkOverlap(seconds: number): void {
  if (seconds >= 0 && seconds <= longestOverlapSeconds) return
  throw new SluiceError('VALIDATION_FAILED', `overlap_seconds must be between 0 and ${longestOverlapSeconds}.`, {
    path: 'overlap_seconds',
  })
}
