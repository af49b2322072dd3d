/** What people are told of a session that waits for its modifiers: for whom, since when, and how much waits with it. */
import type pg from 'pg'
import { askable } from './settling-sql.ts'

/** The words of the API. */
export interface WaitingSession {
  readonly session_id: string
  /** `session.submitted`, `session.updated`; null: `session.updated` is announced if something has changed. */
  readonly event_type: string | null
  /** ISO 8601. */
  readonly since: string
  /** Begun and not ended, with the one that runs. */
  readonly attempts: number
  /** Began anew because something newer came in. */
  readonly restarts: number
  /** Updates that readers do not have yet. */
  readonly pending_revisions: number
  /** In the order in which they are asked. */
  readonly modifiers: readonly WaitedFor[]
}

export interface WaitedFor {
  /** Null, as `name` is, of the platform's where the reader is no admin. */
  readonly connection_id: string | null
  readonly name: string | null
  /** Name of its integration. */
  readonly integration: string
}

/**
 * Found by primary keys. Nothing is written for it where sessions settle: a table that live queries follow would
 * cost each settling session three rows of `change_log`.
 *
 * @param open whether the reader may see what belongs to the platform.
 * @returns undefined for a session that waits for nobody.
 */
export async function readWaiting(
  pool: pg.Pool,
  { session_id, open }: { readonly session_id: string; readonly open: boolean },
): Promise<WaitingSession | undefined> {
  const { rows } = await pool.query<WaitingSession>({
    name: 'read-waiting',
    text: `
      select s.id as session_id, s.event_type, s.attempts, s.restarts,
             to_char(s.since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as since,
             (select count(*)::int from pending_revisions p where p.session_id = s.id) as pending_revisions,
             coalesce((
               select json_agg(json_build_object(
                        'connection_id', case when c.team_id is not null or $2 then c.id end,
                        'name', case when c.team_id is not null or $2 then c.name end,
                        'integration', i.name) order by c.run_order, c.id)
                 from (values (true)) as one ${askable}), '[]') as modifiers
        from (select x.*, x.session_id as id from session_settlings x where x.session_id = $1) s`,
    values: [session_id, open],
  })
  return rows[0]
}
