/**
 * `/graphql` over HTTP. A POSTed operation that only reads or only writes tables
 * is answered straight from Postgres's JSON text; everything else (actions, GET, SSE,
 * GraphiQL, errors and their content negotiation) is Yoga's.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { renderGraphiQL } from '@graphql-yoga/render-graphiql'
import { createYoga, type Plugin } from 'graphql-yoga'
import type { Authenticator } from '../access/authenticate.ts'
import { anonymous } from '../access/principal.ts'
import type { Revocations } from '../access/revocations.ts'
import { SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { RequestContext } from '../tables/request-context.ts'
import { readBody } from './body.ts'
import type { Caller, Engine } from './engine.ts'
import { toGraphQLError } from './graphql-errors.ts'
import { replyEvents, wantsEvents } from './graphql-sse.ts'
import type { OperationParameters, Operations, PreparedOperation } from './operation.ts'
import { replyGraphQLError } from './reply.ts'
import type { RoleSchemas } from './role-schemas.ts'

export interface GraphQLHttpOptions {
  readonly schemas: RoleSchemas
  readonly operations: Operations
  readonly engine: Engine
  readonly authenticator: Authenticator
  readonly revocations: Revocations
  readonly maxBodyBytes: number
  readonly log: Log
}

type ServerContext = { caller: Caller }

export function createGraphQLHttp(options: GraphQLHttpOptions) {
  const { schemas, operations, engine, authenticator, revocations, maxBodyBytes, log } = options
  const yoga = createSluiceYoga(options)

  return async (
    request: IncomingMessage,
    response: ServerResponse,
    { requestId, address }: { requestId: string; address: string | null },
  ) => {
    try {
      if (wantsPage(request)) return await passOn(yoga, request, response, undefined, undefined)
      const nameless = request.method === 'POST' && request.headers.authorization === undefined
      const principal = nameless ? anonymous : await authenticator.authenticate(request.headers.authorization)
      const caller = { principal, requestId, address }
      const body = request.method === 'POST' ? await readBody(request, maxBodyBytes) : undefined
      const parameters = body && fastParameters(request, body)
      // Who has not said who they are may sign in; told to authenticate rather than that a field does not exist.
      if (
        nameless &&
        (!parameters || operations.check(parameters.query, principal.role, schemas(principal.role)).errors.length > 0)
      ) {
        await authenticator.authenticate(undefined)
      }
      if (parameters) {
        const prepared = operations.prepare(parameters, principal.role, schemas(principal.role))
        if (!('errors' in prepared)) {
          if (wantsEvents(request) && prepared.operation.operation === 'subscription') {
            const live = engine.live(prepared, caller)
            return await replyEvents(response, live, { principal, revocations, log, requestId })
          }
          const data = wantsEvents(request) ? null : answer(engine, prepared, caller)
          if (data) return await replyData(request, response, data, log, requestId)
        }
      }
      await passOn(yoga, request, response, body, { caller })
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      replyGraphQLError(response, error)
    }
  }
}

/** The operation of a plain JSON POST that a client expects plain JSON for; null leaves it to Yoga. */
function fastParameters(request: IncomingMessage, body: Buffer): OperationParameters | null {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) return null
  const accept = request.headers.accept ?? '*/*'
  if (!/application\/(graphql-response\+)?json|\*\/\*|text\/event-stream/.test(accept)) return null
  try {
    const value = JSON.parse(body.toString('utf8'))
    const { query, variables, operationName, extensions } = value ?? {}
    const variablesFit =
      variables === undefined || variables === null || (typeof variables === 'object' && !Array.isArray(variables))
    const nameFits = operationName === undefined || operationName === null || typeof operationName === 'string'
    return typeof query === 'string' && variablesFit && nameFits && extensions === undefined
      ? { query, variables, operationName }
      : null
  } catch {
    return null
  }
}

/** The answer of an operation on tables alone; null leaves it to graphql-js. */
function answer(engine: Engine, prepared: PreparedOperation, caller: Caller): Promise<string> | null {
  try {
    return engine.read(prepared, caller) ?? engine.write(prepared, caller)
  } catch (error) {
    return Promise.reject(error)
  }
}

async function replyData(
  request: IncomingMessage,
  response: ServerResponse,
  data: Promise<string>,
  log: Log,
  requestId: string,
): Promise<void> {
  const modern = /application\/graphql-response\+json/.test(request.headers.accept ?? '')
  const headers = { 'content-type': `application/${modern ? 'graphql-response+json' : 'json'}; charset=utf-8` }
  let text: string
  try {
    text = `{"data":${await data}}`
  } catch (error) {
    text = JSON.stringify({ data: null, errors: [toGraphQLError(error, log, requestId)] })
  }
  response.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

function wantsPage(request: IncomingMessage): boolean {
  return request.method === 'GET' && /text\/html/.test(request.headers.accept ?? '') && !request.headers.authorization
}

function createSluiceYoga({ schemas, operations, engine, log }: GraphQLHttpOptions) {
  const prepare: Plugin<ServerContext & RequestContext> = {
    onParse({ params, context, setParsedDocument }) {
      const role = (context as unknown as ServerContext).caller?.principal.role
      if (!role || typeof params.source !== 'string') return
      const { document, errors } = operations.check(params.source, role, schemas(role))
      if (!document) throw errors[0]
      setParsedDocument(document)
    },
    onValidate({ params, context, setResult }) {
      const role = (context as unknown as ServerContext).caller?.principal.role
      const source = params.documentAST.loc?.source.body
      if (!role || source === undefined) return
      setResult([...operations.check(source, role, schemas(role)).errors])
    },
    onSubscribe({ args, setSubscribeFn }) {
      setSubscribeFn(async () => {
        const { caller } = args.contextValue as ServerContext
        const source = args.document.loc?.source.body ?? ''
        const parameters = { query: source, operationName: args.operationName, variables: args.variableValues }
        const prepared = operations.prepare(parameters, caller.principal.role, schemas(caller.principal.role))
        if ('errors' in prepared) return { errors: prepared.errors }
        try {
          return results(engine.live(prepared, caller), JSON.parse, log, caller.requestId)
        } catch (error) {
          return { errors: [toGraphQLError(error, log, caller.requestId)] }
        }
      })
    },
  }
  return createYoga<ServerContext, RequestContext>({
    graphqlEndpoint: '/graphql',
    landingPage: false,
    cors: false,
    batching: false,
    logging: false,
    schema: ({ caller }: ServerContext) => schemas(caller?.principal.role ?? 'consumer').schema,
    context: ({ caller }) => ({
      ...caller,
      resolveRoot: (info) => engine.resolveRoot(info, schemas(caller.principal.role), caller),
    }),
    maskedErrors: {
      maskError: (error) => toGraphQLError(error, log, 'unknown'),
    },
    graphiql: {
      title: 'Sluice',
      defaultQuery:
        '{\n  sessions(limit: 5, order_by: { submitted_at: desc }) {\n    id\n    status\n    submitted_at\n    flow { slug }\n  }\n}\n',
      shouldPersistHeaders: true,
    },
    renderGraphiQL,
    plugins: [prepare as Plugin],
  })
}

/** Live results as execution results; a failure becomes the last one. */
export async function* results<T>(
  texts: AsyncGenerator<string, void, undefined>,
  dataOf: (text: string) => T,
  log: Log,
  requestId: string,
) {
  try {
    for await (const text of texts) yield { data: dataOf(text) }
  } catch (error) {
    yield { errors: [toGraphQLError(error, log, requestId)] }
  }
}

/** Hands a request whose body is already read to Yoga, and its answer back, stopping with the client. */
async function passOn(
  yoga: ReturnType<typeof createSluiceYoga>,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer | undefined,
  context: ServerContext | undefined,
): Promise<void> {
  const abort = new AbortController()
  response.on('close', () => abort.abort())
  const headers = Object.entries(request.headers).flatMap(([key, value]): [string, string][] =>
    value === undefined ? [] : [[key, Array.isArray(value) ? value.join(', ') : value]],
  )
  const answer = await yoga.fetch(
    new Request(new URL(request.url ?? '/', 'http://localhost'), {
      method: request.method ?? 'GET',
      headers,
      ...(body && body.length > 0 ? { body: new Uint8Array(body) } : {}),
      signal: abort.signal,
    }),
    context ?? ({} as ServerContext),
  )
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
  if (!answer.body) {
    response.end()
    return
  }
  const stream = Readable.from(answer.body as unknown as AsyncIterable<Uint8Array>)
  stream.on('error', () => response.destroy())
  response.on('close', () => stream.destroy())
  stream.pipe(response)
}
