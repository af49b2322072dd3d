/**
 * Headers of every answer that tell a browser what not to do with it. Pages (GraphiQL) have a policy of their own,
 * everything else is data: it may load nothing and be framed by nobody.
 */
import type { ServerResponse } from 'node:http'

/** Half a year, the least that browsers' own lists take. */
const strictTransport = 'max-age=15552000'

const dataPolicy = "default-src 'none'; frame-ancestors 'none'"

/**
 * GraphiQL's page is one file: only its own script, by its nonce, runs. Its editor writes styles and starts workers
 * from blobs; it talks to this gateway only, and loads nothing from elsewhere.
 */
export function pagePolicy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    "style-src 'unsafe-inline'",
    'img-src data:',
    'font-src data:',
    'worker-src blob:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

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
