/** Whether what an action names is the caller's to use or change: one answer for all rooms. */
import type pg from 'pg'
import { SluiceError } from '../errors.ts'
import type { Principal } from './principal.ts'
import { reachOf } from './reach.ts'

/** Whose each thing is, as one column `team_id`; null for what is the platform's. */
const owners = {
  team: 'select id as team_id from teams where id = $1',
  integration: 'select team_id from integrations where id = $1',
  webhook: 'select team_id from webhooks where id = $1',
  connection: 'select team_id from connections where id = $1',
  replay: 'select team_id from replays where id = $1',
  session: 'select team_id from sessions where id = $1',
  run: 'select c.team_id from connector_runs r join connections c on c.id = r.connection_id where r.id = $1',
  credential: 'select team_id from api_credentials where id = $1',
  secret: 'select c.team_id from api_secrets s join api_credentials c on c.id = s.credential_id where s.id = $1',
} as const

/**
 * What is another team's is answered as what is not there. What is the platform's is an admin's.
 *
 * @param path the argument that names it, for the error.
 * @throws SluiceError NOT_FOUND
 */
export async function requireOwn(
  pool: pg.Pool,
  what: keyof typeof owners,
  id: string,
  principal: Principal,
  path?: string,
): Promise<void> {
  const { everywhere, teamIds } = reachOf(principal)
  const { rows } = await pool.query(
    `select 1 from (${owners[what]}) as owner where $2 or owner.team_id = any($3::uuid[])`,
    [id, everywhere, teamIds],
  )
  if (rows.length > 0) return
  throw new SluiceError('NOT_FOUND', `You have no ${what} ${id}.`, path === undefined ? {} : { path })
}
