import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { silentLog } from '../log.ts'
import type { AttemptReport, Carrier, LeasedDelivery } from './carrier.ts'
import {
  type Planted,
  type PlantedTarget,
  plantDeliveries,
  plantTeam,
  plantWebhook,
  until,
  wakeWorkers,
} from './deliveries.fixture.ts'
import { type DeliveryEngine, type DeliveryEngineOptions, startDeliveryEngine } from './engine.ts'
import { retryBySchedule } from './retry-policy.ts'

let ground: TestDatabase
let planted: Planted
const engines: DeliveryEngine[] = []

beforeAll(async () => {
  ground = await testDatabase()
  planted = await plantTeam(ground.database.pool)
})
afterAll(() => ground.close())
beforeEach(() => ground.database.pool.query('delete from webhooks'))
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.stop({ waitMs: 0 })
})

type Deliver = (delivery: LeasedDelivery, signal: AbortSignal) => Promise<AttemptReport> | AttemptReport

function start(deliver: Deliver, options: Partial<DeliveryEngineOptions> = {}): DeliveryEngine {
  const carrier: Carrier = { kind: 'webhook', deliver: async (delivery, { signal }) => deliver(delivery, signal) }
  const engine = startDeliveryEngine({
    pool: ground.database.pool,
    carriers: [carrier],
    log: silentLog,
    retryPolicy: retryBySchedule({ delaysMs: [10, 10, 10], jitter: 0 }),
    ...options,
  })
  engines.push(engine)
  return engine
}

const plant = (targets: readonly PlantedTarget[], count?: number) =>
  plantDeliveries(ground.database.pool, planted, targets, count)
const webhook = (options?: Parameters<typeof plantWebhook>[2]) => plantWebhook(ground.database.pool, planted, options)

interface DeliveryRow {
  readonly id: string
  readonly status: string
  readonly attempt_count: number
  readonly due_at: Date | null
  readonly last_error: string | null
  readonly finished_at: Date | null
}
const deliveries = async () =>
  (await ground.database.pool.query<DeliveryRow>('select * from deliveries order by created_at, id')).rows
const attempts = async () =>
  (await ground.database.pool.query('select * from delivery_attempts order by delivery_id, number')).rows
/** Until the one engine listens: connecting wakes it once more. */
const listening = () =>
  until(
    async () =>
      (
        await ground.database.pool.query(
          `select count(*)::int as n from pg_stat_activity where query = 'listen sluice_deliveries' and datname = current_database()`,
        )
      ).rows[0].n,
    (n) => n === 1,
  )
const allAre = (status: string) => (rows: readonly DeliveryRow[]) =>
  rows.length > 0 && rows.every((row) => row.status === status)

test('a delivery is attempted once, succeeds, and its attempt is recorded with its event', async () => {
  const target = await webhook()
  const [id] = await plant([target])
  const seen: LeasedDelivery[] = []
  start((delivery) => {
    seen.push(delivery)
    return {
      outcome: 'succeeded',
      status_code: 204,
      resolved_address: '127.0.0.1',
      request: { method: 'POST', url: 'https://receiver.test/', headers: { a: 'b' } },
      response: { headers: { c: 'd' } },
      response_body: 'a\0b\ud800',
      phases: { total: 1.5 },
    }
  })
  const [row] = await until(deliveries, allAre('succeeded'))
  expect(row).toMatchObject({
    id,
    attempt_count: 1,
    due_at: null,
    last_error: null,
    finished_at: expect.any(Date),
  })
  expect(seen).toMatchObject([
    {
      id,
      kind: 'webhook',
      target_id: target.id,
      attempt: 1,
      timeout_ms: 5000,
      concurrency: 8,
      event: { type: 'session.submitted', team: 'camden', flow: 'apply', payment_id: 'pay_1', config: {} },
    },
  ])
  expect(await attempts()).toMatchObject([
    {
      delivery_id: id,
      number: 1,
      outcome: 'succeeded',
      status_code: 204,
      resolved_address: '127.0.0.1',
      request: { method: 'POST' },
      response: { headers: { c: 'd' } },
      response_body: 'a\ufffdb\ufffd',
      phases: { total: 1.5 },
      error_class: null,
    },
  ])
})

test('a notification after the commit starts a delivery without waiting for the poll', async () => {
  const target = await webhook()
  const done = Promise.withResolvers<number>()
  start(
    () => {
      done.resolve(performance.now())
      return { outcome: 'succeeded' }
    },
    { pollMs: 60_000 },
  )
  await listening()
  await plant([target])
  const committed = performance.now()
  await wakeWorkers(ground.database.pool)
  expect((await done.promise) - committed).toBeLessThan(30_000)
})

test('a failed delivery is tried again until the policy ends it, and each attempt is kept', async () => {
  await plant([await webhook()])
  start(() => ({
    outcome: 'failed',
    error_class: 'http',
    status_code: 500,
    error_message: 'The endpoint answered 500.',
  }))
  const [row] = await until(deliveries, allAre('exhausted'))
  expect(row).toMatchObject({ attempt_count: 4, due_at: null, last_error: 'The endpoint answered 500.' })
  expect((await attempts()).map(({ number, outcome }) => [number, outcome])).toEqual(
    [1, 2, 3, 4].map((n) => [n, 'failed']),
  )
})

test('a carrier that throws or does not end is a failed attempt, and the engine goes on', async () => {
  const [thrown, endless] = [await webhook(), await webhook({ timeout_ms: -4900 })]
  await plant([thrown, endless])
  start(
    (delivery) => {
      if (delivery.target_id === thrown.id) throw new Error('a defect that names a secret')
      return new Promise(() => undefined)
    },
    { retryPolicy: () => null },
  )
  await until(deliveries, allAre('exhausted'))
  const rows = await attempts()
  expect(rows.map((row) => row.error_class).sort()).toEqual(['internal', 'timeout'])
  expect(JSON.stringify(rows)).not.toContain('secret')
})

describe('health', () => {
  const state = async (id: string) =>
    (
      await ground.database.pool.query('select state, state_reason, consecutive_failures from webhooks where id = $1', [
        id,
      ])
    ).rows[0]

  test('failures in a row show a webhook as failing; a success makes it active again', async () => {
    const target = await webhook()
    let fails = true
    await plant([target], 3)
    start(() => ({ outcome: fails ? 'failed' : 'succeeded' }), {
      retryPolicy: ({ now }) => new Date(now.getTime() + 20),
      failingAfter: 3,
    })
    const failing = await until(
      () => state(target.id),
      ({ state }) => state === 'failing',
    )
    expect(failing.state_reason).toMatch(/\d+ attempts in a row have failed/)
    fails = false
    await until(deliveries, allAre('succeeded'))
    expect(
      await until(
        () => state(target.id),
        ({ state }) => state === 'active',
      ),
    ).toEqual({
      state: 'active',
      state_reason: null,
      consecutive_failures: 0,
    })
  })

  test('a target that is gone is disabled, and what else was bound for it is cancelled', async () => {
    const target = await webhook({ concurrency: 1 })
    await plant([target])
    start(() => ({ outcome: 'failed', status_code: 410, gone: true, error_message: 'Gone.' }))
    await until(deliveries, allAre('exhausted'))
    expect(
      await until(
        () => state(target.id),
        ({ state }) => state === 'disabled',
      ),
    ).toMatchObject({ state_reason: 'Gone.' })
    await plant([target], 2)
    await wakeWorkers(ground.database.pool)
    const rows = await until(deliveries, (all) => all.filter((row) => row.status === 'cancelled').length === 2)
    expect(rows[2]).toMatchObject({ attempt_count: 0, last_error: 'The webhook was switched off. Gone.', due_at: null })
    expect(await attempts()).toHaveLength(1)
  })
})

test.each([
  ['its webhook is disabled', 'update webhooks set enabled = false', 'The webhook is disabled.'],
  [
    'its grant was revoked',
    'update session_grants set revoked_at = now()',
    'The integration may no longer see the session.',
  ],
  [
    'its grant has expired',
    'update session_grants set expires_at = now()',
    'The integration may no longer see the session.',
  ],
])('a delivery is cancelled without an attempt when %s', async (_why, change, reason) => {
  await plant([await webhook()])
  await ground.database.pool.query(change)
  start(() => ({ outcome: 'succeeded' }))
  const [row] = await until(deliveries, allAre('cancelled'))
  expect(row).toMatchObject({ last_error: reason, attempt_count: 0, finished_at: expect.any(Date) })
  expect(await attempts()).toEqual([])
})

test('no target gets more at once than its concurrency', async () => {
  const [one, many] = [await webhook({ concurrency: 1 }), await webhook({ concurrency: 5 })]
  await plant([one, many], 40)
  const running = new Map<string, number>()
  const most = new Map<string, number>()
  start(async ({ target_id }) => {
    const now = (running.get(target_id) ?? 0) + 1
    running.set(target_id, now)
    most.set(target_id, Math.max(now, most.get(target_id) ?? 0))
    await new Promise((resolve) => setTimeout(resolve, 2))
    running.set(target_id, (running.get(target_id) ?? 1) - 1)
    return { outcome: 'succeeded' }
  })
  await until(deliveries, allAre('succeeded'))
  expect(most.get(one.id)).toBe(1)
  expect(most.get(many.id)).toBe(5)
})

test('a target that hangs, with a long queue in front, holds up no other', async () => {
  const slow = await webhook()
  const others = await Promise.all(Array.from({ length: 5 }, () => webhook()))
  await plant([slow], 500)
  await plant(others, 20)
  const hanging = Promise.withResolvers<AttemptReport>()
  start(({ target_id }) => (target_id === slow.id ? hanging.promise : { outcome: 'succeeded' }))
  const rows = await until(deliveries, (all) => all.filter((row) => row.status === 'succeeded').length === 100)
  expect(rows.filter((row) => row.status === 'leased').length).toBeLessThanOrEqual(8)
  hanging.resolve({ outcome: 'succeeded' })
  await until(deliveries, allAre('succeeded'))
})

test('more hanging targets than there are places hold up no other for longer than a second or so', async () => {
  const hanging = new Set((await Promise.all(Array.from({ length: 6 }, () => webhook()))).map(({ id }) => id))
  const quick = await webhook()
  await plant(
    [...hanging].map((id) => ({ id, integration_id: planted.integration_id })),
    10,
  )
  await plant([quick], 30)
  const never = Promise.withResolvers<AttemptReport>()
  start(({ target_id }) => (hanging.has(target_id) ? never.promise : { outcome: 'succeeded' }), { concurrency: 16 })
  await until(deliveries, (all) => all.filter((row) => row.status === 'succeeded').length === 30)
})

test('two engines deliver each of 1,000 deliveries exactly once', async () => {
  const targets = await Promise.all(Array.from({ length: 50 }, () => webhook()))
  const ids = await plant(targets, 20)
  const seen: string[] = []
  const both = Promise.withResolvers<void>()
  const by = new Set<number>()
  const deliver =
    (engine: number) =>
    async (delivery: LeasedDelivery): Promise<AttemptReport> => {
      seen.push(delivery.id)
      if (by.add(engine).size === 2) both.resolve()
      // What one holds leaves something to the other.
      await both.promise
      return { outcome: 'succeeded' }
    }
  start(deliver(0), { concurrency: 8 })
  start(deliver(1), { concurrency: 8 })
  await until(deliveries, allAre('succeeded'))
  expect(seen).toHaveLength(1000)
  expect(new Set(seen)).toEqual(new Set(ids))
})

describe('leases', () => {
  test('a long attempt keeps its lease, and nobody else gets it', async () => {
    const [id] = await plant([await webhook()])
    const seen: string[] = []
    const release = Promise.withResolvers<AttemptReport>()
    const deliver = (delivery: LeasedDelivery) => {
      seen.push(delivery.id)
      return release.promise
    }
    // Long enough for a machine that stands still for seconds.
    start(deliver, { leaseMs: 6000, pollMs: 20 })
    start(deliver, { leaseMs: 6000, pollMs: 20 })
    const lease = async () =>
      (
        await ground.database.pool.query(
          'select token, leased_until, leased_until > now() as holds from delivery_leases',
        )
      ).rows[0]
    const first = await until(lease, (row) => row !== undefined)
    const renewed = await until(lease, ({ leased_until }) => leased_until > first.leased_until)
    expect(renewed).toMatchObject({ token: first.token, holds: true })
    release.resolve({ outcome: 'succeeded' })
    await until(deliveries, allAre('succeeded'))
    expect(seen).toEqual([id])
  })

  test('a result that comes after the lease was lost changes nothing, but its attempt is kept', async () => {
    const target = await webhook()
    const late = Promise.withResolvers<AttemptReport>()
    const begun = Promise.withResolvers<void>()
    // It is seldom woken again, or it would take its own lease back.
    const stale = start(
      () => {
        begun.resolve()
        return late.promise
      },
      { pollMs: 60_000 },
    )
    await listening()
    await plant([target])
    await wakeWorkers(ground.database.pool)
    await begun.promise
    const { rows } = await ground.database.pool.query('select worker_id from delivery_leases')
    const seen: number[] = []
    start(
      ({ attempt }) => {
        seen.push(attempt)
        return { outcome: 'succeeded' }
      },
      { pollMs: 20 },
    )
    // As if the first process had been held up for longer than its lease.
    const expire = `update delivery_leases set leased_until = now() - interval '1 second' where worker_id = $1`
    await until(
      async () => {
        await ground.database.pool.query(expire, [rows[0].worker_id])
        return seen.length
      },
      (count) => count > 0,
    )
    await until(deliveries, allAre('succeeded'))
    late.resolve({ outcome: 'failed', error_class: 'timeout' })
    await until(attempts, (rows) => rows.length === 2)
    await until(
      async () => stale.inHand,
      (inHand) => inHand === 0,
    )
    expect(seen).toEqual([expect.any(Number)])
    expect(seen[0]).toBeGreaterThan(1)
    expect((await attempts()).map(({ number, outcome }) => [number, outcome])).toEqual([
      [1, 'failed'],
      [seen[0], 'succeeded'],
    ])
    expect(await deliveries()).toMatchObject([{ status: 'succeeded', attempt_count: seen[0] }])
  })
})

test('a process that was held up for longer than its lease keeps the attempt that it has under way', async () => {
  const target = await webhook()
  const late = Promise.withResolvers<AttemptReport>()
  const seen: number[] = []
  const begun = Promise.withResolvers<void>()
  start(
    ({ attempt }) => {
      seen.push(attempt)
      begun.resolve()
      return late.promise
    },
    { pollMs: 20 },
  )
  await plant([target])
  await begun.promise
  const lease = async () =>
    (await ground.database.pool.query('select token, leased_until > now() as holds from delivery_leases')).rows[0]
  const { token } = await lease()
  await ground.database.pool.query(`update delivery_leases set leased_until = now() - interval '1 second'`)
  await until(lease, (row) => row.holds && row.token !== token)
  late.resolve({ outcome: 'succeeded' })
  await until(deliveries, allAre('succeeded'))
  expect(seen).toEqual([1])
  expect(await attempts()).toMatchObject([{ number: 1, outcome: 'succeeded' }])
})

describe('stopping', () => {
  test('attempts under way are finished, and what has not begun is given back untouched', async () => {
    const target = await webhook({ concurrency: 2 })
    await plant([target], 50)
    const release = Promise.withResolvers<void>()
    let begun = 0
    const engine = start(async () => {
      begun++
      await release.promise
      return { outcome: 'succeeded' }
    })
    await until(
      async () => begun,
      (count) => count === 2,
    )
    const stopped = engine.stop()
    release.resolve()
    await stopped
    const rows = await deliveries()
    expect(rows.filter((row) => row.status === 'succeeded')).toHaveLength(2)
    const left = rows.filter((row) => row.status !== 'succeeded')
    expect(left).toHaveLength(48)
    expect(left.every((row) => row.status === 'pending' && row.attempt_count === 0 && row.due_at !== null)).toBe(true)
    expect((await ground.database.pool.query('select 1 from delivery_leases')).rowCount).toBe(0)
  })

  test('an attempt that does not end in time is cut off and given back, due at once', async () => {
    await plant([await webhook()])
    const begun = Promise.withResolvers<AbortSignal>()
    const engine = start((_delivery, signal) => {
      begun.resolve(signal)
      return new Promise(() => undefined)
    })
    const signal = await begun.promise
    await engine.stop({ waitMs: 20 })
    expect(signal.aborted).toBe(true)
    expect(await deliveries()).toMatchObject([{ status: 'waiting', attempt_count: 1 }])
    start(() => ({ outcome: 'succeeded' }))
    await until(deliveries, allAre('succeeded'))
    expect(await attempts()).toMatchObject([{ number: 2, outcome: 'succeeded' }])
  })
})

test('an engine goes on after the database cut all its connections', async () => {
  const target = await webhook()
  const begun = Promise.withResolvers<void>()
  const result = Promise.withResolvers<AttemptReport>()
  await plant([target])
  start(
    () => {
      begun.resolve()
      return result.promise
    },
    { pollMs: 50 },
  )
  await begun.promise
  await ground.database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
  )
  result.resolve({ outcome: 'succeeded' })
  await until(deliveries, allAre('succeeded'))
  await plant([target])
  await until(deliveries, (rows) => rows.length === 2 && allAre('succeeded')(rows))
})
