/** Whether what an action names is the caller's to use. */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import { SluiceError } from '../errors.ts'

const questions = {
  integration: 'select team_id from integrations where id = $1',
  connection: 'select team_id from connections where id = $1',
  run: 'select c.team_id from connector_runs r join connections c on c.id = r.connection_id where r.id = $1',
  session: 'select team_id from sessions where id = $1',
} as const

/**
 * What is another team's is answered as what is not there. What is the platform's is an admin's.
 *
 * @throws SluiceError NOT_FOUND
 */
export async function requireOwn(
  pool: pg.Pool,
  what: keyof typeof questions,
  id: string,
  principal: Principal,
): Promise<void> {
  const { everywhere, teamIds } = reachOf(principal)
  const { rows } = await pool.query<{ team_id: string | null }>(questions[what], [id])
  const [found] = rows
  if (found && (everywhere || (found.team_id !== null && teamIds.includes(found.team_id)))) return
  throw new SluiceError('NOT_FOUND', `You have no ${what} ${id}.`)
}
