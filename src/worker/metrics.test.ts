import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { described, documented, parseMetrics, scrape } from '../../test/ground/metrics.ts'
import { createSealer } from '../access/seal.ts'
import { readConfig } from '../config.ts'
import { createReadiness } from '../database/readiness.ts'
import { plantDeliveries, plantTeam, plantWebhook, until } from '../delivery/deliveries.fixture.ts'
import { createFileStore } from '../files/store.ts'
import { silentLog } from '../log.ts'
import { createWorkerMetrics } from './metrics.ts'
import { startWorkerParts } from './worker.ts'

let ground: TestDatabase

beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground.close())

test('a worker counts what it does, and says what waits', async () => {
  const { pool } = ground.database
  const secretKey = randomBytes(32).toString('base64')
  const config = readConfig({
    DATABASE_URL: ground.url,
    SLUICE_SECRET_KEY: secretKey,
    S3_ENDPOINT: 'http://127.0.0.1:9',
    S3_ACCESS_KEY: 'a',
    S3_SECRET_KEY: 'b',
    SMTP_URL: 'smtp://127.0.0.1:9',
    METRICS_PORT: '0',
  })
  const planted = await plantTeam(pool)
  await plantDeliveries(pool, planted, [await plantWebhook(pool, planted)], 3)
  const worker = await startWorkerParts({
    config,
    database: ground.database,
    sealer: createSealer(secretKey),
    files: createFileStore(config),
    log: silentLog,
    schedules: [],
    carriers: () => [
      { kind: 'webhook', deliver: async () => ({ outcome: 'failed', error_class: 'http', status_code: 500 }) },
    ],
  })
  try {
    const url = worker.metricsUrl ?? ''
    await until(
      async () => (await pool.query('select 1 from delivery_attempts')).rowCount,
      (count) => count === 3,
    )
    const text = await (await fetch(url)).text()
    expect(text).toContain('sluice_delivery_attempts_total{kind="webhook",outcome="http"} 3')
    expect(text).toContain('sluice_deliveries_unfinished{status="waiting"} 3')
    expect(text).toContain('sluice_deliveries_claimed_total 3')
    expect(text).toMatch(/sluice_delivery_latency_seconds_count\{kind="webhook"\} 3/)
    expect(text).toContain('sluice_production_waiting{of="raw_sources"} 0')
    expect(text).toContain('sluice_production_waiting{of="sessions"} 0')
    const served = described(await scrape(url))
    expect(Object.keys(served).sort()).toEqual(Object.keys(documented('Workers')).sort())
    expect(documented('Workers')).toMatchObject(served)
    expect((await fetch(new URL('/healthz', url))).status).toBe(204)
    const ready = await fetch(new URL('/readyz', url))
    expect(ready.status).toBe(200)
    expect(await ready.json()).toEqual({
      status: 'ready',
      checks: { database: 'ok', migrations: 'ok', deliveries: 'ok' },
    })
    expect((await fetch(new URL('/other', url))).status).toBe(404)
    expect((await fetch(url, { method: 'POST' })).status).toBe(405)
  } finally {
    await worker.close()
  }
})

test('conversions are counted by what came of them, sessions by how long they settled', async () => {
  const metrics = createWorkerMetrics(ground.database.pool)
  metrics.converted('converted', 0.02)
  metrics.converted('failed', 0.01)
  metrics.settled(0.014, 3)
  const text = await metrics.registry.metrics()
  expect(text).toContain('sluice_conversions_total{outcome="converted"} 1')
  expect(text).toContain('sluice_conversions_total{outcome="failed"} 1')
  expect(text).toContain('sluice_conversion_seconds_count 2')
  expect(text).toContain('sluice_settling_seconds_bucket{le="0.025"} 1')
  expect(text).toContain('sluice_modifier_changes_total 3')
  const { sluice_conversions_total } = described(parseMetrics(text))
  expect(documented('Workers').sluice_conversions_total).toEqual(sluice_conversions_total)
})

test('a database that hangs makes a process unready, and is asked by one statement at a time', async () => {
  const pool = new pg.Pool({ connectionString: ground.url, max: 1 })
  try {
    const ready = await createReadiness({ pool, keptMs: 0, patienceMs: 200, checks: { else: () => true } })
    const holder = await pool.connect()
    const failed = { ready: false, checks: { database: 'failed', migrations: 'failed', else: 'ok' } }
    expect(await Promise.all([ready(), ready(), ready()])).toEqual([failed, failed, failed])
    expect(await ready()).toEqual(failed)
    expect(pool.waitingCount).toBe(1)
    holder.release()
    await expect
      .poll(ready, { timeout: 20_000 })
      .toEqual({ ready: true, checks: { database: 'ok', migrations: 'ok', else: 'ok' } })
  } finally {
    await pool.end()
  }
})
