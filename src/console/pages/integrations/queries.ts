import { gql } from '../../api/gql.ts'

interface Counted {
  readonly aggregate: { readonly count: number }
}

export interface IntegrationLine {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly description: string | null
  readonly status: 'active' | 'disabled'
  /** Null for one of the platform. */
  readonly team_id: string | null
  readonly destinations_aggregate: Counted
  readonly webhooks_aggregate: Counted
  readonly connections_aggregate: Counted
  readonly api_credentials_aggregate: Counted
}

/**
 * The owner's, then the platform's. What is counted is what the person may see.
 *
 * @param flows those that are counted: of the team, or all.
 */
export const liveIntegrations = gql<
  { integrations: IntegrationLine[] },
  { owner: object; flows: object; limit: number }
>(`
  subscription IntegrationLines($owner: uuid_comparison_exp!, $flows: destinations_bool_exp!, $limit: Int!) {
    integrations(
      where: { _or: [{ team_id: $owner }, { team_id: { _is_null: true } }] }
      order_by: [{ team_id: asc_nulls_last }, { name: asc }, { id: asc }]
      limit: $limit
    ) {
      id slug name description status team_id
      destinations_aggregate(where: $flows) { aggregate { count } }
      webhooks_aggregate { aggregate { count } }
      connections_aggregate { aggregate { count } }
      api_credentials_aggregate(where: { revoked_at: { _is_null: true } }) { aggregate { count } }
    }
  }
`)

export const createIntegration = gql<
  { insert_integrations_one: { id: string } | null },
  { object: { team_id?: string; name: string; slug: string; description?: string } }
>(`
  mutation CreateIntegration($object: integrations_insert_input!) { insert_integrations_one(object: $object) { id } }
`)
