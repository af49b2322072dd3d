/**
 * Follows `change_log` in commit order and tells what changed.
 *
 * States, by when it looks next. IDLE: nothing is known to be there; in `idleMs`,
 * or at once when poked (by this process after its own commit, by a NOTIFY of
 * another). HELD: rows are there but a transaction that began before theirs is
 * still open, so they may not be read yet; in `busyMs`, later the longer it
 * lasts. WARM: a look that nobody had asked for found rows, so somebody writes
 * without telling (plain SQL); every `warmMs` until none came for `warmForMs`.
 * FAILING: Postgres did not answer; every `retryMs`, so a restart is only a
 * pause. CLOSED: no more looks. Who tells of every commit costs one look each.
 *
 * The cursor is (xid, seq), read only below `pg_snapshot_xmin`: no transaction
 * can still commit a row behind it, so no row is ever lost.
 */
import type pg from 'pg'
import { changesChannel, listen } from '../database/notifications.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

export interface Change {
  readonly table: string
  readonly operation: 'insert' | 'update' | 'delete'
  readonly key: Readonly<Record<string, unknown>>
  /** Routing columns before and after; null where there is no such row. */
  readonly old: Readonly<Record<string, unknown>> | null
  readonly new: Readonly<Record<string, unknown>> | null
}

export type ChangeListener = (changes: readonly Change[]) => void

export interface ChangeFeed {
  /** Calls `listener` with every batch from now on; returns how to stop. */
  listen(listener: ChangeListener): () => void
  /** Calls `listener` when changes may have been missed (the log was cut behind us): everything must be read again. */
  onGap(listener: () => void): () => void
  /** Something was committed: look now. Cheap, may be called for every commit. */
  poke(): void
  /** How long ago all that had been committed was told, and how long ago the log could last be read, in milliseconds. */
  readonly progress: { readonly lagMs: number; readonly silentMs: number }
  close(): Promise<void>
}

export interface ChangeFeedOptions {
  readonly pool: pg.Pool
  readonly log: Log
  /** Shortest time between two looks. @default 3 */
  readonly busyMs?: number
  /** @default 8 */
  readonly warmMs?: number
  /** @default 500 */
  readonly warmForMs?: number
  /** Longest wait between two polls without a poke, for writes made by plain SQL. @default 250 */
  readonly idleMs?: number
  /** @default 500 */
  readonly retryMs?: number
}

const batchSize = 2_000
/** How rarely rows are looked for that an old transaction holds back. */
const heldMs = 25

/** Well within what is kept of the log (`delivery/jobs.ts`: five minutes). */
const longestPauseMs = 60_000

interface LogRow {
  /** Rows are there that may not be read yet. */
  held: boolean
  /** Null where there is no row to read. */
  seq: string | null
  xid: string
  table_name: string
  operation: Change['operation']
  key: Change['key']
  old: Change['old']
  new: Change['new']
}

export async function openChangeFeed(options: ChangeFeedOptions): Promise<ChangeFeed> {
  const { pool, log, busyMs = 3, warmMs = 8, warmForMs = 500, idleMs = 250, retryMs = 500 } = options
  const listeners = new Set<ChangeListener>()
  const gapListeners = new Set<() => void>()
  let cursor = await startCursor(pool)
  let closed = false
  let warmUntil = 0
  /** Since when rows have been held back; null while none are. */
  let heldSince: number | null = null
  let lookedAt = 0
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> | null = null
  let poked = false
  let failing = false
  let readAt = Date.now()
  let toldAllAt = performance.now()

  const schedule = (ms: number) => {
    clearTimeout(timer)
    if (!closed) timer = setTimeout(look, ms)
  }

  const look = () => {
    clearTimeout(timer)
    const wasPoked = poked
    poked = false
    lookedAt = performance.now()
    looking = readBatch(wasPoked)
      .then(() => {
        // While nothing was read (no connection, a process that was stopped), the pruner may have passed our cursor.
        if (failing || Date.now() - readAt > longestPauseMs) for (const listener of gapListeners) listener()
        failing = false
        readAt = Date.now()
      })
      .catch((error) => {
        failing = true
        if (!closed) log.warn({ error: messageOf(error) }, 'the change log could not be read; trying again')
      })
      .then(() => {
        looking = null
        schedule(waitMs())
      })
  }

  const waitMs = (): number => {
    const time = performance.now()
    if (failing) return retryMs
    if (poked) return Math.max(0, lookedAt + busyMs - time)
    if (heldSince !== null) return Math.min(Math.max((time - heldSince) / 10, busyMs), heldMs)
    return time < warmUntil ? warmMs : idleMs
  }

  const readBatch = async (wasPoked: boolean): Promise<void> => {
    const { rows } = await pool.query<LogRow>({
      name: 'read-change-log',
      text: readText,
      values: [cursor.xid, cursor.seq],
    })
    const wasHeld = heldSince !== null
    heldSince = rows[0]?.held ? (heldSince ?? lookedAt) : null
    if (heldSince === null && rows.length < batchSize) toldAllAt = lookedAt
    const last = rows.at(-1)
    if (!last?.seq) return
    cursor = { xid: last.xid, seq: last.seq }
    if (!wasPoked && !wasHeld) warmUntil = lookedAt + warmForMs
    if (rows.length === batchSize) poked = true
    const changes = rows.map(({ table_name, operation, key, old, new: now }) => ({
      table: table_name,
      operation,
      key,
      old,
      new: now,
    }))
    for (const listener of listeners) listener(changes)
  }

  const poke = () => {
    if (poked || closed) return
    poked = true
    if (looking || failing) return
    const restMs = lookedAt + busyMs - performance.now()
    if (restMs > 0) schedule(restMs)
    else look()
  }

  const ear = listen({ pool, channel: changesChannel, log, onNotify: poke })
  schedule(0)

  return {
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    onGap(listener) {
      gapListeners.add(listener)
      return () => gapListeners.delete(listener)
    },
    poke,
    get progress() {
      return { lagMs: performance.now() - toldAllAt, silentMs: Date.now() - readAt }
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await ear.close()
      await looking
    },
  }
}

/**
 * Always a row, that says whether others are held back. The order is that of the
 * columns: by its bare name it would be that of the text of `xid` that is selected.
 */
const readText = `select waiting.held, batch.*
  from (select exists (select from change_log where xid >= pg_snapshot_xmin(pg_current_snapshot())) as held) waiting
  left join lateral (
    select c.seq, c.xid::text, c.table_name, c.operation, c.key, c.old, c.new from change_log c
     where (c.xid, c.seq) > ($1::xid8, $2::bigint) and c.xid < pg_snapshot_xmin(pg_current_snapshot())
     order by c.xid, c.seq limit ${batchSize}
  ) batch on true`

/** Everything that commits from now on lies behind this cursor. */
async function startCursor(pool: pg.Pool): Promise<{ xid: string; seq: string }> {
  const { rows } = await pool.query<{ xmin: string }>('select pg_snapshot_xmin(pg_current_snapshot())::text as xmin')
  return { xid: (BigInt(rows[0]?.xmin ?? '1') - 1n).toString(), seq: '9223372036854775807' }
}
