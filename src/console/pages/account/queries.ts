import { gql } from '../../api/gql.ts'

export interface SignInRow {
  readonly id: string
  readonly address: string | null
  readonly user_agent: string | null
  readonly created_at: string
  readonly last_used_at: string
}

export const liveSignIns = gql<{ sign_ins: SignInRow[] }, { person: string }>(`
  subscription SignIns($person: uuid!) {
    sign_ins(
      where: { user_id: { _eq: $person }, ended_at: { _is_null: true } }
      order_by: [{ last_used_at: desc }]
      limit: 50
    ) { id address user_agent created_at last_used_at }
  }
`)

export const updateProfile = gql<{ update_profile: { id: string; name: string } }, { name: string }>(`
  mutation UpdateProfileForViewers($name: String!) { update_profile(name: $name) { id name } }
`)
