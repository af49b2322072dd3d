import { gql } from '../../api/gql.ts'
import type { ConnectionColumns } from '../connector-parts/connection-values.ts'
import { type ConnectorRow, connectorFields, type SettingValue } from '../connector-parts/manifest.ts'
import type { Health } from '../connector-parts/states.tsx'

export type RunStatus = 'succeeded' | 'failed'

export interface ConnectionDetail extends ConnectionColumns {
  readonly id: string
  readonly enabled: boolean
  readonly health: Health
  readonly state_reason: string | null
  readonly consecutive_failures: number
  readonly failing_since: string | null
  readonly probe_at: string | null
  readonly hosts: readonly string[]
  readonly settings: Readonly<Record<string, SettingValue>>
  readonly secret_settings: readonly string[]
  readonly inbound_secret_set_at: string | null
  readonly last_run_at: string | null
  readonly last_run_status: RunStatus | null
  readonly last_run_message: string | null
  readonly next_run_at: string | null
  readonly requested_connector_id: string | null
  readonly connector_id: string
  readonly created_at: string
  readonly updated_at: string
  readonly integration: { readonly id: string; readonly name: string; readonly status: string } | null
  readonly flow: { readonly id: string; readonly name: string } | null
  /** Null when its version may no longer be seen, as it is not approved any more. */
  readonly connector: ConnectorRow | null
}

export const liveConnection = gql<{ connections_by_pk: ConnectionDetail | null }, { id: string }>(`
  subscription Connection($id: uuid!) {
    connections_by_pk(id: $id) {
      id name enabled health state_reason consecutive_failures failing_since probe_at hosts settings secret_settings
      inbound_secret_set_at last_run_at last_run_status last_run_message next_run_at requested_connector_id connector_id
      created_at updated_at flow_id schedule time_zone events pattern run_order concurrency timeout_ms rate_per_second
      ordered config pending_hours
      integration { id name status }
      flow { id name }
      connector { ${connectorFields} }
    }
  }
`)

interface Count {
  readonly aggregate: { readonly count: number }
}

export interface Counts {
  readonly id: string
  readonly exhausted: Count
  readonly open: Count
  readonly failed: Count
  readonly unmatched: Count
  readonly missing: Count
  readonly pending: Count
  readonly received: Count
}

/** What somebody may have to look at, and what is under way. */
export const liveCounts = gql<{ connections_by_pk: Counts | null }, { id: string }>(`
  subscription ConnectionCounts($id: uuid!) {
    connections_by_pk(id: $id) {
      id
      exhausted: deliveries_aggregate(where: { status: { _eq: "exhausted" } }) { aggregate { count } }
      open: deliveries_aggregate(where: { status: { _in: ["pending", "leased", "waiting"] } }) { aggregate { count } }
      failed: raw_sources_aggregate(where: { status: { _eq: "failed" } }) { aggregate { count } }
      unmatched: raw_sources_aggregate(where: { status: { _eq: "unmatched" } }) { aggregate { count } }
      missing: raw_sources_aggregate(where: { status: { _eq: "missing" } }) { aggregate { count } }
      pending: raw_sources_aggregate(where: { status: { _eq: "pending" } }) { aggregate { count } }
      received: raw_sources_aggregate(where: { status: { _eq: "received" } }) { aggregate { count } }
    }
  }
`)

export const testConnection = gql<
  { test_connection: { ok: boolean; tested: boolean; message: string | null; duration_ms: number } },
  { id: string; locale: string }
>(`
  mutation TestConnection($id: uuid!, $locale: String) {
    test_connection(id: $id, locale: $locale) { ok tested message duration_ms }
  }
`)

export const runConnection = gql<{ run_connection: { id: string } }, { id: string }>(`
  mutation RunConnection($id: uuid!) { run_connection(id: $id) { id } }
`)

export const setConnection = gql<
  { update_connections_by_pk: { id: string; enabled: boolean } | null },
  { id: string; set: Readonly<Record<string, unknown>> }
>(`
  mutation SetConnection($id: uuid!, $set: connections_set_input!) {
    update_connections_by_pk(pk_columns: { id: $id }, _set: $set) { id enabled }
  }
`)

export const setSettings = gql<
  { update_connection_settings: { id: string; hosts: readonly string[] } },
  { id: string; settings: Readonly<Record<string, unknown>>; locale: string }
>(`
  mutation SetConnectionSettings($id: uuid!, $settings: jsonb!, $locale: String) {
    update_connection_settings(id: $id, settings: $settings, locale: $locale) { id hosts }
  }
`)

export const deleteConnection = gql<{ delete_connections_by_pk: { id: string } | null }, { id: string }>(`
  mutation DeleteConnection($id: uuid!) { delete_connections_by_pk(id: $id) { id } }
`)

export const flowsOfTeam = gql<{ flows: { id: string; name: string; slug: string }[] }, { owner: object }>(`
  query FlowsForConnection($owner: uuid_comparison_exp!) {
    flows(where: { team_id: $owner }, order_by: [{ name: asc }], limit: 1000) { id name slug }
  }
`)

// Runs

export interface RunRow {
  readonly id: string
  readonly method: string
  readonly status: RunStatus
  readonly message: string | null
  readonly started_at: string
  readonly duration_ms: number
  readonly attempt: number
  readonly dry_run: boolean
  readonly connector: string | null
  readonly revision: number | null
  readonly session_id: string | null
  readonly delivery_id: string | null
  readonly raw_source_id: string | null
}

const runFields = `id method status message started_at duration_ms attempt dry_run connector revision session_id delivery_id raw_source_id`

type Where = Readonly<Record<string, unknown>>

export const liveRuns = gql<{ connector_runs: RunRow[] }, { where: Where; limit: number }>(`
  subscription RunsOfConnection($where: connector_runs_bool_exp!, $limit: Int!) {
    connector_runs(where: $where, order_by: [{ started_at: desc }, { id: desc }], limit: $limit) { ${runFields} }
  }
`)

export interface LogLine {
  readonly at?: string
  readonly level: string
  readonly message: string
}

export interface Call {
  readonly kind: string
  readonly target: string
  readonly status?: number | string | null
  readonly ms?: number
  readonly bytes?: number
}

export interface RunDetail extends RunRow {
  readonly log: readonly LogLine[] | null
  readonly calls: readonly Call[] | null
}

export const runDetail = gql<{ connector_runs_by_pk: RunDetail | null }, { id: string }>(`
  query RunOfConnection($id: uuid!) { connector_runs_by_pk(id: $id) { ${runFields} log calls } }
`)

export const rerun = gql<{ rerun: { delivery_id: string } }, { id: string }>(`
  mutation RerunConnector($id: uuid!) { rerun(run_id: $id) { delivery_id } }
`)

export const modifySession = gql<{ modify_session: { session_id: string } }, { connection: string; session: string }>(`
  mutation ModifySession($connection: uuid!, $session: uuid!) {
    modify_session(connection_id: $connection, session_id: $session) { session_id }
  }
`)

// Dry runs

export interface SessionChoice {
  readonly id: string
  readonly kind: string
  readonly submitted_at: string
  readonly payment_id: string | null
  readonly flow: { readonly id: string; readonly name: string } | null
}

export const sessionsForDryRun = gql<{ sessions: SessionChoice[] }, { where: Where }>(`
  query SessionsForDryRun($where: sessions_bool_exp!) {
    sessions(where: $where, order_by: [{ position: desc }], limit: 50) {
      id kind submitted_at payment_id flow { id name }
    }
  }
`)

export interface DryRunAnswer {
  readonly id: string
  readonly succeeded: boolean
  readonly message: string | null
  readonly duration_ms: number
  readonly log: readonly LogLine[]
  readonly calls: readonly Call[]
  readonly withheld: readonly {
    readonly kind: string
    readonly method: string | null
    readonly target: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: string | null
  }[]
}

export const dryRun = gql<
  { dry_run_connection: DryRunAnswer },
  { connection: string; session: string; fixtures: unknown }
>(`
  mutation DryRunConnection($connection: uuid!, $session: uuid!, $fixtures: jsonb) {
    dry_run_connection(connection_id: $connection, session_id: $session, fixtures: $fixtures) {
      id succeeded message duration_ms log calls withheld
    }
  }
`)

// Deliveries

export interface DeliveryRow {
  readonly id: string
  readonly status: 'pending' | 'leased' | 'waiting' | 'succeeded' | 'exhausted' | 'cancelled'
  readonly attempt_count: number
  readonly due_at: string | null
  readonly last_error: string | null
  readonly created_at: string
  readonly finished_at: string | null
  readonly session_id: string | null
  readonly event: { readonly id: string; readonly type: string } | null
}

export const liveDeliveries = gql<{ deliveries: DeliveryRow[] }, { where: Where; limit: number }>(`
  subscription DeliveriesOfConnection($where: deliveries_bool_exp!, $limit: Int!) {
    deliveries(where: $where, order_by: [{ created_at: desc }, { id: desc }], limit: $limit) {
      id status attempt_count due_at last_error created_at finished_at session_id event { id type }
    }
  }
`)

export const sendAgain = gql<{ replay_delivery: { id: string } }, { id: string }>(`
  mutation SendConnectionDeliveryAgain($id: uuid!) { replay_delivery(id: $id) { id } }
`)

export const sendAllAgain = gql<
  { replay_deliveries: { id: string | null; total: number } },
  { object: Readonly<Record<string, unknown>> }
>(`
  mutation SendConnectionDeliveriesAgain($object: replay_deliveries_input!) {
    replay_deliveries(object: $object) { id total }
  }
`)

// Raw sources

export type SourceStatus = 'pending' | 'received' | 'converted' | 'discarded' | 'failed' | 'missing' | 'unmatched'

export interface SourceRow {
  readonly id: string
  readonly status: SourceStatus
  readonly origin: 'fetched' | 'inbound'
  readonly size: number | null
  readonly mime: string | null
  readonly repeats: number
  readonly is_refused: boolean
  readonly is_late: boolean
  readonly due_at: string | null
  readonly created_at: string
  readonly received_at: string | null
  readonly converted_at: string | null
  readonly purged_at: string | null
  readonly session_id: string | null
  // Editors are told what it says.
  readonly unique_id?: string | null
  readonly external_id?: string | null
  readonly description?: string | null
  readonly participants?: string | null
  readonly message?: string | null
}

const sourceFields = `
  id status origin size mime repeats is_refused is_late due_at created_at received_at converted_at purged_at session_id
`

export const liveSources = gql<{ raw_sources: SourceRow[] }, { where: Where; limit: number }>(`
  subscription RawSourcesOfConnection($where: raw_sources_bool_exp!, $limit: Int!) {
    raw_sources(where: $where, order_by: [{ created_at: desc }, { id: desc }], limit: $limit) { ${sourceFields} }
  }
`)

export const liveSourcesForEditors = gql<{ raw_sources: SourceRow[] }, { where: Where; limit: number }>(`
  subscription RawSourcesOfConnectionForEditors($where: raw_sources_bool_exp!, $limit: Int!) {
    raw_sources(where: $where, order_by: [{ created_at: desc }, { id: desc }], limit: $limit) {
      ${sourceFields} unique_id external_id description participants message
    }
  }
`)

export const convertAgain = gql<
  { convert_raw_sources: { count: number } },
  { ids: readonly string[] | null; connection: string | null; status: string | null }
>(`
  mutation ConvertRawSources($ids: [uuid!], $connection: uuid, $status: String) {
    convert_raw_sources(ids: $ids, connection_id: $connection, status: $status) { count }
  }
`)

export const discardSources = gql<{ discard_raw_sources: { discarded: number } }, { ids: readonly string[] }>(`
  mutation DiscardRawSources($ids: [uuid!]!) { discard_raw_sources(ids: $ids) { discarded } }
`)

export interface SourceContent {
  readonly id: string
  /** Base64. */
  readonly content: string
  readonly mime: string | null
  readonly size: number
}

export const sourceContent = gql<{ raw_source_content: SourceContent }, { id: string }>(`
  mutation RawSourceContent($id: uuid!) { raw_source_content(id: $id) { id content mime size } }
`)

// Payloads of third parties

export interface InboundAddress {
  readonly authentication: 'secret' | 'connector'
  readonly reply: 'stored' | 'result'
  readonly url: string
  readonly global_url: string
  readonly live_secrets: number
  readonly secret_set_at: string | null
}

export const inboundAddress = gql<{ inbound_address: InboundAddress }, { id: string }>(`
  query InboundAddress($id: uuid!) {
    inbound_address(connection_id: $id) { authentication reply url global_url live_secrets secret_set_at }
  }
`)

export const rotateInbound = gql<
  { rotate_inbound_secret: { secret: string; previous_until: string | null } },
  { id: string; overlap: number }
>(`
  mutation RotateInboundSecret($id: uuid!, $overlap: Int) {
    rotate_inbound_secret(connection_id: $id, overlap_seconds: $overlap) { secret previous_until }
  }
`)

// Other versions

export const otherVersions = gql<{ connectors: ConnectorRow[] }, { implementation: string; id: string }>(`
  subscription VersionsForUpgrade($implementation: String!, $id: uuid!) {
    connectors(
      where: { implementation: { _eq: $implementation }, id: { _neq: $id }, status: { _eq: "approved" } }
      order_by: [{ created_at: desc }]
      limit: 50
    ) { ${connectorFields} }
  }
`)

export interface UpgradeDifference {
  readonly permissions_added: readonly string[]
  readonly permissions_removed: readonly string[]
  readonly kinds_added: readonly string[]
  readonly kinds_removed: readonly string[]
  readonly settings_added: readonly string[]
  readonly settings_removed: readonly string[]
  readonly settings_changed: readonly string[]
  readonly settings_missing: readonly string[]
  readonly widens: boolean
}

export const upgradePreview = gql<{ connector_upgrade_preview: UpgradeDifference }, { id: string; connector: string }>(`
  query UpgradePreviewForEditors($id: uuid!, $connector: uuid!) {
    connector_upgrade_preview(id: $id, connector_id: $connector) {
      permissions_added permissions_removed kinds_added kinds_removed
      settings_added settings_removed settings_changed settings_missing widens
    }
  }
`)

export const upgradeConnection = gql<
  { upgrade_connection: { id: string; upgraded: boolean; message: string | null } },
  {
    id: string
    connector: string
    settings: Readonly<Record<string, unknown>>
    accept: boolean
    locale: string
  }
>(`
  mutation UpgradeConnection($id: uuid!, $connector: uuid!, $settings: jsonb, $accept: Boolean, $locale: String) {
    upgrade_connection(id: $id, connector_id: $connector, settings: $settings, accept_widened: $accept, locale: $locale) {
      id upgraded message
    }
  }
`)
