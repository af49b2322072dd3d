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
  let policy = ''
  let left = ''
  for (const one of quotas) {
    if (!one) continue
    const comma = policy ? ', ' : ''
    policy += `${comma}"${one.name}";q=${one.quota};w=60`
    left += `${comma}"${one.name}";r=${one.remaining};t=${one.resetSeconds}`
  }
  if (!policy || response.headersSent) return
  response.setHeader('ratelimit-policy', policy)
  response.setHeader('ratelimit', left)
}

/** The quota that an error says is used up. */
export function quotaOfError({ code, details }: SluiceError): Quota | null {
  const { limit, max, retry_after_seconds: seconds } = details ?? {}
  if (code !== 'RATE_LIMITED' || (limit !== 'requests' && limit !== 'cost')) return null
  return { name: limit, quota: Number(max), remaining: 0, resetSeconds: Number(seconds) }
}
