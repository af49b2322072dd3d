/**
 * Runs schedules with graphile-worker: of all workers of an installation, one
 * runs a job at its time. It keeps its tables in a schema of its own, and uses
 * few connections of its own, so that deliveries never wait for it.
 */
import { Logger, parseCronItems, run } from 'graphile-worker'
import type { Schedule } from '../delivery/jobs.ts'
import type { Log } from '../log.ts'

export interface SchedulesOptions {
  readonly url: string
  readonly schedules: readonly Schedule[]
  readonly log: Log
}

/** Jobs come from the clock alone, so there is no need to look for others often. */
const pollMs = 10_000

export async function startSchedules({ url, schedules, log }: SchedulesOptions): Promise<{ close(): Promise<void> }> {
  const runner = await run({
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
  return { close: () => runner.stop() }
}
