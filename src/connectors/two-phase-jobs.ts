/** The job of two-phase producers: payloads that did not come in time are missing. */
import type pg from 'pg'
import type { Schedule } from '../delivery/jobs.ts'
import type { Log } from '../log.ts'

/** Entries of one statement. */
const batch = 1000

export function twoPhaseSchedules({ pool, log }: { readonly pool: pg.Pool; readonly log: Log }): readonly Schedule[] {
  return [
    {
      name: 'miss_payloads',
      cron: '* * * * *',
      async run() {
        const missed = await missPayloads(pool)
        if (missed > 0) log.info({ missed }, 'payloads of two-phase producers did not come')
      },
    },
  ]
}

/**
 * Gives up pending entries whose time is over, and tells each connection's team, of the platform's the administrators, in
 * one operational event for all that one statement gave up. A payload that comes later is taken all the same.
 *
 * @returns how many.
 */
export async function missPayloads(pool: pg.Pool): Promise<number> {
  let all = 0
  for (;;) {
    const { rows } = await pool.query<{ missed: number }>({ name: 'raw sources: miss payloads', text: missSql })
    const missed = rows[0]?.missed ?? 0
    all += missed
    if (missed < batch) return all
  }
}

const missSql = `
with late as (
  select id from raw_sources
   where status = 'pending' and due_at <= now()
   order by due_at limit ${batch} for update skip locked
), missed as (
  update raw_sources r
     set status = 'missing', due_at = null, message = 'No payload with this id came in time.'
    from late where r.id = late.id
  returning r.id, r.connection_id, r.created_at
), told as (
  insert into operational_events (type, team_id, connection_id, detail)
  select 'connection.payload_missing', c.team_id, c.id,
         jsonb_build_object('name', max(c.name), 'missing', count(*), 'waited_since', min(m.created_at),
                            'raw_source_ids', to_jsonb((array_agg(m.id order by m.created_at))[1:20]))
    from missed m join connections c on c.id = m.connection_id
   group by c.id
)
select count(*)::int as missed from missed`
