/**
 * The REST face as a table of routes. A path that is not in it answers 404, a method that a path has not 405 with
 * `Allow`; whatever a handler throws becomes problem details. HEAD goes to GET where a route has no HEAD of its own.
 *
 * Whoever comes in is counted and held to the same limits as on GraphQL, and refusals are audited alike.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Audit } from '../../access/audit.ts'
import type { Authenticator } from '../../access/authenticate.ts'
import type { Held, Limits, Quota } from '../../access/limits.ts'
import { anonymous, type Principal } from '../../access/principal.ts'
import { clientError } from '../../database/client-errors.ts'
import { SluiceError } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { auditRefusal } from '../audit-refusals.ts'
import { showQuotas } from '../rate-limit-headers.ts'
import { requestPath } from '../request-path.ts'
import { inRequestedRole } from '../requested-role.ts'
import type { DocumentCaller } from './documents.ts'
import { isAccepted } from './negotiation.ts'
import { requireKnown } from './parameters.ts'
import { HttpError, replyProblem } from './problem.ts'

/** One request, with who makes it. */
export interface RestCall extends DocumentCaller {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What `{name}` in the pattern stood for, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
}

export interface RestRoute {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `/v1/sessions/{id}`; each `{name}` stands for one part of the path. */
  readonly pattern: string
  /** Parameters of the query string; any other is refused. @default none */
  readonly query?: readonly string[]
  /** Media types of a successful answer, of which the client has to accept one; null where it has no body. @default application/json */
  readonly produces?: readonly string[] | null
  /** Of what a principal may have so many at once. @default concurrent */
  readonly holds?: Held
  /** What audit entries of refusals call it. @default rest */
  readonly entrance?: string
  /** Answers; whatever it throws is answered for it. */
  handle(call: RestCall): Promise<void>
}

export interface RestRouterOptions {
  readonly routes: readonly RestRoute[]
  readonly authenticator: Authenticator
  readonly limits: Limits
  readonly audit: Audit
  readonly log: Log
}

export interface RestRequest {
  readonly requestId: string
  readonly address: string | null
}

/** Answers requests whose path is `/v1` or begins with `/v1/`. */
export type RestRouter = (request: IncomingMessage, response: ServerResponse, context: RestRequest) => Promise<void>

/**
 * @example
 * const rest = createRestRouter({ routes: [...fileRoutes(parts)], authenticator, limits, audit, log })
 * await rest(request, response, { requestId, address })
 */
export function createRestRouter({ routes, authenticator, limits, audit, log }: RestRouterOptions): RestRouter {
  const table = routes.map((route) => ({ ...route, parts: route.pattern.split('/') }))
  type Row = (typeof table)[number]

  const choose = ({ method = 'GET' }: IncomingMessage, path: string) => {
    const found = table.flatMap((route) => {
      const params = paramsOf(route.parts, path)
      return params ? [{ route, params }] : []
    })
    if (found.length === 0) throw nothingAt(path)
    const chosen =
      found.find(({ route }) => route.method === method) ??
      (method === 'HEAD' ? found.find(({ route }) => route.method === 'GET') : undefined)
    if (!chosen) throw methodNotAllowed(found.map(({ route }) => route.method))
    return chosen
  }

  /** Who it is, in the role asked for, within their limits. */
  const enter = async (
    { entrance = 'rest', holds = 'concurrent' }: Row,
    request: IncomingMessage,
    response: ServerResponse,
    { requestId, address }: RestRequest,
  ): Promise<{ principal: Principal; charge: (cost: number) => Promise<void> }> => {
    const { authorization } = request.headers
    let principal: Principal | undefined
    const refused = (error: unknown) => {
      if (!(error instanceof SluiceError)) return
      auditRefusal(audit, error, { name: entrance, principal, authorization, address, requestId })
    }
    try {
      principal = inRequestedRole(
        request.headers['x-hasura-role'],
        await authenticator.authenticate(authorization, { address }),
      )
      const who = principal
      const requests = await limits.request(who, address)
      showQuotas(response, requests)
      response.once('close', limits.hold(holds, who, address))
      let cost: Quota | null = null
      const charge = async (points: number) => {
        try {
          cost = await limits.cost(who, address, points)
          showQuotas(response, requests, cost)
        } catch (error) {
          refused(error)
          throw error
        }
      }
      return { principal: who, charge }
    } catch (error) {
      refused(error)
      // Who fails to say who they are is counted as one who has not: a flood of wrong tokens is a flood.
      if (!principal) await limits.request(anonymous, address)
      throw error
    }
  }

  return async (request, response, { requestId, address }) => {
    try {
      const { route, params } = choose(request, requestPath(request))
      const entered = await enter(route, request, response, { requestId, address })
      const query = new URL(request.url ?? '/', 'http://localhost').searchParams
      requireKnown(query, route.query ?? [])
      requireAccepted(request, route.produces === undefined ? ['application/json'] : route.produces)
      const userAgent = request.headers['user-agent'] ?? null
      await route.handle({ request, response, params, query, requestId, address, userAgent, ...entered })
    } catch (error) {
      const known = error instanceof SluiceError ? error : clientError(error)
      if (!known) log.error({ err: error, requestId, path: request.url }, 'a REST request failed')
      if (response.headersSent) return void response.destroy()
      replyProblem(
        response,
        known ??
          new SluiceError(
            'INTERNAL',
            `Something went wrong on our side. Tell the operator this request id: ${requestId}.`,
          ),
      )
    }
  }
}

function nothingAt(path: string): SluiceError {
  const where = '/docs shows every path of REST, and /openapi.json says the same for programs.'
  const what = /^\/v1\/?$/.test(path)
    ? 'This is where REST begins, and there is nothing here itself.'
    : `There is nothing at ${path.slice(0, 200)}.`
  return new SluiceError('NOT_FOUND', `${what} ${where}`)
}

function requireAccepted({ headers: { accept } }: IncomingMessage, types: readonly string[] | null): void {
  if (types === null || types.some((type) => isAccepted(accept, type))) return
  throw new HttpError('NOT_ACCEPTABLE', `Accept ${types.join(' or ')}; there is nothing else here.`)
}

function methodNotAllowed(methods: readonly string[]): HttpError {
  const allow = [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))].join(', ')
  return new HttpError('METHOD_NOT_ALLOWED', `This path takes ${allow}.`, { headers: { allow } })
}

/** Undefined when the path does not fit. */
function paramsOf(pattern: readonly string[], path: string): Readonly<Record<string, string>> | undefined {
  const parts = path.split('/')
  if (parts.length !== pattern.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, expected] of pattern.entries()) {
    const part = parts[index] as string
    const name = /^\{(\w+)\}$/.exec(expected)?.[1]
    if (!name) {
      if (part !== expected) return undefined
      continue
    }
    const value = decoded(part)
    if (!value) return undefined
    params[name] = value
  }
  return params
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
