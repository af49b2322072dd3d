import { gql } from '../../api/gql.ts'

export interface ApiData {
  readonly api_credentials: readonly {
    readonly id: string
    readonly name: string
    readonly key_id: string
    readonly role: 'consumer' | 'source'
  }[]
  readonly flows: readonly { readonly id: string; readonly slug: string }[]
}

/** What the examples are filled in with: keys, which are public, and the name of a flow. */
export const valuesForExamples = gql<ApiData, { team: string }>(`
  query ValuesForExamples($team: uuid!) {
    api_credentials(
      where: { team_id: { _eq: $team }, revoked_at: { _is_null: true } }
      order_by: [{ created_at: desc }]
      limit: 100
    ) { id name key_id role }
    flows(where: { team_id: { _eq: $team } }, order_by: [{ slug: asc }], limit: 1) { id slug }
  }
`)
