/** Tells a team's webhooks how its targets fare: binds each operational event for those that hear of it. */
import type pg from 'pg'

/** Events of one statement. */
const batch = 500

/**
 * An event goes to the enabled webhooks that name its type in `events`, of the team
 * that it is about and of the owner of the target; never to that target itself.
 * Patterns speak of sessions and have no say.
 *
 * The event is marked in the statement that binds it, and its row is locked before,
 * so that it is bound once, whichever worker dies; another worker passes it by.
 *
 * It ends by itself: a delivery that tells of such an event is told of by none
 * (`delivery/settle.ts`), and what it does to the health of its own target is told
 * at the change of state only, behind the schedule of retries.
 *
 * @returns how many deliveries were made; `more` when there are events left.
 */
export async function announceOperational(
  pool: Pick<pg.Pool, 'query'>,
): Promise<{ readonly bound: number; readonly more: boolean }> {
  const { rows } = await pool.query<{ readonly events: number; readonly bound: number }>({
    name: 'announce_operational',
    text: `
      with event as materialized (
        select e.id, e.type, e.position, e.team_id, e.webhook_id, coalesce(w.team_id, n.team_id) as owner_id
          from operational_events e
          left join webhooks w on w.id = e.webhook_id
          left join connections n on n.id = e.connection_id
         where e.announced_at is null
         order by e.position
         limit ${batch}
           for update of e skip locked
      ), announced as (
        update operational_events e set announced_at = now() from event where e.id = event.id
      ), bound as (
        insert into deliveries (operational_event_id, event_position, team_id, integration_id, webhook_id)
        select e.id, e.position, h.team_id, h.integration_id, h.id
          from event e
          join webhooks h on e.type = any(h.events) and h.enabled
                         and (h.team_id = e.team_id or h.team_id = e.owner_id or h.team_id is null and e.owner_id is null)
                         and h.id is distinct from e.webhook_id
          join integrations i on i.id = h.integration_id and i.status = 'active'
         order by e.position
        returning id
      )
      select (select count(*)::int from event) as events, (select count(*)::int from bound) as bound`,
  })
  const { events = 0, bound = 0 } = rows[0] ?? {}
  return { bound, more: events === batch }
}
