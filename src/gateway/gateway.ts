/** The gateway process: HTTP, GraphQL on its transports, and tokens. */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAudit } from '../access/audit.ts'
import { createLimits, type LimitSettings } from '../access/limits.ts'
import type { Sealer } from '../access/seal.ts'
import { createSignIns } from '../access/sign-ins.ts'
import type { Config } from '../config.ts'
import { createConnectorActions } from '../connectors/actions.ts'
import { connectorSchema, connectorSchemaPath } from '../connectors/connector-schema.ts'
import { createTaskDesk } from '../connectors/task-desk.ts'
import type { Database } from '../database/database.ts'
import { changesChannel, createNotifier, deliveriesChannel } from '../database/notifications.ts'
import { createMailer } from '../egress/mail.ts'
import { SluiceError } from '../errors.ts'
import { createFileActions } from '../files/actions.ts'
import { createFileParts } from '../files/parts.ts'
import { openChangeFeed } from '../live/change-feed.ts'
import { createEvaluator } from '../live/evaluator.ts'
import { createLiveQueries } from '../live/live-queries.ts'
import { followTime } from '../live/passing-time.ts'
import { positionHorizon } from '../live/position-horizon.ts'
import { createStreams } from '../live/streams.ts'
import type { Log } from '../log.ts'
import { createSessionActions } from '../sessions/actions.ts'
import { createDestinationActions } from '../sessions/destinations-actions.ts'
import { storeSchemaFolder } from '../sessions/payload-schemas.ts'
import { createSchemaChecker } from '../sessions/schema-checker.ts'
import { parsePattern } from '../tables/event-shape.ts'
import { createWebhookActions } from '../webhooks/actions.ts'
import { ensureWebhookKey, publicWebhookKeys } from '../webhooks/signing-keys.ts'
import { openAccess } from './access-parts.ts'
import { auditRoute } from './audit-export.ts'
import { auditRefusal, auditTokenRefusal } from './audit-refusals.ts'
import { createCredentialActions } from './credential-actions.ts'
import { createDocsFace } from './docs-page.ts'
import { createEngine } from './engine.ts'
import { createGraphQLHttp } from './graphql-http.ts'
import { openGraphQLSocket } from './graphql-socket.ts'
import { createMutations } from './mutations.ts'
import { createOAuth } from './oauth.ts'
import { Operations } from './operation.ts'
import { createOrigins, preflight } from './origins.ts'
import { createPeopleActions } from './people-actions.ts'
import { replyGraphQLError, replyJson } from './reply.ts'
import { requestPath } from './request-path.ts'
import { createDocuments } from './rest/documents.ts'
import { eventRoutes } from './rest/events.ts'
import { fileRoutes } from './rest/files.ts'
import { createRestRouter } from './rest/router.ts'
import { sessionRoutes } from './rest/sessions.ts'
import { type Actions, createRoleSchemas } from './role-schemas.ts'
import { createSecurityHeaders } from './security-headers.ts'
import { readTrustedDocuments } from './trusted-documents.ts'
import { createWriteRules } from './write-rules.ts'

export interface GatewayOptions {
  readonly config: Config
  readonly database: Database
  readonly sealer: Sealer
  readonly log: Log
}

export interface Gateway {
  /** `http://host:port`, with the port it really got. */
  readonly url: string
  close(): Promise<void>
}

/** @throws SluiceError CONFIGURATION when the port is taken. */
export async function startGateway({ config, database, sealer, log }: GatewayOptions): Promise<Gateway> {
  const audit = createAudit({ pool: database.pool, log })
  const feed = await openChangeFeed({ pool: database.pool, log })
  const notifier = createNotifier({ pool: database.pool, channels: [changesChannel, deliveriesChannel], log })
  const evaluator = createEvaluator({ pool: database.pool })
  const time = followTime({ pool: database.pool, feed, log })
  const liveQueries = createLiveQueries({ feed, evaluator, time, log })
  const streams = createStreams({ feed, evaluator, log, horizon: () => positionHorizon(database) })
  const access = await openAccess({ config, database, sealer, feed, log })
  const { authenticator, clientAddress, revocations } = access
  const committed = () => {
    feed.poke()
    notifier.notify()
  }
  const checker = createSchemaChecker()
  if (config.SCHEMA_FOLDER) await storeSchemaFolder(config.SCHEMA_FOLDER, { database, checker, log })
  const webhooks = { rules: { allow: config.EGRESS_ALLOW, deny: config.EGRESS_DENY }, validatePattern: parsePattern }
  await ensureWebhookKey(database, sealer)
  const mutations = createMutations({
    database,
    rules: createWriteRules({ sealer, webhooks, checker, retention: { maxDays: config.RETENTION_MAX_DAYS } }),
    audit,
    committed,
  })
  const engine = createEngine({
    database,
    liveQueries,
    streams,
    mutations,
    audit,
    retentionAfterRetrievalDays: config.RETENTION_AFTER_RETRIEVAL_DAYS,
  })
  const mailer = createMailer({ url: config.SMTP_URL, from: config.MAIL_FROM })
  const people = createPeopleActions({
    database,
    signIns: createSignIns({
      database,
      tokens: access.tokens,
      secretKey: config.SLUICE_SECRET_KEY,
      idleSeconds: config.SIGN_IN_IDLE_DAYS * 86_400,
      longestSeconds: config.SIGN_IN_DAYS * 86_400,
    }),
    attempts: access.attempts,
    slowHash: access.slowHash,
    mailer,
    publicUrl: config.PUBLIC_URL.replace(/\/$/, ''),
    invitationDays: config.INVITATION_DAYS,
    passwordResetMinutes: config.PASSWORD_RESET_MINUTES,
    committed,
    log,
  })
  const fileParts = createFileParts({ config, pool: database.pool, log })
  const actions: Actions = {
    sessions: createSessionActions({
      database,
      checker,
      files: fileParts.files,
      mailFolder: config.MAIL_FOLDER,
      retentionDays: config.RETENTION_DAYS,
      committed,
      log,
    }),
    destinations: createDestinationActions({ database, committed }),
    webhooks: createWebhookActions({ database, sealer, ...webhooks, committed, feed }),
    credentials: createCredentialActions({ database, environment: config.SLUICE_ENVIRONMENT, committed }),
    people,
    files: createFileActions({ parts: fileParts, committed }),
    connectors: createConnectorActions({
      database,
      sealer,
      desk: createTaskDesk({ pool: database.pool, sealer, feed }),
      committed,
    }),
  }
  const schemas = createRoleSchemas(actions, audit)
  const shared = {
    schemas,
    operations: new Operations({
      introspection: config.INTROSPECTION,
      maxCost: config.MAX_COST,
      trusted: config.TRUSTED_DOCUMENTS ? readTrustedDocuments(config.TRUSTED_DOCUMENTS) : null,
    }),
    engine,
    authenticator,
    clientAddress,
    revocations,
    limits: createLimits(limitsOf(config)),
    audit,
    maxBodyBytes: config.MAX_BODY_BYTES,
    log,
  }
  const graphql = createGraphQLHttp(shared)
  const documents = createDocuments({
    schemas,
    engine,
    maxCost: config.MAX_COST,
    refused: (error, caller) => auditRefusal(audit, error, { name: 'rest', ...caller }),
  })
  const read = { documents, revocations, horizon: () => positionHorizon(database) }
  const rest = createRestRouter({
    ...shared,
    routes: [
      ...sessionRoutes({ ...read, maxBodyBytes: config.MAX_BODY_BYTES }),
      ...eventRoutes(read),
      ...fileRoutes({ parts: fileParts, run: documents.read, audit, committed }),
      auditRoute({ pool: database.pool, revocations, audit }),
    ],
  })
  const docs = createDocsFace(config.PUBLIC_URL)
  const origins = createOrigins(config.CORS_ORIGINS, config.PUBLIC_URL)
  const secure = createSecurityHeaders(config.PUBLIC_URL)
  const oauth = createOAuth({ ...access, database, issuer: config.PUBLIC_URL, committed })

  const route = async (request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void> => {
    const path = requestPath(request)
    secure(response)
    origins.allow(request, response)
    response.setHeader('x-request-id', requestId)
    if (request.method === 'OPTIONS') {
      response.writeHead(204, preflight).end()
    } else if (path === '/graphql') {
      await graphql(request, response, { requestId, address: clientAddress(request) })
    } else if (await oauth(request, response, path)) {
      auditTokenRefusal(audit, request, response, { address: clientAddress(request), requestId })
    } else if (path.startsWith('/v1/')) {
      await rest(request, response, { requestId, address: clientAddress(request) })
    } else if (await docs(request, response, path)) {
      return
    } else if (path === '/.well-known/webhook-keys.json') {
      replyJson(response, 200, await publicWebhookKeys(database.pool), { 'cache-control': 'public, max-age=300' })
    } else if (path === connectorSchemaPath) {
      replyJson(response, 200, connectorSchema(), { 'cache-control': 'public, max-age=300' })
    } else if (path === '/healthz') {
      await database.pool.query('select 1')
      replyJson(response, 200, { status: 'ok' })
    } else if (path === '/') {
      response.writeHead(302, { location: '/graphql' }).end()
    } else {
      replyJson(response, 404, {
        errors: [
          { message: `There is nothing at ${path}. GraphQL is at /graphql.`, extensions: { code: 'NOT_FOUND' } },
        ],
      })
    }
  }

  // Five minutes for a whole request: 30 MiB at 100 kB/s.
  const server = createServer({ requestTimeout: 300_000, headersTimeout: 20_000 }, (request, response) => {
    const requestId = randomUUID()
    route(request, response, requestId).catch((error) => {
      log.error({ err: error, requestId, path: request.url }, 'a request failed')
      if (response.headersSent) return response.destroy()
      const message = `Something went wrong on our side. Tell the operator this request id: ${requestId}.`
      replyGraphQLError(response, new SluiceError('INTERNAL', message))
    })
  })
  const socket = openGraphQLSocket({ ...shared, server, mayConnect: origins.mayConnect })
  const url = await listen(server, config)
  log.info({ url }, 'the gateway is ready')

  return {
    url,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await socket.close()
      liveQueries.close()
      streams.close()
      time.close()
      server.closeIdleConnections()
      const patience = setTimeout(() => server.closeAllConnections(), 5_000)
      await closed
      clearTimeout(patience)
      await people.close()
      await mailer.close()
      await access.close()
      await checker.close()
      await feed.close()
      await notifier.close()
      await audit.close()
    },
  }
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

async function listen(
  server: import('node:http').Server,
  { GATEWAY_HOST: host, GATEWAY_PORT: port }: Config,
): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new SluiceError(
              'CONFIGURATION',
              `Port ${port} is taken by another program. Set GATEWAY_PORT to a free one.`,
              { cause: error },
            )
          : error,
      )
    })
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  const shownHost = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return `http://${shownHost}:${address.port}`
}
