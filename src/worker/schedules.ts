/**
 * Runs schedules with graphile-worker: of all workers of an installation, one
 * runs a job at its time. It keeps its tables in a schema of its own, and uses
 * few connections of its own, so that deliveries never wait for it.
 */
import { setTimeout } from 'node:timers/promises'
import { Logger, parseCronItems, type Runner, run } from 'graphile-worker'
import type { Schedule } from '../delivery/jobs.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

export interface SchedulesOptions {
  readonly url: string
  readonly schedules: readonly Schedule[]
  readonly log: Log
}

/** Jobs come from the clock alone, so there is no need to look for others often. */
const pollMs = 10_000
/** After graphile-worker has given up, for instance because the database was away for long. */
const restartMs = 5000

/** @throws the database's error when it cannot start; later failures are logged, and it starts again. */
export async function startSchedules(options: SchedulesOptions): Promise<{ close(): Promise<void> }> {
  const { log } = options
  const closing = new AbortController()
  let runner = await startRunner(options)

  async function keepRunning(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await runner.promise
      } catch (error) {
        log.error({ error: messageOf(error) }, 'schedules have stopped; starting them again')
      }
      if (closing.signal.aborted) return
      await setTimeout(restartMs, undefined, { signal: closing.signal }).catch(() => undefined)
      if (closing.signal.aborted) return
      // A start that fails is one that has ended.
      runner = await startRunner(options).catch((error) => ({
        promise: Promise.reject(error),
        stop: async () => undefined,
      }))
    }
  }
  const kept = keepRunning()

  return {
    async close() {
      closing.abort()
      await runner.stop().catch((error) => log.warn({ error: messageOf(error) }, 'schedules did not stop cleanly'))
      await kept
    },
  }
}

function startRunner({ url, schedules, log }: SchedulesOptions): Promise<Pick<Runner, 'promise' | 'stop'>> {
  return run({
    connectionString: url,
    maxPoolSize: 3,
    schema: 'graphile_worker',
    concurrency: 1,
    pollInterval: pollMs,
    noHandleSignals: true,
    logger: new Logger(() => (level, message) => {
      if (level === 'error') log.error(message)
      else if (level === 'warning') log.warn(message)
      else log.trace(message)
    }),
    taskList: Object.fromEntries(schedules.map(({ name, run }) => [name, run])),
    parsedCronItems: parseCronItems(
      schedules.map(({ name, cron }) => ({
        task: name,
        match: cron,
        // One that is still waiting, because no worker ran, is not doubled.
        options: { jobKey: name, jobKeyMode: 'preserve_run_at', maxAttempts: 3, backfillPeriod: 0 },
      })),
    ),
  })
}
