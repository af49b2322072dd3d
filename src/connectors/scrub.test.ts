import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createScrubber } from './scrub.ts'

const secret = 'p&ss/wörd+1"x'
const scrub = createScrubber([secret, 'abc'])

test.each([
  ['as it is', `key=${secret};`],
  ['in JSON', JSON.stringify({ key: secret })],
  ['in a URL', `https://a.example/?key=${encodeURIComponent(secret)}`],
  ['in a URL with small letters', encodeURIComponent(secret).toLowerCase()],
  ['in a form', new URLSearchParams({ key: secret }).toString()],
  ['in hex', Buffer.from(secret).toString('hex')],
  ['in base64', Buffer.from(secret).toString('base64')],
  ['in base64 by btoa', btoa(`u:${secret}`)],
  ['in base64url', Buffer.from(secret).toString('base64url')],
  ['in Basic authentication', `Basic ${Buffer.from(`u:${secret}`).toString('base64')}`],
  ['in the middle of something encoded', Buffer.from(`xx${secret}yy`).toString('base64')],
])('a secret is taken out %s', (_form, text) => {
  const scrubbed = scrub(text)
  expect(scrubbed).toContain('[secret]')
  expect(scrubbed).not.toContain(secret)
})

test('however it is surrounded before it is encoded, five letters of it cannot be decoded again', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 8, maxLength: 40, unit: 'binary-ascii' }),
      fc.string(),
      fc.string(),
      (inner, a, b) => {
        const text = createScrubber([inner])(Buffer.from(`${a}${inner}${b}`).toString('base64'))
        expect(text).toContain('[secret]')
      },
    ),
    { numRuns: 300 },
  )
})

test('what is too short to be told from a word stays, and text without secrets is as it was', () => {
  expect(scrub('abc and nothing else')).toBe('abc and nothing else')
  expect(createScrubber([])('all of it')).toBe('all of it')
})
