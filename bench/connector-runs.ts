/**
 * Whole runs through the carrier: grant, audit, sandbox, one request to a local
 * server, run row. Beside it the same statements and request without a sandbox.
 * The ways take turns, and each figure is the median of its rounds; the first round warms up and does not count.
 * Run with an empty database: DATABASE_URL=postgres://… npm run bench -- connector-runs --rounds 5 --runs 200
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { parseArgs } from 'node:util'

import { connectorGround, unhurried } from '../src/connectors/ground.fixture.ts'
import { recordRun } from '../src/connectors/record.ts'
import { retrieveForRun } from '../src/connectors/retrieve.ts'
import { openDatabase } from '../src/database/database.ts'
import { migrate } from '../src/database/migrate.ts'
import type { LeasedDelivery } from '../src/delivery/carrier.ts'
import { createEgress } from '../src/egress/egress.ts'
import { silentLog } from '../src/log.ts'
import { spread } from './ground/figures.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, runs: { type: 'string', default: '200' } },
})
const url = process.env.DATABASE_URL
if (!url) throw new Error('Set DATABASE_URL to an empty database.')
await migrate(url)
const ground = await connectorGround({ on: openDatabase({ url, log: silentLog, poolSize: 20 }) })
const sink = fork(path.join(import.meta.dirname, 'ground/sink.ts'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
const [{ port }] = (await once(sink, 'message')) as [{ port: number }]
const receiver = { port, url: `http://127.0.0.1:${port}` }
const egress = createEgress({ allow: ['127.0.0.0/8'] })
const carrier = ground.carrier()
const permissions = [{ socket: `127.0.0.1:${receiver.port}` }]
const code = `export default async ({ session, request, config }) =>
  (await request.post(config.url, session)).statusCode === 204 ? 'success' : 'failed'`

async function deliveries(manifest: object = {}): Promise<LeasedDelivery[]> {
  const folder = await ground.package(code, { permissions, ...manifest })
  const make = async () => ground.delivery(await ground.connected(folder, { config: { url: receiver.url } }))
  return Promise.all(Array.from({ length: 8 }, make))
}

async function withoutSandbox(delivery: LeasedDelivery): Promise<void> {
  const { pool } = ground.database
  const ids = {
    connection_id: delivery.target_id,
    session_id: delivery.session_id,
    delivery_id: delivery.id,
    attempt: 1,
  }
  const found = await retrieveForRun(pool, { ...ids, retentionAfterRetrievalDays: 5 })
  await egress.request({ method: 'POST', url: receiver.url, body: JSON.stringify(found?.session?.data) })
  const nothing = {
    connector: '',
    revision: 1,
    succeeded: true,
    message: null,
    log: [],
    calls: [],
    stateChange: undefined,
  }
  await recordRun(pool, { ...ids, ...nothing, started_at: new Date(), duration_ms: 1 })
}

/** Runs a second over 8 connections, each one run at a time. */
async function perSecond(all: readonly LeasedDelivery[], once: (delivery: LeasedDelivery) => Promise<unknown>) {
  const each = Number(values.runs)
  const begun = performance.now()
  await Promise.all(
    all.map(async (delivery) => {
      for (let index = 0; index < each; index++) await once(delivery)
    }),
  )
  return Math.round((all.length * each * 1000) / (performance.now() - begun))
}

const plain = await deliveries()
const stateful = await deliveries({ settings: [{ key: 'seen', type: 'INTERNAL' }] })
const deliver = (delivery: LeasedDelivery) => carrier.deliver(delivery, unhurried)
const ways: Record<string, () => Promise<number>> = {
  without_sandbox: () => perSecond(plain, withoutSandbox),
  runs: () => perSecond(plain, deliver),
  runs_with_state: () => perSecond(stateful, deliver),
}
const rates: Record<string, number[]> = {}
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const [name, measured] of Object.entries(ways)) {
    const rate = await measured()
    if (round > 0) rates[name] = [...(rates[name] ?? []), rate]
  }
}
const entries = Object.entries(rates).map(([name, all]) => [name, spread(all)])
process.stdout.write(`${JSON.stringify({ per_second: Object.fromEntries(entries) }, null, 2)}\n`)
await egress.close()
await ground.close()
sink.kill()
