/**
 * Where a gateway asks a worker: vendors' code, packages and bundlers stay out
 * of gateways. A task is a row, sealed because settings are in it; a worker
 * takes it, answers in the same row, and the gateway hears of it in its change
 * feed, reads the answer and deletes the row. Who is not answered in time
 * deletes it too, so a task is answered once or not at all.
 */
import type pg from 'pg'
import type { Sealer } from '../access/seal.ts'
import { tasksChannel } from '../database/notifications.ts'
import { type ErrorCode, SluiceError } from '../errors.ts'
import type { ChangeFeed } from '../live/change-feed.ts'

/** What seals arguments and answers. */
export const taskPurpose = 'connector task'

/** What a worker answers, sealed. */
export type TaskAnswer =
  | { readonly value: unknown }
  | {
      readonly error: {
        readonly code: ErrorCode
        readonly message: string
        readonly path?: string | undefined
        readonly details?: Readonly<Record<string, unknown>> | undefined
      }
    }

export interface TaskDesk {
  /**
   * @param kind names what the worker's handlers know.
   * @param argument JSON.
   * @throws SluiceError UNAVAILABLE when no worker answers in time; whatever SluiceError the worker answers.
   */
  ask<Value>(kind: string, argument: unknown, options?: { readonly timeoutMs?: number }): Promise<Value>
}

export interface TaskDeskOptions {
  readonly pool: pg.Pool
  readonly sealer: Sealer
  readonly feed: ChangeFeed
}

/** The feed tells of an answer; this is for when it has a gap. */
const lookMs = 2000

/** @example const { faults } = await createTaskDesk({ pool, sealer, feed }).ask('validate', { connector_id, values, locale }) */
export function createTaskDesk({ pool, sealer, feed }: TaskDeskOptions): TaskDesk {
  return {
    async ask<Value>(kind: string, argument: unknown, { timeoutMs = 30_000 } = {}): Promise<Value> {
      let look = Promise.withResolvers<void>()
      let id: string | undefined
      const wake = () => look.resolve()
      const stop = feed.listen((changes) => {
        if (changes.some(({ table, key }) => table === 'connector_tasks' && (id === undefined || key.id === id))) wake()
      })
      const ungap = feed.onGap(wake)
      try {
        const deadline = performance.now() + timeoutMs
        id = await insertTask(pool, kind, sealer.seal(JSON.stringify(argument), taskPurpose), timeoutMs)
        for (;;) {
          const answer = await takeAnswer(pool, id)
          if (answer) return opened<Value>(JSON.parse(sealer.open(answer, taskPurpose)) as TaskAnswer)
          const left = deadline - performance.now()
          if (left <= 0) throw await givenUp(pool, id, timeoutMs)
          const timer = setTimeout(wake, Math.min(left, lookMs))
          await look.promise
          clearTimeout(timer)
          look = Promise.withResolvers<void>()
        }
      } finally {
        stop()
        ungap()
      }
    },
  }
}

async function insertTask(pool: pg.Pool, kind: string, argument: Buffer, timeoutMs: number): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(
    `insert into connector_tasks (kind, sealed_argument, expires_at)
     values ($1, $2, now() + $3 * interval '1 millisecond') returning id`,
    [kind, argument, timeoutMs],
  )
  // After the commit: a notification inside would make commits wait for each other.
  await pool.query(`select pg_notify('${tasksChannel}', '')`)
  const [task] = rows
  if (!task) throw new Error('the task was not stored')
  return task.id
}

async function takeAnswer(pool: pg.Pool, id: string): Promise<Buffer | undefined> {
  const { rows } = await pool.query<{ sealed_result: Buffer }>(
    'delete from connector_tasks where id = $1 and finished_at is not null returning sealed_result',
    [id],
  )
  return rows[0]?.sealed_result
}

async function givenUp(pool: pg.Pool, id: string, timeoutMs: number): Promise<SluiceError> {
  const { rows } = await pool.query<{ taken: boolean }>(
    'delete from connector_tasks where id = $1 returning taken_until is not null as taken',
    [id],
  )
  const seconds = Math.round(timeoutMs / 1000)
  return new SluiceError(
    'UNAVAILABLE',
    rows[0]?.taken
      ? `The worker did not finish within ${seconds} s. Try again.`
      : `No worker took this on within ${seconds} s. Check that a worker runs, and try again.`,
  )
}

function opened<Value>(answer: TaskAnswer): Value {
  if ('value' in answer) return answer.value as Value
  const { code, message, path, details } = answer.error
  throw new SluiceError(code, message, {
    ...(path === undefined ? {} : { path }),
    ...(details === undefined ? {} : { details }),
  })
}
