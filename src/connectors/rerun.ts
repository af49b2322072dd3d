/** Makes a run again from the same input, as a new delivery through the same engine. */
import type pg from 'pg'
import { SluiceError } from '../errors.ts'

export interface Rerun {
  readonly delivery_id: string
  /** Of the session; what the run was given, also when there is a newer one by now. */
  readonly revision: number
}

interface Found {
  readonly delivery_id: string | null
  readonly is_dry: boolean
  readonly runnable: boolean
  readonly granted: boolean
  readonly kept: boolean
  readonly reason: string | null
  readonly revision: number
}

/**
 * The delivery is due at once and has attempts of its own. It is refused where
 * its run would be: without a live grant, after a purge, and while the
 * connection or its connector is off.
 *
 * @throws SluiceError NOT_FOUND, GONE (the session has ended for this integration), CONFLICT
 */
export async function rerun(pool: pg.Pool, runId: string): Promise<Rerun> {
  const { rows } = await pool.query<Found>({ name: 'connectors: rerun', text: statement, values: [runId] })
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', `There is no run ${runId}.`)
  if (found.delivery_id) return { delivery_id: found.delivery_id, revision: found.revision }
  if (found.is_dry) {
    throw new SluiceError('CONFLICT', 'This was a dry run, which has no delivery. Use dry_run_connection again.')
  }
  if (!found.granted || !found.kept) {
    throw new SluiceError(
      'GONE',
      'The session has ended for this integration: its grant has expired or was revoked, or its data was purged.',
    )
  }
  throw new SluiceError('CONFLICT', found.reason ?? 'The delivery of this run no longer exists.')
}

const statement = `
with run as (
  select r.id, r.dry_run, d.event_id, d.event_position, d.team_id, d.integration_id, c.id as connection_id, s.id as session_id,
         coalesce(r.revision, s.revision) as revision,
         exists (select from session_grants g
                  where g.session_id = s.id and g.integration_id = c.integration_id
                    and g.revoked_at is null and g.expires_at > now()) as granted,
         s.purged_at is null and s.data is not null
           and (coalesce(r.revision, s.revision) = s.revision
                or exists (select from session_revisions v
                            where v.session_id = s.id and v.revision = r.revision and v.data is not null)) as kept,
         case when i.status <> 'active' then 'The integration is disabled. Enable it first.'
              when not c.enabled then 'The connection is disabled. Enable it first.'
              when k.status <> 'approved'
                then 'The connector ' || k.implementation || '@' || k.version || ' is ' || k.status || '. Upgrade the connection first.'
              when c.health = 'disabled' and c.probe_at is null then c.state_reason
              when d.id is null then 'The delivery of this run no longer exists.' end as reason
    from connector_runs r
    join connections c on c.id = r.connection_id
    join connectors k on k.id = c.connector_id
    join integrations i on i.id = c.integration_id
    left join sessions s on s.id = r.session_id
    left join deliveries d on d.id = r.delivery_id
   where r.id = $1
), made as (
  insert into deliveries (event_id, session_id, team_id, integration_id, connection_id, event_position, input_revision)
  select event_id, session_id, team_id, integration_id, connection_id, event_position, revision
    from run where not dry_run and granted and kept and reason is null
  returning id
)
select (select id from made) as delivery_id, dry_run as is_dry, reason is null as runnable,
       coalesce(granted, false) as granted, coalesce(kept, false) as kept, reason, revision
  from run`
