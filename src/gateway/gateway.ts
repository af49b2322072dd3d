/** The gateway process: HTTP, GraphQL on its transports, and tokens. */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAudit } from '../access/audit.ts'
import type { Sealer } from '../access/seal.ts'
import { createSignIns } from '../access/sign-ins.ts'
import type { Config } from '../config.ts'
import type { Database } from '../database/database.ts'
import { changesChannel, createNotifier, deliveriesChannel } from '../database/notifications.ts'
import { createMailer } from '../egress/mail.ts'
import { SluiceError } from '../errors.ts'
import { openChangeFeed } from '../live/change-feed.ts'
import { createEvaluator } from '../live/evaluator.ts'
import { createLiveQueries } from '../live/live-queries.ts'
import { followTime } from '../live/passing-time.ts'
import { positionHorizon } from '../live/position-horizon.ts'
import { createStreams } from '../live/streams.ts'
import type { Log } from '../log.ts'
import { submitSession } from '../sessions/submit.ts'
import { parsePattern } from '../tables/event-shape.ts'
import { createWebhookActions } from '../webhooks/actions.ts'
import { openAccess } from './access-parts.ts'
import { createCredentialActions } from './credential-actions.ts'
import { createEngine } from './engine.ts'
import { createGraphQLHttp } from './graphql-http.ts'
import { openGraphQLSocket } from './graphql-socket.ts'
import { createMutations } from './mutations.ts'
import { createOAuth } from './oauth.ts'
import { Operations } from './operation.ts'
import { createPeopleActions } from './people-actions.ts'
import { replyGraphQLError, replyJson } from './reply.ts'
import { requestPath } from './request-path.ts'
import { type Actions, createRoleSchemas } from './role-schemas.ts'
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
  const webhooks = { rules: { allow: config.EGRESS_ALLOW }, validatePattern: parsePattern }
  const mutations = createMutations({ database, rules: createWriteRules({ sealer, webhooks }), audit, committed })
  const engine = createEngine({
    database,
    liveQueries,
    streams,
    mutations,
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
    mailer,
    publicUrl: config.PUBLIC_URL.replace(/\/$/, ''),
    invitationDays: config.INVITATION_DAYS,
    passwordResetMinutes: config.PASSWORD_RESET_MINUTES,
    committed,
    log,
  })
  const actions: Actions = {
    sessions: {
      async submit(object, { principal }) {
        const result = await submitSession(object, { database, principal, retentionDays: config.RETENTION_DAYS })
        if (result.created) committed()
        return result
      },
    },
    webhooks: createWebhookActions({ database, sealer, ...webhooks, committed }),
    credentials: createCredentialActions({ database, environment: config.SLUICE_ENVIRONMENT, committed }),
    people,
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
    maxBodyBytes: config.MAX_BODY_BYTES,
    log,
  }
  const graphql = createGraphQLHttp(shared)
  const oauth = createOAuth({ ...access, database, issuer: config.PUBLIC_URL, committed })

  const route = async (request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void> => {
    const path = requestPath(request)
    allowOrigins(response)
    response.setHeader('x-request-id', requestId)
    if (request.method === 'OPTIONS') {
      response.writeHead(204, preflight).end()
    } else if (path === '/graphql') {
      await graphql(request, response, { requestId, address: clientAddress(request) })
    } else if (await oauth(request, response, path)) {
      // Answered.
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

  const server = createServer({ requestTimeout: 60_000, headersTimeout: 20_000 }, (request, response) => {
    const requestId = randomUUID()
    route(request, response, requestId).catch((error) => {
      log.error({ err: error, requestId, path: request.url }, 'a request failed')
      if (response.headersSent) return response.destroy()
      const message = `Something went wrong on our side. Tell the operator this request id: ${requestId}.`
      replyGraphQLError(response, new SluiceError('INTERNAL', message))
    })
  })
  const socket = openGraphQLSocket({ ...shared, server })
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
      await feed.close()
      await notifier.close()
      await audit.close()
    },
  }
}

/** Tokens travel in a header and never in a cookie, so any page may call: what it can do is what its token can do. */
function allowOrigins(response: ServerResponse): void {
  response.setHeader('access-control-allow-origin', '*')
  response.setHeader('x-content-type-options', 'nosniff')
}

/** The answer to a browser that asks what it may send. */
const preflight = {
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  'access-control-allow-headers': 'authorization, content-type, x-hasura-role',
  'access-control-max-age': '600',
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
