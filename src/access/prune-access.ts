/** What told of ended access while tokens of it could live, and of no use to anybody any more. */
import type { Pool } from 'pg'

/** No token lives longer than a day (`TOKEN_SECONDS`); an hour more for clocks that differ. */
const endedHours = 25

/**
 * A schedule for the worker, once an hour.
 *
 * @example
 * startSchedules({ url, schedules: [...accessSchedules({ pool })], log })
 */
export function accessSchedules({ pool }: { readonly pool: Pool }) {
  return [{ name: 'prune_access', cron: '41 * * * *', run: () => pruneAccess(pool) }]
}

/** Secrets that have ended are shown with their credential for so long. */
const secretDays = 90

/** Deletes revoked tokens, deleted rows' marks, used assertions, counts of failures that are over, and secrets that ended long ago. */
export async function pruneAccess(pool: Pool): Promise<void> {
  await pool.query(`delete from revoked_tokens where expires_at < now() - interval '1 hour'`)
  await pool.query('delete from ended_access where ended_at < now() - make_interval(hours => $1)', [endedHours])
  await pool.query('delete from client_assertions where expires_at < now()')
  await pool.query('delete from api_secrets where expires_at < now() - make_interval(days => $1)', [secretDays])
  await pool.query('delete from rate_limits where expire < $1', [Date.now()])
}
