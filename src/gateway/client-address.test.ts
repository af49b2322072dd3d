import type { IncomingMessage } from 'node:http'
import { expect, it } from 'vitest'
import { createClientAddress } from './client-address.ts'

/** What a server sees of a request that came over `remoteAddress`. */
function request(remoteAddress: string, forwarded?: string): IncomingMessage {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage
}

it.each([
  ['0', '::ffff:203.0.113.9', '1.1.1.1', '203.0.113.9'],
  ['1', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
  ['1', '10.0.0.1', '6.6.6.6, 203.0.113.9', '203.0.113.9'],
  ['2', '10.0.0.1', '6.6.6.6, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
  ['2', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
  ['1', '10.0.0.1', undefined, '10.0.0.1'],
  ['1', '10.0.0.1', 'unknown', '10.0.0.1'],
  ['10.0.0.0/8', '10.0.0.1', '6.6.6.6, 203.0.113.9, 10.2.0.1', '203.0.113.9'],
  ['10.0.0.0/8', '192.0.2.1', '6.6.6.6', '192.0.2.1'],
  ['10.0.0.0/8, fd00::/8', 'fd00::1', '203.0.113.9:4711', '203.0.113.9'],
  ['1', '10.0.0.1', '[2001:db8::1]:4711', '2001:db8::1'],
])('TRUST_PROXY=%s: a connection from %s that forwards "%s" is of %s', (trust, remote, forwarded, address) => {
  expect(createClientAddress(trust)(request(remote, forwarded))).toBe(address)
})

it('says at start what TRUST_PROXY should look like', () => {
  expect(() => createClientAddress('yes')).toThrow(/TRUST_PROXY must be the number of proxies/)
})
