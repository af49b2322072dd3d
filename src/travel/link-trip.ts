/** Puts a stored session of kind `booking` into its trip. */
import type pg from 'pg'
import type { TripOf } from './grouping.ts'

export interface LinkedTrip {
  readonly trip_id: string
  readonly reference: string
}

/**
 * One statement: finds or makes the trip of that name in the session's team, and links the session to it. A session that
 * has a trip already stays in it, unless the booking now names the trip's UUID; one without any name gets a trip of its
 * own, named `session:<id>`. Null when there is no such session of kind `booking`, or it was purged.
 *
 * @param pool or a client within a transaction
 * @example
 * await linkTrip(client, id, tripOf(parseBooking(data)))
 */
export async function linkTrip(
  pool: Pick<pg.ClientBase, 'query'>,
  sessionId: string,
  { reference, title }: TripOf,
): Promise<LinkedTrip | null> {
  const { rows } = await pool.query<LinkedTrip>({
    name: 'link-trip',
    text: `
      with session as (
        select s.id, s.team_id, s.trip_id,
               case when s.trip_id is null or $2 like 'trip:%' then coalesce($2, 'session:' || s.id) end as reference
          from sessions s
         where s.id = $1 and s.kind = 'booking' and s.purged_at is null
           for no key update
      ),
      named as (
        insert into trips as t (team_id, reference, title)
        select team_id, reference, $3 from session where reference is not null
        -- An update that may change nothing, so that the row comes back, and nobody removes it meanwhile.
        on conflict (team_id, reference) do update set title = coalesce(excluded.title, t.title)
        returning t.id, t.reference
      ),
      linked as (
        update sessions s set trip_id = named.id
          from session, named
         where s.id = session.id and s.trip_id is distinct from named.id
      )
      select coalesce(named.id, t.id) as trip_id, coalesce(named.reference, t.reference) as reference
        from session left join named on true left join trips t on t.id = session.trip_id`,
    values: [sessionId, reference, title],
  })
  return rows[0] ?? null
}
