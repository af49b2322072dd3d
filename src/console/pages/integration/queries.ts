import { gql } from '../../api/gql.ts'

interface Counted {
  readonly aggregate: { readonly count: number }
}

export interface IntegrationFacts {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly description: string | null
  readonly status: 'active' | 'disabled'
  /** Null for one of the platform. */
  readonly team_id: string | null
  readonly created_at: string
  readonly session_grants_aggregate: Counted
  readonly open_grants: Counted
  /** When a session was first read by it, the youngest. */
  readonly last_read: readonly { readonly id: string; readonly first_retrieved_at: string | null }[]
}

export const liveIntegration = gql<{ integrations_by_pk: IntegrationFacts | null }, { id: string }>(`
  subscription Integration($id: uuid!) {
    integrations_by_pk(id: $id) {
      id slug name description status team_id created_at
      session_grants_aggregate { aggregate { count } }
      open_grants: session_grants_aggregate(
        where: { revoked_at: { _is_null: true }, purged_at: { _is_null: true } }
      ) { aggregate { count } }
      last_read: session_grants(
        where: { first_retrieved_at: { _is_null: false } }, order_by: [{ first_retrieved_at: desc }], limit: 1
      ) { id first_retrieved_at }
    }
  }
`)

export interface PartsOfIntegration {
  readonly destinations: readonly {
    readonly id: string
    readonly config: Readonly<Record<string, unknown>> | null
    readonly flow: {
      readonly id: string
      readonly name: string
      readonly team: { readonly id: string; readonly name: string } | null
    } | null
  }[]
  readonly webhooks: readonly {
    readonly id: string
    readonly name: string
    readonly url: string
    readonly enabled: boolean
    readonly state: 'active' | 'failing' | 'disabled' | 'probing'
  }[]
  readonly connections: readonly {
    readonly id: string
    readonly name: string
    readonly enabled: boolean
    readonly health: 'active' | 'failing' | 'disabled' | 'probing'
    readonly last_run_at: string | null
    readonly connector: { readonly id: string; readonly name: string; readonly version: string } | null
  }[]
  readonly api_credentials: readonly {
    readonly id: string
    readonly name: string
    readonly key_id: string
    readonly expires_at: string | null
    readonly secrets: readonly { readonly id: string; readonly last_used_at: string | null }[]
  }[]
}

/** At most so many of each; more are on their own pages. */
export const partsShown = 50

export const liveParts = gql<
  { integrations_by_pk: (PartsOfIntegration & { readonly id: string }) | null },
  { id: string; flows: object }
>(`
  subscription PartsOfIntegration($id: uuid!, $flows: destinations_bool_exp!) {
    integrations_by_pk(id: $id) {
      id
      destinations(where: $flows, order_by: [{ created_at: asc }], limit: ${partsShown}) {
        id config flow { id name team { id name } }
      }
      webhooks(order_by: [{ name: asc }], limit: ${partsShown}) { id name url enabled state }
      connections(order_by: [{ name: asc }], limit: ${partsShown}) {
        id name enabled health last_run_at connector { id name version }
      }
      api_credentials(
        where: { revoked_at: { _is_null: true } }, order_by: [{ created_at: desc }], limit: ${partsShown}
      ) {
        id name key_id expires_at
        secrets(where: { last_used_at: { _is_null: false } }, order_by: [{ last_used_at: desc }], limit: 1) {
          id last_used_at
        }
      }
    }
  }
`)

export interface GrantRow {
  readonly id: string
  readonly created_at: string
  readonly expires_at: string
  readonly first_retrieved_at: string | null
  readonly revoked_at: string | null
  readonly purged_at: string | null
  readonly session: {
    readonly id: string
    readonly payment_id: string | null
    readonly flow: { readonly id: string; readonly name: string } | null
  } | null
  readonly team: { readonly id: string; readonly name: string } | null
}

export const liveGrants = gql<{ session_grants: GrantRow[] }, { where: object; limit: number }>(`
  subscription GrantsOfIntegration($where: session_grants_bool_exp!, $limit: Int!) {
    session_grants(where: $where, order_by: [{ created_at: desc }], limit: $limit) {
      id created_at expires_at first_retrieved_at revoked_at purged_at team { id name }
      session { id payment_id flow { id name } }
    }
  }
`)

export const updateIntegration = gql<
  { update_integrations_by_pk: { id: string } | null },
  { id: string; set: { name?: string; description?: string | null; status?: 'active' | 'disabled' } }
>(`
  mutation UpdateIntegration($id: uuid!, $set: integrations_set_input!) {
    update_integrations_by_pk(pk_columns: { id: $id }, _set: $set) { id }
  }
`)

export const flowsToAdd = gql<
  { flows: { id: string; name: string; slug: string }[] },
  { team: string; integration: string }
>(`
  query FlowsToAdd($team: uuid!, $integration: uuid!) {
    flows(
      where: { team_id: { _eq: $team }, _not: { destinations: { integration_id: { _eq: $integration } } } }
      order_by: [{ name: asc }], limit: 1000
    ) { id name slug }
  }
`)
