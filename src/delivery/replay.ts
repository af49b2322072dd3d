/**
 * Replays: deliveries that are sent again, and events that a target missed.
 *
 * A replay is `running` until each of its items is taken out (`finished`), or
 * somebody ends it (`cancelled`). Its items are written down when it is made, so
 * what was counted is what is released; `replay-release.ts` takes them out. At
 * every moment of a running one
 *
 *     total = released + skipped + items left
 *
 * because each item leaves in the statement that counts it. So no delivery is
 * released twice by one replay, however many workers there are and whichever of
 * them dies; and a cancelled one has released exactly `released`.
 */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { SqlWriter } from '../tables/sql-writer.ts'
import type { TargetKind } from './carrier.ts'
import { findMissedEvents } from './replay-missed.ts'
import { selectionToSql } from './selection.ts'

export interface NewReplay {
  readonly kind: TargetKind
  /** Id of the webhook or connection. */
  readonly targetId: string
  /** Over `deliveries`; of missed events, over `session_events`. */
  readonly where: unknown
  /** By when the event happened: from this moment, and before that one. */
  readonly from: Date | null
  readonly to: Date | null
  /** Releases a second at most. */
  readonly ratePerSecond: number
  /** Instead of deliveries that were made: events that the target would have been sent, had it been there. */
  readonly missed: boolean
  /** Counts, and makes nothing. */
  readonly dryRun: boolean
  readonly principal: Principal
}

export interface MadeReplay {
  /** Null of a dry run. */
  readonly id: string | null
  readonly total: number
  /** Of these, so many are left out from the start: their grants have ended. */
  readonly skipped: number
}

/** What one replay may hold. More is asked for in parts, by range. */
const mostItems = 250_000

/**
 * Takes only deliveries that are final: `succeeded`, `exhausted` or `cancelled`. Those of a session
 * that the integration may no longer see count as skipped; tests are no part of it.
 *
 * @throws SluiceError NOT_FOUND, VALIDATION_FAILED for `where`, TOO_LARGE, CONFLICT when the target is off
 *   or another replay of missed events runs for it.
 */
export async function createReplay(pool: pg.Pool, replay: NewReplay): Promise<MadeReplay> {
  const target = await readReplayTarget(pool, replay)
  if (target.hindrance) throw new SluiceError('CONFLICT', target.hindrance)
  return replay.missed ? replayMissed(pool, replay, target) : replayDeliveries(pool, replay, target)
}

async function replayDeliveries(pool: pg.Pool, replay: NewReplay, target: ReplayTarget): Promise<MadeReplay> {
  const writer = new SqlWriter()
  const column = `${replay.kind}_id`
  const targetId = writer.value(replay.targetId, 'uuid')
  const chosen = selectionToSql({
    table: 'deliveries',
    where: replay.where,
    principal: replay.principal,
    writer,
    alias: 'd',
  })
  const { rows } = await pool.query<MadeReplay & { readonly fits: boolean }>({
    text: `
      with chosen as materialized (
        select d.id, d.event_position, ${openDelivery('d')} as open
          from deliveries d
         where d.${column} = ${targetId} and d.due_at is null
           and not exists (select from operational_events o where o.id = d.operational_event_id and o.type = 'webhook.test')
           ${rangeOf('d.created_at', replay, writer)}
           and ${chosen}
         limit ${mostItems + 1}
      ), counted as (
        select count(*)::int as total, count(*) filter (where not open)::int as skipped, count(*) <= ${mostItems} as fits from chosen
      ), made as (
        insert into replays (team_id, ${column}, filter, range_from, range_to, rate_per_second, created_by, total, skipped,
                             status, finished_at)
        select ${writer.value(target.team_id, 'uuid')}, ${targetId}, ${writer.value(JSON.stringify(replay.where), 'jsonb')},
               ${writer.value(replay.from, 'timestamptz')}, ${writer.value(replay.to, 'timestamptz')},
               ${writer.value(replay.ratePerSecond, 'float8')}, ${writer.value(personOf(replay.principal), 'uuid')}, total, skipped,
               case when total > skipped then 'running' else 'finished' end::replay_status,
               case when total = skipped then now() end
          from counted where fits and not ${writer.value(replay.dryRun, 'boolean')}
        returning id
      ), items as (
        insert into replay_items (replay_id, ordinal, delivery_id)
        select made.id, row_number() over (order by c.event_position, c.id), c.id from made, chosen c where c.open
      )
      select (select id from made) as id, total, skipped, fits from counted`,
    values: [...writer.values],
  })
  const [made] = rows as [MadeReplay & { readonly fits: boolean }]
  if (!made.fits) throw tooMany()
  return { id: made.id, total: made.total, skipped: made.skipped }
}

async function replayMissed(pool: pg.Pool, replay: NewReplay, target: ReplayTarget): Promise<MadeReplay> {
  const events = await findMissedEvents(pool, { ...replay, ...target, most: mostItems })
  if (events.length > mostItems) throw tooMany()
  if (replay.dryRun) return { id: null, total: events.length, skipped: 0 }
  try {
    const { rows } = await pool.query<{ id: string }>(
      `with made as (
         insert into replays (team_id, ${replay.kind}_id, filter, range_from, range_to, rate_per_second, created_by, total,
                              missed, status, finished_at)
         values ($1, $2, $3, $4, $5, $6, $7, cardinality($8::uuid[]), true,
                 case when cardinality($8::uuid[]) > 0 then 'running' else 'finished' end::replay_status,
                 case when cardinality($8::uuid[]) = 0 then now() end)
         returning id
       ), items as (
         insert into replay_items (replay_id, ordinal, event_id)
         select made.id, event.ordinal, event.id from made, unnest($8::uuid[]) with ordinality as event(id, ordinal)
       )
       select id from made`,
      [
        target.team_id,
        replay.targetId,
        JSON.stringify(replay.where),
        replay.from,
        replay.to,
        replay.ratePerSecond,
        personOf(replay.principal),
        events,
      ],
    )
    return { id: rows[0]?.id ?? null, total: events.length, skipped: 0 }
  } catch (error) {
    if ((error as { constraint?: unknown }).constraint !== 'replays_one_backfill_idx') throw error
    throw new SluiceError(
      'CONFLICT',
      `Missed events are being sent to this ${replay.kind} already. Wait until that replay is finished, or cancel it.`,
      { cause: error },
    )
  }
}

export interface ReplayTarget {
  readonly integration_id: string
  readonly team_id: string | null
  readonly events: readonly string[] | null
  readonly pattern: unknown
  /** Why nothing could be delivered to it now; null when nothing is in the way. */
  readonly hindrance: string | null
}

/** @throws SluiceError NOT_FOUND */
export async function readReplayTarget(
  pool: pg.Pool,
  { kind, targetId }: { readonly kind: TargetKind; readonly targetId: string },
): Promise<ReplayTarget> {
  const [table, state] = kind === 'webhook' ? ['webhooks', 'state'] : ['connections', 'health']
  const { rows } = await pool.query<ReplayTarget>(
    `select t.integration_id, t.team_id, t.events, t.pattern,
            case when i.status <> 'active' then 'The integration is disabled. Enable it, then replay.'
                 when not t.enabled then 'The ${kind} is disabled. Enable it, then replay.'
                 when t.${state} = 'disabled' and t.probe_at is null
                   then 'The ${kind} was switched off, because it said that it is gone. Enable it, then replay.' end as hindrance
       from ${table} t join integrations i on i.id = t.integration_id
      where t.id = $1`,
    [targetId],
  )
  const [target] = rows
  if (!target) throw new SluiceError('NOT_FOUND', `There is no ${kind} ${targetId}.`, { path: `${kind}_id` })
  return target
}

export interface ReplayedDelivery {
  readonly id: string
  /** Number of the attempt that comes next. */
  readonly attempt: number
}

/**
 * Makes one final delivery pending again, under the same id, in front of nobody.
 *
 * @throws SluiceError NOT_FOUND; CONFLICT when it is under way or its target is off; FORBIDDEN when its session is closed to the integration.
 */
export async function replayDelivery(pool: pg.Pool, id: string, principal: Principal): Promise<ReplayedDelivery> {
  const writer = new SqlWriter()
  const key = writer.value(id, 'uuid')
  const own = selectionToSql({ table: 'deliveries', where: {}, principal, writer, alias: 'd' })
  const { rows } = await pool.query<{
    readonly kind: TargetKind
    readonly target: string
    readonly status: string
    readonly open: boolean
  }>(
    `select case when d.webhook_id is null then 'connection' else 'webhook' end as kind,
            coalesce(d.webhook_id, d.connection_id) as target, d.status, ${openDelivery('d')} as open
       from deliveries d where d.id = ${key} and ${own}`,
    [...writer.values],
  )
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', `You have no delivery ${id}.`, { path: 'id' })
  if (!found.open) {
    throw new SluiceError('FORBIDDEN', 'The integration may no longer see the session, so it is not sent again.')
  }
  const { hindrance } = await readReplayTarget(pool, { kind: found.kind, targetId: found.target })
  if (hindrance) throw new SluiceError('CONFLICT', hindrance)
  const { rows: released } = await pool.query<ReplayedDelivery>({
    name: 'replay_delivery',
    text: `
      update deliveries d
         set status = 'pending', due_at = now(), finished_at = null, last_error = null, replay_id = null,
             attempts_before_replay = d.attempt_count
       where d.id = $1 and d.due_at is null
      returning d.id, d.attempt_count + 1 as attempt`,
    values: [id],
  })
  const [delivery] = released
  if (delivery) return delivery
  throw new SluiceError('CONFLICT', `The delivery is ${found.status}: it will be tried without being sent again.`)
}

export interface ReplayState {
  readonly id: string
  readonly status: string
  readonly total: number
  readonly released: number
  readonly skipped: number
}

/**
 * Ends a replay: from the moment of the answer nothing more is released. What was
 * released goes on; `cancel_deliveries` stops that. A replay that is over stays as it is.
 */
export function cancelReplay(pool: pg.Pool, id: string): Promise<ReplayState> {
  return inTransaction(pool, async (client) => {
    // First the replay, then its items: the order in which they are released.
    await client.query(
      `update replays set status = 'cancelled', finished_at = now() where id = $1 and status = 'running'`,
      [id],
    )
    const { rows } = await client.query<ReplayState>(
      'select id, status, total, released, skipped from replays where id = $1',
      [id],
    )
    const [state] = rows
    if (!state) throw new SluiceError('NOT_FOUND', `There is no replay ${id}.`, { path: 'id' })
    if (state.status === 'cancelled') await client.query('delete from replay_items where replay_id = $1', [id])
    return state
  })
}

/** SQL: whether the integration of delivery `d` may still hear of it. That a session is gone is told to those who had it. */
export function openDelivery(d: string): string {
  return `(${d}.session_id is null
    or exists (select from session_grants g
                where g.session_id = ${d}.session_id and g.integration_id = ${d}.integration_id
                  and g.revoked_at is null and g.expires_at > now())
    or exists (select from session_events e where e.id = ${d}.event_id and e.type = 'session.purged'))`
}

/** SQL: `and …` for the range of a replay. */
export function rangeOf(column: string, { from, to }: Pick<NewReplay, 'from' | 'to'>, writer: SqlWriter): string {
  const after = from === null ? '' : `and ${column} >= ${writer.value(from, 'timestamptz')}`
  const before = to === null ? '' : `and ${column} < ${writer.value(to, 'timestamptz')}`
  return `${after} ${before}`
}

function personOf({ kind, id }: Principal): string | null {
  return kind === 'person' ? id : null
}

function tooMany(): SluiceError {
  return new SluiceError(
    'TOO_LARGE',
    `A replay holds ${mostItems} deliveries at most. Narrow it with "where", or replay one range of time after the other (from, to).`,
  )
}
