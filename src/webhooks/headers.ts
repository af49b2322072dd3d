/** Headers that an editor adds to every request of a webhook: shown ones, and secret ones that only go out. */
import type { Sealer } from '../access/seal.ts'
import { SluiceError } from '../errors.ts'

/** By lower-case name. */
export type WebhookHeaders = Readonly<Record<string, string>>

const most = 20
const mostValueBytes = 4096
const mostBytes = 8192

/** RFC 9110, 5.1: a token. */
const nameRule = /^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/
/** RFC 9110, 5.5, without bytes beyond ASCII: printable, with blanks inside only. */
const valueRule = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/

/** What belongs to one connection (RFC 9110, 7.6.1) or says where and how the body ends: the sender's own matter. */
const senders = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
])
const sendersPrefixes = ['content-', 'proxy-', 'webhook-']
/** What opens something is kept secret. */
const alwaysSecret = new Set(['authorization', 'cookie', 'x-api-key', 'api-key', 'apikey', 'x-auth-token'])

/**
 * Headers in their normal form.
 *
 * @param path where they stand: `headers` or `secret_headers`; the latter may hold what is refused in the open.
 * @throws SluiceError VALIDATION_FAILED that names the header and the rule, never a value.
 */
export function checkHeaders(input: unknown, path: 'headers' | 'secret_headers'): WebhookHeaders {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw refused(path, 'must be an object of names and values such as {"x-office": "north"}')
  }
  const entries = Object.entries(input)
  if (entries.length > most) throw refused(path, `may hold ${most} headers at most`)
  const found = new Map<string, string>()
  for (const [given, value] of entries) {
    const name = given.toLowerCase()
    const here = `${path}.${given.slice(0, 100)}`
    if (!nameRule.test(name)) throw refused(here, 'is not a name of a header: letters, digits and hyphens, 100 at most')
    if (senders.has(name) || sendersPrefixes.some((prefix) => name.startsWith(prefix))) {
      throw refused(here, 'is set by Sluice itself, or belongs to one connection only; choose another name')
    }
    if (path === 'headers' && alwaysSecret.has(name)) {
      throw refused(here, 'opens something, so it belongs among the secret headers: use set_webhook_headers')
    }
    if (found.has(name)) throw refused(here, 'is there twice; names are the same in capital and small letters')
    if (typeof value !== 'string' || value.length > mostValueBytes || !valueRule.test(value)) {
      throw refused(here, `must have a value of 1 to ${mostValueBytes} printable ASCII characters on one line`)
    }
    found.set(name, value)
  }
  const bytes = [...found].reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (bytes > mostBytes) throw refused(path, `may be ${mostBytes} bytes in all`)
  return Object.fromEntries(found)
}

/** A value sealed for this purpose opens for no other. */
export const webhookHeadersPurpose = 'webhook-headers'

/** Null when there are none. */
export function sealHeaders(sealer: Sealer, headers: WebhookHeaders): Buffer | null {
  return Object.keys(headers).length === 0 ? null : sealer.seal(JSON.stringify(headers), webhookHeadersPurpose)
}

/** @throws SluiceError CONFIGURATION when the installation's key has changed. */
export function openHeaders(sealer: Sealer, sealed: Uint8Array | null): WebhookHeaders {
  return sealed === null ? {} : JSON.parse(sealer.open(sealed, webhookHeadersPurpose))
}

function refused(path: string, rule: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `${path} ${rule}.`, { path })
}
