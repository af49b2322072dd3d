/** Which teams a caller acts for. */
import type { Principal } from '../access/principal.ts'

export type { Principal } from '../access/principal.ts'

/** Ids of the teams that the caller's role holds in; an admin's are all, and not listed. */
export function principalTeams({ variables }: Principal): readonly string[] {
  const teams = variables['x-hasura-team-ids']
  return Array.isArray(teams) ? teams : []
}
