import { gql } from '../api/gql.ts'
import type { Table } from './pages.ts'

export const makeTeam = gql<{ insert_teams_one: { id: string } | null }, { object: { name: string; slug: string } }>(`
  mutation MakeTeamForAdmins($object: teams_insert_input!) {
    insert_teams_one(object: $object) { id }
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
