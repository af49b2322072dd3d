/**
 * The REST face as a table of routes. A path that is not in it answers 404, a method that a path has not 405 with
 * `Allow`; whatever a handler throws becomes problem details. HEAD goes to GET where a route has no HEAD of its own.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authenticator } from '../../access/authenticate.ts'
import type { Principal } from '../../access/principal.ts'
import { clientError } from '../../database/client-errors.ts'
import { SluiceError } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { requestPath } from '../request-path.ts'
import { inRequestedRole } from '../requested-role.ts'
import { replyProblem } from './problem.ts'

/** One request, with who makes it. */
export interface RestCall {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What `{name}` in the pattern stood for, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly principal: Principal
  readonly requestId: string
  readonly address: string | null
}

export interface RestRoute {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `/v1/sessions/{id}`; each `{name}` stands for one part of the path. */
  readonly pattern: string
  /** Answers; whatever it throws is answered for it. */
  handle(call: RestCall): Promise<void>
}

export interface RestRouterOptions {
  readonly routes: readonly RestRoute[]
  readonly authenticator: Authenticator
  readonly log: Log
}

export interface RestRequest {
  readonly requestId: string
  readonly address: string | null
}

/** Answers requests whose path begins with `/v1/`. */
export type RestRouter = (request: IncomingMessage, response: ServerResponse, context: RestRequest) => Promise<void>

/**
 * @example
 * const rest = createRestRouter({ routes: [...fileRoutes(parts)], authenticator, log })
 * await rest(request, response, { requestId, address })
 */
export function createRestRouter({ routes, authenticator, log }: RestRouterOptions): RestRouter {
  const table = routes.map((route) => ({ ...route, parts: route.pattern.split('/') }))
  return async (request, response, { requestId, address }) => {
    try {
      const path = requestPath(request)
      const found = table.flatMap((route) => {
        const params = paramsOf(route.parts, path)
        return params ? [{ route, params }] : []
      })
      if (found.length === 0) throw new SluiceError('NOT_FOUND', `There is nothing at ${path.slice(0, 200)}.`)
      const method = request.method ?? 'GET'
      const chosen =
        found.find(({ route }) => route.method === method) ??
        (method === 'HEAD' ? found.find(({ route }) => route.method === 'GET') : undefined)
      if (!chosen)
        return replyMethodNotAllowed(
          response,
          found.map(({ route }) => route.method),
        )
      const principal = inRequestedRole(
        request.headers['x-hasura-role'],
        await authenticator.authenticate(request.headers.authorization, { address }),
      )
      const query = new URL(request.url ?? '/', 'http://localhost').searchParams
      await chosen.route.handle({ request, response, params: chosen.params, query, principal, requestId, address })
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

function replyMethodNotAllowed(response: ServerResponse, methods: readonly string[]): void {
  const allow = [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))].join(', ')
  const error = new SluiceError('BAD_REQUEST', `This path takes ${allow}.`)
  replyProblem(response, error, { status: 405, headers: { allow } })
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
