import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import type { Principal } from '../access/principal.ts'
import { silentLog } from '../log.ts'
import {
  type Planted,
  type PlantedTarget,
  plantDeliveries,
  plantTeam,
  plantWebhook,
  until,
} from './deliveries.fixture.ts'
import { startDeliveryEngine } from './engine.ts'
import { cancelReplay, createReplay, type NewReplay, replayDelivery } from './replay.ts'
import { releaseReplays, startReplays } from './replay-release.ts'
import { retryBySchedule } from './retry-policy.ts'

let ground: TestDatabase
let pool: pg.Pool
let planted: Planted
let target: PlantedTarget

beforeAll(async () => {
  ground = await testDatabase()
  pool = ground.database.pool
  planted = await plantTeam(pool)
})
afterAll(() => ground.close())
beforeEach(async () => {
  await pool.query('delete from webhooks')
  await pool.query('delete from sessions')
  target = await plantWebhook(pool, planted)
})

const admin: Principal = {
  kind: 'system',
  id: 'test',
  role: 'admin',
  variables: {},
  teamId: null,
  integrationId: null,
  expiresAt: null,
}
const replayOf = (changes: Partial<NewReplay> = {}) =>
  createReplay(pool, {
    kind: 'webhook',
    targetId: target.id,
    where: {},
    from: null,
    to: null,
    ratePerSecond: 1000,
    missed: false,
    dryRun: false,
    principal: admin,
    ...changes,
  })
const rowsOf = async <T extends object>(sql: string, values: unknown[] = []) => (await pool.query<T>(sql, values)).rows
interface Counts {
  readonly status: string
  readonly total: number
  readonly released: number
  readonly skipped: number
  readonly left: number
}
const countsOf = async (id: string | null) =>
  (
    await rowsOf<Counts>(
      `select status, total, released, skipped, (select count(*)::int from replay_items where replay_id = r.id) as left
         from replays r where id = $1`,
      [id],
    )
  )[0] as Counts
const pending = async () => (await rowsOf('select 1 from deliveries where due_at is not null')).length
const finish = (status: string, ids: readonly string[]) =>
  pool.query(
    `update deliveries set status = $1::delivery_status, due_at = null, finished_at = now(), attempt_count = 3 where id = any($2)`,
    [status, ids],
  )

test('a replay takes what is final and fits, in the order of events, and ends with the last', async () => {
  const ids = await plantDeliveries(pool, planted, [target], 6)
  await finish('exhausted', ids.slice(0, 4))
  await finish('succeeded', ids.slice(4, 5))
  expect(await replayOf({ where: { status: { _eq: 'exhausted' } }, dryRun: true })).toEqual({
    id: null,
    total: 4,
    skipped: 0,
  })
  const { id, total } = await replayOf({ where: { status: { _eq: 'exhausted' } } })
  expect(total).toBe(4)
  const items = await rowsOf<{ delivery_id: string }>('select delivery_id from replay_items order by ordinal')
  const inOrder = await rowsOf<{ id: string }>('select id from deliveries where id = any($1) order by event_position', [
    ids.slice(0, 4),
  ])
  expect(items.map(({ delivery_id }) => delivery_id)).toEqual(inOrder.map((row) => row.id))
  await until(
    () => releaseReplays(pool).then(() => countsOf(id)),
    ({ status }) => status === 'finished',
  )
  expect(await countsOf(id)).toEqual({ status: 'finished', total: 4, released: 4, skipped: 0, left: 0 })
  expect(await pending()).toBe(5)
  const again = await rowsOf('select status, attempt_count, finished_at from deliveries where replay_id = $1', [id])
  expect(again).toEqual(Array(4).fill({ status: 'pending', attempt_count: 3, finished_at: null }))
})

test('a range of time bounds it, and a filter that cannot be understood is refused with its place', async () => {
  const ids = await plantDeliveries(pool, planted, [target], 3)
  await finish('exhausted', ids)
  await pool.query(`update deliveries set created_at = now() - interval '2 days' where id = $1`, [ids[0]])
  const day = new Date(Date.now() - 86_400_000)
  expect(await replayOf({ from: day, dryRun: true })).toMatchObject({ total: 2 })
  expect(await replayOf({ to: day, dryRun: true })).toMatchObject({ total: 1 })
  await expect(replayOf({ where: { nonsense: { _eq: 1 } } })).rejects.toMatchObject({
    code: 'VALIDATION_FAILED',
    path: 'where.nonsense',
  })
  await expect(replayOf({ where: 'all' })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
})

test('what is closed to the integration is skipped and counted, at the start and at its turn', async () => {
  const ids = await plantDeliveries(pool, planted, [target], 3)
  await finish('exhausted', ids)
  const close = (delivery: string | undefined) =>
    pool.query(
      'update session_grants set revoked_at = now() where session_id = (select session_id from deliveries where id = $1)',
      [delivery],
    )
  await close(ids[0])
  const { id, total, skipped } = await replayOf()
  expect({ total, skipped }).toEqual({ total: 3, skipped: 1 })
  await close(ids[1])
  await until(
    () => releaseReplays(pool).then(() => countsOf(id)),
    ({ status }) => status === 'finished',
  )
  expect(await countsOf(id)).toMatchObject({ total: 3, released: 1, skipped: 2, left: 0 })
  expect(await pending()).toBe(1)
  await expect(replayDelivery(pool, ids[0] as string, admin)).rejects.toMatchObject({ code: 'FORBIDDEN' })
})

test('the rate is kept, also by several workers', async () => {
  await finish('succeeded', await plantDeliveries(pool, planted, [target], 30))
  const { id } = await replayOf({ ratePerSecond: 100 })
  const started = performance.now()
  const workers = Array.from({ length: 3 }, () => startReplays({ pool, log: silentLog, pollMs: 10 }))
  await until(
    () => countsOf(id),
    ({ status, released, skipped, left, total }) => {
      expect(released + skipped + left).toBe(total)
      return status === 'finished'
    },
  )
  // 30 at 100 a second: the last one's slot is 290 ms behind the first, of which 250 ms may come at once.
  expect(performance.now() - started).toBeGreaterThan(30)
  await Promise.all(workers.map((worker) => worker.close()))
  const slow = await replayOf({ where: {}, ratePerSecond: 0.5 })
  expect(slow.total).toBe(0)
  await finish(
    'succeeded',
    (await rowsOf<{ id: string }>('select id from deliveries')).map((row) => row.id),
  )
  const { id: slowly } = await replayOf({ ratePerSecond: 0.5 })
  for (let n = 0; n < 5; n += 1) await releaseReplays(pool)
  expect(await countsOf(slowly)).toMatchObject({ status: 'running', released: 1, left: 29 })
})

test('it waits while its target is switched off, and goes on behind that', async () => {
  await finish('succeeded', await plantDeliveries(pool, planted, [target], 2))
  const { id } = await replayOf()
  await pool.query('update webhooks set enabled = false')
  await releaseReplays(pool)
  expect(await countsOf(id)).toMatchObject({ status: 'running', released: 0, left: 2 })
  await expect(replayOf()).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('Enable it') })
  await pool.query('update webhooks set enabled = true')
  await until(
    () => releaseReplays(pool).then(() => countsOf(id)),
    ({ status }) => status === 'finished',
  )
})

/**
 * The invariant: whatever workers, deaths and cancellations do, at every moment
 * released + skipped + left = total while it runs; a delivery is released at most
 * once; and of a cancelled one exactly `released` are, no matter when.
 */
test('nothing is released twice and the counts are exact, whoever dies and whenever it is cancelled', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.constantFrom('release', 'killed', 'both', 'retried', 'closed'), { minLength: 1, maxLength: 12 }),
      fc.boolean(),
      async (count, steps, cancels) => {
        await pool.query('delete from sessions')
        const ids = await plantDeliveries(pool, planted, [target], count)
        await finish('exhausted', ids)
        const { id } = await replayOf()
        for (const [n, step] of steps.entries()) {
          await pool.query(`update replays set next_release_at = now() - interval '5 milliseconds' where id = $1`, [id])
          const one = ids[n % ids.length] as string
          if (step === 'release') await releaseReplays(pool)
          if (step === 'both') await Promise.all([releaseReplays(pool), releaseReplays(pool), releaseReplays(pool)])
          if (step === 'killed') await killedRelease()
          if (step === 'retried') await replayDelivery(pool, one, admin).catch(() => undefined)
          if (step === 'closed')
            await pool.query(
              `update session_grants set revoked_at = now() where session_id = (select session_id from deliveries where id = $1)`,
              [one],
            )
          const seen = await countsOf(id)
          expect(seen.released + seen.skipped + seen.left).toBe(seen.total)
          expect(seen.status).toBe(seen.left === 0 ? 'finished' : 'running')
          expect((await rowsOf('select 1 from deliveries where replay_id = $1', [id])).length).toBe(seen.released)
        }
        if (!cancels) return
        const [told] = await Promise.all([cancelReplay(pool, id as string), releaseReplays(pool), releaseReplays(pool)])
        await releaseReplays(pool)
        expect(await countsOf(id)).toMatchObject({ released: told.released, skipped: told.skipped, left: 0 })
        expect((await rowsOf('select 1 from deliveries where replay_id = $1', [id])).length).toBe(told.released)
      },
    ),
    { numRuns: 15 },
  )
})

/** A worker that dies in the statement: its connection ends before it commits. */
async function killedRelease(): Promise<void> {
  const client = new pg.Client({ connectionString: ground.url })
  client.on('error', () => undefined)
  await client.connect()
  await client.query('begin')
  await releaseReplays(client as unknown as pg.Pool)
  await pool.query('select pg_terminate_backend($1)', [(client as unknown as { processID: number }).processID])
  await client.end().catch(() => undefined)
  await until(
    async () =>
      (
        await rowsOf(
          'select 1 from pg_locks l join pg_class c on c.oid = l.relation where relname = $1 and mode = $2 and pid <> pg_backend_pid()',
          ['replay_items', 'RowExclusiveLock'],
        )
      ).length,
    (open) => open === 0,
  )
}

describe('events that a webhook missed', () => {
  test('are sent to a new one: those it hears, of open sessions, that match its pattern, each once', async () => {
    await plantDeliveries(pool, planted, [target], 4)
    const fresh = await plantWebhook(pool, planted)
    await pool.query(`update webhooks set pattern = '{"flow": {"_eq": "apply"}}' where id = $1`, [fresh.id])
    const other = await plantWebhook(pool, planted)
    await pool.query(`update webhooks set pattern = '{"flow": {"_eq": "renew"}}' where id = $1`, [other.id])
    expect(await replayOf({ targetId: other.id, missed: true, dryRun: true })).toMatchObject({ total: 0 })
    await pool.query(
      'update session_grants set revoked_at = now() where session_id = (select session_id from session_events order by position limit 1)',
    )
    expect(await replayOf({ targetId: target.id, missed: true, dryRun: true })).toMatchObject({ total: 0 })
    const { id, total } = await replayOf({ targetId: fresh.id, missed: true })
    expect(total).toBe(3)
    await expect(replayOf({ targetId: fresh.id, missed: true })).rejects.toMatchObject({ code: 'CONFLICT' })
    await until(
      () => releaseReplays(pool).then(() => countsOf(id)),
      ({ status }) => status === 'finished',
    )
    const made = await rowsOf<{ event_id: string; event_position: string; position: string }>(
      'select d.event_id, d.event_position, e.position from deliveries d join session_events e on e.id = d.event_id where d.webhook_id = $1',
      [fresh.id],
    )
    expect(made).toHaveLength(3)
    expect(made.every(({ event_position, position }) => event_position === position)).toBe(true)
    expect(await replayOf({ targetId: fresh.id, missed: true })).toMatchObject({ total: 0 })
    await expect(replayOf({ missed: true, where: { status: { _eq: 'x' } } })).rejects.toMatchObject({
      path: 'where.status',
    })
  })
})

test('what is sent again keeps its id, goes on counting attempts and begins the schedule of retries anew', async () => {
  const [id = ''] = await plantDeliveries(pool, planted, [target])
  const seen: string[] = []
  const engine = startDeliveryEngine({
    pool,
    carriers: [
      {
        kind: 'webhook',
        async deliver(delivery) {
          seen.push(`${delivery.id} ${delivery.attempt}`)
          return { outcome: 'failed', error_class: 'http', status_code: 500 }
        },
      },
    ],
    log: silentLog,
    retryPolicy: retryBySchedule({ delaysMs: [5], jitter: 0 }),
    pollMs: 20,
  })
  const exhausted = () =>
    until(
      () => rowsOf<{ status: string }>('select status from deliveries'),
      ([row]) => row?.status === 'exhausted',
    )
  await exhausted()
  expect(await replayDelivery(pool, id, admin)).toEqual({ id, attempt: 3 })
  await exhausted()
  await engine.stop()
  expect(seen).toEqual([1, 2, 3, 4].map((attempt) => `${id} ${attempt}`))
  expect(await rowsOf('select number from delivery_attempts order by number')).toHaveLength(4)
})

test('an ordered target gets what is replayed in the order of events', async () => {
  await pool.query('update webhooks set ordered = true')
  const ids = await plantDeliveries(pool, planted, [target], 12)
  await finish('succeeded', ids)
  const inOrder = (await rowsOf<{ id: string }>('select id from deliveries order by event_position')).map(
    (row) => row.id,
  )
  const seen: string[] = []
  const engine = startDeliveryEngine({
    pool,
    carriers: [
      {
        kind: 'webhook',
        async deliver(delivery) {
          seen.push(delivery.id)
          return { outcome: 'succeeded' }
        },
      },
    ],
    log: silentLog,
    pollMs: 20,
  })
  const worker = startReplays({ pool, log: silentLog, pollMs: 10 })
  const { id } = await replayOf({ ratePerSecond: 200 })
  await until(
    () =>
      rowsOf<{ n: number }>(`select count(*)::int as n from deliveries where status = 'succeeded' and replay_id = $1`, [
        id,
      ]),
    ([row]) => row?.n === 12,
  )
  await Promise.all([engine.stop(), worker.close()])
  expect(seen).toEqual(inOrder)
})

test('what was bound for a connection is sent again like what was bound for a webhook', async () => {
  const [{ id: connection = '' } = {}] = await rowsOf<{ id: string }>(
    `with connector as (
       insert into connectors (implementation, version, name, author, description, manifest, bundle, bundle_sha256)
       values ('email', '1.0.0', 'E-mail', 'Sluice', 'Mails.', '{}', '', '') returning id)
     insert into connections (integration_id, team_id, connector_id, name) select $1, $2, id, 'mail' from connector returning id`,
    [planted.integration_id, planted.team_id],
  )
  const ids = await plantDeliveries(pool, planted, [target], 2)
  await pool.query('update deliveries set webhook_id = null, connection_id = $1', [connection])
  await finish('exhausted', ids)
  const { id, total } = await replayOf({ kind: 'connection', targetId: connection })
  expect(total).toBe(2)
  await until(
    () => releaseReplays(pool).then(() => countsOf(id)),
    ({ status }) => status === 'finished',
  )
  expect(await pending()).toBe(2)
  await pool.query('delete from deliveries')
  const missed = await replayOf({ kind: 'connection', targetId: connection, missed: true })
  expect(missed.total).toBe(2)
  await until(
    () => releaseReplays(pool).then(() => countsOf(missed.id)),
    ({ status }) => status === 'finished',
  )
  expect(await rowsOf('select connection_id from deliveries')).toEqual(Array(2).fill({ connection_id: connection }))
})

test('one delivery is refused when it is not there or under way', async () => {
  const [id = ''] = await plantDeliveries(pool, planted, [target])
  await expect(replayDelivery(pool, id, admin)).rejects.toMatchObject({ code: 'CONFLICT' })
  await expect(replayDelivery(pool, randomUUID(), admin)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(cancelReplay(pool, randomUUID())).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
