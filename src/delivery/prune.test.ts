import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { plantDeliveries, plantTeam, plantWebhook } from './deliveries.fixture.ts'
import { firstIdOf, pruneAttempts } from './prune-attempts.ts'
import { pruneChangeLog } from './prune-change-log.ts'

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground.close())

const day = 86_400_000
const count = async (table: string) =>
  (await ground.database.pool.query<{ n: number }>(`select count(*)::int as n from ${table}`)).rows[0]?.n

test('the change log loses what is old, in batches, and keeps what is new', async () => {
  const { pool } = ground.database
  await pool.query('delete from change_log')
  const add = (rows: number, age: string) =>
    pool.query(
      `insert into change_log (table_name, operation, key, created_at)
       select 'teams', 'insert', '{}', now() - $1::interval from generate_series(1, $2::int)`,
      [age, rows],
    )
  await add(25, '10 minutes')
  await add(7, '1 second')
  expect(await pruneChangeLog(pool, { olderThanMs: 60_000, batch: 10 })).toBe(25)
  expect(await count('change_log')).toBe(7)
  expect(await pruneChangeLog(pool, { olderThanMs: 60_000, batch: 10 })).toBe(0)
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
