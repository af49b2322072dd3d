/** How far a caller's role reaches: which teams are theirs to act for. */
import { everyTeam } from './every-team.ts'
import type { Principal } from './principal.ts'

export interface Reach {
  /** Every team there is, also those that come later. */
  readonly everywhere: boolean
  /** Ids of the teams, where it is not all of them. */
  readonly teamIds: readonly string[]
}

/**
 * As two parameters of a statement: `($1 or team_id = any($2::uuid[]))`.
 *
 * @example
 * const { everywhere, teamIds } = reachOf(principal)
 * await pool.query('select id from flows where $1 or team_id = any($2::uuid[])', [everywhere, teamIds])
 */
export function reachOf({ role, variables }: Principal): Reach {
  const teams = variables['x-hasura-team-ids']
  return { everywhere: role === 'admin' || teams === everyTeam, teamIds: Array.isArray(teams) ? teams : [] }
}

export function reaches(principal: Principal, teamId: string): boolean {
  const { everywhere, teamIds } = reachOf(principal)
  return everywhere || teamIds.includes(teamId)
}
