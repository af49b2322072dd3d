import { gql } from '../api/gql.ts'

export const makeTeam = gql<{ insert_teams_one: { id: string } | null }, { object: { name: string; slug: string } }>(`
  mutation MakeTeamForAdmins($object: teams_insert_input!) {
    insert_teams_one(object: $object) { id }
  }
`)
