import { gql } from '../api/gql.ts'
import type { Table } from './pages.ts'

export const makeTeam = gql<{ insert_teams_one: { id: string } | null }, { object: { name: string; slug: string } }>(`
  mutation MakeTeamForAdmins($object: teams_insert_input!) {
    insert_teams_one(object: $object) { id }
  }
`)

/** Those that the token does not know of yet, too. */
export const liveMemberships = gql<
  { team_members: { id: string; team_id: string; role: 'admin' | 'editor' | 'viewer' }[] },
  { person: string }
>(`
  subscription OwnMemberships($person: uuid!) {
    team_members(where: { user_id: { _eq: $person } }, order_by: [{ id: asc }], limit: 1000) { id team_id role }
  }
`)

interface Owned {
  readonly row: { readonly id: string; readonly team_id: string | null } | null
}

const ownerIn = (table: Table) =>
  gql<Owned, { id: string }>(`query OwnerIn_${table}($id: uuid!) { row: ${table}_by_pk(id: $id) { id team_id } }`)

/** Which team a row belongs to; null: the platform. */
export const ownerOf: Readonly<Record<Table, ReturnType<typeof ownerIn>>> = {
  sessions: ownerIn('sessions'),
  flows: ownerIn('flows'),
  webhooks: ownerIn('webhooks'),
  connections: ownerIn('connections'),
}
