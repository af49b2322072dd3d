import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { silentLog } from '../log.ts'
import type { AttemptReport, LeasedDelivery } from './carrier.ts'
import { type Planted, plantDeliveries, plantTeam, plantWebhook, until, wakeWorkers } from './deliveries.fixture.ts'
import { type DeliveryEngineOptions, startDeliveryEngine } from './engine.ts'
import { disableAfter, type HealthOptions, probeLessAndLess, recordHealth } from './health.ts'
import { retryBySchedule } from './retry-policy.ts'

let ground: TestDatabase
let planted: Planted

beforeAll(async () => {
  ground = await testDatabase()
  planted = await plantTeam(ground.database.pool)
})
afterAll(() => ground.close())
beforeEach(() => ground.database.pool.query('delete from webhooks'))

const plant = (target: { id: string; integration_id: string }, count = 1) =>
  plantDeliveries(ground.database.pool, planted, [target], count)
const told = async () =>
  (await ground.database.pool.query('select type, detail from operational_events order by position')).rows
const webhook = async () => (await ground.database.pool.query('select * from webhooks')).rows[0]
const statuses = async () =>
  (await ground.database.pool.query<{ status: string }>('select status from deliveries order by created_at, id')).rows
    .map(({ status }) => status)
    .sort()

async function withEngine(
  deliver: (delivery: LeasedDelivery) => AttemptReport,
  options: Partial<DeliveryEngineOptions>,
  use: () => Promise<unknown>,
): Promise<void> {
  const engine = startDeliveryEngine({
    pool: ground.database.pool,
    carriers: [{ kind: 'webhook', deliver: async (delivery) => deliver(delivery) }],
    log: silentLog,
    retryPolicy: retryBySchedule({ delaysMs: [10, 10, 10], jitter: 0 }),
    pollMs: 20,
    ...options,
  })
  try {
    await use()
  } finally {
    await engine.stop()
  }
}

const failed: AttemptReport = { outcome: 'failed', error_class: 'http', status_code: 500, error_message: 'No.' }
const options: HealthOptions = { failingAfter: 3, disablePolicy: () => false, probePolicy: () => 1000 }

describe('what a target goes through is told once', () => {
  test('failing, and recovered', async () => {
    const target = await plantWebhook(ground.database.pool, planted)
    const record = (succeeded: boolean) =>
      recordHealth(ground.database.pool, [{ kind: 'webhook', target_id: target.id, succeeded, error: 'No.' }], options)
    for (let n = 0; n < 6; n++) await record(false)
    await record(true)
    await record(true)
    expect(await told()).toMatchObject([
      { type: 'webhook.failing', detail: { name: 'hook', error: 'No.', consecutive_failures: 3 } },
      { type: 'webhook.recovered' },
    ])
    expect(await webhook()).toMatchObject({ state: 'active', failing_since: null, consecutive_failures: 0 })
  })

  test('by two processes that count at the same time too', async () => {
    const target = await plantWebhook(ground.database.pool, planted)
    const record = () =>
      recordHealth(ground.database.pool, [{ kind: 'webhook', target_id: target.id, succeeded: false }], {
        ...options,
        disablePolicy: ({ consecutiveFailures }) => consecutiveFailures >= 6,
      })
    await Promise.all(Array.from({ length: 12 }, record))
    expect((await told()).map(({ type }) => type)).toEqual(['webhook.failing', 'webhook.disabled'])
    expect(await webhook()).toMatchObject({ consecutive_failures: 12, state: 'disabled', probe_at: expect.any(Date) })
  })

  test('a delivery that is exhausted', async () => {
    const target = await plantWebhook(ground.database.pool, planted)
    const [id] = await plant(target)
    await withEngine(
      () => failed,
      { failingAfter: 100 },
      () => until(statuses, (all) => all.every((status) => status === 'exhausted')),
    )
    expect(await told()).toMatchObject([
      { type: 'delivery.exhausted', detail: { delivery_id: id, attempts: 4, error: 'No.', status_code: 500 } },
    ])
  })

  test('but not in a connector’s words, which may quote a session', async () => {
    const { pool } = ground.database
    const [id] = await plant(await plantWebhook(pool, planted))
    await pool.query(
      `with connector as (
         insert into connectors (implementation, version, name, author, description, status, manifest, bundle, bundle_sha256)
         values ('c', '1.0.0', 'c', 'c', 'c', 'approved', '{}', '', '') returning id
       ), connection as (
         insert into connections (integration_id, team_id, connector_id, name)
         select d.integration_id, d.team_id, connector.id, 'c' from connector, deliveries d where d.id = $1 returning id
       ), instead as (
         delete from deliveries where id = $1
       )
       insert into deliveries (event_id, session_id, team_id, integration_id, connection_id, event_position)
       select d.event_id, d.session_id, d.team_id, d.integration_id, connection.id, d.event_position
         from connection, deliveries d where d.id = $1`,
      [id],
    )
    await withEngine(
      () => failed,
      { failingAfter: 2, carriers: [{ kind: 'connection', deliver: async () => failed }] },
      () => until(statuses, (all) => all.every((status) => status === 'exhausted')),
    )
    const types = async () => (await told()).map(({ type }) => type).sort()
    await until(types, (all) => all.length === 2)
    expect(await types()).toEqual(['connection.failing', 'delivery.exhausted'])
    expect(JSON.stringify(await told())).not.toContain('No.')
    await pool.query('delete from connections')
  })

  test('but not that of an operational event, which would tell of itself for ever', async () => {
    const { pool } = ground.database
    const target = await plantWebhook(pool, planted)
    await pool.query(
      `with event as (
         insert into operational_events (type, team_id, webhook_id, detail) values ('webhook.test', $1, $2, '{"a":1}') returning *)
       insert into deliveries (operational_event_id, event_position, team_id, integration_id, webhook_id)
       select id, position, team_id, $3, webhook_id from event`,
      [planted.team_id, target.id, target.integration_id],
    )
    const seen: LeasedDelivery[] = []
    await withEngine(
      (delivery) => {
        seen.push(delivery)
        return failed
      },
      { retryPolicy: () => null },
      () => until(statuses, (all) => all.includes('exhausted')),
    )
    expect(seen).toMatchObject([
      { session_id: '', operational: { detail: { a: 1 } }, event: { type: 'webhook.test', team: 'camden', flow: '' } },
    ])
    expect((await told()).map(({ type }) => type)).toEqual(['webhook.test'])
  })
})

test('a target that was given up gets one delivery as a probe, ever later, and a success releases what waits', async () => {
  const { pool } = ground.database
  const target = await plantWebhook(pool, planted)
  await plant(target, 10)
  let fails = true
  let attempts = 0
  const disabledFor: number[] = []
  /** Nothing is under way, every attempt is counted, and the policy has put off the next probe. */
  const quiet = () =>
    until(
      async () => ({
        ...(await webhook()),
        leases: (await pool.query('select 1 from delivery_leases')).rowCount,
        attempts,
      }),
      ({ state, leases, consecutive_failures, probe_at }) =>
        state === 'disabled' &&
        leases === 0 &&
        consecutive_failures === attempts &&
        // A claim puts the probe off by minutes; an hour is what the policy says once it has failed.
        probe_at > new Date(Date.now() + 1_800_000),
    )
  // As if the hour had passed.
  const becomeDue = () => pool.query(`update webhooks set probe_at = now() - interval '1 minute'`)
  await withEngine(
    () => {
      attempts++
      return fails ? failed : { outcome: 'succeeded' }
    },
    {
      failingAfter: 2,
      disablePolicy: ({ consecutiveFailures }) => consecutiveFailures >= 5,
      probePolicy: (ms) => {
        disabledFor.push(ms)
        return 3_600_000
      },
      retryPolicy: ({ now }) => new Date(now.getTime() + 1),
    },
    async () => {
      const { attempts: before } = await quiet()
      await becomeDue()
      expect((await quiet()).attempts).toBe(before + 1)
      await becomeDue()
      expect((await quiet()).attempts).toBe(before + 2)
      expect((await statuses()).includes('succeeded')).toBe(false)
      const [first, ...later] = disabledFor.slice(-3)
      expect(first).toBe(0)
      expect(later[0]).toBeGreaterThan(0)
      expect(later[1]).toBeGreaterThan(later[0] ?? 0)
      fails = false
      await becomeDue()
      await until(statuses, (all) => all.every((status) => status === 'succeeded'))
      expect(await until(webhook, ({ state }) => state === 'active')).toMatchObject({
        probe_at: null,
        disabled_at: null,
      })
    },
  )
  expect((await told()).map(({ type }) => type)).toEqual(['webhook.failing', 'webhook.disabled', 'webhook.recovered'])
})

test('429 leaves the whole target alone for as long as it asks, and nobody else', async () => {
  const { pool } = ground.database
  const [busy, other] = [await plantWebhook(pool, planted, { concurrency: 1 }), await plantWebhook(pool, planted)]
  await plant(busy, 5)
  let attempts = 0
  await withEngine(
    ({ target_id }) => {
      if (target_id === other.id) return { outcome: 'succeeded' }
      attempts++
      return { ...failed, status_code: 429, retryAfterMs: 60_000 }
    },
    {},
    async () => {
      await until(
        async () => (await pool.query('select 1 from delivery_lanes where paused_until > now()')).rowCount,
        (count) => count === 1,
      )
      await plant(other, 5)
      await wakeWorkers(pool)
      await until(statuses, (all) => all.filter((status) => status === 'succeeded').length === 5)
    },
  )
  expect(attempts).toBe(1)
  expect((await statuses()).filter((status) => status === 'pending')).toHaveLength(4)
})

test('the policies are functions of values', () => {
  const day = 86_400_000
  expect(disableAfter()({ failingForMs: 5 * day, consecutiveFailures: 2 })).toBe(true)
  expect(disableAfter()({ failingForMs: 4 * day, consecutiveFailures: 200 })).toBe(false)
  const probe = probeLessAndLess()
  expect([0, 3_600_000, 8 * 3_600_000, 10 * day].map(probe)).toEqual([3_600_000, 3_600_000, 14_400_000, day])
})
