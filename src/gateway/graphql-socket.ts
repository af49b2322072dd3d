/** `/graphql` over WebSocket, the graphql-transport-ws protocol. */

import { randomUUID } from 'node:crypto'
import type { Server } from 'node:http'
import { execute, GraphQLError } from 'graphql'
import { CloseCode } from 'graphql-ws'
import { useServer } from 'graphql-ws/use/ws'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Authenticator } from '../access/authenticate.ts'
import type { Principal } from '../access/principal.ts'
import { accessEnded, type Revocations } from '../access/revocations.ts'
import { SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Caller, Engine } from './engine.ts'
import { toGraphQLError } from './graphql-errors.ts'
import { results } from './graphql-http.ts'
import type { Operations, PreparedOperation } from './operation.ts'
import type { RoleSchemas } from './role-schemas.ts'

export interface GraphQLSocketOptions {
  readonly server: Server
  readonly schemas: RoleSchemas
  readonly operations: Operations
  readonly engine: Engine
  readonly authenticator: Authenticator
  readonly revocations: Revocations
  readonly maxBodyBytes: number
  readonly log: Log
}

/** What a connection carries after `connection_init`. */
interface Extra {
  socket: WebSocket
  request: import('node:http').IncomingMessage
  principal?: Principal
}

/** A deploy: clients connect again at once (RFC 6455 registry, 1012 Service Restart). */
const serviceRestart = 1012

export function openGraphQLSocket(options: GraphQLSocketOptions): { close(): Promise<void> } {
  const { server, schemas, operations, engine, authenticator, revocations, maxBodyBytes, log } = options
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxBodyBytes })
  server.on('upgrade', (request, socket, head) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    if (path !== '/graphql') {
      socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n')
      return
    }
    sockets.handleUpgrade(request, socket, head, (accepted) => sockets.emit('connection', accepted, request))
  })

  const callerOf = ({ principal, request }: Extra): Caller => {
    if (!principal) throw new SluiceError('UNAUTHENTICATED', 'The connection was not initialised.')
    return { principal, requestId: randomUUID(), address: request.socket.remoteAddress ?? null }
  }

  const handler = useServer<Record<string, unknown>, Partial<Extra>>(
    {
      connectionInitWaitTimeout: 5_000,
      async onConnect(context) {
        const extra = context.extra as Extra
        try {
          extra.principal = await authenticator.authenticate(authorizationOf(context.connectionParams, extra))
          closeAtExpiry(extra)
          closeOnRevocation(extra, revocations)
          return true
        } catch (error) {
          if (!(error instanceof SluiceError)) throw error
          // A close reason may hold 123 bytes.
          extra.socket.close(CloseCode.Forbidden, error.message.slice(0, 120))
          return false
        }
      },
      async onSubscribe(context, _id, payload) {
        const caller = callerOf(context.extra as Extra)
        const role = caller.principal.role
        const prepared = operations.prepare(payload, role, schemas(role))
        if ('errors' in prepared) return prepared.errors
        const { role: roleSchema, document, operation, variables } = prepared
        return {
          schema: roleSchema.schema,
          document,
          operationName: operation.name?.value,
          variableValues: variables,
          // Both functions below find what they need here.
          rootValue: { prepared, caller },
          contextValue: {
            ...caller,
            resolveRoot: (info: Parameters<Engine['resolveRoot']>[0]) => engine.resolveRoot(info, roleSchema, caller),
          },
        }
      },
      async execute(args) {
        const { prepared, caller } = args.rootValue as { prepared: PreparedOperation; caller: Caller }
        try {
          const text = engine.read(prepared, caller) ?? engine.write(prepared, caller)
          if (text) return { data: JSON.parse(await text) }
        } catch (error) {
          return { data: null, errors: [toGraphQLError(error, log, caller.requestId)] }
        }
        return execute({ ...args, rootValue: undefined, variableValues: prepared.parameters.variables ?? {} })
      },
      async subscribe(args) {
        const { prepared, caller } = args.rootValue as { prepared: PreparedOperation; caller: Caller }
        try {
          return results(engine.live(prepared, caller), log, caller.requestId)
        } catch (error) {
          return { errors: [toGraphQLError(error, log, caller.requestId)] }
        }
      },
      onNext(context, _id, _payload, args, result) {
        if (!result.errors?.some((error) => error instanceof GraphQLError)) return result
        const { caller } = (args.rootValue ?? {}) as { caller?: Caller }
        const requestId = caller?.requestId ?? (context.extra as Extra).request.url ?? ''
        return { ...result, errors: result.errors.map((error) => toGraphQLError(error, log, requestId)) }
      },
    },
    sockets,
    12_000,
  )

  return {
    async close() {
      for (const socket of sockets.clients) socket.close(serviceRestart, 'The gateway restarts; connect again.')
      await handler.dispose()
    },
  }
}

/** Browsers cannot set headers on a socket, so `connection_init` carries them; other clients may use either. */
function authorizationOf(
  parameters: Readonly<Record<string, unknown>> | undefined,
  { request }: Extra,
): string | undefined {
  const headers = parameters?.headers as Record<string, unknown> | undefined
  const given =
    parameters?.Authorization ?? parameters?.authorization ?? headers?.Authorization ?? headers?.authorization
  return typeof given === 'string' ? given : request.headers.authorization
}

/** The longest delay of a Node timer; a token that lives longer is looked at again then. */
const longestTimer = 2 ** 31 - 1

function closeAtExpiry({ socket, principal }: Extra): void {
  if (!principal?.expiresAt) return
  const timer = setTimeout(
    () => socket.close(CloseCode.Forbidden, 'The access token has ended; connect again with a new one.'),
    Math.min(principal.expiresAt.getTime() - Date.now(), longestTimer),
  )
  socket.once('close', () => clearTimeout(timer))
}

function closeOnRevocation({ socket, principal }: Extra, revocations: Revocations): void {
  if (!principal) return
  const stop = revocations.onRevoked(principal.id, () =>
    socket.close(CloseCode.Forbidden, accessEnded().message.slice(0, 120)),
  )
  socket.once('close', stop)
}
