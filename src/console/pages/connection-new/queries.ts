import { gql } from '../../api/gql.ts'
import { type ConnectorRow, connectorFields } from '../connector-parts/manifest.ts'

export const connectorToConnect = gql<{ connectors_by_pk: ConnectorRow | null }, { id: string }>(`
  query ConnectorToConnect($id: uuid!) { connectors_by_pk(id: $id) { ${connectorFields} } }
`)

/** Approved versions; the newest of each is offered. */
export const connectorsToConnect = gql<{ connectors: ConnectorRow[] }>(`
  query ConnectorsToConnect {
    connectors(where: { status: { _eq: "approved" } }, order_by: [{ name: asc }], limit: 200) { ${connectorFields} }
  }
`)

interface Choice {
  readonly id: string
  readonly name: string
  readonly slug: string
}

export const choicesForConnection = gql<{ integrations: Choice[]; flows: Choice[] }, { owner: object }>(`
  query ChoicesForConnection($owner: uuid_comparison_exp!) {
    integrations(where: { team_id: $owner }, order_by: [{ name: asc }], limit: 1000) { id name slug }
    flows(where: { team_id: $owner }, order_by: [{ name: asc }], limit: 1000) { id name slug }
  }
`)

export const connect = gql<{ connect: { id: string } }, { object: Readonly<Record<string, unknown>> }>(`
  mutation Connect($object: connect_input!) { connect(object: $object) { id } }
`)
