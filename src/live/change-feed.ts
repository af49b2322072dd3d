/**
 * Follows `change_log` in commit order and tells what changed.
 *
 * States. IDLE: nothing happened for a while; the next poll is up to `idleMs`
 * away. BUSY: a poke or a row arrived less than `busyForMs` ago; polls every
 * `busyMs`, because a transaction that is still open may hold back rows that
 * are already written. CLOSED: no more polls. A poke (from this process after
 * its own commit, or a NOTIFY from another) enters BUSY at once; a poll that
 * fails stays in its state and tries again after `retryMs`, so a restart of
 * Postgres is only a pause.
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
  close(): Promise<void>
}

export interface ChangeFeedOptions {
  readonly pool: pg.Pool
  readonly log: Log
  /** @default 3 */
  readonly busyMs?: number
  /** @default 200 */
  readonly busyForMs?: number
  /** Longest wait between two polls without a poke, for writes made by plain SQL. @default 250 */
  readonly idleMs?: number
  /** @default 500 */
  readonly retryMs?: number
}

const batchSize = 2_000

interface LogRow {
  seq: string
  xid: string
  table_name: string
  operation: Change['operation']
  key: Change['key']
  old: Change['old']
  new: Change['new']
}

export async function openChangeFeed(options: ChangeFeedOptions): Promise<ChangeFeed> {
  const { pool, log, busyMs = 3, busyForMs = 200, idleMs = 250, retryMs = 500 } = options
  const listeners = new Set<ChangeListener>()
  const gapListeners = new Set<() => void>()
  let cursor = await startCursor(pool)
  let closed = false
  let busyUntil = 0
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | null = null
  let again = false
  let failing = false

  const tellOfGap = () => {
    for (const listener of gapListeners) listener()
  }

  const schedule = (ms: number) => {
    clearTimeout(timer)
    if (!closed) timer = setTimeout(poll, ms)
  }

  const poll = () => {
    if (running) {
      again = true
      return
    }
    running = readBatch()
      .catch((error) => {
        if (!closed) log.warn({ error: messageOf(error) }, 'the change log could not be read; trying again')
        return 'failed' as const
      })
      .then((outcome) => {
        running = null
        if (closed) return
        if (outcome === 'failed') {
          failing = true
          return schedule(retryMs)
        }
        // While nothing could be read, the pruner may have passed our cursor.
        if (failing) tellOfGap()
        failing = false
        if (outcome === 'full' || again) {
          again = false
          return schedule(0)
        }
        schedule(Date.now() < busyUntil ? busyMs : idleMs)
      })
  }

  const readBatch = async (): Promise<'full' | 'done'> => {
    const { rows } = await pool.query<LogRow>({
      name: 'read-change-log',
      // The order is that of the column: by its bare name it would be that of the text that is selected.
      text: `select seq, xid::text, table_name, operation, key, old, new from change_log
              where (xid, seq) > ($1::xid8, $2::bigint) and xid < pg_snapshot_xmin(pg_current_snapshot())
              order by change_log.xid, change_log.seq limit ${batchSize}`,
      values: [cursor.xid, cursor.seq],
    })
    const last = rows.at(-1)
    if (!last) return 'done'
    cursor = { xid: last.xid, seq: last.seq }
    busyUntil = Date.now() + busyForMs
    const changes = rows.map(({ table_name, operation, key, old, new: now }) => ({
      table: table_name,
      operation,
      key,
      old,
      new: now,
    }))
    for (const listener of listeners) listener(changes)
    return rows.length === batchSize ? 'full' : 'done'
  }

  const poke = () => {
    busyUntil = Date.now() + busyForMs
    if (running) again = true
    else schedule(0)
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
    async close() {
      closed = true
      clearTimeout(timer)
      await ear.close()
      await running
    },
  }
}

/** Everything that commits from now on lies behind this cursor. */
async function startCursor(pool: pg.Pool): Promise<{ xid: string; seq: string }> {
  const { rows } = await pool.query<{ xmin: string }>('select pg_snapshot_xmin(pg_current_snapshot())::text as xmin')
  return { xid: (BigInt(rows[0]?.xmin ?? '1') - 1n).toString(), seq: '9223372036854775807' }
}
