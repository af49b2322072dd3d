import { expect, test } from 'vitest'
import { eventBody } from './event-body.ts'

test('the body is the event of the seed, field for field, and nothing else', () => {
  const event = {
    id: 'event',
    type: 'session.submitted',
    session_id: '0198a0de-0000-7000-8000-000000000001',
    team: 'camden',
    flow: 'apply',
    payment_id: 'pay_1',
    config: { internal: 'the event has a config of its own' },
    created_at: new Date('2026-11-21T10:00:00.123Z'),
  }
  expect(JSON.stringify(eventBody(event, { office: 'north' }))).toBe(
    '{"type":"session.submitted","timestamp":"2026-11-21T10:00:00.123Z","data":{"id":"0198a0de-0000-7000-8000-000000000001","team":"camden","flow":"apply","paymentID":"pay_1","config":{"office":"north"}}}',
  )
  expect(eventBody({ ...event, payment_id: null }, {}).data.paymentID).toBeNull()
})
