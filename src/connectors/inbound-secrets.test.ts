import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { chooseHeaders } from './inbound.ts'
import { judge, proofIn } from './inbound-secrets.ts'

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const other = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
const body = Buffer.from('{"a": 1}')
const now = Date.parse('2026-11-22T12:00:00Z')

function signed(with_: string, at = now, what = body) {
  const date = new Date(at)
  return {
    'webhook-id': 'm1',
    'webhook-timestamp': String(Math.floor(at / 1000)),
    'webhook-signature': new Webhook(with_).sign('m1', date, what.toString()),
  }
}

test.each<[string, Record<string, string>]>([
  ['a secret of its own header', { 'x-sluice-secret': secret }],
  ['a bearer token', { authorization: `Bearer ${secret}` }],
  [
    'the password of Basic, with any name',
    { authorization: `Basic ${Buffer.from(`hub:${secret}`).toString('base64')}` },
  ],
  ['a signature of the Standard Webhooks library', signed(secret)],
  [
    'one right signature of several',
    { ...signed(secret), 'webhook-signature': `v1,AAAA ${signed(secret)['webhook-signature']} v2,x` },
  ],
])('%s is right while its secret is among the live ones', (_, headers) => {
  expect(judge(proofIn(headers), [other, secret], [body], now)).toBe('right')
  expect(judge(proofIn(headers), [other], [body], now)).toBe('wrong')
  expect(judge(proofIn(headers), [], [body], now)).toBe('wrong')
})

test.each<[string, Record<string, string>, string]>([
  ['nothing', {}, 'missing'],
  ['an empty bearer', { authorization: 'Bearer ' }, 'missing'],
  ['Basic without a password', { authorization: `Basic ${Buffer.from('hub').toString('base64')}` }, 'missing'],
  ['a signature without its time', { 'webhook-id': 'm1', 'webhook-signature': 'v1,AAAA' }, 'missing'],
  ['another version of signature', { ...signed(secret), 'webhook-signature': 'v1a,AAAA' }, 'missing'],
  ['a signature of other bytes', signed(secret, now, Buffer.from('{"a":1}')), 'wrong'],
  ['a signature under another id', { ...signed(secret), 'webhook-id': 'm2' }, 'wrong'],
  ['a right signature that is six minutes old', signed(secret, now - 360_000), 'stale'],
  ['a right signature of the future', signed(secret, now + 360_000), 'stale'],
])('%s is no proof', (_, headers, judgement) => {
  expect(judge(proofIn(headers), [secret], [body], now)).toBe(judgement)
})

test('without the body, only a secret that was sent along is judged', () => {
  expect(judge(proofIn(signed(secret)), [secret], [], now)).toBe('wrong')
  expect(judge(proofIn({ 'x-sluice-secret': secret }), [secret], [], now)).toBe('right')
})

test('connectors see neither what is between hops nor what proves the sender to Sluice', () => {
  const headers = {
    host: 'sluice.example',
    connection: 'close, x-hop',
    'x-hop': '1',
    'content-length': '8',
    'content-type': 'application/json',
    'x-sluice-secret': secret,
    authorization: 'Bearer vendor',
    cookie: 'a=b',
    'x-api-key': 'k',
    'x-hub-signature-256': 'sha256=1',
  }
  const open = { 'content-type': 'application/json', 'x-hub-signature-256': 'sha256=1' }
  expect(chooseHeaders(headers, {})).toEqual({ open, secret: { 'x-api-key': 'k' } })
  expect(chooseHeaders(headers, { authentication: 'connector' })).toEqual({
    open,
    secret: { authorization: 'Bearer vendor', cookie: 'a=b', 'x-api-key': 'k' },
  })
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`x-${index}`, 'y'.repeat(300)]))
  expect(JSON.stringify(chooseHeaders(many, {}).open).length).toBeLessThan(20_000)
})
