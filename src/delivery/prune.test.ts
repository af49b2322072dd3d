import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { firstIdOf } from '../database/batches.ts'
import { plantDeliveries, plantTeam, plantWebhook, until } from './deliveries.fixture.ts'
import { pruneAttempts } from './prune-attempts.ts'
import { createChangeLogPruner } from './prune-change-log.ts'
import { pruneHistory } from './prune-history.ts'
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
  await pool.query('delete from teams')
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
  // What failed and is final goes too, later.
  await pool.query(`update deliveries set due_at = null where id = any ($1)`, [ids.slice(0, 3)])
  const all = { olderThanMs: 30 * day, failedOlderThanMs: 35 * day, batch: 7 }
  expect(await pruneAttempts(pool, { ...all, failedOlderThanMs: 50 * day })).toBe(0)
  expect(await pruneAttempts(pool, all)).toBe(3)
})

test('old events, replays, and deliveries of sessions that were purged long ago go; what runs and what is read stays', async () => {
  const { pool } = ground.database
  await pool.query('delete from teams')
  const planted = await plantTeam(pool)
  const target = await plantWebhook(pool, planted)
  const ids = await plantDeliveries(pool, planted, [target], 9)
  const [old, young] = [new Date(Date.now() - 100 * day), new Date(Date.now() - 10 * day)]
  const aged = (number: number, at: Date) => `${firstIdOf(at).slice(0, -2)}${String(number).padStart(2, '0')}`
  await pool.query(
    `update sessions set purged_at = $2 where id in (select session_id from deliveries where id = any($1))`,
    [ids.slice(0, 5), old],
  )
  await pool.query(
    `update sessions set purged_at = $2 where id in (select session_id from deliveries where id = any($1))`,
    [ids.slice(5, 7), young],
  )
  // As they would be had they been made then; the queue has nothing of deliveries that are final.
  for (const [number, id] of ids.entries()) {
    await pool.query(
      `with gone as (delete from deliveries where id = $1 returning *)
       insert into deliveries (id, event_id, session_id, team_id, integration_id, webhook_id, event_position, status, due_at)
       select $2, event_id, session_id, team_id, integration_id, webhook_id, event_position, 'succeeded', null from gone`,
      [id, aged(number, old)],
    )
  }
  for (const [number, at] of [old, old, old, young].entries()) {
    await pool.query(
      `insert into operational_events (id, type, team_id, webhook_id) values ($1, 'webhook.failing', $2, $3)`,
      [aged(number, at), planted.team_id, target.id],
    )
    await pool.query(`insert into replays (id, team_id, webhook_id, status, total) values ($1, $2, $3, $4, 1)`, [
      aged(number, at),
      planted.team_id,
      target.id,
      number === 0 ? 'running' : 'finished',
    ])
    await pool.query(`insert into replay_items (replay_id, ordinal, event_id) values ($1, 1, gen_random_uuid())`, [
      aged(number, at),
    ])
  }
  const before = new Date(Date.now() - 90 * day)
  expect(await pruneHistory(pool, { before, batch: 2 })).toEqual({ operational_events: 3, replays: 2, deliveries: 5 })
  expect(await count('replay_items')).toBe(2)
  expect(await pruneHistory(pool, { before, batch: 2 })).toEqual({ operational_events: 0, replays: 0, deliveries: 0 })
})

test('of each table it is written down what ends its rows', async () => {
  const { rows } = await ground.database.pool.query<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
  )
  const text = await readFile(new URL('../../docs/architecture.md', import.meta.url), 'utf8')
  const [, housekeeping = ''] = text.split('## Housekeeping')
  const missing = rows.map(({ name }) => name).filter((name) => !housekeeping.includes(`\`${name}\``))
  expect(missing.filter((name) => name !== '_prisma_migrations')).toEqual([])
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
