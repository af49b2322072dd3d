/**
 * Runs the statements of live queries and streams. Statements that are waiting
 * at the same time and have the same text, differing only in their values, run
 * as one: their values become the rows of a set, and the statement is joined to
 * it laterally. A change that wakes a thousand cohorts of one plan is then five
 * statements and not a thousand.
 *
 * Neighbours are strangers to each other: when what Postgres refuses is the
 * values of one of them, each of the batch runs again by itself, and only that
 * one fails. What passes (a restart) is told to all, who will try again.
 */
import type pg from 'pg'
import { isPassing } from '../database/passing-errors.ts'
import { createPreparedNames } from '../database/prepared.ts'

export interface LiveStatement {
  /** SQL whose placeholders are all written `$n::type`, as `tables/sql-writer.ts` writes them. */
  readonly text: string
  readonly values: readonly unknown[]
  /** It writes (an audit entry), so it cannot be joined to others. */
  readonly retrieves: boolean
}

/** The columns of the statement's one row, as text. */
export type LiveRow = Readonly<Record<string, string | null>>

export interface Evaluator {
  run(statement: LiveStatement): Promise<LiveRow>
  /** Statements sent to Postgres, and evaluations they answered, since the start. */
  readonly counts: { readonly statements: number; readonly evaluations: number }
}

export interface EvaluatorOptions {
  readonly pool: pg.Pool
  /** Statements at once, so that live queries leave connections for others. @default 4 */
  readonly concurrency?: number
  /** Evaluations in one statement. @default 200 */
  readonly batch?: number
}

interface Waiting {
  readonly statement: LiveStatement
  readonly resolve: (row: LiveRow) => void
  readonly reject: (error: unknown) => void
}

export function createEvaluator({ pool, concurrency = 4, batch = 200 }: EvaluatorOptions): Evaluator {
  /** Insertion order is the order of turns: a text goes to the back when it has more than one batch. */
  const queues = new Map<string, Waiting[]>()
  const names = createPreparedNames()
  const counts = { statements: 0, evaluations: 0 }
  let active = 0
  let pumping = false

  const pump = () => {
    pumping = false
    while (active < concurrency) {
      const [text, queue] = queues.entries().next().value ?? []
      if (text === undefined || !queue) return
      queues.delete(text)
      const size = queue[0]?.statement.retrieves ? 1 : batch
      const turn = queue.splice(0, size)
      if (queue.length > 0) queues.set(text, queue)
      active += 1
      counts.statements += 1
      counts.evaluations += turn.length
      void runTurn(text, turn).finally(() => {
        active -= 1
        pump()
      })
    }
  }

  const runTurn = async (text: string, turn: readonly Waiting[]) => {
    try {
      const rows = turn.length === 1 ? await runOne(turn[0] as Waiting) : await runTogether(text, turn)
      turn.forEach((waiting, index) => {
        waiting.resolve(rows[index] as LiveRow)
      })
    } catch (error) {
      if (turn.length > 1 && !isPassing(error)) return await runApart(turn)
      for (const waiting of turn) waiting.reject(error)
    }
  }

  const runApart = async (turn: readonly Waiting[]) => {
    for (const waiting of turn) {
      counts.statements += 1
      await runOne(waiting).then(([row]) => waiting.resolve(row as LiveRow), waiting.reject)
    }
  }

  const runOne = async ({ statement: { text, values } }: Waiting): Promise<LiveRow[]> => {
    const { rows } = await pool.query<LiveRow>({ text, values: [...values], name: names.nameOf(text) })
    return rows
  }

  const runTogether = async (text: string, turn: readonly Waiting[]): Promise<LiveRow[]> => {
    const joined = joinedText(text)
    const sets = JSON.stringify(turn.map(({ statement }) => statement.values.map(asText)))
    const { rows } = await pool.query<LiveRow & { turn: string }>({
      text: joined,
      values: [sets],
      name: names.nameOf(joined),
    })
    const byTurn = new Map(rows.map((row) => [Number(row.turn), row]))
    return turn.map((_, index) => byTurn.get(index + 1) as LiveRow)
  }

  return {
    counts,
    run(statement) {
      return new Promise((resolve, reject) => {
        const queue = queues.get(statement.text)
        const waiting = { statement, resolve, reject }
        if (queue) queue.push(waiting)
        else queues.set(statement.text, [waiting])
        if (pumping) return
        // One turn of the event loop gathers what one change woke.
        pumping = true
        setImmediate(pump)
      })
    },
  }
}

const placeholder = /\$(\d+)::((?:"(?:[^"]|"")*"|\w+)(?:\[\])?)/g

/**
 * The statement for many sets of values at once: `$1` is a JSON array of arrays.
 *
 * @internal exported for its test
 */
export function joinedText(text: string): string {
  const inner = text.replace(
    placeholder,
    (_, number: string, type: string) => `(given.v->>${Number(number) - 1})::${type}`,
  )
  return `select given.turn::text, answer.* from jsonb_array_elements($1::jsonb) with ordinality as given(v, turn) cross join lateral (${inner}) answer`
}

/** A value in the text form that its type reads, as `pg` writes parameters: arrays as `{"a","b"}`, objects as JSON. */
function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) {
    const items = value.map((item) => {
      const text = asText(item)
      return text === null ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`
    })
    return `{${items.join(',')}}`
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
