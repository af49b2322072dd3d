/**
 * Subscriptions over server-sent events: the protocol "GraphQL over SSE", in its
 * distinct connections mode. Results go out as Postgres wrote them; a query or a
 * mutation has one.
 */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Principal } from '../access/principal.ts'
import type { Revocations } from '../access/revocations.ts'
import type { SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { onAccessEnd } from './access-end.ts'
import { toGraphQLError } from './graphql-errors.ts'
import { markErrors } from './request-meter.ts'

/** A comment now and then, so that proxies do not take the connection for dead. */
const heartbeatMs = 12_000

export interface SseOptions {
  readonly principal: Principal
  readonly revocations: Revocations
  readonly log: Log
  readonly requestId: string
}

/** Sends results until the subscription, the client or its access ends. A slow client is waited for. */
export async function replyEvents(
  response: ServerResponse,
  results: AsyncGenerator<string, void, undefined>,
  { principal, revocations, log, requestId }: SseOptions,
): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
  })
  response.flushHeaders()
  let ending: SluiceError | null = null
  const end = (error: SluiceError | null) => {
    ending ??= error
    void results.return()
  }
  const stopWaiting = onAccessEnd(principal, revocations, end)
  const heartbeat = setInterval(() => response.write(':\n\n'), heartbeatMs)
  response.on('close', () => end(null))
  try {
    for await (const text of results) {
      // One line: Postgres writes JSON text without line breaks outside of strings, and escapes those inside.
      if (!response.write(`event: next\ndata: {"data":${text}}\n\n`)) await drained(response)
    }
    if (ending) sendErrors(response, ending, log, requestId)
  } catch (error) {
    sendErrors(response, error, log, requestId)
  } finally {
    clearInterval(heartbeat)
    stopWaiting()
    response.end('event: complete\ndata:\n\n')
  }
}

function sendErrors(response: ServerResponse, error: unknown, log: Log, requestId: string): void {
  const causes: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
  const errors = causes.map((cause) => toGraphQLError(cause, log, requestId))
  markErrors(response, errors)
  response.write(`event: next\ndata: ${JSON.stringify({ errors })}\n\n`)
}

async function drained(response: ServerResponse): Promise<void> {
  const abort = new AbortController()
  const { signal } = abort
  await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]).catch(() => undefined)
  abort.abort()
}
