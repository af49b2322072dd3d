/** The domain's rules on rows that are written through tables. */
import type { Sealer } from '../access/seal.ts'
import { checkConnectionRow, checkPlans } from '../connectors/connection-rules.ts'
import { destinationRules } from '../sessions/destination-rules.ts'
import { payloadSchemaRules } from '../sessions/payload-schemas.ts'
import { type RetentionLimits, teamRetentionRules } from '../sessions/retention.ts'
import type { SchemaChecker } from '../sessions/schema-checker.ts'
import type { TableRules, WriteRules, WrittenRow } from '../tables/write-rules.ts'
import { notificationEmailRules } from '../webhooks/notification-email.ts'
import { insertWebhookSecrets } from '../webhooks/secrets.ts'
import { checkNewWebhook, checkWebhookChange, checkWebhookRow, type WebhookRules } from '../webhooks/webhooks.ts'
import { nameRules, slugRules } from './slug-rules.ts'

export interface WriteRulesOptions {
  readonly sealer: Sealer
  readonly webhooks: WebhookRules
  readonly checker: SchemaChecker
  readonly retention: RetentionLimits
}

export function createWriteRules({ sealer, webhooks, checker, retention }: WriteRulesOptions): WriteRules {
  return {
    teams: both(slugRules, both(teamRetentionRules(retention), notificationEmailRules)),
    flows: slugRules,
    integrations: both(slugRules, nameRules),
    destinations: destinationRules,
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
      async afterUpdate(rows, { client }) {
        for (const row of rows) checkConnectionRow(row)
        await checkPlans(
          client,
          rows.map(({ id }) => id),
        )
      },
    },
  }
}

/** What is written passes one after the other. */
function both(first: TableRules, second: TableRules): TableRules {
  return {
    beforeInsert: async (values, context) =>
      passed(second.beforeInsert, await passed(first.beforeInsert, values, context), context),
    beforeUpdate: async (values, context) =>
      passed(second.beforeUpdate, await passed(first.beforeUpdate, values, context), context),
  }
}

async function passed(
  rule: TableRules['beforeInsert'],
  values: WrittenRow,
  context: Parameters<NonNullable<TableRules['beforeInsert']>>[1],
): Promise<WrittenRow> {
  return rule ? rule(values, context) : values
}
