/**
 * The address that a request came from, as one function for everything that asks:
 * allow lists, limits, audit. Whoever connects can write any `X-Forwarded-For`, so
 * it counts only as far as the proxies reach that `TRUST_PROXY` names.
 */
import type { IncomingMessage } from 'node:http'
import { addressList, plainAddress } from '../access/address-list.ts'
import { SluiceError } from '../errors.ts'

export type ClientAddress = (request: IncomingMessage) => string | null

/**
 * @param trustProxy how many proxies stand before the gateway (`0`: none), or their addresses as CIDRs separated by commas.
 * @throws SluiceError CONFIGURATION when it is neither.
 * @example
 * const clientAddress = createClientAddress('10.0.0.0/8')
 * clientAddress(request) // '203.0.113.9': the last entry of X-Forwarded-For that no trusted proxy added
 */
export function createClientAddress(trustProxy: string): ClientAddress {
  const isTrusted = trustOf(trustProxy.trim())
  return (request) => {
    const nearest = plainAddress(request.socket.remoteAddress ?? '')
    if (nearest === null || !isTrusted(nearest, 0)) return nearest
    // Each proxy appends whom it was called by, so the nearest is last.
    const forwarded = String(request.headers['x-forwarded-for'] ?? '')
      .split(',')
      .reverse()
    let client = nearest
    for (const [index, entry] of forwarded.entries()) {
      const address = plainAddress(withoutPort(entry.trim()))
      if (address === null) return client
      client = address
      if (!isTrusted(address, index + 1)) return client
    }
    return client
  }
}

/** Whether the proxy at `address`, so many steps from here, may say whom it was called by. */
function trustOf(text: string): (address: string, step: number) => boolean {
  if (/^\d{1,2}$/.test(text)) return (_, step) => step < Number(text)
  try {
    return addressList(text.split(',').filter((entry) => entry.trim() !== ''))
  } catch (cause) {
    throw new SluiceError(
      'CONFIGURATION',
      'TRUST_PROXY must be the number of proxies before the gateway, such as 1, or their addresses as CIDRs separated by commas.',
      { cause },
    )
  }
}

/** Some proxies add the port: 203.0.113.9:4711, [2001:db8::1]:4711. */
function withoutPort(entry: string): string {
  return /^\[(.+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry)?.[1] ?? entry
}
