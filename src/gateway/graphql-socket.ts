/** `/graphql` over WebSocket, the graphql-transport-ws protocol. */

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { type ExecutionResult, execute, GraphQLError } from 'graphql'
import { CloseCode, makeServer, type Server as ProtocolServer } from 'graphql-ws'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Audit } from '../access/audit.ts'
import type { Authenticator } from '../access/authenticate.ts'
import type { Limits } from '../access/limits.ts'
import type { Principal } from '../access/principal.ts'
import type { Revocations } from '../access/revocations.ts'
import { SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { onAccessEnd } from './access-end.ts'
import { auditRefusal } from './audit-refusals.ts'
import type { ClientAddress } from './client-address.ts'
import type { Caller, Engine } from './engine.ts'
import { executionResults } from './execution-results.ts'
import { toGraphQLError } from './graphql-errors.ts'
import type { Operations, PreparedOperation } from './operation.ts'
import { RawJson, withRawJson } from './raw-json.ts'
import { outcomeOf, type RequestMeter } from './request-meter.ts'
import { requestPath } from './request-path.ts'
import { inRequestedRole } from './requested-role.ts'
import type { RoleSchemas } from './role-schemas.ts'
import { socketMessages } from './socket-messages.ts'

export interface GraphQLSocketOptions {
  readonly server: Server
  readonly schemas: RoleSchemas
  readonly operations: Operations
  readonly engine: Engine
  readonly authenticator: Authenticator
  readonly clientAddress: ClientAddress
  readonly revocations: Revocations
  readonly limits: Limits
  readonly audit: Audit
  /** Whether a page of this origin may open a socket; undefined is a client that is no browser. */
  readonly mayConnect: (origin: string | undefined) => boolean
  readonly maxBodyBytes: number
  readonly meter: RequestMeter
  readonly log: Log
}

export interface SocketCounts {
  /** At this moment. */
  readonly open: number
  /** Refused since the start, because their socket had as many as it may. */
  readonly tooManyOperations: number
}

/** What a connection carries after `connection_init`. */
interface Extra {
  socket: WebSocket
  request: import('node:http').IncomingMessage
  principal?: Principal
}

/** A deploy: clients connect again at once (RFC 6455 registry, 1012 Service Restart). */
const serviceRestart = 1012
/** A socket that does not close by itself is cut after this. */
const closePatienceMs = 2_000
const heartbeatMs = 12_000
/** Too much was asked for: Too Many Requests, as close codes of this protocol are named. */
const tooManyRequests = 4429

/**
 * Whether a request asks for a WebSocket. Other upgrades are offers that may be passed over (RFC 9110, section 7.8): Java's
 * HTTP client, for one, offers `h2c` with its first request over plain HTTP, and means that request.
 */
export const wantsSocket = ({ headers }: import('node:http').IncomingMessage): boolean =>
  /\bwebsocket\b/i.test(headers.upgrade ?? '')

export function openGraphQLSocket(options: GraphQLSocketOptions): {
  readonly counts: SocketCounts
  close(): Promise<void>
} {
  const { server, schemas, operations, engine, authenticator, clientAddress, revocations } = options
  const { limits, audit, mayConnect, maxBodyBytes, meter, log } = options
  let tooMany = 0
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxBodyBytes })
  server.on('upgrade', (request, socket, head) => {
    // Nobody else listens yet, and an error that nobody hears would end the process.
    socket.on('error', () => socket.destroy())
    if (requestPath(request) !== '/graphql') {
      socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n')
      return
    }
    if (!mayConnect(request.headers.origin)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n')
      return
    }
    sockets.handleUpgrade(request, socket, head, (accepted) => sockets.emit('connection', accepted, request))
  })

  const callerOf = ({ principal, request }: Extra): Caller => {
    if (!principal) throw new SluiceError('UNAUTHENTICATED', 'The connection was not initialised.')
    return { principal, requestId: randomUUID(), address: clientAddress(request) }
  }

  const protocol = makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: 3_000,
    async onConnect(context) {
      const { extra } = context
      const address = clientAddress(extra.request)
      const authorization = headerOf('authorization', context.connectionParams, extra)
      let principal: Principal | undefined
      try {
        principal = inRequestedRole(
          headerOf('x-hasura-role', context.connectionParams, extra),
          await authenticator.authenticate(authorization, { address }),
        )
        extra.socket.once('close', limits.hold('sockets', principal, address))
        extra.principal = principal
        closeAtAccessEnd(extra, revocations)
        return true
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error
        auditRefusal(audit, error, { name: 'socket', principal, authorization, address, requestId: randomUUID() })
        meter.operation('refused', null)
        // A close reason may hold 123 bytes.
        const code = error.code === 'RATE_LIMITED' ? tooManyRequests : CloseCode.Forbidden
        extra.socket.close(code, error.message.slice(0, 120))
        return false
      }
    },
    async onSubscribe(context, _id, payload) {
      const caller = callerOf(context.extra)
      const { principal, address, requestId } = caller
      const refused = (errors: readonly GraphQLError[]) => {
        meter.operation(outcomeOf(errors), null)
        return errors
      }
      if (Object.keys(context.subscriptions).length > limits.perSocket) {
        tooMany += 1
        return refused([tooManyOperations(limits.perSocket)])
      }
      let prepared: ReturnType<Operations['prepare']>
      try {
        await limits.request(principal, address)
        prepared = operations.prepare(payload, principal, schemas(principal.role))
        if ('errors' in prepared) return refused(prepared.errors)
        await limits.cost(principal, address, prepared.cost)
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error
        auditRefusal(audit, error, { name: 'socket', principal, address, requestId })
        return refused([toGraphQLError(error, log, requestId)])
      }
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
      const begun = performance.now()
      const over = <Result extends ExecutionResult>(result: Result): Result => {
        const errors = result.errors?.map((error) => toGraphQLError(error, log, caller.requestId))
        meter.operation(errors ? outcomeOf(errors) : 'ok', performance.now() - begun)
        return errors ? { ...result, errors } : result
      }
      let end: (() => void) | undefined
      try {
        end = limits.hold('concurrent', caller.principal, caller.address)
        const text = engine.read(prepared, caller) ?? engine.write(prepared, caller)
        if (text) return over({ data: new RawJson(await text) as never })
        return over(
          await execute({ ...args, rootValue: undefined, variableValues: prepared.parameters.variables ?? {} }),
        )
      } catch (error) {
        return over({ data: null, errors: [toGraphQLError(error, log, caller.requestId)] })
      } finally {
        end?.()
      }
    },
    async subscribe(args) {
      const { prepared, caller } = args.rootValue as { prepared: PreparedOperation; caller: Caller }
      try {
        const results = executionResults(engine.live(prepared, caller), log, caller.requestId)
        meter.operation('ok', null)
        return results
      } catch (error) {
        const errors = [toGraphQLError(error, log, caller.requestId)]
        meter.operation(outcomeOf(errors), null)
        return { errors }
      }
    },
    onNext(context, _id, _payload, args, result) {
      if (!result.errors?.some((error) => error instanceof GraphQLError)) return result
      const { caller } = (args.rootValue ?? {}) as { caller?: Caller }
      const requestId = caller?.requestId ?? context.extra.request.url ?? ''
      return { ...result, errors: result.errors.map((error) => toGraphQLError(error, log, requestId)) }
    },
  })

  sockets.on('connection', (socket, request) => attach(protocol, { socket, request }))
  const stopHeartbeat = keepAlive(sockets)

  return {
    counts: {
      get open() {
        return sockets.clients.size
      },
      get tooManyOperations() {
        return tooMany
      },
    },
    async close() {
      stopHeartbeat()
      const gone = [...sockets.clients].map((socket) => once(socket, 'close'))
      for (const socket of sockets.clients) socket.close(serviceRestart, 'The gateway restarts; connect again.')
      const patience = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate()
      }, closePatienceMs)
      await Promise.all(gone)
      clearTimeout(patience)
      await new Promise<void>((resolve) => sockets.close(() => resolve()))
    },
  }
}

/** Joins one socket to the protocol, which knows no socket library. */
function attach(protocol: ProtocolServer<Extra>, extra: Extra): void {
  const { socket } = extra
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      // Resolves when the kernel has taken the frame: a slow reader holds up its own results and nothing else.
      send: (frame) =>
        new Promise((resolve, reject) => {
          if (socket.readyState !== socket.OPEN) return resolve()
          socket.send(withRawJson(frame), (error) => (error ? reject(error) : resolve()))
        }),
      close: (code, reason) => socket.close(code, reason),
      onMessage: (handle) => {
        const messages = socketMessages(
          async (text) => handle(text),
          () => socket.close(CloseCode.BadRequest, 'Invalid message received'),
        )
        socket.on('message', (message) => {
          messages
            .take(String(message))
            .catch((error) => socket.close(CloseCode.InternalServerError, String(error?.message).slice(0, 120)))
        })
      },
    },
    extra,
  )
  socket.on('error', () => socket.close(CloseCode.InternalServerError, 'The connection failed.'))
  socket.once('close', (code, reason) => void closed(code, String(reason)))
}

/** Ends sockets whose other side has gone without a word. */
function keepAlive(sockets: WebSocketServer): () => void {
  const answered = new WeakSet<WebSocket>()
  sockets.on('connection', (socket) => {
    answered.add(socket)
    socket.on('pong', () => answered.add(socket))
  })
  const timer = setInterval(() => {
    for (const socket of sockets.clients) {
      if (!answered.delete(socket)) socket.terminate()
      else socket.ping()
    }
  }, heartbeatMs)
  return () => clearInterval(timer)
}

function tooManyOperations(most: number): GraphQLError {
  return new GraphQLError(`A socket may run ${most} operations at once. Complete some, or open another socket.`, {
    extensions: { code: 'LIMIT_OPERATIONS' },
  })
}

/** Browsers cannot set headers on a socket, so `connection_init` carries them; other clients may use either. */
function headerOf(
  name: 'authorization' | 'x-hasura-role',
  parameters: Readonly<Record<string, unknown>> | undefined,
  { request }: Extra,
): string | undefined {
  const headers = parameters?.headers
  for (const part of [parameters, headers && typeof headers === 'object' ? headers : {}]) {
    for (const [key, value] of Object.entries(part ?? {})) {
      if (key.toLowerCase() === name && typeof value === 'string') return value
    }
  }
  const given = request.headers[name]
  return typeof given === 'string' ? given : undefined
}

function closeAtAccessEnd({ socket, principal }: Extra, revocations: Revocations): void {
  if (!principal) return
  const stop = onAccessEnd(principal, revocations, ({ message }) =>
    socket.close(CloseCode.Forbidden, message.slice(0, 120)),
  )
  socket.once('close', stop)
}
