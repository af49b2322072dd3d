/** What a gateway shows to Prometheus: counts that its parts keep anyway, read when somebody asks. */
import type { Pool } from 'pg'
import { Counter, collectDefaultMetrics, Registry } from 'prom-client'
import type { Attempts } from '../access/attempts.ts'
import type { Limits } from '../access/limits.ts'
import type { SlowHash } from '../access/slow-hash.ts'
import { showCount, showCounts, showDuration, showDurations, showNow, showNowBy, showPool } from '../metrics.ts'
import type { DomainParts } from './domain-parts.ts'
import type { Engine } from './engine.ts'
import type { SocketCounts } from './graphql-socket.ts'
import type { LiveParts } from './live-parts.ts'
import type { Operations } from './operation.ts'
import type { RequestMeter } from './request-meter.ts'

export interface GatewayMetricsParts {
  readonly pool: Pool
  readonly meter: RequestMeter
  readonly engine: Engine
  readonly operations: Operations
  readonly limits: Limits
  readonly inboundLimits: Limits
  readonly attempts: Attempts
  readonly slowHash: SlowHash
  readonly live: LiveParts
  readonly domain: DomainParts
  readonly socket: SocketCounts
}

export function createGatewayMetrics(parts: GatewayMetricsParts): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  showPool(registry, parts.pool)
  showRequests(registry, parts)
  showRefusals(registry, parts)
  showLive(registry, parts)
  showNowBy(
    registry,
    {
      name: 'sluice_secret_checks',
      help: 'Secrets and passwords that are hashed to be compared, and that wait for it.',
      label: 'state',
    },
    () => {
      const { running, waiting } = parts.slowHash.counts
      return { running, waiting }
    },
  )
  showCounts(
    registry,
    {
      name: 'sluice_sessions_submitted_total',
      help: 'Sessions that sources submitted here, by what became of them; repeated were here already.',
      label: 'became',
    },
    () => parts.domain.submissions,
  )
  return registry
}

function showRequests(registry: Registry, { meter, engine, socket }: GatewayMetricsParts): void {
  new Counter({
    name: 'sluice_requests_total',
    help: 'Requests, and operations of sockets, by interface and by what came of them.',
    labelNames: ['interface', 'outcome'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [used, byOutcome] of Object.entries(meter.counts)) {
        for (const [outcome, count] of Object.entries(byOutcome)) this.inc({ interface: used, outcome }, count)
      }
    },
  })
  showDurations(
    registry,
    {
      name: 'sluice_request_seconds',
      help: 'From the head of a request to the end of its answer; of sockets, queries and mutations.',
      label: 'interface',
    },
    meter.durations,
  )
  showCounts(
    registry,
    {
      name: 'sluice_operations_total',
      help: 'GraphQL operations that were begun, those behind REST included: read and write are tables alone.',
      label: 'kind',
    },
    () => ({ ...engine.counts }),
  )
  showNow(registry, { name: 'sluice_sockets', help: 'Open WebSockets.' }, () => socket.open)
}

function showRefusals(registry: Registry, parts: GatewayMetricsParts): void {
  const { limits, inboundLimits, attempts, slowHash, operations, socket, meter } = parts
  showCounts(
    registry,
    { name: 'sluice_limit_refusals_total', help: 'What a limit refused, by limit.', label: 'limit' },
    () => ({
      ...limits.refused,
      socket_operations: socket.tooManyOperations,
      operation: operations.overCaps,
      body: meter.tooLarge,
      failed_attempts: attempts.refused,
      secret_checks: slowHash.counts.refused,
      inbound: inboundLimits.refused.requests + inboundLimits.refused.concurrent,
    }),
  )
}

function showLive(registry: Registry, { live }: GatewayMetricsParts): void {
  const { feed, liveQueries, streams, evaluator, evaluations } = live
  showNow(
    registry,
    {
      name: 'sluice_change_feed_lag_seconds',
      help: 'Since when there may be changes that live queries do not know of.',
    },
    () => feed.progress.lagMs / 1000,
  )
  showNow(
    registry,
    { name: 'sluice_live_cohorts', help: 'Different live queries; equal ones are evaluated as one.' },
    () => liveQueries.counts.cohorts,
  )
  showNow(
    registry,
    { name: 'sluice_live_subscribers', help: 'Subscribers of live queries.' },
    () => liveQueries.counts.subscribers,
  )
  showNow(registry, { name: 'sluice_streams', help: 'Open streams of rows.' }, () => streams.counts.streams)
  showCount(
    registry,
    { name: 'sluice_live_wakes_total', help: 'Live queries that a change concerned.' },
    () => liveQueries.counts.wakes,
  )
  showCount(
    registry,
    { name: 'sluice_live_evaluations_total', help: 'Evaluations of live queries and streams.' },
    () => evaluator.counts.evaluations,
  )
  showCount(
    registry,
    { name: 'sluice_live_statements_total', help: 'Statements that evaluated them.' },
    () => evaluator.counts.statements,
  )
  showDuration(
    registry,
    { name: 'sluice_live_evaluation_seconds', help: 'From when a result is wanted until it is there.' },
    evaluations,
  )
}
