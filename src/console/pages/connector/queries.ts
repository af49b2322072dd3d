import { gql } from '../../api/gql.ts'
import { type ConnectorRow, connectorFields } from '../connector-parts/manifest.ts'
import type { Health } from '../connector-parts/states.tsx'

export interface ConnectorDetail extends ConnectorRow {
  readonly bundle_sha256: string
  readonly source: string
  readonly created_at: string
  readonly reviewed_at: string | null
  readonly review_note: string | null
  readonly uninstalled_at: string | null
}

const detailFields = `${connectorFields} bundle_sha256 source created_at reviewed_at review_note uninstalled_at`

export const liveConnector = gql<{ connectors_by_pk: ConnectorDetail | null }, { id: string }>(`
  subscription Connector($id: uuid!) { connectors_by_pk(id: $id) { ${detailFields} } }
`)

export const liveVersions = gql<{ connectors: ConnectorDetail[] }, { implementation: string; limit: number }>(`
  subscription ConnectorVersions($implementation: String!, $limit: Int!) {
    connectors(where: { implementation: { _eq: $implementation } }, order_by: [{ created_at: desc }], limit: $limit) {
      ${detailFields}
    }
  }
`)

export interface UserRow {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  readonly health: Health
  readonly requested_connector_id: string | null
  readonly integration: { readonly id: string; readonly name: string } | null
  readonly connector: { readonly id: string; readonly version: string } | null
}

export const liveUsers = gql<{ connections: UserRow[] }, { owner: object; implementation: string; limit: number }>(`
  subscription ConnectionsOfConnector($owner: uuid_comparison_exp!, $implementation: String!, $limit: Int!) {
    connections(
      where: { team_id: $owner, connector: { implementation: { _eq: $implementation } } }
      order_by: [{ name: asc }]
      limit: $limit
    ) {
      id name enabled health requested_connector_id
      integration { id name }
      connector { id version }
    }
  }
`)

export const reviewConnector = gql<
  { review_connector: { id: string; status: string } },
  { id: string; decision: 'approve' | 'reject' | 'withdraw'; note: string | null }
>(`
  mutation ReviewConnectorForAdmins($id: uuid!, $decision: String!, $note: String) {
    review_connector(id: $id, decision: $decision, note: $note) { id status }
  }
`)

export const uninstallConnector = gql<{ uninstall_connector: { id: string } }, { id: string }>(`
  mutation UninstallConnectorForAdmins($id: uuid!) { uninstall_connector(id: $id) { id } }
`)
