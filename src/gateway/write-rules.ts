/** The domain's rules on rows that are written through tables. */
import type { Sealer } from '../access/seal.ts'
import { checkConnectionRow } from '../connectors/connection-rules.ts'
import { payloadSchemaRules } from '../sessions/payload-schemas.ts'
import { type RetentionLimits, teamRetentionRules } from '../sessions/retention.ts'
import type { SchemaChecker } from '../sessions/schema-checker.ts'
import type { WriteRules } from '../tables/write-rules.ts'
import { insertWebhookSecrets } from '../webhooks/secrets.ts'
import { checkNewWebhook, checkWebhookChange, checkWebhookRow, type WebhookRules } from '../webhooks/webhooks.ts'

export interface WriteRulesOptions {
  readonly sealer: Sealer
  readonly webhooks: WebhookRules
  readonly checker: SchemaChecker
  readonly retention: RetentionLimits
}

export function createWriteRules({ sealer, webhooks, checker, retention }: WriteRulesOptions): WriteRules {
  return {
    teams: teamRetentionRules(retention),
    payload_schemas: payloadSchemaRules(checker),
    webhooks: {
      beforeInsert: (values) => checkNewWebhook(webhooks, values),
      beforeUpdate: (changes) => checkWebhookChange(webhooks, changes),
      // Without a secret nothing could be signed; `rotate_webhook_secret` shows one that the receiver can be given.
      afterInsert: (rows, { client }) =>
        insertWebhookSecrets(
          { client, sealer },
          rows.map(({ id }) => id),
        ),
      afterUpdate(rows) {
        for (const row of rows) checkWebhookRow(webhooks, row)
      },
    },
    connections: {
      afterUpdate(rows) {
        for (const row of rows) checkConnectionRow(row)
      },
    },
  }
}
