/**
 * What a chain of modifiers adds between submitting a session and its announcement: sessions without modifiers, and with
 * three that each change it, one after the other and at a steady rate.
 *
 * A session is announced when another connection of this process sees its event committed. The worker is a process of its
 * own with real sandboxes; Postgres is that of DATABASE_URL, which must be empty.
 *
 *   DATABASE_URL=postgres://… npm run bench -- modifiers --sessions 300 --perSecond 50 --bytes 4096 [--concurrency 1]
 */
import { fork } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Principal } from '../src/access/principal.ts'
import { connectorGround } from '../src/connectors/ground.fixture.ts'
import { openDatabase } from '../src/database/database.ts'
import { migrate } from '../src/database/migrate.ts'
import { changesChannel, createNotifier, listen, settlingsChannel } from '../src/database/notifications.ts'
import { silentLog } from '../src/log.ts'
import { createSchemaChecker } from '../src/sessions/schema-checker.ts'
import { submitSession } from '../src/sessions/submit.ts'
import { percentiles } from './ground/figures.ts'
import { sessionOf } from './story/payload.ts'

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '300' },
    perSecond: { type: 'string', default: '50' },
    bytes: { type: 'string', default: '4096' },
    /** Of each modifier, instead of what a connection has. */
    concurrency: { type: 'string' },
  },
})
const url = process.env.DATABASE_URL
if (!url) throw new Error('Set DATABASE_URL to an empty database.')
await migrate(url)
const database = openDatabase({ url, log: silentLog, poolSize: 20 })
const ground = await connectorGround({ on: database })
const { pool, prisma } = database
await prisma.destination.create({ data: { flow_id: ground.flow.id, integration_id: ground.integration.id } })

const code = (key: string) => `export default { modify: (session) =>
  session.${key} === undefined ? { session: { ...session, ${key}: Object.keys(session).length } } : null }`
for (const [run_order, key] of ['first', 'second', 'third'].entries()) {
  const folder = await ground.package(code(key), { implementation: `org.example.${key}`, kinds: ['modifier'] })
  const concurrency = values.concurrency === undefined ? null : Number(values.concurrency)
  await ground.connected(folder, { run_order, concurrency, enabled: false })
}

const secretKey = randomBytes(32).toString('base64')
const worker = fork(path.join(import.meta.dirname, '../src/worker/settling.fixture.ts'), [url, secretKey], {
  stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
})
await once(worker, 'message')

const principal: Principal = {
  ...{ kind: 'credential', id: 'bench', role: 'admin', variables: {} },
  ...{ teamId: null, integrationId: null, expiresAt: null },
}
const context = { database, checker: createSchemaChecker(), principal, retentionDays: 30 }
const settling = createNotifier({ pool, channels: [settlingsChannel], log: silentLog })
const data = sessionOf(Number(values.bytes)).data as Record<string, unknown>

const waiting = new Map<string, () => void>()
let looking = false
/** Asks for the events of all that are waited for. */
async function look(): Promise<void> {
  if (looking || waiting.size === 0) return
  looking = true
  const { rows } = await pool.query<{ session_id: string }>({
    name: 'bench: announced',
    text: 'select session_id from session_events where session_id = any($1::uuid[])',
    values: [[...waiting.keys()]],
  })
  looking = false
  for (const { session_id } of rows) waiting.get(session_id)?.()
}
const listener = listen({ pool, channel: changesChannel, log: silentLog, onNotify: () => void look() })
const polling = setInterval(() => void look(), 5)

/** Milliseconds from submitting to the announcement. */
async function one(): Promise<number> {
  const id = randomUUID()
  const begun = performance.now()
  const { status } = await submitSession({ id, team: 'camden', flow: 'apply', data }, context)
  if (status === 'settling') {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.set(id, resolve)
    settling.notify()
    await promise
    waiting.delete(id)
  }
  return performance.now() - begun
}

async function inTurn(): Promise<number[]> {
  const times: number[] = []
  for (let count = 0; count < Number(values.sessions); count++) times.push(await one())
  return times
}

async function steady(): Promise<number[]> {
  const all: Promise<number>[] = []
  const begun = performance.now()
  for (let count = 0; count < Number(values.sessions); count++) {
    await pause(Math.max(0, begun + (count * 1000) / Number(values.perSecond) - performance.now()))
    all.push(one())
  }
  return Promise.all(all)
}

const figures: Record<string, object> = {}
for (const enabled of [false, true]) {
  await prisma.connection.updateMany({ data: { enabled } })
  for (let count = 0; count < 50; count++) await one()
  const name = enabled ? 'three_modifiers' : 'no_modifiers'
  figures[`${name}_one_after_the_other`] = percentiles(await inTurn())
  figures[`${name}_${values.perSecond}_a_second`] = percentiles(await steady())
}
const { rows } = await pool.query(`select count(*)::int as sessions, min(revision) as least, max(revision) as most,
  (select count(*)::int from session_events) as events from sessions`)
process.stdout.write(`${JSON.stringify({ milliseconds: figures, check: rows[0] }, null, 2)}\n`)
clearInterval(polling)
worker.disconnect()
await once(worker, 'exit')
await listener.close()
await settling.close()
await context.checker.close()
await ground.close()
