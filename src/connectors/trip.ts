/** The trip of a booking, as a consumer gets it: with those of its bookings that the integration may have. */
import type pg from 'pg'
import type { Booking } from '../travel/model.ts'
import { isTrip } from '../travel/parse.ts'
import { type ExtensionData, givenData } from './extension-data.ts'
import type { Trip } from './sdk.ts'

export interface TripRequest {
  readonly connection_id: string
  /** The one at hand, which comes first. */
  readonly session_id: string
  readonly trip_id: string
  readonly delivery_id: string
  readonly attempt: number
  readonly retentionAfterRetrievalDays: number
  /** No grant's short clock starts. @default false */
  readonly isDry?: boolean
}

/** A session of the trip. Columns in the database's words. */
export interface TripMember {
  readonly id: string
  readonly revision: number
  readonly submitted_at: Date
  readonly data: unknown
  readonly connector_data: ExtensionData | null
}

export interface TripMembers {
  readonly members: readonly TripMember[]
  /** Further ones that the integration may have. */
  readonly omitted: number
}

/** What one run is given: sessions, and bytes of JSON. */
const most = { sessions: 50, bytes: 8 * 1024 * 1024 }

/**
 * The sessions of a trip for which the integration has a live grant: the one at hand, then those where the connector
 * has left extension data, then by age. Each is a retrieval: the same statement audits it and starts the short clock of
 * its grant.
 */
export async function retrieveTrip(pool: pg.Pool, request: TripRequest): Promise<TripMembers> {
  const { rows } = await pool.query<TripMember & { total: number }>({
    name: 'connectors: retrieve trip',
    text: tripSql,
    values: [
      request.connection_id,
      request.session_id,
      request.trip_id,
      request.delivery_id,
      request.attempt,
      request.retentionAfterRetrievalDays,
      request.isDry ?? false,
      most.sessions,
      most.bytes,
    ],
  })
  return { members: rows, omitted: (rows[0]?.total ?? 0) - rows.length }
}

/** @param at the session at hand, as the run is given it. */
export function tripOfRun(
  { id, reference, title }: Pick<Trip, 'id' | 'reference' | 'title'>,
  { members, omitted }: TripMembers,
  at: { readonly id: string; readonly data: unknown },
): Trip {
  const bookingsOf = (member: TripMember): Booking[] => {
    const data = member.id === at.id ? at.data : member.data
    if (typeof data !== 'object' || data === null) return []
    const extensionData = givenData('booking', data, member.connector_data)
    return (isTrip(data) ? data.bookings : [data as Booking]).map((booking) => ({ ...booking, extensionData }))
  }
  const all = members.map((member) => ({ member, bookings: bookingsOf(member) }))
  return {
    id,
    reference,
    title,
    bookings: all.flatMap(({ bookings }) => bookings),
    sessions: all.map(({ member, bookings }) => ({
      id: member.id,
      revision: member.revision,
      submittedAt: member.submitted_at.toISOString(),
      bookings: bookings.length,
    })),
    omitted,
  }
}

const tripSql = `
with wanted as (
  select c.id, c.team_id, c.integration_id, k.implementation, k.version
    from connections c join connectors k on k.id = c.connector_id
   where c.id = $1
), members as (
  select s.id, g.id as grant_id, g.first_retrieved_at is null as is_first,
         (count(*) over ())::int as total,
         row_number() over nearest as place,
         sum(octet_length(s.data::text)) over nearest as bytes
    from wanted w
    join sessions s on s.trip_id = $3 and s.kind = 'booking' and s.status = 'submitted'
     and s.purged_at is null and s.data is not null
    join session_grants g on g.session_id = s.id and g.integration_id = w.integration_id
     and g.revoked_at is null and g.expires_at > now()
  window nearest as (order by (s.id = $2) desc, coalesce(s.connector_data ? w.implementation, false) desc, s.submitted_at, s.id)
), taken as (
  select * from members where place = 1 or (place <= $8 and bytes <= $9)
), retrieved as (
  update session_grants g
     set first_retrieved_at = now(), expires_at = least(g.expires_at, now() + retention_after_retrieval(g.team_id, $6))
    from taken
   where g.id = taken.grant_id and taken.is_first and g.first_retrieved_at is null and not $7::boolean
), audited as (
  insert into audit_entries (team_id, integration_id, actor_kind, actor_id, operation, outcome, session_ids, detail)
  select w.team_id, w.integration_id, 'connection', w.id::text, 'retrieve', 'granted', others.ids,
         jsonb_build_object('delivery_id', $4::uuid, 'attempt', $5::int, 'trip_id', $3::uuid,
                            'connector', w.implementation || '@' || w.version)
           || case when $7 then '{"dry_run": true}'::jsonb else '{}' end
    from wanted w
   cross join (select array_agg(id order by place) as ids from taken where id <> $2) others
   where others.ids is not null
)
select s.id, s.revision, s.submitted_at, s.data, s.connector_data, t.total
  from taken t join sessions s on s.id = t.id
 order by t.place`
