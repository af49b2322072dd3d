/**
 * Which web pages may call. Nothing here travels by itself as a cookie would: a page can do only what a token can that
 * it was given. So any origin may call by default, and nobody's browser can be made to act for them. An installation
 * whose callers are known names their origins, for pages and sockets alike.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

export interface Origins {
  /** Sets what tells a browser whether the page may read the answer. */
  allow(request: IncomingMessage, response: ServerResponse): void
  /** For sockets, of which browsers tell the origin and do not ask. A client that sends none is no browser. */
  mayConnect(origin: string | undefined): boolean
}

/** What a page may read of an answer beside its body. */
const exposed = 'x-request-id, ratelimit, ratelimit-policy, retry-after, etag, link, location'

/** @param list `*`, or origins such as `https://console.example.org`. */
export function createOrigins(list: readonly string[], publicUrl: string): Origins {
  const any = list.includes('*')
  // GraphiQL and the console of this gateway.
  const named = new Set([...list, new URL(publicUrl).origin].map((origin) => origin.toLowerCase()))
  const isAllowed = (origin: string) => any || named.has(origin.toLowerCase())
  return {
    allow({ headers: { origin } }, response) {
      if (any) response.setHeader('access-control-allow-origin', '*')
      else {
        response.setHeader('vary', 'origin')
        if (!origin || !isAllowed(origin)) return
        response.setHeader('access-control-allow-origin', origin)
      }
      response.setHeader('access-control-expose-headers', exposed)
    },
    mayConnect: (origin) => origin === undefined || isAllowed(origin),
  }
}

/** The answer to a browser that asks what it may send. */
export const preflight = {
  'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE, OPTIONS',
  'access-control-allow-headers':
    'authorization, content-type, x-hasura-role, idempotency-key, last-event-id, if-match, if-none-match, x-request-id, traceparent',
  'access-control-max-age': '600',
}
