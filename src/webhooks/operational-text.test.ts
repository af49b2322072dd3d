import { expect, test } from 'vitest'
import { type Happening, operationalMail } from './operational-text.ts'

const happening = (changes: Partial<Happening> = {}): Happening => ({
  type: 'webhook.failing',
  kind: 'webhook',
  target_id: 'w1',
  is_platform: false,
  name: 'hook',
  integration: 'BOPS',
  enabled: true,
  state: 'failing',
  reason: null,
  failing_since: '2026-11-22T10:00:00Z',
  probe_at: null,
  waiting: 0,
  count: 1,
  first_at: '2026-11-22T10:05:00Z',
  last_at: '2026-11-22T10:05:00Z',
  details: [{ reason: '5 attempts in a row have failed.', error: 'The endpoint answered 500.' }],
  ...changes,
})
const mailOf = (...happenings: Happening[]) =>
  operationalMail({ team: 'Camden', happenings, publicUrl: 'https://sluice.example' })

test('one that fails: since when, why, what to do, where', () => {
  expect(mailOf(happening({ waiting: 1 }))).toEqual({
    subject: 'Webhook "hook" of "BOPS" is failing',
    text: `This is what happened to the webhooks and connections of Camden. Times are UTC.

Webhook "hook" of "BOPS"
  Failing since 2026-11-22 10:00. 5 attempts in a row have failed.
  Last error: The endpoint answered 500.
  Waiting: 1 delivery.
  What to do: look at its newest attempts and mend the receiver; retries go on by themselves. Try it with test_webhook.
  https://sluice.example/console/webhooks/w1

You get this mail because you look after them, at most once in five minutes.
`,
  })
})

test.each([
  [
    { state: 'disabled', probe_at: '2026-11-22T12:00:00Z' },
    /is switched off$/,
    /next 2026-11-22 12:00, and the first that succeeds/,
  ],
  [{ state: 'disabled', probe_at: null }, /is switched off$/, /gone for good\. Enter its new address/],
  [{ state: 'active' }, /was switched off for a while$/, /nothing; it works\./],
])('one that was switched off and is now %o', (now, subject, advice) => {
  const mail = mailOf(happening({ type: 'webhook.disabled', ...now }))
  expect(mail.subject).toMatch(subject)
  expect(mail.text).toMatch(advice)
})

test('what a team cannot mend is not put to it: no name, no address, no link', () => {
  const { text, subject } = mailOf(
    happening({
      type: 'delivery.exhausted',
      is_platform: true,
      name: 'inner name',
      count: 2,
      details: [{ delivery_id: 'd1' }],
    }),
  )
  expect(subject).toBe('Webhook of "BOPS" did not take deliveries')
  expect(text).toContain('2 deliveries were given up')
  expect(text).toContain('It belongs to the platform')
  expect(text).not.toMatch(/inner name|console|What to do/)
})

test('the worst comes first, all news of a target stand together, and a long list ends', () => {
  const many = Array.from({ length: 30 }, (_, n) => happening({ target_id: `w${n}`, name: `hook ${n}` }))
  const { text, subject } = mailOf(
    happening({ type: 'webhook.recovered', target_id: 'fine', name: 'fine', state: 'active' }),
    ...many,
    happening({ type: 'connection.disabled', kind: 'connection', target_id: 'off', name: 'off', state: 'disabled' }),
    happening({ type: 'delivery.exhausted', target_id: 'w3', name: 'hook 3', details: [{ delivery_id: 'd9' }] }),
  )
  expect(subject).toBe('Connection "off" of "BOPS" is switched off, and 31 more')
  expect(text.match(/^(Webhook|Connection) /gm)).toHaveLength(20)
  expect(text).toContain('… and 12 more; all are listed at https://sluice.example/console/webhooks')
  expect(text).toMatch(
    /Webhook "hook 3" of "BOPS"\n {2}Failing since[^\n]*\n[^\n]*\n {2}1 delivery was given up after the last attempt, [^\n]*: d9/,
  )
})

test('what somebody named a webhook stays on its line', () => {
  const { subject, text } = mailOf(happening({ name: 'a\r\nBcc: everybody@example.org' }))
  expect(subject).toBe('Webhook "a Bcc: everybody@example.org" of "BOPS" is failing')
  expect(text).not.toContain('\r')
})
