/**
 * Signed deliveries per second of one engine to a receiver on loopback in another
 * process, beside a bare undici loop that posts the same signed bodies to it.
 *
 *   npm run bench -- deliveries [--count 20000] [--targets 50]
 *
 * What the figure is not: there is no TLS and no distance, and Postgres, engine
 * and receiver share the machine.
 */
import { fork } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { Agent } from 'undici'
import { createSealer } from '../src/access/seal.ts'
import { openDatabase } from '../src/database/database.ts'
import { plantDeliveries, plantTeam, until } from '../src/delivery/deliveries.fixture.ts'
import { startDeliveryEngine } from '../src/delivery/engine.ts'
import { createEgress } from '../src/egress/egress.ts'
import { silentLog } from '../src/log.ts'
import { createWebhookCarrier } from '../src/webhooks/carrier.ts'
import { newSigningSecret, readSigningSecret, sign } from '../src/webhooks/signing.ts'
import { createWebhook } from '../src/webhooks/webhooks.ts'
import { startGround } from './ground/ground.ts'

if (process.send) await receive()
else await measure()

/** The other process: answers 204 to everything. */
async function receive(): Promise<void> {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(204).end())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.send?.((server.address() as AddressInfo).port)
  process.on('disconnect', () => process.exit())
}

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: { count: { type: 'string', default: '20000' }, targets: { type: 'string', default: '50' } },
  })
  const count = Number(values.count)
  const targets = Number(values.targets)
  await using stack = new AsyncDisposableStack()
  const receiver = fork(import.meta.filename)
  stack.defer(() => receiver.disconnect())
  const [port] = await once(receiver, 'message')
  const url = `http://127.0.0.1:${port}/`
  const { databaseUrl } = await startGround(stack)
  await bare({ url, count })
  const engine = await deliveries({ databaseUrl, url, count, targets })
  const loop = await bare({ url, count })
  console.table({
    'bare undici loop, signed bodies': { 'per second': Math.round(loop) },
    'engine: claim, sign, post, record': {
      'per second': Math.round(engine),
      'of bare': `${Math.round((engine / loop) * 100)} %`,
    },
  })
}

interface Run {
  readonly url: string
  readonly count: number
}

async function deliveries({ databaseUrl, url, count, targets }: Run & { databaseUrl: string; targets: number }) {
  const database = openDatabase({ url: databaseUrl, log: silentLog })
  const { pool } = database
  const sealer = createSealer(randomBytes(32).toString('base64'))
  const planted = await plantTeam(pool)
  const parts = { database, sealer, rules: { allow: ['127.0.0.1'] }, validatePattern: () => undefined }
  const made = await Promise.all(
    Array.from({ length: targets }, async (_, index) => {
      const { webhook } = await createWebhook(parts, {
        integration_id: planted.integration_id,
        name: `hook ${index}`,
        url,
      })
      return { id: webhook.id, integration_id: planted.integration_id }
    }),
  )
  await plantDeliveries(pool, planted, made, Math.ceil(count / targets))
  await pool.query('vacuum analyze')
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const start = performance.now()
  const engine = startDeliveryEngine({
    pool,
    carriers: [createWebhookCarrier({ pool, sealer, egress })],
    log: silentLog,
  })
  await until(
    async () => (await pool.query('select 1 from deliveries where due_at is not null limit 1')).rowCount,
    (left) => left === 0,
    120_000,
  )
  const rate = count / ((performance.now() - start) / 1000)
  await engine.stop()
  await egress.close()
  await database.close()
  return rate
}

/** 64 at once, like the engine. */
async function bare({ url, count }: Run): Promise<number> {
  const agent = new Agent()
  const { origin } = new URL(url)
  const keys = [readSigningSecret(newSigningSecret())]
  let left = count
  const start = performance.now()
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (left-- > 0) {
        const body = JSON.stringify({
          type: 'session.submitted',
          timestamp: new Date().toISOString(),
          data: { id: randomUUID(), team: 'camden', flow: 'apply', paymentID: 'pay_1', config: {} },
        })
        const headers = {
          'content-type': 'application/json',
          ...sign({ id: randomUUID(), at: new Date(), body, keys }),
        }
        const answer = await agent.request({ origin, path: '/', method: 'POST', headers, body })
        await answer.body.dump()
      }
    }),
  )
  const rate = count / ((performance.now() - start) / 1000)
  await agent.close()
  return rate
}
