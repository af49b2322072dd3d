/**
 * `/graphql` over HTTP. Every operation is prepared here. One that only reads or
 * only writes tables is answered straight from Postgres's JSON text, and so are
 * subscriptions, as events; Yoga's plugins execute the rest.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { ExecutionResult, GraphQLError } from 'graphql'
import { createYoga, type Plugin } from 'graphql-yoga'
import type { Audit } from '../access/audit.ts'
import type { Authenticator } from '../access/authenticate.ts'
import type { Limits, Quota } from '../access/limits.ts'
import { anonymous, type Principal } from '../access/principal.ts'
import type { Revocations } from '../access/revocations.ts'
import { SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { RequestContext } from '../tables/request-context.ts'
import { auditRefusal } from './audit-refusals.ts'
import { readBody } from './body.ts'
import type { Caller, Engine } from './engine.ts'
import { createGraphiQLPage } from './graphiql-page.ts'
import { toGraphQLError } from './graphql-errors.ts'
import { replyEvents } from './graphql-sse.ts'
import type { Operations, PreparedOperation } from './operation.ts'
import { quotaOfError, showQuotas } from './rate-limit-headers.ts'
import { replyGraphQLError, replyJson } from './reply.ts'
import { markErrors } from './request-meter.ts'
import { requestParameters } from './request-parameters.ts'
import { inRequestedRole } from './requested-role.ts'
import type { RoleSchemas } from './role-schemas.ts'

export interface GraphQLHttpOptions {
  readonly schemas: RoleSchemas
  readonly operations: Operations
  readonly engine: Engine
  readonly authenticator: Authenticator
  readonly revocations: Revocations
  readonly limits: Limits
  readonly audit: Audit
  readonly maxBodyBytes: number
  readonly log: Log
}

type ServerContext = { caller: Caller; form: Form; prepared: PreparedOperation }

export function createGraphQLHttp(options: GraphQLHttpOptions) {
  const { schemas, operations, engine, authenticator, revocations, limits, audit, maxBodyBytes, log } = options
  const yoga = createSluiceYoga(options)
  const replyGraphiQL = createGraphiQLPage()

  return async (
    request: IncomingMessage,
    response: ServerResponse,
    { requestId, address }: { requestId: string; address: string | null },
  ) => {
    let principal: Principal | undefined
    let counted: Quota | null = null
    try {
      if (wantsPage(request)) {
        return replyGraphiQL(response)
      }
      const nameless = request.method === 'POST' && request.headers.authorization === undefined
      principal = nameless
        ? anonymous
        : inRequestedRole(
            request.headers['x-hasura-role'],
            await authenticator.authenticate(request.headers.authorization, { address }),
          )
      counted = await limits.request(principal, address)
      const caller = { principal, requestId, address, userAgent: request.headers['user-agent'] ?? null }
      if (request.method !== 'POST' && request.method !== 'GET') return replyOnly(response, 'GET, POST')
      const body = request.method === 'POST' ? await readBody(request, maxBodyBytes) : undefined
      const parameters = requestParameters(request, body)
      const prepared = operations.prepare(parameters, principal, schemas(principal.role))
      // Who has not said who they are may sign in; told to authenticate rather than that a field does not exist.
      if (nameless && ('errors' in prepared ? prepared.document : prepared.operation.operation === 'subscription'))
        await authenticator.authenticate(undefined, { address })
      if ('errors' in prepared) showQuotas(response, counted)
      else {
        showQuotas(response, counted, await limits.cost(principal, address, prepared.cost))
        const kind = prepared.operation.operation === 'subscription' ? 'streams' : 'concurrent'
        response.once('close', limits.hold(kind, principal, address))
      }
      const form = acceptedForm(request)
      const events = { principal, revocations, log, requestId }
      if (!('errors' in prepared) && prepared.operation.operation === 'subscription') {
        if (!acceptsEvents(request)) return replyNotAcceptable(response)
        return await replyEvents(response, live(engine, prepared, caller), events)
      }
      if (!form) return replyNotAcceptable(response)
      if ('errors' in prepared) {
        if (form !== 'events') return replyErrors(response, form, prepared.errors)
        return await replyEvents(response, once(Promise.reject(new AggregateError(prepared.errors))), events)
      }
      if (request.method === 'GET' && prepared.operation.operation === 'mutation') return replyOnly(response, 'POST')
      const data = answer(engine, prepared, caller)
      if (form === 'events') {
        if (data) return await replyEvents(response, once(data), events)
        return await passOn(yoga, request, response, body, { caller, form, prepared })
      }
      if (data) return await replyData(response, form, data, log, requestId)
      const result = await execution(yoga, { caller, form, prepared })
      markErrors(response, result.errors)
      replyText(response, form, JSON.stringify(result))
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      const { authorization } = request.headers
      auditRefusal(audit, error, { name: 'http', principal, authorization, address, requestId })
      const shown = principal ? error : await countedRefusal(error, limits, address)
      showQuotas(response, quotaOfError(shown) ?? counted)
      replyGraphQLError(response, shown)
    }
  }
}

/** Who fails to say who they are is counted as one who has not: a flood of wrong tokens is a flood. */
async function countedRefusal(error: SluiceError, limits: Limits, address: string | null): Promise<SluiceError> {
  try {
    await limits.request(anonymous, address)
    return error
  } catch (limited) {
    return limited instanceof SluiceError ? limited : error
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

/**
 * How a client wants its answer. `json` is the older form, in which an operation that is refused is answered with 200;
 * `response` is application/graphql-response+json, with true statuses.
 */
type Form = 'json' | 'response' | 'events'

/** By the `Accept` header, for all but subscriptions; null when it lists nothing that is spoken here, such as multipart. */
function acceptedForm(request: IncomingMessage): Form | null {
  const accept = request.headers.accept ?? '*/*'
  if (accept.includes('application/graphql-response+json')) return 'response'
  if (/application\/(json|\*)|\*\/\*/.test(accept)) return 'json'
  return accept.includes('text/event-stream') ? 'events' : null
}

function acceptsEvents({ headers: { accept = '*/*' } }: IncomingMessage): boolean {
  return /text\/(event-stream|\*)|\*\/\*/.test(accept)
}

const contentTypes = {
  events: 'text/event-stream',
  json: 'application/json; charset=utf-8',
  response: 'application/graphql-response+json; charset=utf-8',
}

async function replyData(
  response: ServerResponse,
  form: 'json' | 'response',
  data: Promise<string>,
  log: Log,
  requestId: string,
): Promise<void> {
  let text: string
  try {
    text = `{"data":${await data}}`
  } catch (error) {
    const errors = [toGraphQLError(error, log, requestId)]
    markErrors(response, errors)
    text = JSON.stringify({ data: null, errors })
  }
  replyText(response, form, text)
}

function replyText(response: ServerResponse, form: 'json' | 'response', text: string): void {
  response.writeHead(200, { 'content-type': contentTypes[form], 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

/**
 * Runs an operation through Yoga's plugins, without its HTTP: a request and a response as the Fetch API has them
 * cost 1.4 ms of CPU for each submitted session, more than all the rest.
 */
async function execution(yoga: ReturnType<typeof createSluiceYoga>, context: ServerContext): Promise<ExecutionResult> {
  const { prepared } = context
  const { contextFactory, execute } = yoga.getEnveloped(context)
  return execute({
    schema: prepared.role.schema,
    document: prepared.document,
    operationName: prepared.parameters.operationName,
    variableValues: prepared.parameters.variables ?? {},
    contextValue: await contextFactory(),
  })
}

/** An operation that was never begun. */
function replyErrors(response: ServerResponse, form: 'json' | 'response', errors: readonly GraphQLError[]): void {
  markErrors(response, errors)
  replyJson(response, form === 'json' ? 200 : 400, { errors }, { 'content-type': contentTypes[form] })
}

function replyOnly(response: ServerResponse, allow: 'POST' | 'GET, POST'): void {
  const message = allow === 'POST' ? 'A mutation needs POST; GET only reads.' : 'Use POST, or GET to read.'
  replyJson(response, 405, { errors: [{ message, extensions: { code: 'METHOD_NOT_ALLOWED' } }] }, { allow })
}

function replyNotAcceptable(response: ServerResponse): void {
  const message =
    'Accept application/json or application/graphql-response+json; for a subscription text/event-stream, or use a WebSocket.'
  replyJson(response, 406, { errors: [{ message, extensions: { code: 'NOT_ACCEPTABLE' } }] })
}

/** Results of a subscription; one that cannot begin fails as its first result. */
function live(engine: Engine, prepared: PreparedOperation, caller: Caller): AsyncGenerator<string, void, undefined> {
  try {
    return engine.live(prepared, caller)
  } catch (error) {
    return once(Promise.reject(error))
  }
}

/** One result as a stream of results. */
async function* once(data: Promise<string>): AsyncGenerator<string, void, undefined> {
  yield await data
}

function wantsPage(request: IncomingMessage): boolean {
  return request.method === 'GET' && /text\/html/.test(request.headers.accept ?? '') && !request.headers.authorization
}

function createSluiceYoga({ schemas, engine, log }: GraphQLHttpOptions) {
  const execution: Plugin<ServerContext & RequestContext> = {
    // What was prepared is what runs; Yoga parses and validates nothing.
    onRequestParse({ serverContext, setRequestParser }) {
      const { prepared } = serverContext as unknown as Partial<ServerContext>
      if (!prepared) return
      const { query, variables, operationName } = prepared.parameters
      setRequestParser(() => ({ query, variables, operationName }) as never)
    },
    onEnveloped({ context, setSchema }) {
      const { prepared } = context as unknown as Partial<ServerContext>
      if (prepared) setSchema(prepared.role.schema)
    },
    onParse({ context, setParsedDocument }) {
      setParsedDocument((context as unknown as ServerContext).prepared.document)
    },
    onValidate({ setResult }) {
      setResult([])
    },
    onExecute({ args }) {
      const { requestId } = (args.contextValue as ServerContext).caller
      return {
        onExecuteDone({ result, setResult }) {
          const { errors, ...rest } = result as { errors?: readonly GraphQLError[] }
          if (errors) setResult({ ...rest, errors: errors.map((error) => toGraphQLError(error, log, requestId)) })
        },
      }
    },
  }
  return createYoga<ServerContext, RequestContext>({
    graphqlEndpoint: '/graphql',
    landingPage: false,
    cors: false,
    batching: false,
    logging: false,
    context: ({ caller }) => ({
      ...caller,
      resolveRoot: (info) => engine.resolveRoot(info, schemas(caller.principal.role), caller),
    }),
    maskedErrors: {
      // Errors of execution were mapped above, with the id of their request.
      maskError: (error) => toGraphQLError(error, log, 'unknown'),
    },
    graphiql: false,
    plugins: [execution as Plugin],
  })
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
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  }
  // Yoga would choose otherwise, and send multipart.
  if (context) headers.set('accept', contentTypes[context.form])
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
