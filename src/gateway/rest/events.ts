/**
 * `GET /v1/events`: what happened to sessions, in commit order, for who can neither receive webhooks nor keep a socket.
 * A request that finds nothing may wait: it is then a stream that ends with its first batch, woken by the change feed.
 */
import type { Revocations } from '../../access/revocations.ts'
import { SluiceError } from '../../errors.ts'
import { sessionEventTypes } from '../../tables/event-shape.ts'
import { onAccessEnd } from '../access-end.ts'
import type { Documents } from './documents.ts'
import { cursorOf, slugOf, someOf, wholeNumber } from './parameters.ts'
import { firstRoot } from './root-text.ts'
import type { RestCall, RestRoute } from './router.ts'
import { filters, mostRows, replyPage, variablesOf } from './sessions.ts'

export interface EventRoutesOptions {
  readonly documents: Documents
  readonly revocations: Revocations
  /** `position_horizon()` now. */
  readonly horizon: () => Promise<string>
  /** Requests of this process that may wait at the same time. @default 10000 */
  readonly mostWaiting?: number
}

/** Below what proxies commonly allow. */
export const longestWaitSeconds = 55

const fields = 'id type position session_id payment_id revision config created_at team { slug name } flow { slug name }'

export function eventRoutes({
  documents,
  revocations,
  horizon,
  mostWaiting = 10_000,
}: EventRoutesOptions): readonly RestRoute[] {
  let waiting = 0

  /** The first rows that come within the time, or `[]`. */
  const wait = async (call: RestCall, choice: Choice, seconds: number): Promise<string> => {
    const [declared, where] = conditionsOf(choice)
    const stream = await documents.live(
      `subscription ($after: String!, $limit: Int!${declared}) {
        events: session_events_stream(batch_size: $limit, cursor: [{ initial_value: { position: $after } }], where: { ${where} }) { ${fields} }
      }`,
      variablesOf({ ...choice, types: choice.types }),
      call,
    )
    let ended: SluiceError | undefined
    const stop = () => void stream.return()
    const stopWatching = onAccessEnd(call.principal, revocations, (reason) => {
      ended = reason
      stop()
    })
    const timer = setTimeout(stop, seconds * 1000)
    call.response.once('close', stop)
    waiting += 1
    try {
      const { value } = await stream.next()
      if (ended) throw ended
      return value ? firstRoot(value, 'events') : '[]'
    } finally {
      waiting -= 1
      clearTimeout(timer)
      stopWatching()
      call.response.off('close', stop)
      await stream.return()
    }
  }

  return [
    {
      method: 'GET',
      pattern: '/v1/events',
      query: ['after', 'limit', 'team', 'flow', 'types', 'wait'],
      holds: 'streams',
      async handle(call) {
        const choice = choiceOf(call.query)
        const seconds = wholeNumber(call.query, 'wait', { least: 0, most: longestWaitSeconds, otherwise: 0 })
        const before = await horizon()
        const there = await present(documents, call, choice, before)
        if (there !== '[]' || seconds === 0 || call.request.method === 'HEAD') {
          return replyPage(call, 'events', there, { ...choice, before })
        }
        if (waiting >= mostWaiting) {
          throw new SluiceError('UNAVAILABLE', 'Too many requests are waiting here. Ask without wait, or later.', {
            details: { retry_after_seconds: 5 },
          })
        }
        const after = choice.after > before ? choice.after : before
        const rows = await wait(call, { ...choice, after }, seconds)
        if (!call.response.destroyed) await replyPage(call, 'events', rows, { ...choice, after, before: '' })
      },
    },
  ]
}

interface Choice {
  readonly after: string
  readonly limit: number
  readonly team: string | null
  readonly flow: string | null
  readonly types: readonly string[] | null
}

function choiceOf(query: URLSearchParams): Choice {
  return {
    after: cursorOf(query, 'after'),
    limit: wholeNumber(query, 'limit', { least: 1, most: mostRows, otherwise: 100 }),
    team: slugOf(query, 'team'),
    flow: slugOf(query, 'flow'),
    types: someOf(query, 'types', sessionEventTypes),
  }
}

const conditionsOf = (choice: Choice): readonly [string, string] => {
  const [declared, where] = filters({ ...choice }, { team: 'String!', flow: 'String!', types: '[String!]!' })
  return [declared, where.replace(/^, /, '')]
}

/** What is there now, below the horizon. */
async function present(documents: Documents, call: RestCall, choice: Choice, before: string): Promise<string> {
  const [declared, where] = conditionsOf(choice)
  const text = await documents.readText(
    `query ($after: String!, $before: String!, $limit: Int!${declared}) {
      events: session_events(where: { position: { _gt: $after, _lt: $before }, ${where} }, order_by: { position: asc }, limit: $limit) { ${fields} }
    }`,
    variablesOf({ ...choice, before }),
    call,
  )
  return firstRoot(text, 'events')
}
