/**
 * Asking a modifier about sessions that are out already: on its schedule, or because a person wants it. Nothing is
 * announced unless it changes something; then the other modifiers are asked about the change as about any other.
 */
import type pg from 'pg'
import { SluiceError } from '../errors.ts'
import { sessionFacts } from './announce.ts'
import { modifiersFor } from './settling-intake.ts'

/** Sessions of one statement. */
const page = 1000

export interface AskedModifier {
  readonly connection_id: string
  /** Sessions of one scheduled run; the next goes on where it ended. @default 500 */
  readonly most?: number
}

/**
 * Asks a modifier about sessions with a live grant that its pattern matches, those first that it has not seen for longest.
 * The engine of any worker does the rest.
 *
 * @returns about how many it is asked.
 */
export async function askScheduledModifier(
  pool: pg.Pool,
  { connection_id, most = 500 }: AskedModifier,
): Promise<{ readonly asked: number }> {
  let asked = 0
  for (let offset = 0; asked < most; ) {
    const ids = await longestUnseen(pool, connection_id, offset)
    if (ids.length === 0) break
    const taken = await ask(pool, connection_id, ids, { most: most - asked, byPattern: true })
    asked += taken
    // Those that were taken wait now, and are not among the unseen any more.
    offset += ids.length - taken
    if (ids.length < page) break
  }
  return { asked }
}

/**
 * Asks a modifier about one session, whatever its pattern says.
 *
 * @throws SluiceError NOT_FOUND; GONE when the session has ended for the integration; CONFLICT when the connection is no
 * modifier, is off, or does not take such a session.
 */
export async function askModifier(
  pool: pg.Pool,
  { connection_id, session_id }: { readonly connection_id: string; readonly session_id: string },
): Promise<void> {
  const { rows } = await pool.query<{ reason: string | null; granted: boolean }>(
    `select case when not 'modifier' = any(k.kinds) then 'The connector ' || k.implementation || ' is no modifier.'
                 when i.status <> 'active' then 'The integration is disabled. Enable it first.'
                 when not c.enabled then 'The connection is disabled. Enable it first.'
                 when k.status <> 'approved' then 'The connector ' || k.implementation || '@' || k.version || ' is ' || k.status || '. Upgrade the connection first.'
                 when s.status = 'invalid' then 'The session is invalid, so nobody may have it yet.' end as reason,
            exists (select from session_grants g
                     where g.session_id = s.id and g.integration_id = c.integration_id and g.revoked_at is null
                       and g.expires_at > now()) and s.data is not null as granted
       from connections c join connectors k on k.id = c.connector_id join integrations i on i.id = c.integration_id
      cross join sessions s where c.id = $1 and s.id = $2`,
    [connection_id, session_id],
  )
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', 'There is no such connection or session.')
  if (found.reason) throw new SluiceError('CONFLICT', found.reason)
  if (!found.granted) {
    throw new SluiceError(
      'GONE',
      'The session is not open to the integration: it never was, its grant has expired or was revoked, or its data was purged.',
    )
  }
  if ((await ask(pool, connection_id, [session_id], { most: 1, byPattern: false })) === 0) {
    throw new SluiceError('CONFLICT', 'The connector does not take sessions of this kind or schema.')
  }
}

async function longestUnseen(pool: pg.Pool, connectionId: string, offset: number): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'longest-unseen',
    text: `
      select s.id
        from connections c
        join session_grants g on g.integration_id = c.integration_id and g.revoked_at is null and g.expires_at > now()
        join sessions s on s.id = g.session_id and s.status = 'submitted' and s.data is not null
        left join lateral (
          select max(r.started_at) as at from connector_runs r
           where r.session_id = s.id and r.connection_id = c.id and r.method = 'modify' and not r.dry_run) seen on true
       where c.id = $1 and not exists (select from session_settlings x where x.session_id = s.id)
       order by seen.at nulls first, s.id
      offset $2 limit ${page}`,
    values: [connectionId, offset],
  })
  return rows.map(({ id }) => id)
}

/** @returns how many of the sessions fit. */
async function ask(
  pool: pg.Pool,
  connectionId: string,
  sessionIds: readonly string[],
  { most, byPattern }: { readonly most: number; readonly byPattern: boolean },
): Promise<number> {
  const type = 'session.updated'
  const order = new Map(sessionIds.map((id, place) => [id, place]))
  const facts = (await sessionFacts(pool, type, sessionIds, new Date())).toSorted(
    (a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0),
  )
  const chosen: { readonly id: string; readonly modifiers: readonly string[] }[] = []
  for (const { id, grants, targets, schema_url, ...event } of facts) {
    if (chosen.length === most) break
    const own = targets.filter((target) => target.kind === 'modifier' && target.id === connectionId)
    const asked = own.map((target) => ({ ...target, events: [type], ...(byPattern ? {} : { pattern: {} }) }))
    // Of its own making, so that the kept index of the flow's targets is not pushed out.
    const fits = modifiersFor({ ...event, type }, schema_url, grants, asked.map(unversioned)).length > 0
    if (fits) chosen.push({ id, modifiers: modifiersFor({ ...event, type }, schema_url, grants, targets) })
  }
  if (chosen.length === 0) return 0
  await pool.query(
    `insert into session_settlings as x (session_id, connection_ids, asked)
     select chosen.id, array(select jsonb_array_elements_text(chosen.modifiers)::uuid), array[$1::uuid]
       from jsonb_to_recordset($2::jsonb) as chosen(id uuid, modifiers jsonb)
       join sessions s on s.id = chosen.id and s.status in ('submitted', 'settling')
     on conflict (session_id) do update
        set asked = array(select distinct unnest(x.asked || excluded.asked)), version = x.version + 1, attempts = 0`,
    [connectionId, JSON.stringify(chosen)],
  )
  return chosen.length
}

function unversioned<T extends { readonly version?: string | number }>({
  version: _,
  ...target
}: T): Omit<T, 'version'> {
  return target
}
