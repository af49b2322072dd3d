/** Tells once, three days before nobody can have a session any more. */
import type pg from 'pg'
import { inTransaction } from '../database/database.ts'
import { announce } from './announce.ts'

const noticeDays = 3

export interface ExpiringOptions {
  /** @default now */
  readonly now?: Date
  /** Sessions of one transaction. @default 200 */
  readonly batch?: number
}

/**
 * A session ends with the last of its grants. Several workers may do it at once.
 *
 * @returns how many sessions were announced as `session.expiring`.
 */
export async function announceExpiring(
  pool: pg.Pool,
  { now = new Date(), batch = 200 }: ExpiringOptions = {},
): Promise<number> {
  const until = new Date(now.getTime() + noticeDays * 86_400_000)
  let announced = 0
  for (;;) {
    const count = await inTransaction(pool, async (client) => {
      const { rows } = await client.query<{ id: string }>(
        `with ending as (
           select s.id from sessions s where s.purged_at is null and s.expires_at > $1 and s.expires_at <= $2
           union
           select g.session_id from session_grants g
            where g.purged_at is null and g.revoked_at is null and g.expires_at > $1 and g.expires_at <= $2
              and not exists (select from session_grants o
                               where o.session_id = g.session_id and o.revoked_at is null and o.expires_at > $2)
         )
         select s.id from sessions s
          where s.id in (select id from ending) and s.status = 'submitted' and s.expiring_announced_at is null
          order by s.id limit $3 for update of s skip locked`,
        [now, until, batch],
      )
      const ids = rows.map(({ id }) => id)
      if (ids.length === 0) return 0
      await announce(client, { type: 'session.expiring', sessionIds: ids, now })
      await client.query('update sessions set expiring_announced_at = $2 where id = any($1::uuid[])', [ids, now])
      return ids.length
    })
    announced += count
    if (count < batch) return announced
  }
}
