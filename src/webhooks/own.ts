/** Whether what an action names is the caller's to change. */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import { SluiceError } from '../errors.ts'

const owners = {
  team: { table: 'teams', team: 'id' },
  integration: { table: 'integrations', team: 'team_id' },
  webhook: { table: 'webhooks', team: 'team_id' },
  connection: { table: 'connections', team: 'team_id' },
  replay: { table: 'replays', team: 'team_id' },
} as const

/**
 * What is another team's is answered as what is not there.
 *
 * @throws SluiceError NOT_FOUND
 */
export async function requireOwn(
  pool: pg.Pool,
  what: keyof typeof owners,
  id: string,
  principal: Principal,
): Promise<void> {
  const { everywhere, teamIds } = reachOf(principal)
  const { rows } = await pool.query(
    `select 1 from ${owners[what].table} where id = $1 and ($2 or ${owners[what].team} = any($3::uuid[]))`,
    [id, everywhere, teamIds],
  )
  if (rows.length > 0) return
  throw new SluiceError('NOT_FOUND', `You have no ${what} ${id}.`, { path: what === 'team' ? 'team_id' : 'id' })
}
