import { gql } from '../../api/gql.ts'

export interface Webhook {
  readonly id: string
  readonly name: string
  readonly url: string
  readonly events: readonly string[]
  readonly pattern: Readonly<Record<string, unknown>>
  readonly config: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
  readonly secret_header_names: readonly string[]
  readonly signatures: readonly string[]
  readonly ordered: boolean
  readonly rate_per_second: number | null
  readonly concurrency: number
  readonly timeout_ms: number
  readonly enabled: boolean
  readonly state: 'active' | 'failing' | 'disabled' | 'probing'
  readonly state_reason: string | null
  readonly failing_since: string | null
  readonly consecutive_failures: number
  readonly disabled_at: string | null
  readonly probe_at: string | null
  readonly created_at: string
  readonly integration: { readonly id: string; readonly name: string } | null
  /** The newest first. */
  readonly secrets: readonly { readonly id: string; readonly created_at: string; readonly expires_at: string | null }[]
  readonly succeeded: readonly { readonly id: string; readonly finished_at: string | null }[]
  readonly exhausted: Count
}

interface Count {
  readonly aggregate: { readonly count: number } | null
}

/** To be worked off: not tests, which are tried once. */
export function exhaustedOf(webhook: string): Readonly<Record<string, unknown>> {
  return {
    webhook_id: { _eq: webhook },
    status: { _eq: 'exhausted' },
    last_error: { _is_null: false },
    _not: { operational_event: { type: { _eq: 'webhook.test' } } },
  }
}

// `last_error` is there whenever a delivery was given up, and Postgres has an index of what failed.
export const liveWebhook = gql<{ webhooks_by_pk: Webhook | null }, { id: string }>(`
  subscription Webhook($id: uuid!) {
    webhooks_by_pk(id: $id) {
      id name url events pattern config headers secret_header_names signatures ordered rate_per_second concurrency
      timeout_ms enabled state state_reason failing_since consecutive_failures disabled_at probe_at created_at
      integration { id name }
      secrets(order_by: [{ created_at: desc }], limit: 10) { id created_at expires_at }
      succeeded: deliveries(where: { status: { _eq: "succeeded" } }, order_by: [{ created_at: desc }], limit: 1) {
        id finished_at
      }
      exhausted: deliveries_aggregate(where: {
        status: { _eq: "exhausted" }, last_error: { _is_null: false },
        _not: { operational_event: { type: { _eq: "webhook.test" } } }
      }) { aggregate { count } }
    }
  }
`)

export type DeliveryStatus = 'pending' | 'leased' | 'waiting' | 'succeeded' | 'exhausted' | 'cancelled'

export interface Delivery {
  readonly id: string
  readonly status: DeliveryStatus
  readonly attempt_count: number
  readonly created_at: string
  readonly due_at: string | null
  readonly finished_at: string | null
  readonly last_error: string | null
  readonly session_id: string | null
  readonly replay_id: string | null
  readonly event: { readonly id: string; readonly type: string } | null
  readonly operational_event: { readonly id: string; readonly type: string } | null
}

export const liveDeliveries = gql<
  { deliveries: Delivery[] },
  { where: Readonly<Record<string, unknown>>; limit: number }
>(`
  subscription DeliveriesOfWebhook($where: deliveries_bool_exp!, $limit: Int!) {
    deliveries(where: $where, order_by: [{ created_at: desc }, { id: desc }], limit: $limit) {
      id status attempt_count created_at due_at finished_at last_error session_id replay_id
      event { id type }
      operational_event { id type }
    }
  }
`)

export interface Attempt {
  readonly id: string
  readonly number: number
  readonly outcome: 'succeeded' | 'failed'
  readonly started_at: string
  readonly duration_ms: number
  readonly status_code: number | null
  readonly error_class: string | null
  readonly error_message: string | null
  readonly resolved_address: string | null
  readonly request: Head | null
  readonly response: Head | null
  readonly response_body: string | null
  readonly phases: Readonly<Record<string, number>> | null
  readonly tls: Readonly<Record<string, string>> | null
}

export interface Head {
  readonly method?: string
  readonly url?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}

export const liveDelivery = gql<{ deliveries_by_pk: (Delivery & { attempts: Attempt[] }) | null }, { id: string }>(`
  subscription DeliveryOfWebhook($id: uuid!) {
    deliveries_by_pk(id: $id) {
      id status attempt_count created_at due_at finished_at last_error session_id replay_id
      event { id type }
      operational_event { id type }
      attempts(order_by: [{ number: desc }], limit: 20) {
        id number outcome started_at duration_ms status_code error_class error_message resolved_address
        request response response_body phases tls
      }
    }
  }
`)

export interface Replay {
  readonly id: string
  readonly status: 'running' | 'finished' | 'cancelled'
  readonly missed: boolean
  readonly filter: unknown
  readonly range_from: string | null
  readonly range_to: string | null
  readonly rate_per_second: number
  readonly total: number
  readonly released: number
  readonly skipped: number
  readonly created_at: string
  readonly finished_at: string | null
}

export const liveReplays = gql<{ replays: Replay[] }, { webhook: string; limit: number }>(`
  subscription ReplaysOfWebhook($webhook: uuid!, $limit: Int!) {
    replays(where: { webhook_id: { _eq: $webhook } }, order_by: [{ created_at: desc }], limit: $limit) {
      id status missed filter range_from range_to rate_per_second total released skipped created_at finished_at
    }
  }
`)

export interface News {
  readonly id: string
  readonly type: string
  readonly detail: Readonly<Record<string, unknown>>
  readonly created_at: string
  readonly mailed_at: string | null
}

export const liveNews = gql<{ operational_events: News[] }, { webhook: string; limit: number }>(`
  subscription NewsOfWebhook($webhook: uuid!, $limit: Int!) {
    operational_events(where: { webhook_id: { _eq: $webhook } }, order_by: [{ position: desc }], limit: $limit) {
      id type detail created_at mailed_at
    }
  }
`)

export const enableWebhook = gql<
  { update_webhooks_by_pk: { id: string; enabled: boolean } | null },
  { id: string; enabled: boolean }
>(`
  mutation EnableWebhook($id: uuid!, $enabled: Boolean!) {
    update_webhooks_by_pk(pk_columns: { id: $id }, _set: { enabled: $enabled }) { id enabled }
  }
`)

export const deleteWebhook = gql<{ delete_webhooks_by_pk: { id: string } | null }, { id: string }>(`
  mutation DeleteWebhook($id: uuid!) { delete_webhooks_by_pk(id: $id) { id } }
`)

export const rotateSecret = gql<{ rotate_webhook_secret: { secret: string } }, { id: string; overlap: number }>(`
  mutation RotateWebhookSecret($id: uuid!, $overlap: Int!) {
    rotate_webhook_secret(id: $id, overlap_seconds: $overlap) { secret }
  }
`)

export interface Tested {
  readonly delivery_id: string
  readonly outcome: {
    readonly status: string
    readonly status_code: number | null
    readonly error_class: string | null
    readonly error: string | null
    readonly duration_ms: number
    readonly response_body: string | null
  } | null
}

export const testWebhook = gql<{ test_webhook: Tested }, { id: string }>(`
  mutation TestWebhook($id: uuid!) {
    test_webhook(id: $id, wait_seconds: 35) {
      delivery_id outcome { status status_code error_class error duration_ms response_body }
    }
  }
`)

export const replayDelivery = gql<{ replay_delivery: { id: string; attempt: number } }, { id: string }>(`
  mutation ReplayDelivery($id: uuid!) { replay_delivery(id: $id) { id attempt } }
`)

export const cancelDeliveries = gql<
  { cancel_deliveries: { cancelled: number; more: boolean } },
  { where: Readonly<Record<string, unknown>> }
>(`
  mutation CancelDeliveriesOfWebhook($where: jsonb!) { cancel_deliveries(where: $where) { cancelled more } }
`)

export interface NewReplay {
  readonly webhook_id: string
  readonly where?: Readonly<Record<string, unknown>>
  readonly from?: string
  readonly to?: string
  readonly rate_per_second: number
  readonly missed: boolean
  readonly dry_run: boolean
}

export const replayDeliveries = gql<
  { replay_deliveries: { id: string | null; total: number; skipped: number } },
  { object: NewReplay }
>(`
  mutation ReplayDeliveriesOfWebhook($object: replay_deliveries_input!) {
    replay_deliveries(object: $object) { id total skipped }
  }
`)

export const cancelReplay = gql<
  { cancel_replay: { id: string; status: string; total: number; released: number; skipped: number } },
  { id: string }
>(`
  mutation CancelReplayOfWebhook($id: uuid!) { cancel_replay(id: $id) { id status total released skipped } }
`)

export interface FlowToReplay {
  readonly id: string
  readonly name: string
  readonly team: { readonly id: string; readonly name: string } | null
}

export const flowsToReplay = gql<{ flows: FlowToReplay[] }, { where: object }>(`
  query FlowsToReplay($where: flows_bool_exp!) {
    flows(where: $where, order_by: [{ name: asc }], limit: 1000) { id name team { id name } }
  }
`)
