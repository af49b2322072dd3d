/**
 * Time passing, told as changes. A predicate such as `expires_at > now()` turns
 * over without anything being written; whoever depends on it must hear of it.
 *
 * States. UNWATCHED: no live query depends on the time of this column; nothing
 * runs. WAITING: the nearest moment at which a row's value passes is known and
 * a timer is set for it; a change that brings a nearer one sets the timer anew.
 * SWEEPING: one statement reads the rows whose values have passed since the
 * last sweep, which are told as changes, and the next moment. A sweep that
 * fails is tried again and begins where the last good one ended, so a moment
 * that fell into a restart of Postgres is told afterwards.
 *
 * Only Postgres's clock is used, the one that evaluates `now()`. There is one
 * timer a column, not one a live query, and no statement between two moments.
 */
import type pg from 'pg'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Predicate } from '../tables/predicate.ts'
import { name } from '../tables/sql-writer.ts'
import type { Change, ChangeFeed, ChangeListener } from './change-feed.ts'
import type { Dependency } from './dependencies.ts'

/** A column that a predicate compares with the present. */
export interface TimedColumn {
  readonly table: string
  readonly column: string
}

export interface PassingTime {
  /** From now on, tells of rows whose value in one of these columns passes; returns how to stop. */
  watch(columns: readonly TimedColumn[]): () => void
  /** Each row as an update whose images are equal. */
  listen(listener: ChangeListener): () => void
  readonly counts: { readonly watched: number; readonly sweeps: number }
  close(): void
}

export interface PassingTimeOptions {
  readonly pool: pg.Pool
  /** Tells of rows that are new or whose moment was changed. */
  readonly feed: ChangeFeed
  readonly log: Log
  /** Shortest time between two sweeps of a column, which gathers moments that lie close together. @default 25 */
  readonly leastMs?: number
  /** @default 500 */
  readonly retryMs?: number
}

/** Also the longest that a jump of the database's clock goes unnoticed. */
const longestWaitMs = 600_000
/** Rows of one sweep; rows with the same moment are never split. */
const mostRows = 1_000
/** What is evaluated when a watch begins may have begun a little before the first sweep. */
const overlapMs = 1_000

interface Watched extends TimedColumn {
  watchers: number
  readonly since: number
  /** Database time of the last sweep, as Postgres writes it. */
  last: string | null
  /** Nearest moment that is known, in epoch milliseconds of the database. */
  next: number
  timer: NodeJS.Timeout | undefined
  sweeping: boolean
  /** A nearer moment became known during a sweep. */
  again: boolean
}

interface Sweep {
  at: string
  passed: Change['key'][]
  next: number | null
  wait: number | null
  more: boolean
}

export function followTime({ pool, feed, log, leastMs = 25, retryMs = 500 }: PassingTimeOptions): PassingTime {
  const watched = new Map<string, Watched>()
  const listeners = new Set<ChangeListener>()
  let sweeps = 0

  const isGone = (one: Watched) => one.watchers === 0

  const schedule = (one: Watched, ms: number) => {
    clearTimeout(one.timer)
    if (isGone(one)) return
    one.timer = setTimeout(() => void sweep(one), Math.min(ms, longestWaitMs)).unref()
  }

  const sweep = async (one: Watched) => {
    if (one.sweeping) {
      one.again = true
      return
    }
    clearTimeout(one.timer)
    one.sweeping = true
    one.again = false
    // Until the answer is there, any moment that is told of may be one that it has not seen.
    one.next = Number.POSITIVE_INFINITY
    sweeps += 1
    const began = performance.now()
    try {
      const { rows } = await pool.query<Sweep>({
        text: sweepText(one),
        values: [one.last, began - one.since + overlapMs],
      })
      const [found] = rows
      if (!found || isGone(one)) return
      one.last = found.at
      one.next = found.next ?? Number.POSITIVE_INFINITY
      const changes = found.passed.map((row) => changeOf(one, row))
      if (changes.length > 0) for (const listener of listeners) listener(changes)
      // Where sweeping is slow (no index, very many rows) it takes a tenth of a connection at most.
      const rest = found.more ? 0 : Math.max(leastMs, 10 * (performance.now() - began))
      schedule(one, one.again || found.more ? rest : Math.max(rest, (found.wait ?? longestWaitMs) + 1))
    } catch (error) {
      if (isGone(one)) return
      log.warn(
        { error: messageOf(error), table: one.table },
        'rows that time has passed could not be read; trying again',
      )
      schedule(one, retryMs)
    } finally {
      one.sweeping = false
    }
  }

  const stopListening = feed.listen((changes) => {
    for (const one of watched.values()) {
      const isNearer = changes.some(({ table, new: row }) => {
        const value = table === one.table ? row?.[one.column] : undefined
        return typeof value === 'string' && Date.parse(value) < one.next
      })
      if (!isNearer) continue
      if (one.sweeping) one.again = true
      else void sweep(one)
    }
  })
  const stopGaps = feed.onGap(() => {
    for (const one of watched.values()) void sweep(one)
  })

  return {
    watch(columns) {
      const mine = columns.map(({ table, column }) => {
        const key = `${table}.${column}`
        const known = watched.get(key)
        const one = known ?? begin({ table, column })
        one.watchers += 1
        if (!known) {
          watched.set(key, one)
          void sweep(one)
        }
        return one
      })
      return () => {
        for (const one of mine.splice(0)) {
          one.watchers -= 1
          if (!isGone(one)) continue
          clearTimeout(one.timer)
          watched.delete(`${one.table}.${one.column}`)
        }
      }
    },
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    get counts() {
      return { watched: watched.size, sweeps }
    },
    close() {
      stopListening()
      stopGaps()
      for (const one of watched.values()) {
        one.watchers = 0
        clearTimeout(one.timer)
      }
      watched.clear()
    },
  }
}

function begin(column: TimedColumn): Watched {
  return {
    ...column,
    watchers: 0,
    since: performance.now(),
    last: null,
    next: Number.POSITIVE_INFINITY,
    timer: undefined,
    sweeping: false,
    again: false,
  }
}

function changeOf({ table }: TimedColumn, row: Change['key']): Change {
  return { table, operation: 'update', key: { id: row.id }, old: row, new: row }
}

/** `$1`: the last sweep, or null; then `$2` milliseconds back. When not all fitted, `at` is the last moment told. */
function sweepText({ table, column }: TimedColumn): string {
  const [from, time] = [name(table), name(column)]
  return `with passed as (
  select ${time} as moment, to_jsonb(r) as row from ${from} r
   where ${time} > coalesce($1::timestamptz, now() - $2::float8 * interval '1 millisecond') and ${time} <= now()
   order by ${time} fetch first ${mostRows} rows with ties
), told as (
  select count(*) >= ${mostRows} as more, max(moment) as latest, coalesce(jsonb_agg(row), '[]') as passed from passed
), coming as (
  select min(${time}) as moment from ${from} where ${time} > now()
)
select (case when more then latest else now() end)::text as at, passed, more,
       (extract(epoch from moment) * 1000)::float8 as next,
       (extract(epoch from moment - now()) * 1000)::float8 as wait
  from told, coming`
}

/** The columns whose comparison with the present decides what a query finds. */
export function timedColumnsOf(dependencies: readonly Dependency[]): readonly TimedColumn[] {
  const found = new Map<string, TimedColumn>()
  const visit = (predicate: Predicate, table: string): void => {
    if (predicate.kind === 'and' || predicate.kind === 'or') for (const part of predicate.of) visit(part, table)
    // What stands in `exists` is a dependency of its own, on the other table.
    if (predicate.kind === 'not') visit(predicate.of, table)
    if (predicate.kind === 'compare' && predicate.operand.kind === 'now') {
      found.set(`${table}.${predicate.column}`, { table, column: predicate.column })
    }
  }
  for (const { table, predicate } of dependencies) visit(predicate, table)
  return [...found.values()]
}
