import { gql } from '../../api/gql.ts'
import type { RecentSession } from '../webhook-new/queries.ts'

export interface WebhookRow {
  readonly id: string
  readonly name: string
  readonly url: string
  readonly events: readonly string[]
  readonly enabled: boolean
  readonly state: 'active' | 'failing' | 'disabled' | 'probing'
  readonly failing_since: string | null
  readonly integration: { readonly id: string; readonly name: string } | null
  /** None, or the newest. */
  readonly succeeded: readonly { readonly id: string; readonly finished_at: string | null }[]
}

/** A boolean expression over webhooks. */
export type WebhooksWhere = Readonly<Record<string, unknown>>

export const liveWebhooks = gql<{ webhooks: WebhookRow[] }, { where: WebhooksWhere; limit: number }>(`
  subscription Webhooks($where: webhooks_bool_exp!, $limit: Int!) {
    webhooks(where: $where, order_by: [{ name: asc }, { id: asc }], limit: $limit) {
      id name url events enabled state failing_since
      integration { id name }
      succeeded: deliveries(where: { status: { _eq: "succeeded" } }, order_by: [{ created_at: desc }], limit: 1) {
        id finished_at
      }
    }
  }
`)

export const exportWebhooks = gql<{ export_webhooks: string }, { team: string; format: string }>(`
  query ExportWebhooksForEditors($team: uuid!, $format: String!) { export_webhooks(team_id: $team, format: $format) }
`)

export interface ImportedLine {
  readonly line: number
  readonly integration: string | null
  readonly name: string | null
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'error'
  readonly column: string | null
  readonly message: string | null
  readonly secret: string | null
}

export interface Imported {
  readonly written: boolean
  readonly created: number
  readonly updated: number
  readonly unchanged: number
  readonly errors: number
  readonly lines: readonly ImportedLine[]
}

export const importWebhooks = gql<
  { import_webhooks: Imported },
  { team: string; format: string; document: string; dry: boolean; skip: boolean }
>(`
  mutation ImportWebhooks($team: uuid!, $format: String!, $document: String!, $dry: Boolean!, $skip: Boolean!) {
    import_webhooks(team_id: $team, format: $format, document: $document, dry_run: $dry, skip_errors: $skip) {
      written created updated unchanged errors
      lines { line integration name outcome column message secret }
    }
  }
`)

export const sessionToExplain = gql<{ sessions_by_pk: RecentSession | null }, { id: string }>(`
  query SessionToExplain($id: uuid!) {
    sessions_by_pk(id: $id) { id kind config submitted_at flow { id name slug } }
  }
`)
