import { gql } from '../../api/gql.ts'

export interface IntegrationChoice {
  readonly id: string
  readonly name: string
  readonly slug: string
}

export interface FlowChoice {
  readonly id: string
  readonly name: string
  readonly slug: string
}

/** What a webhook can be made of. The platform has no flows. */
export const choicesForWebhook = gql<{ integrations: IntegrationChoice[]; flows: FlowChoice[] }, { owner: object }>(`
  query ChoicesForWebhook($owner: uuid_comparison_exp!) {
    integrations(where: { team_id: $owner }, order_by: [{ name: asc }], limit: 1000) { id name slug }
    flows(where: { team_id: $owner }, order_by: [{ name: asc }], limit: 1000) { id name slug }
  }
`)

export const flowsToExplain = gql<{ flows: FlowChoice[] }, { team: string }>(`
  query FlowsToExplain($team: uuid!) {
    flows(where: { team_id: { _eq: $team } }, order_by: [{ name: asc }], limit: 1000) { id name slug }
  }
`)

/** What can be set of a webhook, as the API names it. */
export interface WebhookSettings {
  readonly name: string
  readonly url: string
  readonly events: readonly string[]
  readonly pattern: unknown
  readonly config: unknown
  readonly headers: Readonly<Record<string, string>>
  readonly signatures: readonly string[]
  readonly ordered: boolean
  readonly rate_per_second: number | null
  readonly concurrency: number
  readonly timeout_ms: number
}

export interface StoredWebhook extends WebhookSettings {
  readonly id: string
  readonly integration_id: string
  readonly enabled: boolean
  readonly secret_header_names: readonly string[]
}

export const webhookToEdit = gql<{ webhooks_by_pk: StoredWebhook | null }, { id: string }>(`
  query WebhookToEdit($id: uuid!) {
    webhooks_by_pk(id: $id) {
      id integration_id enabled name url events pattern config headers secret_header_names signatures
      ordered rate_per_second concurrency timeout_ms
    }
  }
`)

export interface NewWebhook extends WebhookSettings {
  readonly integration_id: string
  readonly secret_headers?: Readonly<Record<string, string>>
  readonly secret?: string
}

export const createWebhook = gql<{ create_webhook: { id: string; secret: string } }, { object: NewWebhook }>(`
  mutation CreateWebhook($object: create_webhook_input!) { create_webhook(object: $object) { id secret } }
`)

export const updateWebhook = gql<
  { update_webhooks_by_pk: StoredWebhook | null },
  { id: string; set: Partial<WebhookSettings> }
>(`
  mutation UpdateWebhook($id: uuid!, $set: webhooks_set_input!) {
    update_webhooks_by_pk(pk_columns: { id: $id }, _set: $set) {
      id name url events pattern config headers signatures ordered rate_per_second concurrency timeout_ms
    }
  }
`)

export const setWebhookHeaders = gql<
  { set_webhook_headers: { id: string } },
  { id: string; headers: Readonly<Record<string, string>>; secret: Readonly<Record<string, string>> }
>(`
  mutation SetWebhookHeaders($id: uuid!, $headers: jsonb!, $secret: jsonb!) {
    set_webhook_headers(id: $id, headers: $headers, secret_headers: $secret) { id }
  }
`)

export interface RecentSession {
  readonly id: string
  readonly kind: 'application' | 'booking'
  readonly config: Readonly<Record<string, unknown>>
  readonly submitted_at: string
  readonly flow: FlowChoice | null
}

export const recentSessions = gql<{ sessions: RecentSession[] }, { team: string }>(`
  subscription SessionsToExplain($team: uuid!) {
    sessions(where: { team_id: { _eq: $team } }, order_by: [{ submitted_at: desc }], limit: 20) {
      id kind config submitted_at flow { id name slug }
    }
  }
`)

/** A webhook that is being written. */
export interface Draft {
  readonly id?: string
  readonly integration_id: string
  readonly name: string
  readonly enabled: boolean
  readonly events: readonly string[]
  readonly pattern: unknown
}

export interface Explained {
  readonly target: string | null
  readonly is_draft: boolean
  readonly kind: 'webhook' | 'connection'
  readonly name: string | null
  readonly integration_id: string
  readonly integration: string
  readonly matches: boolean
  readonly warning: string | null
  readonly reasons: readonly { readonly code: string; readonly message: string }[]
  readonly clauses: readonly {
    readonly path: string
    readonly operator: string
    readonly expected: unknown
    readonly got: unknown
  }[]
}

export interface Sample {
  readonly team: string
  readonly flow: string
  readonly kind: string
  readonly type: string
  readonly config: unknown
}

/** Without `id`, so that the cache keeps each answer apart: the same webhook is told of otherwise for another event. */
export const explainEvent = gql<{ explain_event: Explained[] }, Sample & { draft: Draft | null }>(`
  query ExplainEventForEditors(
    $team: String!, $flow: String!, $kind: String!, $type: String!, $config: jsonb!, $draft: explain_draft_input
  ) {
    explain_event(team: $team, flow: $flow, kind: $kind, type: $type, config: $config, draft: $draft) {
      target: id is_draft kind name integration_id integration matches warning
      reasons { code message } clauses { path operator expected got }
    }
  }
`)

export const addDestination = gql<
  { insert_destinations_one: { id: string } | null },
  { flow: string; integration: string }
>(`
  mutation AddDestinationOfWebhook($flow: uuid!, $integration: uuid!) {
    insert_destinations_one(object: { flow_id: $flow, integration_id: $integration }) { id }
  }
`)
