import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { type Planted, plantDeliveries, plantTeam, plantWebhook } from '../delivery/deliveries.fixture.ts'
import { deliveriesCommand } from './deliveries.ts'
import { runMigrate } from './migrate.ts'

let ground: TestDatabase
let planted: Planted

beforeAll(async () => {
  ground = await testDatabase()
  planted = await plantTeam(ground.database.pool)
})
afterAll(() => ground.close())
beforeEach(() => ground.database.pool.query('delete from webhooks'))

async function run(...args: string[]): Promise<readonly string[]> {
  const lines: string[] = []
  const command = deliveriesCommand({ DATABASE_URL: ground.url }, (line) => lines.push(line))
  for (const each of [command, ...command.commands]) each.exitOverride().configureOutput({ writeErr: () => undefined })
  await command.parseAsync(args, { from: 'user' })
  return lines
}

test('deliveries are counted, listed, cancelled and tried again from the command line', async () => {
  const { pool } = ground.database
  const [one, two] = [await plantWebhook(pool, planted), await plantWebhook(pool, planted)]
  const [first] = await plantDeliveries(pool, planted, [one], 700)
  await plantDeliveries(pool, planted, [two], 2)
  expect(await run('counts')).toEqual([expect.stringMatching(/^pending 702 .* oldest due \d+\.\d s$/)])
  expect(await run('cancel', '--target', one.id)).toEqual(['700 deliveries are cancelled.'])
  expect(await run('list', '--status', 'pending')).toHaveLength(2)
  expect(await run('list', first ?? '')).toEqual([expect.stringContaining('Cancelled by an operator.')])
  expect(await run('retry', first ?? '')).toEqual(['1 deliveries are due now.'])
  expect(await run('retry', '--team', 'camden', '--status', 'cancelled')).toEqual(['699 deliveries are due now.'])
  const { rows } = await pool.query(
    'select distinct status, finished_at is null as open, due_at <= now() as due from deliveries',
  )
  expect(rows).toEqual([{ status: 'pending', open: true, due: true }])
})

test('nothing is changed without saying which', async () => {
  await expect(run('cancel')).rejects.toThrow('Say which deliveries')
  await expect(run('retry', 'nonsense')).rejects.toThrow('must be an id')
})

test.each([
  ['nonsense', /DATABASE_URL cannot be read/],
  ['mysql://sluice:hunter2@127.0.0.1/sluice', /DATABASE_URL cannot be read/],
  ['postgres://sluice:hunter2#1@127.0.0.1:5432/sluice', /DATABASE_URL cannot be read.* %23/],
  [
    'postgres://sluice:hunter2@127.0.0.1:1/sluice',
    /postgres:\/\/sluice@127\.0\.0\.1:1\/sluice cannot be used: .*ECONNREFUSED/,
  ],
  ['postgres://sluice@127.0.0.1:1/sluice?password=hunter2', /cannot be used: .*ECONNREFUSED/],
])('an address that leads to no database is told in a sentence without a password: %s', async (url, sentence) => {
  const counts = deliveriesCommand({ DATABASE_URL: url }, () => undefined)
  const all = [runMigrate({ DATABASE_URL: url }), counts.parseAsync(['counts'], { from: 'user' })]
  for (const { status, reason } of (await Promise.allSettled(all)) as PromiseRejectedResult[]) {
    expect(status).toBe('rejected')
    expect(reason).toMatchObject({ code: 'CONFIGURATION', message: expect.stringMatching(sentence) })
    expect(reason.message).not.toContain('hunter2')
  }
})
