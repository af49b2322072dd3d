/** Modifiers of a worker: the settling engine of the sessions, with the sandbox of the connectors behind it. */
import type { Sealer } from '../access/seal.ts'
import type { Config } from '../config.ts'
import type { CallParts } from '../connectors/call.ts'
import { bundleCache } from '../connectors/carrier.ts'
import { environmentOf } from '../connectors/environment.ts'
import { createModifierRuns } from '../connectors/modifiers.ts'
import { createSandboxPool } from '../connectors/sandbox/pool.ts'
import type { ScheduledRunner } from '../connectors/scheduled-runs.ts'
import { createTurns } from '../connectors/turns.ts'
import type { Database } from '../database/database.ts'
import { changesChannel, createNotifier, deliveriesChannel } from '../database/notifications.ts'
import type { Egress } from '../egress/egress.ts'
import type { Mailer } from '../egress/mail.ts'
import type { FileStore } from '../files/store.ts'
import type { Log } from '../log.ts'
import { createSchemaChecker } from '../sessions/schema-checker.ts'
import { type SettlingOptions, startSettling } from '../sessions/settling.ts'
import { askScheduledModifier } from '../sessions/settling-ask.ts'

export interface WorkerModifiersOptions
  extends Partial<Pick<SettlingOptions, 'leaseMs' | 'pollMs' | 'retryMs' | 'most' | 'observe'>> {
  readonly config: Config
  readonly database: Database
  readonly sealer: Sealer
  readonly files: FileStore
  readonly egress: Egress
  readonly mailer: Mailer
  readonly log: Log
  /** Tells connections that they start. */
  readonly lifecycle?: CallParts['lifecycle']
}

export interface WorkerModifiers {
  /** Looks at once for sessions that wait. */
  wake(): void
  /** What runs modifiers at their times. */
  readonly runner: ScheduledRunner
  close(): Promise<void>
}

/** Somebody waits for each session, so a process stays for longer than one of a delivery. */
const sandboxIdleMs = 120_000

export function startModifiers({
  config,
  database,
  sealer,
  files,
  egress,
  mailer,
  log,
  lifecycle,
  ...settlingOptions
}: WorkerModifiersOptions): WorkerModifiers {
  const { pool } = database
  const sandboxes = createSandboxPool({ idleMs: sandboxIdleMs })
  const checker = createSchemaChecker()
  const notifier = createNotifier({ pool, channels: [changesChannel, deliveriesChannel], log })
  const settling = startSettling({
    pool,
    checker,
    log,
    modifiers: createModifierRuns({
      ...{ database, sealer, egress, mailer, log, sandboxes, lifecycle },
      objects: files,
      bundles: bundleCache(pool),
      turns: createTurns(pool),
      environment: environmentOf(config),
    }),
    retentionAfterRetrievalDays: config.RETENTION_AFTER_RETRIEVAL_DAYS,
    maxDataBytes: config.MAX_BODY_BYTES,
    committed: () => notifier.notify(),
    ...settlingOptions,
  })
  return {
    wake: () => settling.wake(),
    runner: {
      kinds: ['modifier'],
      async run({ connection }) {
        const { asked } = await askScheduledModifier(pool, { connection_id: connection.id })
        settling.wake()
        const message = asked === 1 ? 'It is asked about one session.' : `It is asked about ${asked} sessions.`
        return { succeeded: true, message }
      },
    },
    async close() {
      await settling.close()
      await sandboxes.close()
      await Promise.all([checker.close(), notifier.close()])
    },
  }
}
