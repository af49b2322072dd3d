import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { silentLog } from '../log.ts'
import type { AttemptReport, LeasedDelivery } from './carrier.ts'
import { type Planted, plantDeliveries, plantTeam, plantWebhook, until, wakeWorkers } from './deliveries.fixture.ts'
import { type DeliveryEngine, type DeliveryEngineOptions, startDeliveryEngine } from './engine.ts'
import { retryBySchedule } from './retry-policy.ts'

let ground: TestDatabase
let planted: Planted
const engines: DeliveryEngine[] = []

beforeAll(async () => {
  ground = await testDatabase({ poolSize: 20 })
  planted = await plantTeam(ground.database.pool)
})
afterAll(() => ground.close())
beforeEach(() => ground.database.pool.query('delete from webhooks'))
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.stop({ waitMs: 0 })))
})

type Deliver = (delivery: LeasedDelivery) => Promise<AttemptReport> | AttemptReport

function start(deliver: Deliver, options: Partial<DeliveryEngineOptions> = {}): DeliveryEngine {
  const engine = startDeliveryEngine({
    pool: ground.database.pool,
    carriers: [{ kind: 'webhook', deliver: async (delivery) => deliver(delivery) }],
    log: silentLog,
    retryPolicy: retryBySchedule({ delaysMs: [10, 10, 10], jitter: 0 }),
    pollMs: 20,
    ...options,
  })
  engines.push(engine)
  return engine
}

const plant = (target: { id: string; integration_id: string }, count: number) =>
  plantDeliveries(ground.database.pool, planted, [target], count)
const left = async () => (await ground.database.pool.query('select 1 from delivery_queue limit 1')).rowCount
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

interface Sent {
  readonly id: string
  readonly outcome: 'succeeded' | 'failed'
  readonly overlaps: boolean
}

/** Of deliveries in the order of their events: no later one may be sent while an earlier one is not final. */
async function violations(target: string, sent: readonly Sent[]): Promise<number> {
  const { rows } = await ground.database.pool.query<{ id: string; attempt_count: number }>(
    'select id, attempt_count from deliveries where webhook_id = $1 order by event_position, id',
    [target],
  )
  const expected = rows.flatMap(({ id, attempt_count }) => Array<string>(attempt_count).fill(id))
  return expected.filter((id, index) => sent[index]?.id !== id).length + sent.filter(({ overlaps }) => overlaps).length
}

test('an ordered target gets its deliveries strictly in order, whatever fails and however many workers there are', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 5, maxLength: 30 }),
      fc.integer({ min: 1, max: 3 }),
      async (failures, workers) => {
        const target = await plantWebhook(ground.database.pool, planted, { ordered: true })
        const sent: Sent[] = []
        let running = 0
        const failed = new Map<string, number>()
        const deliver: Deliver = async ({ id }) => {
          const overlaps = running++ > 0
          await pause(0)
          running--
          const count = failed.get(id) ?? 0
          failed.set(id, count + 1)
          // Five failures are more than the policy grants: exhausted, and the next may go.
          const outcome = count < (wanted.get(id) ?? 0) ? 'failed' : 'succeeded'
          sent.push({ id, outcome, overlaps })
          return { outcome }
        }
        const wanted = new Map<string, number>()
        const half = Math.ceil(failures.length / 2)
        const first = await plant(target, half)
        const running1 = Array.from({ length: workers }, () => start(deliver))
        // Some come while others are delivered.
        const second = await plant(target, failures.length - half)
        for (const [index, id] of [...first, ...second].entries()) wanted.set(id, failures[index] ?? 0)
        await wakeWorkers(ground.database.pool)
        await until(left, (count) => count === 0)
        await Promise.all(running1.map((engine) => engine.stop({ waitMs: 1000 })))
        expect(await violations(target.id, sent)).toBe(0)
      },
    ),
    { numRuns: 8 },
  )
})

test('a failing head holds up its own target and no other', async () => {
  const [stuck, other] = [
    await plantWebhook(ground.database.pool, planted, { ordered: true }),
    await plantWebhook(ground.database.pool, planted, { ordered: true }),
  ]
  await plant(stuck, 5)
  const { rows: inOrder } = await ground.database.pool.query<{ id: string }>(
    'select id from deliveries order by event_position, id',
  )
  const head = inOrder[0]?.id
  await plant(other, 20)
  const seen: string[] = []
  start(
    ({ target_id, id }) => {
      if (target_id === stuck.id) seen.push(id)
      return { outcome: target_id === stuck.id ? 'failed' : 'succeeded' }
    },
    { retryPolicy: ({ now }) => new Date(now.getTime() + 30) },
  )
  const done = async () =>
    (await ground.database.pool.query(`select 1 from deliveries where status = 'succeeded'`)).rowCount
  await until(done, (count) => count === 20)
  await until(
    async () => seen.length,
    (count) => count >= 3,
  )
  expect(new Set(seen)).toEqual(new Set([head]))
  // Without its head the next one goes.
  await ground.database.pool.query(
    `update deliveries set status = 'cancelled', due_at = null, finished_at = now() where id = $1`,
    [head],
  )
  await until(
    async () => new Set(seen).size,
    (count) => count === 2,
  )
})

test('an event that is committed late, with an earlier position, is not overtaken', async () => {
  const { pool } = ground.database
  const target = await plantWebhook(pool, planted, { ordered: true })
  const early = await pool.connect()
  const seen: string[] = []
  let firstId = ''
  try {
    await early.query('begin')
    const [first] = await plantDeliveries(early as never, planted, [target])
    firstId = first ?? ''
    const [second] = await plant(target, 1)
    start(({ id }) => {
      seen.push(id)
      return { outcome: 'succeeded' }
    })
    await pause(60)
    expect(seen).toEqual([])
    await early.query('commit')
    await until(left, (count) => count === 0)
    expect(seen).toEqual([firstId, second])
  } finally {
    early.release()
  }
})

test('a rate holds over two workers together, at every moment', async () => {
  const rate = 50
  const target = await plantWebhook(ground.database.pool, planted, { rate_per_second: rate, concurrency: 50 })
  await plant(target, 60)
  const at: number[] = []
  const deliver: Deliver = () => {
    at.push(performance.now())
    return { outcome: 'succeeded' }
  }
  const begun = performance.now()
  start(deliver)
  start(deliver)
  await until(left, (count) => count === 0)
  const gap = 1000 / rate
  // None comes before its turn; on a slow machine they come later, and then closer together than their turns.
  const late = at.map((time, index) => time - (begun + index * gap))
  expect(Math.min(...late)).toBeGreaterThan(-gap)
  const mostInHalfASecond = Math.max(...at.map((from) => at.filter((t) => t >= from && t < from + 500).length))
  expect(mostInHalfASecond).toBeLessThanOrEqual(rate / 2 + 5 + Math.max(...late) / gap)
})

test('a concurrency holds over three workers together', async () => {
  const targets = await Promise.all(
    Array.from({ length: 6 }, () => plantWebhook(ground.database.pool, planted, { concurrency: 3 })),
  )
  await plantDeliveries(ground.database.pool, planted, targets, 60)
  const running = new Map<string, number>()
  let most = 0
  const deliver: Deliver = async ({ target_id }) => {
    const now = (running.get(target_id) ?? 0) + 1
    running.set(target_id, now)
    most = Math.max(most, now)
    await pause(1)
    running.set(target_id, (running.get(target_id) ?? 1) - 1)
    return { outcome: 'succeeded' }
  }
  for (let n = 0; n < 3; n++) start(deliver, { concurrency: 16 })
  await until(left, (count) => count === 0)
  expect(most).toBe(3)
})

test('a target with a long queue and one team with many leave their turns to others', async () => {
  const long = await Promise.all(
    Array.from({ length: 3 }, () => plantWebhook(ground.database.pool, planted, { concurrency: 100 })),
  )
  await plantDeliveries(ground.database.pool, planted, long, 1000)
  const short = await plantWebhook(ground.database.pool, planted)
  await plant(short, 20)
  let before = 0
  let served = 0
  const shortDone = Promise.withResolvers<number>()
  start(({ target_id }) => {
    if (target_id !== short.id) before++
    else if (++served === 20) shortDone.resolve(before)
    return { outcome: 'succeeded' }
  })
  expect(await shortDone.promise).toBeLessThan(1000)
})
