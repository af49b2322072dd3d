import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../src/delivery/deliveries.fixture.ts'
import { type Receiver, startReceiver } from '../ground/receiver.ts'
import { type ProductionGround, productionGround } from './production.ground.ts'

const leaseMs = 1500

let ground: ProductionGround
let receiver: Receiver
/** Where requests get no answer. */
let silent = ''
beforeAll(async () => {
  ground = await productionGround()
  receiver = await startReceiver({
    handler: ({ path: at }, response) => {
      if (at !== silent) response.writeHead(200).end('{}')
    },
  })
})
afterAll(async () => {
  await ground?.close()
  await receiver?.close()
})

const code = `
  const say = (request, config, what) => request.post(config.url + '/' + what, {})
  export default {
    async getRawSources({ request, config }) { await say(request, config, 'fetch'); return [{ source: 'one', uniqueSourceId: '1' }] },
    async convertRawSource(source, { request, config }) { await say(request, config, 'convert'); return { session: { data: { one: 1 } } } },
  }`

async function connected(place = ''): Promise<string> {
  const permissions = [{ socket: `127.0.0.1:${receiver.port}` }]
  return ground.connected(await ground.installed(code, { permissions }), {
    config: { url: receiver.url + place },
  })
}

const due = (ids: readonly string[]) =>
  ground.world.database.pool.query('update connections set next_run_at = now() where id = any($1::uuid[])', [ids])

/** A worker that waits for an answer at `place`, and is killed there. */
async function killedAt(place: string): Promise<void> {
  const child = spawn(
    process.execPath,
    [
      path.join(import.meta.dirname, 'production-killed.fixture.ts'),
      ground.world.config.DATABASE_URL,
      ground.world.config.SLUICE_SECRET_KEY,
      String(leaseMs),
    ],
    { stdio: 'inherit' },
  )
  try {
    await receiver.next(({ path: at }) => at === place, 30_000)
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

test.each(['fetch', 'convert'])('a worker killed in %s: another takes over, and there is one session', async (what) => {
  const connection = await connected(`/in-${what}`)
  silent = `/in-${what}/${what}`
  await due([connection])
  await killedAt(silent)
  silent = ''
  const worker = await ground.worker({ runs: { leaseMs }, conversions: { leaseMs } })
  const [source] = await until(
    () => ground.sources(connection),
    (sources) => sources[0]?.status === 'converted',
  )
  expect(source).toMatchObject({ attempt_count: what === 'convert' ? 2 : 1, repeats: 0 })
  const { database } = ground.world
  const sessions = await database.prisma.session.findMany({
    where: { author_id: connection },
    include: { events: true },
  })
  expect(sessions.map(({ id, events }) => [id, events.length])).toEqual([[source?.session_id, 1]])
  await worker.close()
})

test('a worker killed between the session and the raw source: it is the same session, and nobody hears of it twice', async () => {
  const connection = await connected()
  const { database } = ground.world
  const worker = await ground.worker()
  await due([connection])
  const [first] = await until(
    () => ground.sources(connection),
    (sources) => sources[0]?.status === 'converted',
  )
  await database.pool.query(
    `update raw_sources set status = 'received', session_id = null, result_sha256 = null, converted_at = null, lease_token = gen_random_uuid(),
            leased_until = now() + interval '1 second' where id = $1`,
    [first?.id],
  )
  const [second] = await until(
    () => ground.sources(connection),
    (sources) => sources[0]?.status === 'converted',
  )
  expect(second?.session_id).toBe(first?.session_id)
  const events = await database.prisma.sessionEvent.count({ where: { session_id: first?.session_id ?? '' } })
  expect(events).toBe(1)
  await worker.close()
})

test('several workers run each connection once', async () => {
  const connections = await Promise.all(Array.from({ length: 12 }, () => connected()))
  const workers = await Promise.all([ground.worker(), ground.worker(), ground.worker()])
  await due(connections)
  const { database } = ground.world
  const where = { connection_id: { in: connections } }
  await until(
    () => database.prisma.rawSource.count({ where: { ...where, status: 'converted' } }),
    (count) => count === connections.length,
  )
  await Promise.all(workers.map((worker) => worker.close()))
  expect(await database.prisma.connectorRun.count({ where: { ...where, method: 'getRawSources' } })).toBe(12)
  expect(await database.prisma.connectorRun.count({ where: { ...where, method: 'convertRawSource' } })).toBe(12)
})
