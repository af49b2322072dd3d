/** The carrier of webhooks: one signed POST per attempt, and a report that an integrator can debug from. */
import type { AttemptReport, Carrier, LeasedDelivery } from '../delivery/carrier.ts'
import { type Egress, EgressError, type EgressResponse } from '../egress/egress.ts'
import { SluiceError } from '../errors.ts'
import { eventBody } from './event-body.ts'
import { operationalBody, testEventType } from './operational-body.ts'
import { sign } from './signing.ts'
import { createTargetReader, type Live, type TargetReaderOptions, type WebhookTarget } from './target.ts'

export interface WebhookCarrierOptions extends TargetReaderOptions {
  readonly egress: Egress
}

/** Kept of an answer's body, for the attempts log. */
const mostResponseBytes = 16 * 1024

/**
 * Success is any 2xx. Redirects are failures and are not followed; 410 says that
 * the endpoint is gone for good; Retry-After of any other failure is passed on.
 *
 * The message id is the delivery's id, the same in every attempt.
 */
export function createWebhookCarrier({ pool, sealer, egress }: WebhookCarrierOptions): Carrier {
  const readTarget = createTargetReader({ pool, sealer })
  return {
    kind: 'webhook',
    async deliver(delivery, { signal }) {
      const target = await readTarget(delivery.target_id, delivery.target_version)
      const { body, headers } = messageOf(delivery, target, new Date())
      const secretNames = new Set([...secretHeaders, ...Object.keys(target.secretHeaders)])
      const request = { method: 'POST', url: target.url, headers: masked(headers, secretNames) }
      const told = (message: string) => (target.isPlatform ? withoutAddress(message, target.url) : message)
      try {
        const response = await egress.request({
          method: 'POST',
          url: target.url,
          headers,
          body,
          timeoutMs: delivery.timeout_ms,
          maxResponseBytes: mostResponseBytes,
          overflow: 'truncate',
          signal,
        })
        return { ...reportOf(response), ...onlyOnce(delivery), request }
      } catch (error) {
        if (!(error instanceof EgressError)) throw error
        return {
          outcome: 'failed',
          ...onlyOnce(delivery),
          error_class: error.errorClass,
          error_message: told(error.message),
          resolved_address: error.address,
          phases: error.phases,
          tls: error.tls,
          request,
        }
      }
    },
  }
}

/** The exact bytes that are sent are those that are signed. */
function messageOf(delivery: LeasedDelivery, target: WebhookTarget, at: Date) {
  const keys = liveAt(target.keys, at)
  const privateKeys = liveAt(target.privateKeys, at)
  if (keys.length + privateKeys.length === 0) {
    throw new SluiceError('CONFIGURATION', 'The webhook has no signing key that is still valid. Make a new secret.')
  }
  const { event, operational } = delivery
  const body = JSON.stringify(
    operational ? operationalBody(event, operational.detail, target.config) : eventBody(event, target.config),
  )
  const headers = {
    'user-agent': 'Sluice-Webhooks/1',
    ...target.headers,
    ...target.secretHeaders,
    'content-type': 'application/json',
    ...sign({ id: delivery.id, at, body, keys, privateKeys }),
  }
  return { body, headers }
}

/** A test tells what happens now; trying again later would tell nobody. */
function onlyOnce({ event }: LeasedDelivery): { readonly final?: true } {
  return event.type === testEventType ? { final: true } : {}
}

function liveAt<Key>(keys: readonly Live<Key>[], at: Date): readonly Key[] {
  return keys.filter(({ expires_at }) => expires_at === null || expires_at > at).map(({ key }) => key)
}

/**
 * A failure in words that every team may read: a platform's receiver is named by
 * neither host nor address. An admin finds both in the attempt.
 */
function withoutAddress(message: string, url: string): string {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  return message.replaceAll(host, 'the receiver').replaceAll(anyAddress, 'its address')
}

const anyAddress = /\b\d{1,3}(?:\.\d{1,3}){3}\b|\[?(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:%\w+)?\]?/gi

function reportOf({ status, headers, body, address, phases, tls }: EgressResponse): AttemptReport {
  const seen = {
    status_code: status,
    resolved_address: address,
    response: { headers: masked(headers, secretHeaders) },
    response_body: body.toString('utf8'),
    phases,
    tls,
  }
  if (status >= 200 && status < 300) return { outcome: 'succeeded', ...seen }
  return {
    outcome: 'failed',
    error_class: 'http',
    error_message: sentenceFor(status),
    gone: status === 410,
    retryAfterMs: retryAfterOf(headers['retry-after'], new Date()),
    ...seen,
  }
}

function sentenceFor(status: number): string {
  if (status === 410)
    return 'The endpoint answered 410: it is gone for good. Enter its new URL and enable the webhook again.'
  if (status >= 300 && status < 400) {
    return `The endpoint answered ${status}, a redirect, which is not followed. Enter the URL that it points to.`
  }
  if (status === 401 || status === 403)
    return `The endpoint answered ${status}. Does it verify with the current signing secret?`
  return `The endpoint answered ${status}.`
}

/**
 * Retry-After in milliseconds from `now`: seconds or an HTTP date (RFC 9110, 10.2.3).
 * Undefined when it is neither, or past.
 */
export function retryAfterOf(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined
  const ms = /^\d{1,9}$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now.getTime()
  return ms > 0 ? ms : undefined
}

const secretHeaders = new Set(['authorization', 'webhook-signature', 'cookie', 'set-cookie', 'www-authenticate'])

function masked(headers: Readonly<Record<string, string>>, secret: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, secret.has(name) ? '[masked]' : value]),
  )
}
