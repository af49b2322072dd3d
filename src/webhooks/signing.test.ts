import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { Webhook as SvixWebhook } from 'svix'
import { expect, test } from 'vitest'
import { newSigningSecret, readSigningSecret, sign } from './signing.ts'

test('the library of the specification, and that of Svix, verify what is signed', () => {
  fc.assert(
    fc.property(fc.json(), fc.uint8Array({ minLength: 24, maxLength: 64 }), (body, bytes) => {
      const secret = `whsec_${Buffer.from(bytes).toString('base64')}`
      const headers = sign({ id: 'msg_1', at: new Date(), body, keys: [readSigningSecret(secret)] })
      expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body))
      expect(() => new SvixWebhook(secret).verify(body, headers)).not.toThrow()
      expect(() => new SvixWebhook(secret).verify(`${body} `, headers)).toThrow()
    }),
  )
})

test('the example of the specification gets its signature', () => {
  const headers = sign({
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    at: new Date(1614265330 * 1000),
    body: '{"test": 2432232314}',
    keys: [readSigningSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')],
  })
  expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})

test('while a secret is replaced, the old and the new one verify', () => {
  const [old, next, other] = [newSigningSecret(), newSigningSecret(), newSigningSecret()]
  const headers = sign({ id: 'a', at: new Date(), body: '{}', keys: [old, next].map(readSigningSecret) })
  expect(headers['webhook-signature'].split(' ')).toHaveLength(2)
  expect(new Webhook(old).verify('{}', headers)).toEqual({})
  expect(new Webhook(next).verify('{}', headers)).toEqual({})
  expect(() => new Webhook(other).verify('{}', headers)).toThrow()
})

test('a changed body, id or an old time does not verify', () => {
  const secret = newSigningSecret()
  const keys = [readSigningSecret(secret)]
  const headers = sign({ id: 'a', at: new Date(), body: '{"a":1}', keys })
  const webhook = new Webhook(secret)
  expect(() => webhook.verify('{"a":2}', headers)).toThrow()
  expect(() => webhook.verify('{"a":1}', { ...headers, 'webhook-id': 'b' })).toThrow()
  const old = sign({ id: 'a', at: new Date(Date.now() - 600_000), body: '{"a":1}', keys })
  expect(() => webhook.verify('{"a":1}', old)).toThrow()
})

test.each(['', 'whsec_', 'secret', 'whsec_c2hvcnQ=', `whsec_${Buffer.alloc(65).toString('base64')}`, 'whsec_!!!'])(
  'a secret that is not one is refused: %s',
  (secret) => expect(() => readSigningSecret(secret)).toThrow('24 to 64'),
)
