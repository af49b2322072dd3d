import { gql } from '../../api/gql.ts'

interface Counted {
  readonly aggregate: { readonly count: number }
}

export interface FlowFacts {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly schema_url: string | null
  readonly created_at: string
  readonly destinations_aggregate: Counted
  readonly invalid: Counted
}

export const liveFlow = gql<{ flows_by_pk: FlowFacts | null }, { id: string }>(`
  subscription Flow($id: uuid!) {
    flows_by_pk(id: $id) {
      id slug name schema_url created_at
      destinations_aggregate { aggregate { count } }
      invalid: sessions_aggregate(where: { status: { _eq: invalid } }) { aggregate { count } }
    }
  }
`)

export const updateFlow = gql<
  { update_flows_by_pk: { id: string } | null },
  { id: string; set: { name?: string; schema_url?: string | null } }
>(`
  mutation UpdateFlow($id: uuid!, $set: flows_set_input!) {
    update_flows_by_pk(pk_columns: { id: $id }, _set: $set) { id }
  }
`)

export interface DestinationRow {
  readonly id: string
  readonly config: Readonly<Record<string, unknown>> | null
  readonly created_at: string
  readonly integration: {
    readonly id: string
    readonly name: string
    readonly status: 'active' | 'disabled'
    readonly team_id: string | null
    readonly webhooks_aggregate: Counted
    readonly connections_aggregate: Counted
    readonly api_credentials_aggregate: Counted
  } | null
}

export const liveDestinations = gql<{ destinations: DestinationRow[] }, { flow: string; limit: number }>(`
  subscription DestinationsOfFlow($flow: uuid!, $limit: Int!) {
    destinations(where: { flow_id: { _eq: $flow } }, order_by: [{ created_at: asc }, { id: asc }], limit: $limit) {
      id config created_at
      integration {
        id name status team_id
        webhooks_aggregate(where: { enabled: { _eq: true } }) { aggregate { count } }
        connections_aggregate(where: { enabled: { _eq: true } }) { aggregate { count } }
        api_credentials_aggregate(where: { revoked_at: { _is_null: true } }) { aggregate { count } }
      }
    }
  }
`)

export interface Misfit {
  readonly code: string
  readonly connector: string | null
  readonly takes: readonly string[]
  readonly has: readonly string[]
}

export interface Available {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly description: string | null
  readonly kind: 'integration' | 'connector'
  readonly is_platform: boolean
  readonly available: boolean
  readonly reason: string | null
  readonly misfits: readonly Misfit[]
  readonly is_destination: boolean
}

export const availableFor = gql<{ available_integrations: Available[] }, { flow: string }>(`
  query AvailableIntegrationsForEditors($flow: uuid!) {
    available_integrations(flow_id: $flow) {
      id slug name description kind is_platform available reason is_destination
      misfits { code connector takes has }
    }
  }
`)

export const addDestination = gql<
  { insert_destinations_one: { id: string } | null },
  { object: { flow_id: string; integration_id: string; config: object } }
>(`
  mutation AddDestination($object: destinations_insert_input!) { insert_destinations_one(object: $object) { id } }
`)

export const setDestinationConfig = gql<
  { update_destinations_by_pk: { id: string; config: unknown } | null },
  { id: string; config: object }
>(`
  mutation SetDestinationConfig($id: uuid!, $config: jsonb!) {
    update_destinations_by_pk(pk_columns: { id: $id }, _set: { config: $config }) { id config }
  }
`)

export const removeDestination = gql<
  { remove_destination: { grants: number; deliveries: number } },
  { id: string; withdraw: boolean }
>(`
  mutation RemoveDestination($id: uuid!, $withdraw: Boolean!) {
    remove_destination(id: $id, withdraw_grants: $withdraw) { grants deliveries }
  }
`)

export interface StoredSchema {
  readonly id: string
  readonly url: string
  readonly name: string
  readonly version: string
  readonly team_id: string | null
  readonly updated_at: string
}

/** Without the documents: one may have 2 MB. */
export const liveSchemas = gql<{ payload_schemas: StoredSchema[] }, { team: string }>(`
  subscription SchemasForFlow($team: uuid!) {
    payload_schemas(
      where: { _or: [{ team_id: { _eq: $team } }, { team_id: { _is_null: true } }] }
      order_by: [{ name: asc }, { version: desc }]
      limit: 500
    ) { id url name version team_id updated_at }
  }
`)

export const storeSchema = gql<
  { upsert_payload_schema: { id: string; url: string; created: boolean; missing: string[] } },
  { object: { team_id: string; url: string; name: string; version: string; document: object } }
>(`
  mutation StoreSchema($object: upsert_payload_schema_input!) {
    upsert_payload_schema(object: $object) { id url created missing }
  }
`)

export const revalidateFlow = gql<
  { revalidate_session: { checked: number; published: number; invalid: number; more: boolean } },
  { flow: string }
>(`
  mutation RevalidateFlow($flow: uuid!) {
    revalidate_session(flow_id: $flow) { checked published invalid more }
  }
`)

export interface LatestRow {
  readonly id: string
  readonly status: 'submitted' | 'settling' | 'invalid' | 'purged'
  readonly payment_id: string | null
  readonly submitted_at: string
  readonly purged_at: string | null
  readonly grants_aggregate: Counted
  readonly delivered: Counted
  readonly bound: Counted
}

export const liveLatest = gql<{ sessions: LatestRow[] }, { flow: string; limit: number }>(`
  subscription LatestOfFlow($flow: uuid!, $limit: Int!) {
    sessions(where: { flow_id: { _eq: $flow } }, order_by: [{ submitted_at: desc }], limit: $limit) {
      id status payment_id submitted_at purged_at
      grants_aggregate { aggregate { count } }
      delivered: deliveries_aggregate(where: { status: { _eq: succeeded } }) { aggregate { count } }
      bound: deliveries_aggregate { aggregate { count } }
    }
  }
`)
