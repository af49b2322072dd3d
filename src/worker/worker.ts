/** A worker process: delivers, and keeps house. Everything it needs is handed to it; everything it opens it closes. */
import { startAuditSealer } from '../access/audit-seal.ts'
import { accessSchedules } from '../access/prune-access.ts'
import { peopleSchedules } from '../access/prune-people.ts'
import type { Sealer } from '../access/seal.ts'
import type { Config } from '../config.ts'
import { createConnectionCarrier } from '../connectors/carrier.ts'
import { environmentOf } from '../connectors/environment.ts'
import { createLifecycle, type Lifecycle } from '../connectors/lifecycle.ts'
import { type ProductionOptions, startProduction } from '../connectors/production.ts'
import { rawSourceSchedules } from '../connectors/raw-source-retention.ts'
import { createTaskHandlers } from '../connectors/task-handlers.ts'
import { startTaskRunner } from '../connectors/task-runner.ts'
import { twoPhaseSchedules } from '../connectors/two-phase-jobs.ts'
import type { Database } from '../database/database.ts'
import { createReadiness } from '../database/readiness.ts'
import type { Carrier } from '../delivery/carrier.ts'
import { type DeliveryEngine, type DeliveryEngineOptions, startDeliveryEngine } from '../delivery/engine.ts'
import { deliverySchedules, type Schedule } from '../delivery/jobs.ts'
import { startReplays } from '../delivery/replay-release.ts'
import { createEgress, type Egress, egressOptionsOf } from '../egress/egress.ts'
import { createMailer, type Mailer } from '../egress/mail.ts'
import { fileSchedules } from '../files/jobs.ts'
import { createFileParts } from '../files/parts.ts'
import type { FileStore } from '../files/store.ts'
import type { Log } from '../log.ts'
import { serveMetrics } from '../metrics.ts'
import { sessionSchedules } from '../sessions/jobs.ts'
import { createWebhookCarrier } from '../webhooks/carrier.ts'
import { startTelling, type TellingOptions } from '../webhooks/operational-telling.ts'
import { createIntake } from './intake.ts'
import { createWorkerMetrics, type WorkerMetrics } from './metrics.ts'
import { startModifiers, type WorkerModifiers, type WorkerModifiersOptions } from './modifiers.ts'
import { startSchedules } from './schedules.ts'

export interface WorkerOptions {
  readonly config: Config
  readonly database: Database
  readonly sealer: Sealer
  readonly files: FileStore
  readonly log: Log
}

export interface Worker {
  /** Finishes what runs, gives back what does not end in time, closes what was opened. The database stays open. */
  close(): Promise<void>
}

/** What carriers are built from. */
export interface CarrierParts extends WorkerOptions {
  readonly egress: Egress
  readonly mailer: Mailer
  readonly lifecycle?: Lifecycle
}

export interface WorkerParts extends WorkerOptions {
  /** @default all that there are */
  readonly carriers?: (parts: CarrierParts) => readonly Carrier[]
  /** @default all that there are; `[]` runs no graphile-worker */
  readonly schedules?: readonly Schedule[]
  readonly engine?: Partial<Omit<DeliveryEngineOptions, 'pool' | 'carriers' | 'log'>>
  /** How long attempts may still run when the worker closes, in milliseconds. @default 8000 */
  readonly drainMs?: number
  /** How teams are told how their targets fare. */
  readonly telling?: Pick<TellingOptions, 'pollMs' | 'gatherMs' | 'everyMs'>
  /** How connections run at their times, and raw sources are converted. */
  readonly production?: Pick<ProductionOptions, 'runs' | 'conversions' | 'sandbox'> | undefined
  /** How sessions settle that have modifiers. */
  readonly settling?: Pick<WorkerModifiersOptions, 'leaseMs' | 'pollMs' | 'retryMs' | 'most'> | undefined
}

/**
 * @example
 * const worker = await startWorker({ config, database, sealer, files, log })
 * await worker.close()
 */
export function startWorker(options: WorkerOptions): Promise<Worker> {
  return startWorkerParts(options)
}

/** A worker with chosen parts, for tests and benchmarks. */
export async function startWorkerParts({
  carriers: chooseCarriers = allCarriers,
  schedules,
  engine: engineOptions,
  drainMs = 8000,
  telling: tellingOptions,
  production: productionOptions,
  settling: settlingOptions,
  ...options
}: WorkerParts): Promise<Worker & { readonly engine: DeliveryEngine; readonly metricsUrl: string | undefined }> {
  const { config, database, log } = options
  const egress = createEgress(egressOptionsOf(config))
  const mailer = createMailer({ url: config.SMTP_URL, from: config.MAIL_FROM })
  const lifecycle = startLifecycle({ ...options, egress, mailer })
  const carriers = chooseCarriers({ ...options, egress, mailer, lifecycle })
  const chosen = schedules ?? allSchedules(options)
  const keeping =
    chosen.length === 0 ? undefined : await startSchedules({ url: config.DATABASE_URL, schedules: chosen, log })
  const sealing = startAuditSealer({ pool: database.pool, sealer: options.sealer, log })
  const replays = startReplays({ pool: database.pool, log })
  const publicUrl = config.PUBLIC_URL.replace(/\/$/, '')
  const telling = startTelling({ pool: database.pool, mailer, publicUrl, log, ...tellingOptions })
  const tasks = startConnectorTasks({ ...options, egress, mailer })
  const metrics = createWorkerMetrics(database.pool)
  const modifiers = startModifiers({
    ...{ ...options, egress, mailer, lifecycle },
    observe: metrics.settled,
    ...settlingOptions,
  })
  const producing = startProducing({ ...options, egress, mailer, lifecycle }, modifiers, {
    ...productionOptions,
    conversions: { observe: metrics.converted, ...productionOptions?.conversions },
  })
  const serving = await serveWorker(options, metrics, () => engine.inHand > 0)
  const engine = startDeliveryEngine({
    pool: database.pool,
    carriers,
    log,
    concurrency: config.WORKER_CONCURRENCY,
    observer: metrics.observer,
    ...engineOptions,
  })
  return {
    engine,
    metricsUrl: serving?.url,
    async close() {
      await Promise.all([
        keeping?.close(),
        sealing.close(),
        replays.close(),
        telling.close(),
        tasks.close(),
        producing.close().then(() => modifiers.close()),
        engine.stop({ waitMs: drainMs }),
      ])
      await Promise.all(carriers.map((carrier) => carrier.close?.()))
      await lifecycle.close()
      await Promise.all([egress.close(), mailer.close(), serving?.close()])
    },
  }
}

/** Not ready is also who has not looked for deliveries for so long and has none in hand; it looks every second. */
const stuckMs = 30_000

async function serveWorker(
  { config, database, log }: WorkerOptions,
  { registry, idleMs }: WorkerMetrics,
  isBusy: () => boolean,
) {
  const { METRICS_HOST: host, METRICS_PORT: port } = config
  if (port === undefined) return undefined
  const ready = await createReadiness({
    pool: database.pool,
    checks: { deliveries: () => idleMs() < stuckMs || isBusy() },
  })
  const serving = await serveMetrics({ registry, ready, host, port, variable: 'METRICS_PORT', log })
  log.info({ url: serving.url }, 'metrics are served')
  return serving
}

function allSchedules({ config, database, files, log }: WorkerOptions): readonly Schedule[] {
  const { pool } = database
  const { RETENTION_DAYS: retentionDays, HISTORY_DAYS: historyDays, RECORD_DAYS: recordDays } = config
  return [
    ...deliverySchedules({ pool, historyDays, log }),
    ...fileSchedules({ ...createFileParts({ config, pool, files, log }), retentionDays }),
    ...accessSchedules({ pool }),
    ...peopleSchedules({ pool }),
    ...twoPhaseSchedules({ pool, log }),
    ...sessionSchedules({ pool, files, mailFolder: config.MAIL_FOLDER, recordDays, log }),
    ...rawSourceSchedules({ pool, retentionDays, historyDays, recordDays, log }),
  ]
}

/** Only those connectors cost anything that have functions for it. */
function startLifecycle({ config, database, sealer, files, egress, mailer, log }: CarrierParts): Lifecycle {
  const environment = environmentOf(config)
  return createLifecycle({ database, sealer, egress, mailer, log, objects: files, environment })
}

function allCarriers({
  config,
  database,
  sealer,
  files,
  egress,
  mailer,
  log,
  lifecycle,
}: CarrierParts): readonly Carrier[] {
  return [
    createWebhookCarrier({ pool: database.pool, sealer, egress }),
    createConnectionCarrier({
      database,
      sealer,
      egress,
      mailer,
      log,
      objects: files,
      retentionAfterRetrievalDays: config.RETENTION_AFTER_RETRIEVAL_DAYS,
      environment: environmentOf(config),
      lifecycle,
    }),
  ]
}

/** Producers at their times, and what they and third parties brought in. */
function startProducing(
  { config, database, sealer, files, egress, mailer, log, lifecycle }: CarrierParts,
  modifiers: WorkerModifiers,
  options: WorkerParts['production'],
) {
  const intake = createIntake({
    database,
    retentionDays: config.RETENTION_DAYS,
    settling: () => modifiers.wake(),
  })
  const production = startProduction({
    database,
    sealer,
    egress,
    mailer,
    log,
    objects: files,
    environment: environmentOf(config),
    intake,
    runners: [modifiers.runner],
    lifecycle,
    ...options,
  })
  return {
    async close() {
      await production.close()
      await intake.close()
    },
  }
}

/** What gateways leave to workers, because vendors' code and packages are in it. */
function startConnectorTasks({ config, database, sealer, egress, mailer, log }: CarrierParts) {
  const { handlers, close } = createTaskHandlers({
    database,
    sealer,
    egress,
    mailer,
    log,
    registry: config.CONNECTOR_REGISTRY_URL,
    environment: environmentOf(config),
    retentionAfterRetrievalDays: config.RETENTION_AFTER_RETRIEVAL_DAYS,
  })
  const runner = startTaskRunner({ pool: database.pool, sealer, handlers, log })
  return {
    async close() {
      await runner.close()
      await close()
    },
  }
}
