import { gql } from '../../api/gql.ts'

interface Counted {
  readonly aggregate: { readonly count: number }
}

export interface FlowLine {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly schema_url: string | null
  readonly destinations: readonly {
    readonly id: string
    readonly integration: { readonly id: string; readonly name: string; readonly status: 'active' | 'disabled' } | null
  }[]
  readonly destinations_aggregate: Counted
  /** The youngest. */
  readonly sessions: readonly { readonly id: string; readonly submitted_at: string }[]
  readonly invalid: Counted
}

/** How many destinations a line names. */
export const destinationsShown = 3

export const liveFlows = gql<{ flows: FlowLine[] }, { team: string; limit: number }>(`
  subscription FlowLines($team: uuid!, $limit: Int!) {
    flows(where: { team_id: { _eq: $team } }, order_by: [{ name: asc }, { id: asc }], limit: $limit) {
      id slug name schema_url
      destinations(order_by: [{ created_at: asc }], limit: ${destinationsShown}) { id integration { id name status } }
      destinations_aggregate { aggregate { count } }
      sessions(order_by: [{ submitted_at: desc }], limit: 1) { id submitted_at }
      invalid: sessions_aggregate(where: { status: { _eq: invalid } }) { aggregate { count } }
    }
  }
`)

export const createFlow = gql<
  { insert_flows_one: { id: string } | null },
  { object: { team_id: string; name: string; slug: string } }
>(`
  mutation CreateFlow($object: flows_insert_input!) { insert_flows_one(object: $object) { id } }
`)
