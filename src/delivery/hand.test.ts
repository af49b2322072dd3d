import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ClaimedDelivery } from './claim.ts'
import { Hand, type Held } from './hand.ts'

let count = 0
function delivery(target: string, concurrency: number): ClaimedDelivery {
  return {
    id: `delivery ${count++}`,
    kind: 'webhook',
    target_id: target,
    target_version: '1',
    team_id: 'team',
    integration_id: 'integration',
    session_id: 'session',
    attempt: 1,
    timeout_ms: 1000,
    concurrency,
    refusal: null,
    ordered: false,
    interval_ms: null,
    start_in_ms: 0,
    event: {
      id: 'event',
      type: 'session.submitted',
      session_id: 'session',
      team: 'camden',
      flow: 'apply',
      payment_id: null,
      config: {},
      created_at: new Date(),
    },
  }
}

test('targets take turns, whoever came first', () => {
  const hand = new Hand({ concurrency: 16 })
  for (const target of ['a', 'a', 'a', 'b', 'b', 'c']) hand.add(delivery(target, 8), 'token', 0, 0)
  const order = Array.from({ length: 6 }, () => hand.start()?.delivery.target_id)
  expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'a'])
})

test('an attempt that takes long gives its place to another, but still counts for its target', () => {
  const hand = new Hand({ concurrency: 4 })
  for (const target of ['a', 'b', 'c', 'd', 'a', 'e']) hand.add(delivery(target, 1), 'token', 0, 0)
  for (let n = 0; n < 4; n++) hand.start(0)
  expect(hand.start(500)).toBeUndefined()
  expect(hand.freeLong(999)).toBe(0)
  expect(hand.freeLong(1001)).toBe(4)
  expect(hand.start(1001)?.delivery.target_id).toBe('e')
  expect(hand.start(1001)).toBeUndefined()
})

test('whatever happens, no limit is passed and nothing is lost or left over', () => {
  const step = fc.record({
    action: fc.constantFrom('add', 'start', 'end', 'drop', 'long'),
    target: fc.integer({ min: 0, max: 4 }),
    pick: fc.nat(),
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 200 }), (concurrency, steps) => {
      const hand = new Hand({ concurrency })
      const limits = [1, 2, 3, 8, 64]
      const held = new Set<Held>()
      let now = 0
      for (const { action, target, pick } of steps) {
        now += 300
        const pickFrom = (stage: Held['stage']) => {
          const fitting = [...held].filter((each) => each.stage === stage)
          return fitting[pick % (fitting.length || 1)]
        }
        if (action === 'add') held.add(hand.add(delivery(String(target), limits[target] ?? 1), 'token', 0, 0))
        if (action === 'start') hand.start(now)
        if (action === 'long') hand.freeLong(now)
        const [running, any] = [pickFrom('running'), [...held][pick % (held.size || 1)]]
        if (action === 'end' && running) hand.ended(running, pick % 400)
        if (action === 'drop' && any) {
          hand.drop(any)
          held.delete(any)
        }
        const runningNow = [...held].filter((each) => each.stage === 'running')
        expect(hand.running).toBe(runningNow.filter((each) => !each.isLong).length)
        expect(hand.running).toBeLessThanOrEqual(concurrency)
        expect(hand.size).toBe(held.size)
        for (const [index, limit] of limits.entries()) {
          const own = runningNow.filter((each) => each.delivery.target_id === String(index))
          expect(own.length).toBeLessThanOrEqual(Math.min(limit, hand.share))
        }
      }
      for (const each of held) hand.drop(each)
      expect([hand.running, hand.size, hand.room().size]).toEqual([0, 0, 0])
    }),
  )
})
