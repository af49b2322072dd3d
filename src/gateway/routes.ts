/** Which path is answered by what. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Config } from '../config.ts'
import { connectorSchema, connectorSchemaPath } from '../connectors/connector-schema.ts'
import type { Database } from '../database/database.ts'
import type { AllFileParts } from '../files/parts.ts'
import { positionHorizon } from '../live/position-horizon.ts'
import { type ReadinessReport, readyBody, readyStatus } from '../metrics.ts'
import { publicWebhookKeys } from '../webhooks/signing-keys.ts'
import type { AccessParts } from './access-parts.ts'
import { auditRoute } from './audit-export.ts'
import { auditRefusal, auditTokenRefusal } from './audit-refusals.ts'
import { createConsoleFace } from './console-files.ts'
import { createDocsFace } from './docs-page.ts'
import { createGraphQLHttp, type GraphQLHttpOptions } from './graphql-http.ts'
import type { InboundHooks } from './inbound-hooks.ts'
import { createOAuth } from './oauth.ts'
import { type Origins, preflight } from './origins.ts'
import { replyJson } from './reply.ts'
import { createDocuments } from './rest/documents.ts'
import { eventRoutes } from './rest/events.ts'
import { fileRoutes } from './rest/files.ts'
import { createRestRouter, type RestRouter } from './rest/router.ts'
import { sessionRoutes } from './rest/sessions.ts'
import { createSecurityHeaders } from './security-headers.ts'

export interface RoutesOptions extends GraphQLHttpOptions {
  readonly config: Config
  readonly database: Database
  readonly access: AccessParts
  readonly files: AllFileParts
  readonly inbound: InboundHooks
  readonly origins: Origins
  readonly ready: () => Promise<ReadinessReport>
  /** Called after a commit that changed rows. */
  readonly committed: () => void
}

/** @param path as `requestPath` reads it */
export type Route = (
  request: IncomingMessage,
  response: ServerResponse,
  asked: { readonly path: string; readonly requestId: string },
) => Promise<void>

export function createRoutes(options: RoutesOptions): Route {
  const { config, database, access, inbound, origins, ready, audit, committed } = options
  const graphql = createGraphQLHttp(options)
  const rest = createRest(options)
  const docs = createDocsFace(config.PUBLIC_URL)
  const webConsole = createConsoleFace(config.PUBLIC_URL)
  const secure = createSecurityHeaders(config.PUBLIC_URL)
  const oauth = createOAuth({ ...access, database, issuer: config.PUBLIC_URL, committed })

  return async (request, response, { path, requestId }) => {
    secure(response)
    origins.allow(request, response)
    response.setHeader('x-request-id', requestId)
    const caller = { requestId, address: access.clientAddress(request) }
    if (request.method === 'OPTIONS') {
      response.writeHead(204, preflight).end()
    } else if (path === '/graphql') {
      await graphql(request, response, caller)
    } else if (await oauth(request, response, path)) {
      auditTokenRefusal(audit, request, response, caller)
    } else if (path === '/v1' || path.startsWith('/v1/')) {
      await rest(request, response, caller)
    } else if (await inbound.answer(request, response, caller)) {
      return
    } else if ((await webConsole(request, response, path)) || (await docs(request, response, path))) {
      return
    } else if (path === '/.well-known/webhook-keys.json') {
      replyJson(response, 200, await publicWebhookKeys(database.pool), { 'cache-control': 'public, max-age=300' })
    } else if (path === connectorSchemaPath) {
      replyJson(response, 200, connectorSchema(), { 'cache-control': 'public, max-age=300' })
    } else if (path === '/healthz') {
      replyJson(response, 200, { status: 'ok' })
    } else if (path === '/readyz') {
      const report = await ready()
      replyJson(response, readyStatus(report), readyBody(report), { 'cache-control': 'no-store' })
    } else if (path === '/') {
      // A browser asks for HTML by name; whoever takes anything is a program.
      const isBrowser = /\btext\/html\b/.test(request.headers.accept ?? '')
      response.appendHeader('vary', 'accept')
      response.writeHead(302, { location: isBrowser ? '/console' : '/graphql' }).end()
    } else {
      const message = `There is nothing at ${path}. The console is at /console, GraphQL at /graphql, REST at /v1, its documentation at /docs.`
      replyJson(response, 404, { errors: [{ message, extensions: { code: 'NOT_FOUND' } }] })
    }
  }
}

function createRest(options: RoutesOptions): RestRouter {
  const { config, database, files, schemas, engine, revocations, audit, committed } = options
  const documents = createDocuments({
    schemas,
    engine,
    maxCost: config.MAX_COST,
    refused: (error, caller) => auditRefusal(audit, error, { name: 'rest', ...caller }),
  })
  const read = { documents, revocations, horizon: () => positionHorizon(database) }
  return createRestRouter({
    ...options,
    routes: [
      ...sessionRoutes({ ...read, maxBodyBytes: config.MAX_BODY_BYTES }),
      ...eventRoutes(read),
      ...fileRoutes({ parts: files, run: documents.read, audit, committed }),
      auditRoute({ pool: database.pool, revocations, audit }),
    ],
  })
}
