import { afterAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from './database.ts'

const opened: TestDatabase[] = []
afterAll(() => Promise.all(opened.map((each) => each.close())))

test('every caller gets a migrated database of its own, also when many ask at once', async () => {
  opened.push(...(await Promise.all(Array.from({ length: 4 }, () => testDatabase()))))
  const names = new Set<string>()
  for (const { database } of opened) {
    const { rows } = await database.pool.query(
      'select current_database() as name, (select count(*) from teams)::int as teams',
    )
    expect(rows[0].teams).toBe(0)
    names.add(rows[0].name)
  }
  expect(names.size).toBe(4)
})

test('what one database is told, the other does not know', async () => {
  const [first, second] = opened
  await first?.database.pool.query('create table only_here (id int)')
  const { rows } = (await second?.database.pool.query(`select to_regclass('only_here') as found`)) ?? { rows: [] }
  expect(rows[0].found).toBeNull()
})
