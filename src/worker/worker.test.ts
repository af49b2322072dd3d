import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { startReceiver } from '../../test/ground/receiver.ts'
import { createSealer } from '../access/seal.ts'
import { readConfig } from '../config.ts'
import { firstIdOf } from '../database/batches.ts'
import { type Planted, plantDeliveries, plantTeam, until } from '../delivery/deliveries.fixture.ts'
import { createFileStore } from '../files/store.ts'
import { silentLog } from '../log.ts'
import { createWebhook } from '../webhooks/webhooks.ts'
import { startWorker, startWorkerParts, type WorkerOptions } from './worker.ts'

let ground: TestDatabase
let planted: Planted
let options: WorkerOptions
const secretKey = randomBytes(32).toString('base64')
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  ground = await testDatabase()
  planted = await plantTeam(ground.database.pool)
  const config = readConfig({
    DATABASE_URL: ground.url,
    SLUICE_SECRET_KEY: secretKey,
    S3_ENDPOINT: 'http://127.0.0.1:9',
    S3_ACCESS_KEY: 'a',
    S3_SECRET_KEY: 'b',
    SMTP_URL: 'smtp://127.0.0.1:9',
    EGRESS_ALLOW: '127.0.0.1',
  })
  const sealer = createSealer(secretKey)
  options = { config, database: ground.database, sealer, files: createFileStore(config), log: silentLog }
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await ground.database.pool.query('delete from webhooks')
})
afterAll(() => ground.close())

async function webhookTo(url: string) {
  const parts = { ...options, rules: { allow: ['127.0.0.1'] }, validatePattern: () => undefined }
  const { webhook } = await createWebhook(parts, { integration_id: planted.integration_id, name: 'hook', url })
  return { id: webhook.id, integration_id: planted.integration_id }
}

const statuses = async () =>
  (await ground.database.pool.query<{ status: string }>('select status from deliveries')).rows.map((row) => row.status)

test('two workers start at once on a new database, deliver, and close', async () => {
  const receiver = await startReceiver()
  closing.push(() => receiver.close())
  const workers = await Promise.all([startWorker(options), startWorker(options)])
  closing.push(() => Promise.all(workers.map((worker) => worker.close())))
  const ids = await plantDeliveries(ground.database.pool, planted, [await webhookTo(receiver.url)], 20)
  await until(statuses, (all) => all.every((status) => status === 'succeeded'))
  expect(receiver.requests.map(({ headers }) => headers['webhook-id']).sort()).toEqual([...ids].sort())
  const { rows } = await ground.database.pool.query(
    'select identifier from graphile_worker._private_known_crontabs order by 1',
  )
  expect(rows.map((row) => row.identifier)).toEqual(expect.arrayContaining(['prune_attempts', 'prune_change_log']))
})

test('a scheduled job does its work', async () => {
  const { pool } = ground.database
  const [id] = await plantDeliveries(pool, planted, [await webhookTo('http://127.0.0.1:1')])
  await pool.query(`update deliveries set status = 'succeeded', due_at = null where id = $1`, [id])
  await pool.query(
    `insert into delivery_attempts (id, delivery_id, number, outcome, started_at, duration_ms)
     values ($1, $2, 1, 'succeeded', now() - interval '1 year', 1)`,
    [firstIdOf(new Date(Date.now() - 365 * 86_400_000)), id],
  )
  const worker = await startWorker(options)
  closing.push(() => worker.close())
  await pool.query(`select graphile_worker.add_job('prune_attempts')`)
  const old = async () => (await pool.query('select 1 from delivery_attempts where delivery_id = $1', [id])).rowCount
  await until(old, (count) => count === 0)
})

test('when a worker is killed, another delivers after the lease, under the same webhook-id', async () => {
  const leaseMs = 600
  let answers = 0
  const receiver = await startReceiver({
    // The first worker never gets its answer.
    handler: (_request, response) => {
      if (++answers > 1) response.writeHead(204).end()
    },
  })
  closing.push(() => receiver.close())
  const [id] = await plantDeliveries(ground.database.pool, planted, [await webhookTo(receiver.url)])
  const child: ChildProcess = spawn(
    process.execPath,
    [path.join(import.meta.dirname, 'crash.fixture.ts'), ground.url, secretKey, String(leaseMs)],
    { stdio: 'inherit' },
  )
  closing.push(async () => child.kill('SIGKILL'))
  const first = await receiver.next(undefined, 10_000)
  child.kill('SIGKILL')
  await once(child, 'exit')

  const worker = await startWorkerParts({ ...options, schedules: [], engine: { pollMs: 50 } })
  closing.push(() => worker.close())
  const second = await receiver.next()
  expect(first.headers['webhook-id']).toBe(id)
  expect(second.headers['webhook-id']).toBe(id)
  expect(second.at - first.at).toBeLessThan(leaseMs + 30_000)
  await until(statuses, ([status]) => status === 'succeeded')
  const { rows } = await ground.database.pool.query('select number, outcome from delivery_attempts')
  expect(rows).toEqual([{ number: 2, outcome: 'succeeded' }])
})
