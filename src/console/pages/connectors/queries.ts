import { gql } from '../../api/gql.ts'
import { type ConnectorRow, connectorFields } from '../connector-parts/manifest.ts'

export interface MarketRow extends ConnectorRow {
  readonly created_at: string
  readonly uninstalled_at: string | null
  /** Of the chosen team, or the platform. */
  readonly connections: readonly { readonly id: string; readonly name: string }[]
}

/** Viewers and editors get what is approved; admins get all. */
export const liveConnectors = gql<
  { connectors: MarketRow[] },
  { owner: object; limit: number; where: Readonly<Record<string, unknown>> }
>(`
  subscription Connectors($owner: uuid_comparison_exp!, $limit: Int!, $where: connectors_bool_exp!) {
    connectors(where: $where, order_by: [{ name: asc }, { implementation: asc }, { created_at: desc }], limit: $limit) {
      ${connectorFields} created_at uninstalled_at
      connections(where: { team_id: $owner }, order_by: [{ name: asc }], limit: 50) { id name }
    }
  }
`)

export interface Installed {
  readonly id: string
  readonly implementation: string
  readonly version: string
  readonly status: string
  readonly created: boolean
}

export const installConnector = gql<
  { install_connector: Installed },
  { tarball: string | null; reference: string | null }
>(`
  mutation InstallConnectorForAdmins($tarball: String, $reference: String) {
    install_connector(tarball: $tarball, reference: $reference) { id implementation version status created }
  }
`)
