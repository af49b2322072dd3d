/** The gateway process: GraphQL on its transports, REST, tokens. Its parts are made here and handed down. */
import { createServer } from 'node:http'
import { createAudit } from '../access/audit.ts'
import { createLimits, type LimitSettings } from '../access/limits.ts'
import type { Sealer } from '../access/seal.ts'
import type { Config } from '../config.ts'
import { createTaskDesk } from '../connectors/task-desk.ts'
import type { Database } from '../database/database.ts'
import { createReadiness } from '../database/readiness.ts'
import { SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { type ReadinessReport, serveMetrics } from '../metrics.ts'
import { openAccess } from './access-parts.ts'
import { openDomain } from './domain-parts.ts'
import { createEngine } from './engine.ts'
import { openGraphQLSocket, wantsSocket } from './graphql-socket.ts'
import { createInboundHooks } from './inbound-hooks.ts'
import { listen } from './listen.ts'
import { openLive } from './live-parts.ts'
import { createGatewayMetrics, type GatewayMetricsParts } from './metrics.ts'
import { createMutations } from './mutations.ts'
import { Operations } from './operation.ts'
import { createOrigins } from './origins.ts'
import { replyGraphQLError } from './reply.ts'
import { requestIdOf } from './request-id.ts'
import { createRequestMeter } from './request-meter.ts'
import { requestPath } from './request-path.ts'
import { createRoleSchemas } from './role-schemas.ts'
import { createRoutes } from './routes.ts'
import { readTrustedDocuments } from './trusted-documents.ts'
import { answerUnreadable } from './unreadable-requests.ts'

export interface GatewayOptions {
  readonly config: Config
  readonly database: Database
  readonly sealer: Sealer
  readonly log: Log
}

export interface Gateway {
  /** `http://host:port`, with the port it really got. */
  readonly url: string
  /** Where its metrics are, if they are served. */
  readonly metricsUrl?: string | undefined
  close(): Promise<void>
}

/** A change feed that could not look for so long makes a gateway unready; it looks four times a second. */
const deafMs = 10_000

/** @throws SluiceError CONFIGURATION when the port is taken. */
export async function startGateway({ config, database, sealer, log }: GatewayOptions): Promise<Gateway> {
  const audit = createAudit({ pool: database.pool, log })
  const live = await openLive({ database, log })
  const { liveQueries, streams, committed } = live
  const access = await openAccess({ config, database, sealer, feed: live.feed, log })
  const domain = await openDomain({ config, database, sealer, access, live, log })
  const engine = createEngine({
    database,
    liveQueries,
    streams,
    mutations: createMutations({ database, rules: domain.rules, audit, committed }),
    audit,
    retentionAfterRetrievalDays: config.RETENTION_AFTER_RETRIEVAL_DAYS,
  })
  const operations = new Operations({
    introspection: config.INTROSPECTION,
    maxCost: config.MAX_COST,
    trusted: config.TRUSTED_DOCUMENTS ? readTrustedDocuments(config.TRUSTED_DOCUMENTS) : null,
  })
  const shared = {
    schemas: createRoleSchemas(domain.actions, audit),
    operations,
    engine,
    authenticator: access.authenticator,
    clientAddress: access.clientAddress,
    revocations: access.revocations,
    limits: createLimits(limitsOf(config)),
    audit,
    maxBodyBytes: config.MAX_BODY_BYTES,
    meter: createRequestMeter(),
    log,
  }
  let closing = false
  const ready = await createReadiness({
    pool: database.pool,
    checks: { change_feed: () => live.feed.progress.silentMs < deafMs, running: () => !closing },
  })
  const origins = createOrigins(config.CORS_ORIGINS, config.PUBLIC_URL)
  const inbound = createInboundHooks({
    config,
    database,
    sealer,
    attempts: access.attempts,
    audit,
    desk: createTaskDesk({ pool: database.pool, sealer, feed: live.feed }),
    feed: live.feed,
    committed,
    log,
  })
  const { files } = domain
  const route = createRoutes({ ...shared, config, database, access, files, inbound, origins, ready, committed })

  // Five minutes for a whole request: 30 MiB at 100 kB/s.
  // An idle connection is kept for longer than balancers and clients keep theirs (60 s, as a rule): whoever closes first
  // may do so while a request is under way, and only the one who sends it knows that it was not begun.
  const timeouts = { requestTimeout: 300_000, headersTimeout: 20_000, keepAliveTimeout: 75_000 }
  const server = createServer({ ...timeouts, shouldUpgradeCallback: wantsSocket }, (request, response) => {
    const requestId = requestIdOf(request.headers)
    const path = requestPath(request)
    shared.meter.begin(path, response, ({ outcome, tookMs, ...ended }) => {
      if (!log.isLevelEnabled('debug')) return
      const { method } = request
      const status = response.statusCode
      log.debug({ requestId, method, path, status, outcome, ms: Math.round(tookMs * 10) / 10, ...ended }, 'a request')
    })
    route(request, response, { path, requestId }).catch((error) => {
      log.error({ err: error, requestId, path }, 'a request failed')
      if (response.headersSent) return response.destroy()
      const message = `Something went wrong on our side. Tell the operator this request id: ${requestId}.`
      replyGraphQLError(response, new SluiceError('INTERNAL', message))
    })
  })
  answerUnreadable(server)
  const socket = openGraphQLSocket({ ...shared, server, mayConnect: origins.mayConnect })
  const serving = await serveGateway(config, log, ready, {
    pool: database.pool,
    ...shared,
    ...access,
    live,
    domain,
    inboundLimits: inbound.limits,
    socket: socket.counts,
  })
  const url = await listen(server, config)
  log.info({ url }, 'the gateway is ready')

  return {
    url,
    metricsUrl: serving?.url,
    async close() {
      closing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await socket.close()
      live.closeReaders()
      server.closeIdleConnections()
      const patience = setTimeout(() => server.closeAllConnections(), 5_000)
      await closed
      clearTimeout(patience)
      await inbound.close()
      await domain.close()
      await access.close()
      await live.close()
      await audit.close()
      await serving?.close()
    },
  }
}

async function serveGateway(
  { METRICS_HOST: host, GATEWAY_METRICS_PORT: port }: Config,
  log: Log,
  ready: () => Promise<ReadinessReport>,
  parts: GatewayMetricsParts,
) {
  if (port === undefined) return undefined
  const registry = createGatewayMetrics(parts)
  const serving = await serveMetrics({ registry, ready, host, port, variable: 'GATEWAY_METRICS_PORT', log })
  log.info({ url: serving.url }, 'metrics are served')
  return serving
}

function limitsOf(config: Config): LimitSettings {
  return {
    requestsPerMinute: config.LIMIT_REQUESTS_PER_MINUTE,
    requestsPerMinutePeople: config.LIMIT_REQUESTS_PER_MINUTE_PEOPLE,
    requestsPerMinuteAnonymous: config.LIMIT_REQUESTS_PER_MINUTE_ANONYMOUS,
    costPerMinute: config.LIMIT_COST_PER_MINUTE,
    concurrent: config.LIMIT_CONCURRENT,
    sockets: config.LIMIT_SOCKETS,
    perSocket: config.LIMIT_PER_SOCKET,
    streams: config.LIMIT_STREAMS,
  }
}
