/** What a worker counts. */
import type pg from 'pg'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { EngineObserver } from '../delivery/engine.ts'
import { readQueueState } from '../delivery/queue-state.ts'
import { seconds, showPool } from '../metrics.ts'

export interface WorkerMetrics {
  /** Give it to the engine. */
  readonly observer: EngineObserver
  /** Of a raw source. */
  readonly converted: (outcome: string, took: number) => void
  /** Of a session that its modifiers have seen. */
  readonly settled: (took: number, changes: number) => void
  /** How long ago the worker last looked for deliveries, in milliseconds. */
  readonly idleMs: () => number
  readonly registry: Registry
}

/** Whoever asks often gets what was read at most this long ago. */
const queueStateMs = 5000

export function createWorkerMetrics(pool: pg.Pool): WorkerMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  showPool(registry, pool)
  const attempts = new Counter({
    name: 'sluice_delivery_attempts_total',
    help: 'Attempts, by kind of target and by what came of them: succeeded, or the class of the error.',
    labelNames: ['kind', 'outcome'],
    registers,
  })
  const duration = new Histogram({
    name: 'sluice_delivery_attempt_seconds',
    help: 'How long attempts took.',
    labelNames: ['kind'],
    buckets: [...seconds],
    registers,
  })
  const latency = new Histogram({
    name: 'sluice_delivery_latency_seconds',
    help: 'From the event to the start of its first attempt.',
    labelNames: ['kind'],
    buckets: [...seconds, 300, 3600],
    registers,
  })
  const claims = new Histogram({
    name: 'sluice_delivery_claim_seconds',
    help: 'How long claims took.',
    buckets: [...seconds],
    registers,
  })
  const claimed = new Counter({ name: 'sluice_deliveries_claimed_total', help: 'Deliveries claimed.', registers })
  const settles = new Histogram({
    name: 'sluice_delivery_settle_seconds',
    help: 'How long it took to write results.',
    buckets: [...seconds],
    registers,
  })

  const conversions = new Counter({
    name: 'sluice_conversions_total',
    help: 'Raw sources that were converted, discarded or failed; matched with another row, or given back.',
    labelNames: ['outcome'],
    registers,
  })
  const conversion = new Histogram({
    name: 'sluice_conversion_seconds',
    help: 'How long conversions took.',
    buckets: [...seconds],
    registers,
  })
  const settling = new Histogram({
    name: 'sluice_settling_seconds',
    help: 'How long sessions were with their modifiers before they were announced.',
    buckets: [...seconds],
    registers,
  })
  const changes = new Counter({ name: 'sluice_modifier_changes_total', help: 'Revisions of modifiers.', registers })

  new Gauge({
    name: 'sluice_production_waiting',
    help: 'Of the installation: raw sources that wait to be converted, and sessions that wait for their modifiers.',
    labelNames: ['of'],
    registers,
    async collect() {
      const { rows } = await pool.query<{ of: string; count: number }>(
        `select 'raw_sources' as of, count(*)::int as count from raw_sources where status = 'received'
         union all select 'sessions', count(*)::int from session_settlings`,
      )
      for (const { of, count } of rows) this.set({ of }, count)
    },
  })

  let read = { at: Number.NEGATIVE_INFINITY, state: undefined as ReturnType<typeof readQueueState> | undefined }
  const queueState = () => {
    if (!read.state || performance.now() - read.at > queueStateMs) {
      read = { at: performance.now(), state: readQueueState(pool) }
    }
    return read.state as ReturnType<typeof readQueueState>
  }
  new Gauge({
    name: 'sluice_deliveries_unfinished',
    help: 'Deliveries of the installation that are not final, by status.',
    labelNames: ['status'],
    registers,
    async collect() {
      for (const [status, count] of Object.entries((await queueState()).waiting)) this.set({ status }, count)
    },
  })
  new Gauge({
    name: 'sluice_deliveries_oldest_due_seconds',
    help: 'How long the delivery of the installation that is due longest has been due.',
    registers,
    async collect() {
      this.set((await queueState()).oldestDueSeconds)
    },
  })
  new Gauge({
    name: 'sluice_delivery_leases',
    help: 'Deliveries that workers of the installation have in hand.',
    registers,
    async collect() {
      this.set((await queueState()).leases)
    },
  })

  let claimedAt = performance.now()
  return {
    registry,
    idleMs: () => performance.now() - claimedAt,
    converted(outcome, took) {
      conversions.inc({ outcome })
      conversion.observe(took)
    },
    settled(took, made) {
      settling.observe(took)
      changes.inc(made)
    },
    observer: {
      claimed(count, took) {
        claimedAt = performance.now()
        claims.observe(took)
        claimed.inc(count)
      },
      attempted({ kind }, { outcome, error_class }, took, queued) {
        attempts.inc({ kind, outcome: outcome === 'succeeded' ? outcome : (error_class ?? 'failed') })
        duration.observe({ kind }, took)
        if (queued !== undefined) latency.observe({ kind }, Math.max(0, queued))
      },
      settled(_count, took) {
        settles.observe(took)
      },
    },
  }
}
