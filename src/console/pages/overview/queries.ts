import { gql } from '../../api/gql.ts'

export interface Bucket {
  readonly at: string
  readonly sessions: number
  readonly deliveries: number
  readonly exhausted: number
  readonly runs: number
  readonly failed_runs: number
}

interface Counted {
  readonly aggregate: { readonly count: number }
}

interface Target {
  readonly id: string
  readonly webhook_id: string | null
  readonly connection_id: string | null
}

export interface FiguresData {
  readonly activity: {
    readonly buckets: readonly Bucket[]
    readonly waiting_deliveries: number
    readonly oldest_waiting: {
      readonly id: string
      readonly due_at: string
      readonly created_at: string
      readonly session_id: string | null
      readonly webhook_id: string | null
      readonly connection_id: string | null
    } | null
  }
  readonly invalid_sessions: Counted
  readonly missing_payloads: Counted
  readonly failing_webhooks: Counted
  readonly disabled_webhooks: Counted
  readonly troubled_connections: Counted
  /** The newest of each, to lead to. */
  readonly exhausted: readonly Target[]
  readonly failed_runs: readonly { readonly id: string; readonly connection_id: string }[]
  readonly missing: readonly { readonly id: string; readonly connection_id: string }[]
}

export interface FiguresAsk {
  readonly team: string
  readonly seconds: number
  readonly bucket: number
  readonly since: string
}

export const figuresOfTeam = gql<FiguresData, FiguresAsk>(`
  query OverviewFigures($team: uuid!, $seconds: Int!, $bucket: Int!, $since: timestamptz!) {
    activity(team_id: $team, seconds: $seconds, bucket_seconds: $bucket) {
      buckets { at sessions deliveries exhausted runs failed_runs }
      waiting_deliveries
      oldest_waiting { id due_at created_at session_id webhook_id connection_id }
    }
    invalid_sessions: sessions_aggregate(
      where: { team_id: { _eq: $team }, status: { _eq: invalid }, submitted_at: { _gte: $since } }
    ) { aggregate { count } }
    missing_payloads: raw_sources_aggregate(where: { team_id: { _eq: $team }, status: { _eq: missing } }) {
      aggregate { count }
    }
    failing_webhooks: webhooks_aggregate(
      where: { team_id: { _eq: $team }, enabled: { _eq: true }, state: { _eq: failing } }
    ) { aggregate { count } }
    disabled_webhooks: webhooks_aggregate(
      where: { team_id: { _eq: $team }, enabled: { _eq: true }, state: { _in: [disabled, probing] } }
    ) { aggregate { count } }
    troubled_connections: connections_aggregate(
      where: { team_id: { _eq: $team }, enabled: { _eq: true }, health: { _neq: active } }
    ) { aggregate { count } }
    exhausted: deliveries(
      where: { team_id: { _eq: $team }, status: { _eq: exhausted }, last_error: { _is_null: false }, created_at: { _gte: $since } }
      order_by: [{ created_at: desc }]
      limit: 1
    ) { id webhook_id connection_id }
    failed_runs: connector_runs(
      where: {
        connection: { team_id: { _eq: $team } }
        status: { _eq: failed }
        dry_run: { _eq: false }
        started_at: { _gte: $since }
      }
      order_by: [{ started_at: desc }]
      limit: 1
    ) { id connection_id }
    missing: raw_sources(where: { team_id: { _eq: $team }, status: { _eq: missing } }, limit: 1) { id connection_id }
  }
`)

/** Also what tells that figures have changed. */
export const latestSession = gql<{ sessions: { id: string; submitted_at: string }[] }, { team: string }>(`
  subscription LatestSession($team: uuid!) {
    sessions(where: { team_id: { _eq: $team } }, order_by: [{ submitted_at: desc }], limit: 1) { id submitted_at }
  }
`)

export type Health = 'active' | 'failing' | 'disabled' | 'probing'

interface TargetRow {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  readonly failing_since: string | null
  readonly integration: { readonly id: string; readonly name: string } | null
}

/** In trouble first: states sort as they are declared, active, failing, disabled, probing. */
export const liveWebhookHealth = gql<
  { webhooks: (TargetRow & { readonly state: Health })[] },
  { team: string; limit: number }
>(`
  subscription WebhookHealth($team: uuid!, $limit: Int!) {
    webhooks(where: { team_id: { _eq: $team } }, order_by: [{ state: desc }, { name: asc }], limit: $limit) {
      id name enabled state failing_since integration { id name }
    }
  }
`)

export const liveConnectionHealth = gql<
  { connections: (TargetRow & { readonly health: Health })[] },
  { team: string; limit: number }
>(`
  subscription ConnectionHealth($team: uuid!, $limit: Int!) {
    connections(where: { team_id: { _eq: $team } }, order_by: [{ health: desc }, { name: asc }], limit: $limit) {
      id name enabled health failing_since integration { id name }
    }
  }
`)

export interface NewsRow {
  readonly id: string
  readonly type: string
  readonly created_at: string
  /** `detail.error` */
  readonly error: unknown
  readonly webhook: { readonly id: string; readonly name: string } | null
  readonly connection: { readonly id: string; readonly name: string } | null
}

export const liveTeamNews = gql<{ operational_events: NewsRow[] }, { team: string; limit: number }>(`
  subscription NewsOfTeam($team: uuid!, $limit: Int!) {
    operational_events(where: { team_id: { _eq: $team } }, order_by: [{ created_at: desc }], limit: $limit) {
      id type created_at error: detail(path: "$.error") webhook { id name } connection { id name }
    }
  }
`)

export const firstIntegration = gql<{ integrations: { id: string }[] }, { team: string }>(`
  subscription FirstIntegration($team: uuid!) {
    integrations(where: { team_id: { _eq: $team } }, order_by: [{ created_at: asc }], limit: 1) { id }
  }
`)

export const firstDestination = gql<{ destinations: { id: string }[] }, { team: string }>(`
  subscription FirstDestination($team: uuid!) {
    destinations(where: { flow: { team_id: { _eq: $team } } }, limit: 1) { id }
  }
`)
