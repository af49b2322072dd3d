/** What the GraphQL actions of producers do: run one now, convert again, look at what came in. */
import type pg from 'pg'
import { noteForAudit } from '../access/audit-notes.ts'
import { requireOwn } from '../access/own.ts'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import { SluiceError } from '../errors.ts'
import type { ConvertAgain, ProductionActions, RawSourceContent } from './production-schema.ts'
import { requireUuid } from './registry.ts'

export interface ProductionActionParts {
  readonly pool: pg.Pool
  /** Called when a connection is to run, or a raw source to be converted. */
  readonly wanted: () => void
  /** Called when rows have changed. */
  readonly committed: () => void
}

export function createProductionActions({ pool, wanted, committed }: ProductionActionParts): ProductionActions {
  const told = () => {
    wanted()
    committed()
  }
  return {
    async run(id, { principal }) {
      await requireOwn(pool, 'connection', id, principal)
      const requested = await requestRun(pool, id)
      told()
      return requested
    },
    async convert(which, { principal }) {
      const count = await convertAgain(pool, which, principal)
      if (count > 0) told()
      return { count }
    },
    async content(id, context) {
      const { session_id, team_id, ...found } = await readContent(pool, id, context.principal)
      noteForAudit(context, {
        team_id,
        ids: { raw_source_id: id },
        session_ids: session_id === null ? [] : [session_id],
      })
      return found
    },
  }
}

interface Requested {
  readonly due: boolean
  readonly reason: string | null
}

/**
 * Makes a connection due now, so that a worker runs it; one that is due already stays so, once.
 *
 * @throws SluiceError NOT_FOUND; CONFLICT when it could not run, or runs at this moment.
 */
export async function requestRun(pool: pg.Pool, id: string): Promise<{ readonly id: string }> {
  const { rows } = await pool.query<Requested>({ name: 'connections: request run', text: requestSql, values: [id] })
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', `There is no connection ${id}.`)
  if (!found.due) {
    throw new SluiceError(
      'CONFLICT',
      found.reason ?? 'It began to run at this moment. See last_run_at when it has ended.',
    )
  }
  return { id }
}

const requestSql = `
with found as (
  select c.id, case
    when not k.manifest -> 'kinds' ?| '{producer,two-phase-producer,modifier}'
      then 'The connector ' || k.implementation || ' is no producer and no modifier: it runs when something comes in.'
    when i.status <> 'active' then 'The integration is disabled. Enable it first.'
    when not c.enabled then 'The connection is disabled. Enable it first.'
    when k.status <> 'approved'
      then 'The connector ' || k.implementation || '@' || k.version || ' is ' || k.status || '. Upgrade the connection first.'
    when c.flow_id is null and k.manifest -> 'kinds' ?| '{producer,two-phase-producer}'
      then 'Choose the flow whose sessions it makes: set flow_id of the connection.'
    when c.run_token is not null and c.run_until > now()
      then 'It is running. See last_run_at when it has ended, and run it again then.' end as reason
    from connections c
    join connectors k on k.id = c.connector_id
    join integrations i on i.id = c.integration_id
   where c.id = $1
), due as (
  update connections c set next_run_at = least(c.next_run_at, now())
    from found
   where c.id = found.id and found.reason is null and (c.run_token is null or c.run_until <= now())
  returning c.id
)
select exists (select from due) as due, reason from found`

const repeatable = ['failed', 'discarded', 'converted', 'unmatched'] as const
/** Of one call. */
const mostIds = 1000

/**
 * Has raw sources converted again whose content is still there: those with the ids, or those of a connection with the
 * status. What is being converted, or waits for it, is left alone. Naming an inbound payload that was refused, or that
 * nothing waited for, accepts it; those that were refused are never accepted by status.
 *
 * @returns how many will be.
 * @throws SluiceError VALIDATION_FAILED; NOT_FOUND when one of the ids is not the caller's.
 */
export async function convertAgain(
  pool: pg.Pool,
  { ids, connection_id, status }: ConvertAgain,
  principal: Principal,
): Promise<number> {
  const { everywhere, teamIds } = reachOf(principal)
  const again = `
    update raw_sources r
       set status = 'received', due_at = null, attempt_count = 0, message = null, lease_token = null, leased_until = null,
           is_accepted = r.is_accepted or r.status = 'unmatched' or r.is_refused, is_refused = false
     where r.content is not null and r.purged_at is null`
  if (ids) {
    if (connection_id || status) throw wrong('ids', 'name ids, or a connection and a status, not both.')
    if (ids.length === 0 || ids.length > mostIds) throw wrong('ids', `name 1 to ${mostIds} raw sources.`)
    for (const id of ids) requireUuid(id, 'raw source')
    const { rows } = await pool.query<{ id: string }>(
      'select id from raw_sources where id = any($1::uuid[]) and ($2 or team_id = any($3::uuid[]))',
      [ids, everywhere, teamIds],
    )
    const own = new Set(rows.map(({ id }) => id))
    const foreign = ids.find((id) => !own.has(id.toLowerCase()))
    if (foreign) throw new SluiceError('NOT_FOUND', `You have no raw source ${foreign}.`, { path: 'ids' })
    const { rowCount } = await pool.query(`${again} and r.id = any($1::uuid[]) and r.status::text = any($2::text[])`, [
      ids,
      repeatable,
    ])
    return rowCount ?? 0
  }
  if (!connection_id) throw wrong('connection_id', 'name ids, or a connection.')
  const wanted = status ?? 'failed'
  if (!repeatable.some((each) => each === wanted)) {
    throw wrong('status', `write one of ${repeatable.join(', ')}; failed if not given.`)
  }
  await requireOwn(pool, 'connection', connection_id, principal, 'connection_id')
  const { rowCount } = await pool.query(
    `${again} and r.connection_id = $1 and r.status = $2::raw_source_status and not r.is_refused`,
    [connection_id, wanted],
  )
  return rowCount ?? 0
}

interface FoundContent extends RawSourceContent {
  readonly session_id: string | null
  readonly team_id: string
}

async function readContent(pool: pg.Pool, id: string, principal: Principal): Promise<FoundContent> {
  const { everywhere, teamIds } = reachOf(principal)
  const { rows } = await pool.query<Omit<FoundContent, 'content'> & { content: Buffer | null; purged_at: Date | null }>(
    `select id, session_id, team_id, mime, size, sha256, content, purged_at from raw_sources
      where id = $1 and ($2 or team_id = any($3::uuid[]))`,
    [id, everywhere, teamIds],
  )
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', `You have no raw source ${id}.`, { path: 'id' })
  const { content, purged_at, ...rest } = found
  if (purged_at) throw new SluiceError('GONE', `The content was purged on ${purged_at.toISOString()}.`, { path: 'id' })
  if (!content) throw new SluiceError('NOT_FOUND', 'It has no content yet: it waits for its payload.', { path: 'id' })
  return { ...rest, size: content.length, content: content.toString('base64') }
}

function wrong(path: string, message: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `${path}: ${message}`, { path })
}
