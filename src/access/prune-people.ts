/** What is over of people's access, and of no use to anybody any more. */
import type { Pool } from 'pg'

/** Ended sign-ins are shown to their person so long; after that the audit log tells of them. */
const keptDays = 30

/**
 * A schedule for the worker, once a day.
 *
 * @example
 * startSchedules({ url, schedules: [...peopleSchedules({ pool })], log })
 */
export function peopleSchedules({ pool }: { readonly pool: Pool }) {
  return [{ name: 'prune_people', cron: '17 3 * * *', run: () => prunePeople(pool) }]
}

/** Deletes sign-ins, invitations and links for passwords that ended or expired 30 days ago. */
export async function prunePeople(pool: Pool): Promise<void> {
  const before = `now() - interval '${keptDays} days'`
  await pool.query(`delete from sign_ins where least(ended_at, expires_at) < ${before}`)
  await pool.query(`delete from password_resets where least(used_at, expires_at) < ${before}`)
  await pool.query(`delete from invitations where least(accepted_at, expires_at) < ${before}`)
}
