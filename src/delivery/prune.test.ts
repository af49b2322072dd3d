import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { plantDeliveries, plantTeam, plantWebhook, until } from './deliveries.fixture.ts'
import { firstIdOf, pruneAttempts } from './prune-attempts.ts'
import { createChangeLogPruner } from './prune-change-log.ts'
import { pruneLeases } from './renew.ts'

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground.close())

const day = 86_400_000
const count = async (table: string) =>
  (await ground.database.pool.query<{ n: number }>(`select count(*)::int as n from ${table}`)).rows[0]?.n

test('the change log loses what has been readable for long, in batches, and nothing that an open transaction holds back', async () => {
  const { pool } = ground.database
  await pool.query('delete from change_log')
  const add = (client: { query: typeof pool.query }, rows: number) =>
    client.query(
      `insert into change_log (table_name, operation, key, created_at)
       select 'teams', 'insert', '{}', now() - interval '1 day' from generate_series(1, $1::int)`,
      [rows],
    )
  /** Transactions of other databases of the server hold the horizon back too. */
  const readable = () =>
    until(
      async () =>
        (
          await pool.query<{ held: boolean }>(
            'select exists (select from change_log where xid >= pg_snapshot_xmin(pg_current_snapshot())) as held',
          )
        ).rows[0]?.held,
      (held) => held === false,
    )
  let now = 0
  const pruner = createChangeLogPruner(pool, { keepMs: 60_000, batch: 10, clock: () => now })
  await add(pool, 25)
  await readable()
  expect(await pruner.prune()).toBe(0)
  // Its rows stay unreadable, and so do those that commit after it began, however old they say they are.
  const open = await pool.connect()
  await open.query('begin')
  await add(open, 3)
  await add(pool, 4)
  now = 60_000
  expect(await pruner.prune()).toBe(25)
  now = 120_000
  expect(await pruner.prune()).toBe(0)
  await open.query('commit')
  open.release()
  await readable()
  expect(await count('change_log')).toBe(7)
  now = 180_000
  expect(await pruner.prune()).toBe(0)
  now = 240_000
  expect(await pruner.prune()).toBe(7)
})

test('old attempts of succeeded deliveries go; those of others, and new ones, stay', async () => {
  const { pool } = ground.database
  const planted = await plantTeam(pool)
  const ids = await plantDeliveries(pool, planted, [await plantWebhook(pool, planted)], 30)
  await pool.query(`update deliveries set status = 'exhausted' where id = any ($1)`, [ids.slice(0, 5)])
  await pool.query(`update deliveries set status = 'succeeded' where id = any ($1)`, [ids.slice(5)])
  const attempt = (id: string, number: number, at: Date) =>
    pool.query(
      `insert into delivery_attempts (id, delivery_id, number, outcome, started_at, duration_ms)
       values ($1, $2, $3, 'succeeded', $4, 1)`,
      [firstIdOf(at).slice(0, -12) + id.slice(-12), id, number, at],
    )
  for (const id of ids) {
    await attempt(id, 1, new Date(Date.now() - 40 * day))
    await attempt(id, 2, new Date())
  }
  expect(await pruneAttempts(pool, { olderThanMs: 30 * day, batch: 7 })).toBe(25)
  expect(await count('delivery_attempts')).toBe(35)
  expect(await pruneAttempts(pool, { olderThanMs: 30 * day, batch: 7 })).toBe(0)
})

test('leases of deliveries that are final or gone are removed, those that another worker may take over stay', async () => {
  const { pool } = ground.database
  const ids = Array.from({ length: 3 }, () => randomUUID())
  await pool.query(
    `insert into delivery_leases (delivery_id, target_id, worker_id, token, attempt, leased_until)
     select coalesce((select id from deliveries where due_at is not null limit 1), $1::uuid), $1, $1, $1, 1, now() - interval '1 hour'
     union all values ($2::uuid, $2::uuid, $2::uuid, $2::uuid, 1, now() - interval '1 hour'),
                      ($3::uuid, $3::uuid, $3::uuid, $3::uuid, 1, now())`,
    ids,
  )
  const unfinished = (await pool.query('select 1 from deliveries where due_at is not null')).rowCount ?? 0
  expect(await pruneLeases(pool)).toBe(unfinished > 0 ? 1 : 2)
  expect(await pruneLeases(pool)).toBe(0)
})
