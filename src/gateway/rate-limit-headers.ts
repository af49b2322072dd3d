/** `RateLimit` and `RateLimit-Policy`, as draft-ietf-httpapi-ratelimit-headers-10 has them: structured lists (RFC 9651). */
import type { ServerResponse } from 'node:http'
import type { Quota } from '../access/limits.ts'
import type { SluiceError } from '../errors.ts'

/**
 * @example
 * RateLimit-Policy: "requests";q=6000;w=60, "cost";q=1000000;w=60
 * RateLimit: "requests";r=5999;t=60, "cost";r=999969;t=60
 */
export function showQuotas(response: ServerResponse, ...quotas: readonly (Quota | null)[]): void {
  const known = quotas.filter((quota) => quota !== null)
  if (known.length === 0 || response.headersSent) return
  response.setHeader('ratelimit-policy', known.map(({ name, quota }) => `"${name}";q=${quota};w=60`).join(', '))
  response.setHeader(
    'ratelimit',
    known.map(({ name, remaining, resetSeconds }) => `"${name}";r=${remaining};t=${resetSeconds}`).join(', '),
  )
}

/** The quota that an error says is used up. */
export function quotaOfError({ code, details }: SluiceError): Quota | null {
  const { limit, max, retry_after_seconds: seconds } = details ?? {}
  if (code !== 'RATE_LIMITED' || (limit !== 'requests' && limit !== 'cost')) return null
  return { name: limit, quota: Number(max), remaining: 0, resetSeconds: Number(seconds) }
}
