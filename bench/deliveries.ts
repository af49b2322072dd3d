/**
 * The delivery engine alone: signed deliveries per second beside a bare undici loop and two queue libraries, latency
 * from commit to receiver, noisy neighbours, and claims from a million that wait.
 *
 *   npm ci --prefix bench/peers          once; without it the peers are left out
 *   npm run bench -- deliveries [--count 20000] [--seconds 10] [--large] [--only speed,latency,noise,depth]
 *
 * Receivers are on loopback in another process. What the figures are not: there is
 * no TLS and no distance, and Postgres, engine and receiver share the machine.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { Agent } from 'undici'
import { createSealer } from '../src/access/seal.ts'
import { type Database, openDatabase } from '../src/database/database.ts'
import { claimDeliveries } from '../src/delivery/claim.ts'
import {
  type Planted,
  type PlantedTarget,
  plantDeliveries,
  plantTeam,
  plantWebhook,
  until,
  wakeWorkers,
} from '../src/delivery/deliveries.fixture.ts'
import { startDeliveryEngine } from '../src/delivery/engine.ts'
import { createEgress } from '../src/egress/egress.ts'
import { silentLog } from '../src/log.ts'
import { createWebhookCarrier } from '../src/webhooks/carrier.ts'
import { newSigningSecret, readSigningSecret, sign } from '../src/webhooks/signing.ts'
import { createWebhook } from '../src/webhooks/webhooks.ts'
import type { Arrival } from './deliveries/receiver.ts'
import { cpuBetween, cpuOf, cpuOfPostgres } from './ground/cpu.ts'
import { percentiles } from './ground/figures.ts'
import { databaseNamed, startGround } from './ground/ground.ts'
import { keepRate } from './ground/load.ts'

const { values: given } = parseArgs({
  options: {
    count: { type: 'string', default: '20000' },
    targets: { type: 'string', default: '50' },
    // Claims from a million too: planting them takes minutes.
    large: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '10' },
    only: { type: 'string', default: 'speed,latency,noise,depth' },
  },
})
const count = Number(given.count)
const targetCount = Number(given.targets)
const seconds = Number(given.seconds)
const parts = new Set(given.only.split(','))
/** A process that has just started compiles and connects: its first load is not measured. */
const warmUpSeconds = 2
const sealer = createSealer(randomBytes(32).toString('base64'))

await using stack = new AsyncDisposableStack()
const receiver = fork(path.join(import.meta.dirname, 'deliveries/receiver.ts'))
stack.defer(() => receiver.disconnect())
const [port] = await once(receiver, 'message')
const url = `http://127.0.0.1:${port}/`
const ground = await startGround(stack)

if (parts.has('speed') || parts.has('engine')) await speed()
if (parts.has('latency')) await latency()
if (parts.has('noise')) await noise()
if (parts.has('depth')) await depth()

/** A database of its own for each part. */
async function inDatabase<T>(name: string, use: (database: Database, planted: Planted) => Promise<T>): Promise<T> {
  const { pathname } = new URL(ground.databaseUrl)
  const other = new pg.Client({ connectionString: databaseNamed(ground.databaseUrl, 'postgres') })
  await other.connect()
  try {
    await other.query(`create database ${name} template ${pathname.slice(1)}`)
  } finally {
    await other.end()
  }
  const database = openDatabase({ url: databaseNamed(ground.databaseUrl, name), log: silentLog })
  try {
    return await use(database, await plantTeam(database.pool))
  } finally {
    await database.close()
  }
}

interface RunningEngine {
  readonly claims: { count: number; taken: number; seconds: number }
  readonly settles: { count: number; results: number; seconds: number }
  stop(): Promise<void>
}

function startEngine({ pool }: Database): RunningEngine {
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const claims = { count: 0, taken: 0, seconds: 0 }
  const settles = { count: 0, results: 0, seconds: 0 }
  const engine = startDeliveryEngine({
    pool,
    carriers: [createWebhookCarrier({ pool, sealer, egress })],
    log: silentLog,
    observer: {
      claimed(taken, took) {
        claims.count++
        claims.taken += taken
        claims.seconds += took
      },
      settled(results, took) {
        settles.count++
        settles.results += results
        settles.seconds += took
      },
    },
  })
  return {
    claims,
    settles,
    async stop() {
      await engine.stop({ waitMs: 0 })
      await egress.close()
    },
  }
}

function shownWork({ claims, settles }: RunningEngine): string {
  return (
    `engine: ${claims.count} claims of ${(claims.taken / claims.count).toFixed(1)} deliveries, ${((claims.seconds / claims.count) * 1000).toFixed(1)} ms each; ` +
    `${settles.count} writes of ${(settles.results / settles.count).toFixed(1)} results, ${((settles.seconds / settles.count) * 1000).toFixed(1)} ms each`
  )
}

async function webhooksTo(database: Database, planted: Planted, urls: readonly string[]): Promise<PlantedTarget[]> {
  const options = { database, sealer, rules: { allow: ['127.0.0.1'] }, validatePattern: () => undefined }
  const made: PlantedTarget[] = []
  for (const [index, each] of urls.entries()) {
    const input = { integration_id: planted.integration_id, name: `hook ${index}`, url: each }
    const { webhook } = await createWebhook(options, input)
    made.push({ id: webhook.id, integration_id: planted.integration_id })
  }
  return made
}

/** From a full queue to an empty one. */
async function speed(): Promise<void> {
  await bare()
  const first = await bare()
  const engine = await inDatabase('speed', async (database, planted) => {
    const { pool } = database
    const targets = await webhooksTo(database, planted, Array<string>(targetCount).fill(url))
    await plantDeliveries(pool, planted, targets, Math.ceil(count / targetCount))
    await pool.query('vacuum analyze')
    const before = await cpuNow()
    const start = performance.now()
    const running = startEngine(database)
    // Asking the database again and again took a quarter of its time.
    await until(
      async () => running.settles.results,
      (settled) => settled >= count,
      120_000,
    )
    const rate = count / ((performance.now() - start) / 1000)
    const used = cpuSince(before, await cpuNow())
    await running.stop()
    console.log(shownWork(running))
    return { rate, used }
  })
  const second = await bare()
  const loop = (first.rate + second.rate) / 2
  const loopCpu = (first.cpuMs + second.cpuMs) / 2
  const rows: Record<string, { 'per second': number; 'of bare': string }> = {}
  const add = (name: string, rate: number) => {
    rows[name] = { 'per second': Math.round(rate), 'of bare': `${Math.round((rate / loop) * 100)} %` }
  }
  add('bare undici loop, signed bodies (before and after)', loop)
  add('engine: claim, sign, post, record attempt, tell live queries', engine.rate)
  if (!parts.has('speed')) console.log('Peers are left out.')
  else if (existsSync(path.join(import.meta.dirname, 'peers/node_modules/bullmq'))) {
    add('graphile-worker 0.18, batched: sign, post', await peer('graphile-worker'))
    add('BullMQ over PostgreSQL: sign, post', await peer('bullmq'))
  } else console.log('The peers are not installed: npm ci --prefix bench/peers')
  console.table(rows)
  const { here, postgres, receiver: received } = engine.used
  console.log(
    `CPU of 1,000 deliveries: bare loop ${loopCpu.toFixed(0)} ms; worker ${here.toFixed(0)} ms (a worker with a core to itself: ` +
      `${Math.round((loopCpu / here) * 100)} % of bare), Postgres ${postgres.toFixed(0)} ms, receiver ${received.toFixed(0)} ms`,
  )
}

interface Cpu {
  readonly here: number
  readonly receiver: number
  readonly postgres: ReadonlyMap<number, number>
}

async function cpuNow(): Promise<Cpu> {
  return {
    here: process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000,
    receiver: await cpuOf(receiver.pid ?? 0),
    postgres: await cpuOfPostgres(ground.dataFolder),
  }
}

/** Milliseconds for a thousand deliveries. */
function cpuSince(before: Cpu, after: Cpu) {
  const each = (ms: number) => (ms / count) * 1000
  return {
    here: each(after.here - before.here),
    receiver: each(after.receiver - before.receiver),
    postgres: each(cpuBetween(before.postgres, after.postgres)),
  }
}

/** A sender on a queue library: it keeps no attempts, and a killed one loses its jobs for hours or half a minute. */
async function peer(name: 'graphile-worker' | 'bullmq'): Promise<number> {
  return inDatabase(`peer_${name.replace('-', '_')}`, async (database) => {
    const jobs = Math.max(1000, Math.round(count / (name === 'bullmq' ? 8 : 2)))
    const { connectionString } = database.pool.options
    const child: ChildProcess = fork(path.join(import.meta.dirname, `peers/sender-${name}.mjs`), {
      env: { PATH: process.env.PATH, DATABASE_URL: connectionString, RECEIVER_URL: url, COUNT: String(jobs) },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const late = setTimeout(() => child.kill('SIGKILL'), 60_000)
    try {
      const [message] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [{ perSecond?: number }]
      return message?.perSecond ?? Number.NaN
    } finally {
      clearTimeout(late)
      child.kill()
    }
  })
}

/** 64 at once, like the engine. */
async function bare(): Promise<{ readonly rate: number; readonly cpuMs: number }> {
  const agent = new Agent()
  const { origin } = new URL(url)
  const keys = [readSigningSecret(newSigningSecret())]
  let left = count
  const before = process.cpuUsage()
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
  const { user, system } = process.cpuUsage(before)
  await agent.close()
  return { rate, cpuMs: (user + system) / count }
}

/** Events at a steady rate, whatever comes back; from the answered commit to the receiver, in milliseconds by target. */
async function steady(
  database: Database,
  planted: Planted,
  targets: readonly (readonly PlantedTarget[])[],
  perSecond: number,
): Promise<ReadonlyMap<string, number[]>> {
  const { pool } = database
  receiver.send('keep')
  await once(receiver, 'message')
  const committed = new Map<string, number>()
  await keepRate(
    async (index) => {
      const fan = targets[index % targets.length] ?? []
      const ids = await plantDeliveries(pool, planted, fan)
      const at = performance.timeOrigin + performance.now()
      if (index >= warmUpSeconds * perSecond) for (const id of ids) committed.set(id, at)
      await wakeWorkers(pool)
    },
    { perSecond, seconds: warmUpSeconds + seconds },
  )
  await new Promise((resolve) => setTimeout(resolve, 1500))
  receiver.send('tell')
  const [arrivals] = (await once(receiver, 'message')) as [Arrival[]]
  const first = new Map<string, number>()
  for (const { id, at } of arrivals) if (!first.has(id)) first.set(id, at)
  const { rows } = await pool.query<{ id: string; webhook_id: string }>('select id, webhook_id from deliveries')
  const took = new Map<string, number[]>()
  for (const { id, webhook_id } of rows) {
    const [from, to] = [committed.get(id), first.get(id)]
    if (from === undefined) continue
    const list = took.get(webhook_id) ?? []
    list.push(to === undefined ? Number.POSITIVE_INFINITY : Math.max(0, to - from))
    took.set(webhook_id, list)
  }
  return took
}

function shown(name: string, values: readonly number[]) {
  const { count: n, p50, p99, max } = percentiles(values)
  return { '': name, deliveries: n, 'p50 ms': p50.toFixed(1), 'p99 ms': p99.toFixed(1), 'max ms': max.toFixed(1) }
}

async function latency(): Promise<void> {
  await inDatabase('latency', async (database, planted) => {
    const targets = await webhooksTo(database, planted, Array<string>(50).fill(url))
    const fans = Array.from({ length: 10 }, (_, n) => targets.slice(n * 5, n * 5 + 5))
    const engine = startEngine(database)
    const took = await steady(database, planted, fans, 200)
    await engine.stop()
    console.log(shownWork(engine))
    console.log('\nFrom the answered commit to the receiver: 200 events a second to 5 targets each')
    console.table([shown('engine', [...took.values()].flat())])
  })
}

/** The same load on 198 good targets, alone and beside a dead and a slow one that get as much as they do. */
async function noise(): Promise<void> {
  const run = (name: string, others: readonly string[]) =>
    inDatabase(name, async (database, planted) => {
      const good = await webhooksTo(database, planted, Array<string>(198).fill(url))
      const bad = await webhooksTo(database, planted, others)
      const fans = good.map((target, index) => {
        const noisy = bad[index % Math.max(1, bad.length)]
        return noisy ? [target, noisy] : [target]
      })
      const engine = startEngine(database)
      const took = await steady(database, planted, fans, 150)
      await engine.stop()
      return good.flatMap(({ id }) => took.get(id) ?? [])
    })
  const alone = await run('noise_none', [url, url])
  const beside = await run('noise_some', ['http://127.0.0.1:1/', `${url}slow`])
  const again = await run('noise_none_again', [url, url])
  const [before, during, after] = [alone, beside, again].map((values) => percentiles(values).p99)
  console.log(
    '\n198 good targets at 150 a second; two more share as much: first good ones, then one dead and one of 30 s',
  )
  console.table([shown('all good', alone), shown('one dead, one slow', beside), shown('all good, again', again)])
  const moved = ((during ?? 0) / (((before ?? 0) + (after ?? 0)) / 2) - 1) * 100
  console.log(`p99 of the good ones moved by ${moved.toFixed(0)} %`)
}

/** Claims of 64 when few and when very many wait, over as many targets. */
async function depth(): Promise<void> {
  await inDatabase('depth', async (database, planted) => {
    const client = new pg.Client({ connectionString: database.pool.options.connectionString })
    await client.connect()
    try {
      const targets: PlantedTarget[] = []
      for (let n = 0; n < 200; n++) targets.push(await plantWebhook(database.pool, planted))
      const rows: object[] = []
      let there = 0
      for (const waiting of [1000, 10_000, 300_000, ...(given.large ? [1_000_000] : [])]) {
        const sessions = Math.ceil((waiting - there) / targets.length)
        if (sessions > 0) {
          // Without the triggers that log changes, and without foreign keys: only the queue is wanted.
          await client.query('set session_replication_role = replica')
          await client.query('alter table deliveries enable always trigger keep_queue_insert')
          await plantDeliveries(client as never, planted, targets, sessions)
          await client.query('set session_replication_role = default')
          await client.query('vacuum analyze deliveries, delivery_queue')
          there += sessions * targets.length
        }
        const times: number[] = []
        for (let n = 0; n < 40; n++) {
          const start = performance.now()
          await claimDeliveries(client as never, {
            kinds: ['webhook', 'connection'],
            workerId: randomUUID(),
            limit: 64,
            room: new Map(),
            share: 16,
            token: randomUUID(),
            leaseMs: 60_000,
          })
          times.push(performance.now() - start)
          await client.query('truncate delivery_leases')
        }
        // The first ones plan the statement.
        rows.push({ ...shown('', times.slice(10)), '': `${there} waiting`, deliveries: 64 })
      }
      console.log('\nA claim of 64 deliveries from 200 targets')
      console.table(rows)
      const { rows: plan } = await client.query<{ 'QUERY PLAN': string }>(`
        explain (analyze, buffers, costs off, summary off)
        select q.delivery_id from delivery_queue q
         where q.target_id = '${targets[0]?.id}' and q.due_at <= now()
         order by q.due_at limit 8`)
      console.log(plan.map((line) => `  ${line['QUERY PLAN']}`).join('\n'))
    } finally {
      await client.end()
    }
  })
}
