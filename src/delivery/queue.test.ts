import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { type Planted, type PlantedTarget, plantDeliveries, plantTeam, plantWebhook } from './deliveries.fixture.ts'

let ground: TestDatabase
let planted: Planted
let target: PlantedTarget

beforeAll(async () => {
  ground = await testDatabase()
  planted = await plantTeam(ground.database.pool)
  target = await plantWebhook(ground.database.pool, planted)
})
afterAll(() => ground.close())

const run = (text: string, values: unknown[] = []) => ground.database.pool.query(text, values)

/** What stands in the queue and should not, or does not and should, or is not as the delivery says. */
const differences = async () =>
  (
    await run(
      `select d.id, q.delivery_id from delivery_queue q
         full join (select * from deliveries where due_at is not null) d on d.id = q.delivery_id
        where (d.id, d.due_at, coalesce(d.webhook_id, d.connection_id), d.event_position)
              is distinct from (q.delivery_id, q.due_at, q.target_id, q.event_position)`,
    )
  ).rows
const queued = async () => (await run('select 1 from delivery_queue')).rowCount

test('the queue follows deliveries whoever writes them, in plain SQL', async () => {
  const ids = await plantDeliveries(ground.database.pool, planted, [target], 20)
  expect(await queued()).toBe(20)
  expect(await differences()).toEqual([])

  await run(`update deliveries set status = 'cancelled', due_at = null, finished_at = now() where id = any($1)`, [
    ids.slice(0, 5),
  ])
  await run(`update deliveries set status = 'waiting', due_at = now() + interval '1 hour' where id = any($1)`, [
    ids.slice(3, 10),
  ])
  await run(`update deliveries set status = 'leased' where id = any($1)`, [ids.slice(12, 14)])
  expect(await queued()).toBe(17)
  expect(await differences()).toEqual([])

  await run(`update deliveries set status = 'pending', due_at = now(), finished_at = null where id = any($1)`, [ids])
  expect(await queued()).toBe(20)
  expect(await differences()).toEqual([])

  await run('delete from deliveries where id = $1', [ids[0]])
  expect(await queued()).toBe(19)
  await run('delete from webhooks where id = $1', [target.id])
  expect(await queued()).toBe(0)
})

test('the queue is emptied with deliveries', async () => {
  const other = await plantWebhook(ground.database.pool, planted)
  await plantDeliveries(ground.database.pool, planted, [other], 3)
  await run('truncate deliveries cascade')
  expect(await queued()).toBe(0)
})

test('an update of a delivery stands in the change log as it was and as it is', async () => {
  target = await plantWebhook(ground.database.pool, planted)
  const [id] = await plantDeliveries(ground.database.pool, planted, [target])
  const replay = randomUUID()
  await run(`insert into replays (id, webhook_id, filter, rate_per_second, total) values ($1, $2, '{}', 1, 1)`, [
    replay,
    target.id,
  ])
  await run('update deliveries set last_error = last_error')
  await run(`update deliveries set status = 'succeeded', attempt_count = 1, due_at = null, finished_at = now()`)
  await run(`update deliveries set status = 'pending', due_at = now(), finished_at = null, replay_id = $1`, [replay])
  const { rows } = await run(
    `select old, new from change_log where table_name = 'deliveries' and operation = 'update' and key->>'id' = $1 order by seq`,
    [id],
  )
  const image = { id, webhook_id: target.id, team_id: planted.team_id, connection_id: null }
  expect(rows).toMatchObject([
    {
      old: { ...image, status: 'pending', attempt_count: 0, replay_id: null },
      new: { ...image, status: 'succeeded', attempt_count: 1, replay_id: null },
    },
    {
      old: { ...image, status: 'succeeded', attempt_count: 1, replay_id: null },
      new: { ...image, status: 'pending', attempt_count: 1, replay_id: replay },
    },
  ])
  expect(Object.keys(rows[0].old).sort()).toEqual(Object.keys(rows[0].new).sort())
})

test('the end of a delivery leaves the indexes of deliveries alone', async () => {
  await plantDeliveries(ground.database.pool, planted, [target], 200)
  await run(
    `update deliveries set status = 'succeeded', attempt_count = 1, due_at = null, finished_at = now() where due_at is not null`,
  )
  await run('select pg_stat_force_next_flush()')
  const { rows } = await run(
    `select n_tup_hot_upd::float8 / n_tup_upd as share from pg_stat_user_tables where relname = 'deliveries'`,
  )
  expect(rows[0].share).toBeGreaterThan(0.8)
})
