import { afterAll, beforeAll, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { pruneAccess } from './prune-access.ts'

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground?.close())

it('deletes what is over, and keeps what a live token could still meet', async () => {
  const { pool } = ground.database
  await pool.query(`
    insert into revoked_tokens (id, expires_at) values
      ('00000000-0000-4000-8000-000000000001', now() - interval '2 hours'),
      ('00000000-0000-4000-8000-000000000002', now() + interval '5 minutes');
    insert into ended_access (id, ended_at) values
      ('00000000-0000-4000-8000-000000000003', now() - interval '26 hours'),
      ('00000000-0000-4000-8000-000000000004', now() - interval '23 hours');
    insert into rate_limits (key, points, expire) values
      ('over', 1, (extract(epoch from now()) * 1000)::bigint - 1000),
      ('goes on', 1, (extract(epoch from now()) * 1000)::bigint + 60000);`)
  await pruneAccess(pool)
  const { rows } = await pool.query(
    `select right(id::text, 1) as kept from revoked_tokens union all select right(id::text, 1) from ended_access
     union all select key from rate_limits order by 1`,
  )
  expect(rows.map(({ kept }) => kept)).toEqual(['2', '4', 'goes on'])
})
