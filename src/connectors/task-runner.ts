/** The worker's side of `task-desk.ts`: takes tasks, a few at once, and answers each in its row. */
import type pg from 'pg'
import type { Sealer } from '../access/seal.ts'
import { changesChannel, listen, tasksChannel } from '../database/notifications.ts'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { type TaskAnswer, taskPurpose } from './task-desk.ts'

/** By kind. A SluiceError that it throws is told to whoever asked; anything else is a defect of ours. */
export type TaskHandlers = Readonly<Record<string, (argument: never, signal: AbortSignal) => Promise<unknown>>>

export interface TaskRunnerOptions {
  readonly pool: pg.Pool
  readonly sealer: Sealer
  readonly handlers: TaskHandlers
  readonly log: Log
  /** Tasks at the same time. @default 4 */
  readonly concurrency?: number
  /** How often it looks unasked, in milliseconds. @default 2000 */
  readonly pollMs?: number
}

export interface TaskRunner {
  /** Stops what runs; it is not answered. */
  close(): Promise<void>
}

interface Task {
  readonly id: string
  readonly kind: string
  readonly sealed_argument: Buffer
  readonly left_ms: number
}

export function startTaskRunner({
  pool,
  sealer,
  handlers,
  log,
  concurrency = 4,
  pollMs = 2000,
}: TaskRunnerOptions): TaskRunner {
  const ending = new AbortController()
  const running = new Set<Promise<void>>()
  let looking: Promise<void> | undefined
  let again = false

  const look = async (): Promise<void> => {
    while (!ending.signal.aborted && running.size < concurrency) {
      again = false
      const task = await takeTask(pool)
      if (!task && !again) return
      if (!task) continue
      const run = answer(task).finally(() => {
        running.delete(run)
        wake()
      })
      running.add(run)
    }
  }
  const wake = (): void => {
    again = true
    if (looking || ending.signal.aborted) return
    looking = look()
      .catch((error) => log.warn({ error: messageOf(error) }, 'tasks of gateways could not be looked for'))
      .finally(() => {
        looking = undefined
      })
  }
  const answer = async ({ id, kind, sealed_argument, left_ms }: Task): Promise<void> => {
    const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(Math.max(1, Math.round(left_ms)))])
    try {
      const result = await outcomeOf(kind, () => {
        const handler = handlers[kind]
        if (!handler) throw new SluiceError('UNAVAILABLE', 'This worker is of an older version. Update it.')
        return handler(JSON.parse(sealer.open(sealed_argument, taskPurpose)) as never, signal)
      })
      if (ending.signal.aborted) return
      await finishTask(pool, id, sealer.seal(JSON.stringify(result), taskPurpose))
    } catch (error) {
      log.error({ error: messageOf(error), kind }, 'a task of a gateway could not be answered')
    }
  }
  const outcomeOf = async (kind: string, run: () => Promise<unknown>): Promise<TaskAnswer> => {
    try {
      return { value: (await run()) ?? null }
    } catch (error) {
      if (error instanceof SluiceError) {
        const { code, message, path, details } = error
        return { error: { code, message, path, details } }
      }
      log.error({ err: error, kind }, 'a task of a gateway failed')
      return { error: { code: 'INTERNAL', message: 'Something went wrong in the worker. Its log says more.' } }
    }
  }

  const listener = listen({ pool, channel: tasksChannel, log, onNotify: wake })
  const timer = setInterval(wake, pollMs)
  return {
    async close() {
      clearInterval(timer)
      ending.abort()
      await listener.close()
      await looking
      await Promise.all(running)
    },
  }
}

/** Also sweeps what nobody waits for any more. */
async function takeTask(pool: pg.Pool): Promise<Task | undefined> {
  const { rows } = await pool.query<Task>({
    name: 'connectors: take task',
    text: `with swept as (
             delete from connector_tasks where expires_at < now() - interval '10 seconds'
           ), next as (
             select id from connector_tasks
              where taken_until is null and expires_at > now()
              order by id limit 1 for update skip locked
           )
           update connector_tasks t set taken_until = t.expires_at
             from next n where t.id = n.id
           returning t.id, t.kind, t.sealed_argument, extract(epoch from t.expires_at - now())::float8 * 1000 as left_ms`,
  })
  return rows[0]
}

async function finishTask(pool: pg.Pool, id: string, result: Buffer): Promise<void> {
  await pool.query('update connector_tasks set finished_at = now(), sealed_result = $2 where id = $1', [id, result])
  await pool.query(`select pg_notify('${changesChannel}', '')`)
}
