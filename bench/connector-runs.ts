/**
 * Whole runs through the carrier: grant, audit, sandbox, one request to a local
 * server, run row. Beside it the same statements and request without a sandbox.
 * Run with an empty database: DATABASE_URL=postgres://… npm run bench -- connector-runs
 */

import { connectorGround, unhurried } from '../src/connectors/ground.fixture.ts'
import { recordRun } from '../src/connectors/record.ts'
import { retrieveForRun } from '../src/connectors/retrieve.ts'
import { openDatabase } from '../src/database/database.ts'
import { migrate } from '../src/database/migrate.ts'
import type { LeasedDelivery } from '../src/delivery/carrier.ts'
import { createEgress } from '../src/egress/egress.ts'
import { silentLog } from '../src/log.ts'
import { startReceiver } from '../test/ground/receiver.ts'

const url = process.env.DATABASE_URL
if (!url) throw new Error('Set DATABASE_URL to an empty database.')
await migrate(url)
const ground = await connectorGround({ on: openDatabase({ url, log: silentLog, poolSize: 20 }) })
const receiver = await startReceiver()
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
  for (const delivery of all) await once(delivery)
  const each = 300
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
const result = {
  without_sandbox: await perSecond(plain, withoutSandbox),
  runs_per_second: await perSecond(plain, deliver),
  runs_per_second_with_state: await perSecond(stateful, deliver),
}
process.stdout.write(`${JSON.stringify(result)}\n`)
await egress.close()
await ground.close()
await receiver.close()
