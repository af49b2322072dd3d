import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { createAttempts } from './attempts.ts'

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground?.close())
beforeEach(() => ground.database.pool.query('truncate rate_limits'))

const limits = {
  pair: { points: 3, seconds: 60 },
  name: { points: 5, seconds: 60 },
  address: { points: 6, seconds: 60 },
}
const attempts = () => createAttempts(ground.database, limits)

async function fail(times: number, key: string, address: string | null): Promise<void> {
  const all = attempts()
  for (let time = 0; time < times; time += 1) await all.failed('secret', key, address)
}

it('counts failures of one name from one address, for all processes', async () => {
  await fail(3, 'key', '192.0.2.1')
  await expect(attempts().check('secret', 'key', '192.0.2.1')).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    details: { limit: 'failed_attempts', retry_after_seconds: expect.any(Number) },
  })
  await expect(attempts().check('secret', 'key', '192.0.2.2')).resolves.toBeUndefined()
  await expect(attempts().check('password', 'key', '192.0.2.1')).resolves.toBeUndefined()
})

it('counts failures of one name from everywhere, but not against who is at home there', async () => {
  const owner = attempts()
  owner.succeeded('secret', 'key', '198.51.100.1')
  for (const last of [1, 2, 3, 4, 5]) await fail(1, 'key', `192.0.2.${last}`)
  await expect(attempts().check('secret', 'key', '192.0.2.99')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  await expect(owner.check('secret', 'key', '198.51.100.1')).resolves.toBeUndefined()
})

it('counts failures of one address for all names, and an IPv6 network as one', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await fail(1, name, `2001:db8:1:1::${name}`)
  await expect(attempts().check('secret', 'g', '2001:db8:1:1::9')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  await expect(attempts().check('secret', 'g', '2001:db8:1:2::9')).resolves.toBeUndefined()
})

it('writes nothing for who is right, and keeps no name', async () => {
  const all = attempts()
  await all.check('password', 'somebody@example.org', '192.0.2.1')
  all.succeeded('password', 'somebody@example.org', '192.0.2.1')
  expect((await ground.database.pool.query('select 1 from rate_limits')).rowCount).toBe(0)
  await all.failed('password', 'somebody@example.org', null)
  const { rows } = await ground.database.pool.query('select key from rate_limits')
  expect(rows.length).toBeGreaterThan(0)
  expect(JSON.stringify(rows)).not.toMatch(/somebody|192\.0/)
})
