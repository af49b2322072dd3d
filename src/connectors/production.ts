/** What a worker does for producers: runs them at their times, and converts what came in. */
import { changesChannel, createNotifier, deliveriesChannel, productionChannel } from '../database/notifications.ts'
import type { CallParts } from './call.ts'
import { bundleCache } from './carrier.ts'
import { type ConversionsOptions, startConversions } from './conversions.ts'
import { fetchSources } from './fetch-sources.ts'
import type { Intake } from './intake.ts'
import { createSandboxPool, type SandboxPoolOptions } from './sandbox/pool.ts'
import { type ScheduledRunner, type ScheduledRunsOptions, startScheduledRuns } from './scheduled-runs.ts'
import { createTurns } from './turns.ts'

export interface ProductionOptions extends Omit<CallParts, 'sandboxes' | 'bundles'> {
  readonly intake: Intake
  /** Of other kinds of connector that run at their times. */
  readonly runners?: readonly ScheduledRunner[]
  readonly sandbox?: SandboxPoolOptions
  readonly runs?: Pick<ScheduledRunsOptions, 'concurrency' | 'pollMs' | 'leaseMs' | 'retryMs'>
  readonly conversions?: Pick<ConversionsOptions, 'concurrency' | 'pollMs' | 'leaseMs' | 'observe'>
}

export interface Production {
  close(): Promise<void>
}

/**
 * @throws SluiceError CONFIGURATION when Deno is not installed.
 * @example
 * const production = startProduction({ database, sealer, egress, mailer, log, environment, intake })
 * await production.close()
 */
export function startProduction({
  intake,
  runners = [],
  sandbox,
  runs,
  conversions,
  ...options
}: ProductionOptions): Production {
  const { pool } = options.database
  const { log } = options
  // Of its own, so that fetching and converting neither wait for deliveries nor keep them waiting.
  const sandboxes = createSandboxPool({ maxProcesses: 16, ...sandbox })
  const parts = { ...options, sandboxes, bundles: bundleCache(pool), turns: createTurns(pool) }
  const told = createNotifier({ pool, channels: [changesChannel, deliveriesChannel], log })
  const waiting = createNotifier({ pool, channels: [productionChannel], log })
  const converting = startConversions({ ...parts, intake, committed: () => told.notify(), ...conversions })
  const stored = () => {
    converting.wake()
    waiting.notify()
  }
  const producers: ScheduledRunner = {
    kinds: ['producer', 'two-phase-producer'],
    run: (connection, signal) => fetchSources({ ...parts, stored }, connection, signal),
  }
  const running = startScheduledRuns({ pool, log, runners: [producers, ...runners], ...runs })
  return {
    async close() {
      await Promise.all([running.close(), converting.close()])
      await Promise.all([sandboxes.close(), told.close(), waiting.close()])
    },
  }
}
