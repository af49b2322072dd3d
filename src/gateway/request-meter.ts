/** Counts requests by interface and by what came of them, and how long they took. */
import type { ServerResponse } from 'node:http'
import type { GraphQLError } from 'graphql'
import { Durations } from '../metrics.ts'

export const interfaces = ['graphql', 'sse', 'socket', 'rest', 'oauth', 'hooks', 'console', 'health', 'other'] as const
export type Interface = (typeof interfaces)[number]

/**
 * `ok`: answered. `refused`: the caller was told what is wrong with the request, or to come back. `failed`: our fault.
 * `aborted`: the client went before it had its answer.
 */
export const outcomes = ['ok', 'refused', 'failed', 'aborted'] as const
export type Outcome = (typeof outcomes)[number]

/** Those that last as long as their client likes are not timed: event streams. */
export type Timed = Exclude<Interface, 'sse' | 'health'>

export interface RequestMeter {
  readonly counts: Readonly<Record<Interface, Readonly<Record<Outcome, number>>>>
  readonly durations: Readonly<Record<Timed, Durations>>
  /** Bodies that were larger than they may be. */
  readonly tooLarge: number
  /** Counts a request when its answer has gone out. @param told hears how it went */
  begin(path: string, response: ServerResponse, told?: (request: Ended) => void): void
  /** Counts an operation of a socket, or a socket that was not let in. @param took in milliseconds; null is not timed */
  operation(outcome: Outcome, took: number | null): void
}

export interface Ended {
  readonly interface: Interface
  readonly outcome: Outcome
  readonly tookMs: number
}

/** Answers with status 200 that are errors all the same. */
const marks = new WeakMap<ServerResponse, Outcome>()

/** Notes that what is answered are errors, whatever the status says: GraphQL's older form of answer is always 200. */
export function markErrors(response: ServerResponse, errors: readonly GraphQLError[] | undefined): void {
  if (errors && errors.length > 0) marks.set(response, outcomeOf(errors))
}

/** What came of an operation that has errors. */
export function outcomeOf(errors: readonly GraphQLError[]): Outcome {
  return errors.some(({ extensions }) => extensions.code === 'INTERNAL') ? 'failed' : 'refused'
}

export function createRequestMeter(): RequestMeter {
  const none = () => ({ ok: 0, refused: 0, failed: 0, aborted: 0 })
  const counts = Object.fromEntries(interfaces.map((one) => [one, none()])) as Record<
    Interface,
    Record<Outcome, number>
  >
  const durations = Object.fromEntries(
    interfaces.filter((one) => one !== 'sse' && one !== 'health').map((one) => [one, new Durations()]),
  ) as Record<Timed, Durations>
  let tooLarge = 0

  return {
    counts,
    durations,
    get tooLarge() {
      return tooLarge
    },
    begin(path, response, told) {
      const begun = performance.now()
      response.once('close', () => {
        const tookMs = performance.now() - begun
        const used = isEventStream(response) ? 'sse' : interfaceOf(path)
        const outcome = outcomeOfAnswer(response, used)
        counts[used][outcome] += 1
        if (response.statusCode === 413) tooLarge += 1
        // What was aborted took as long as the client's patience.
        if (used !== 'sse' && used !== 'health' && outcome !== 'aborted') durations[used].observe(tookMs / 1000)
        told?.({ interface: used, outcome, tookMs })
      })
    },
    operation(outcome, took) {
      counts.socket[outcome] += 1
      if (took !== null) durations.socket.observe(took / 1000)
    },
  }
}

function interfaceOf(path: string): Interface {
  if (path === '/graphql') return 'graphql'
  if (path.startsWith('/v1/')) return 'rest'
  if (path.startsWith('/oauth/')) return 'oauth'
  if (path.startsWith('/hooks/') || path.startsWith('/p/publicapi/')) return 'hooks'
  if (path === '/console' || path.startsWith('/console/')) return 'console'
  return path === '/healthz' || path === '/readyz' ? 'health' : 'other'
}

function isEventStream(response: ServerResponse): boolean {
  const type = response.getHeader('content-type')
  return typeof type === 'string' && type.startsWith('text/event-stream')
}

function outcomeOfAnswer(response: ServerResponse, used: Interface): Outcome {
  const { statusCode: status } = response
  // A client ends its event stream by going.
  if (!response.writableFinished && used !== 'sse') return 'aborted'
  if (status >= 500) return 'failed'
  if (status >= 400) return 'refused'
  return marks.get(response) ?? 'ok'
}
