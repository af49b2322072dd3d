/**
 * Headers of every answer that tell a browser what not to do with it. Pages (GraphiQL) have a policy of their own,
 * everything else is data: it may load nothing and be framed by nobody.
 */
import type { ServerResponse } from 'node:http'

/** Half a year, the least that browsers' own lists take. */
const strictTransport = 'max-age=15552000'

const dataPolicy = "default-src 'none'; frame-ancestors 'none'"

/**
 * GraphiQL's page is one file with its script and style inside, so both must run inline. Its editor starts workers
 * from blobs; it talks to this gateway only, and loads nothing from elsewhere.
 */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  'worker-src blob:',
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** @param publicUrl browsers are told to come back by https only where it is https. */
export function createSecurityHeaders(publicUrl: string): (response: ServerResponse) => void {
  const secure = publicUrl.startsWith('https:')
  return (response) => {
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('referrer-policy', 'no-referrer')
    response.setHeader('content-security-policy', dataPolicy)
    if (secure) response.setHeader('strict-transport-security', strictTransport)
  }
}
