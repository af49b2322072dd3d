/** Events that a target would have been sent, had it been there as it is now: what a new webhook is filled up with. */
import type pg from 'pg'
import { inTransaction } from '../database/database.ts'
import { defaultEvents, parsePattern } from '../tables/event-shape.ts'
import { matches } from '../tables/predicate-memory.ts'
import { SqlWriter } from '../tables/sql-writer.ts'
import { type NewReplay, type ReplayTarget, rangeOf } from './replay.ts'
import { selectionToSql } from './selection.ts'

interface Candidate {
  readonly id: string
  readonly type: string
  readonly team: string
  readonly flow: string
  readonly kind: string
  readonly config: Record<string, unknown>
}

/** Patterns are matched in memory, page by page. */
const page = 2000

/**
 * Events of sessions that a live grant opens to the target's integration, of a
 * type that it hears, that match its pattern and have no delivery to it.
 *
 * @returns their ids in order of position; one more than `most` when there are more.
 */
export function findMissedEvents(
  pool: pg.Pool,
  search: Pick<NewReplay, 'kind' | 'targetId' | 'where' | 'from' | 'to' | 'principal'> &
    Pick<ReplayTarget, 'integration_id' | 'events' | 'pattern'> & { readonly most: number },
): Promise<readonly string[]> {
  const pattern = parsePattern(search.pattern)
  const writer = new SqlWriter()
  const wanted = selectionToSql({
    table: 'session_events',
    where: search.where,
    principal: search.principal,
    writer,
    alias: 'e',
  })
  const statement = `
    declare missed no scroll cursor for
    select e.id, e.type, t.slug as team, f.slug as flow, s.kind, e.config || g.config as config
      from session_grants g
      join session_events e on e.session_id = g.session_id
      join sessions s on s.id = e.session_id and s.purged_at is null
      join teams t on t.id = e.team_id
      join flows f on f.id = e.flow_id
     where g.integration_id = ${writer.value(search.integration_id, 'uuid')} and g.revoked_at is null and g.expires_at > now()
       and e.type = any(${writer.value(search.events ?? defaultEvents, 'text[]')})
       and not exists (select from deliveries d
                        where d.event_id = e.id and d.${search.kind}_id = ${writer.value(search.targetId, 'uuid')})
       ${rangeOf('e.created_at', search, writer)}
       and ${wanted}
     order by e.position`
  return inTransaction(pool, async (client) => {
    await client.query(statement, [...writer.values])
    const found: string[] = []
    for (;;) {
      const { rows } = await client.query<Candidate>(`fetch ${page} from missed`)
      for (const { id, ...event } of rows) if (matches(pattern, event)) found.push(id)
      if (rows.length < page || found.length > search.most) return found.slice(0, search.most + 1)
    }
  })
}
