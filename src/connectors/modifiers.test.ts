import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEgress } from '../egress/egress.ts'
import { createMailer } from '../egress/mail.ts'
import { silentLog } from '../log.ts'
import { bundleCache } from './carrier.ts'
import { type ConnectorGround, connectorGround, unhurried } from './ground.fixture.ts'
import { modificationOf } from './modification.ts'
import { createModifierRuns } from './modifiers.ts'
import type { DryRun } from './run.ts'
import { createSandboxPool } from './sandbox/pool.ts'
import { createTaskHandlers } from './task-handlers.ts'
import { createTurns } from './turns.ts'

let ground: ConnectorGround
const egress = createEgress({ allow: [] })
const mailer = createMailer({ url: 'smtp://127.0.0.1:9', from: 'a@example.org' })
beforeAll(async () => {
  ground = await connectorGround()
})
afterAll(async () => {
  await Promise.all([egress.close(), mailer.close()])
  await ground?.close()
})

const parts = () => ({
  ...{ database: ground.database, sealer: ground.sealer, egress, mailer, log: silentLog },
  environment: { serverContext: '/', isProduction: false },
})

/** Runs a connection dry, as a worker does when somebody asks. */
async function dryRun(connection_id: string, data: object, kind?: 'consumer' | 'modifier') {
  const { session_id } = await ground.delivery(connection_id, { data })
  const { handlers, close } = createTaskHandlers({ ...parts(), registry: undefined, retentionAfterRetrievalDays: 5 })
  const run = handlers.dry_run as (task: object, signal: AbortSignal) => Promise<DryRun>
  try {
    const done = await run({ connection_id, session_id, fixtures: [], kind }, unhurried.signal)
    const session = await ground.database.prisma.session.findUniqueOrThrow({ where: { id: session_id } })
    expect(session).toMatchObject({ data, revision: 1 })
    return done
  } finally {
    await close()
  }
}

test('a dry run of a modifier shows what it would change, and changes nothing', async () => {
  const folder = await ground.package(
    'export default { modify: (session) => ({ session: { ...session, total: 2 }, message: "Added." }) }',
    { kinds: ['modifier'] },
  )
  const connection_id = await ground.connected(folder)
  const done = await dryRun(connection_id, { price: 1 })
  expect(done).toMatchObject({
    succeeded: true,
    message: 'Added.',
    changes: [{ op: 'add', path: '/total', value: 2 }],
  })
  await expect(dryRun(connection_id, {}, 'consumer')).rejects.toMatchObject({
    code: 'VALIDATION_FAILED',
    message: expect.stringContaining('is no consumer'),
  })
})

test('a dry run of a connector that consumes and modifies is of what one asks for', async () => {
  const folder = await ground.package(
    `export default {
       consume: () => 'The office is closed.',
       modify: (session) => ({ session: { ...session, total: 2 } }),
     }`,
    { kinds: ['consumer', 'modifier'] },
  )
  const connection_id = await ground.connected(folder)
  const consumed = { succeeded: false, message: 'The office is closed.', changes: null }
  expect(await dryRun(connection_id, { price: 1 })).toMatchObject(consumed)
  expect(await dryRun(connection_id, { price: 1 }, 'consumer')).toMatchObject(consumed)
  expect(await dryRun(connection_id, { price: 1 }, 'modifier')).toMatchObject({
    succeeded: true,
    changes: [{ op: 'add', path: '/total', value: 2 }],
  })
})

describe('a modifier with INTERNAL state', () => {
  const code = `export default {
    async modify(session, { state }) {
      if (session.fails) throw new Error('Not today.')
      state.next += 1
      return { session: { ...session, number: state.next } }
    },
  }`
  const settings = [{ key: 'next', type: 'INTERNAL', default: 0 }]

  test('takes turns over all workers: each session gets a number of its own, without a gap', async () => {
    const folder = await ground.package(code, { kinds: ['modifier'], settings })
    const id = await ground.connected(folder, { concurrency: 8 })
    const workers = [await aWorker(), await aWorker()]
    const sessions = await Promise.all(
      Array.from(
        { length: 12 },
        async (_, each) => (await ground.delivery(id, { data: { fails: each === 5 } })).session_id,
      ),
    )
    const answers = await Promise.all(
      sessions.map((session_id, each) =>
        (workers[each % 2] as Awaited<ReturnType<typeof aWorker>>).modify(id, session_id, { each, fails: each === 5 }),
      ),
    )
    const numbers = answers.flatMap(({ data }) => (data ? [(data as { number: number }).number] : []))
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 11 }, (_, at) => at + 1))
    // Stored by the statement that kept the state, so the engine has none to store.
    expect(answers.map(({ run }) => run)).toEqual(Array(12).fill(undefined))
    const { rows } = await ground.database.pool.query(
      `select c.state, r.method, r.status, count(*)::int from connector_runs r join connections c on c.id = r.connection_id
        where c.id = $1 group by 1, 2, 3 order by 3`,
      [id],
    )
    expect(rows).toEqual([
      { state: { next: 11 }, method: 'modify', status: 'succeeded', count: 11 },
      { state: { next: 11 }, method: 'modify', status: 'failed', count: 1 },
    ])
    await Promise.all(workers.map((worker) => worker.close()))
  })
})

/** What a worker has to run modifiers with. */
async function aWorker() {
  const { database } = ground
  const sandboxes = createSandboxPool({ maxProcesses: 4, idleMs: 5000 })
  const turns = createTurns(database.pool)
  const runs = createModifierRuns({ ...parts(), sandboxes, turns, bundles: bundleCache(database.pool) })
  return {
    async modify(connection: string, session_id: string, data: object) {
      const question = {
        modifier: {
          ...{ id: connection, version: '1', timeout_ms: 30_000, concurrency: 8 },
          ...{ grant_config: {}, connector: 'org.example.test@1.0.0' },
        },
        session: {
          ...{ team_id: ground.team.id, team: 'camden', team_name: 'Camden & Co', flow: 'apply', flow_name: 'Apply' },
          ...{ kind: 'application' as const, payment_id: null, config: {}, schema_url: null, trip: null },
          submitted_at: new Date().toISOString(),
        },
        ...{ session_id, type: 'session.submitted', revision: 1, data, extension: null, attempt: 1 },
      } as const
      return runs.modify(question, unhurried.signal)
    },
    close: () => sandboxes.close(),
  }
}

test.each([
  [null, { data: undefined, succeeded: true }],
  ['success', { data: undefined, succeeded: true }],
  [{}, { data: undefined, succeeded: true, message: null }],
  [{ session: { a: 1 } }, { data: { a: 1 }, succeeded: true }],
  [
    { booking: { a: 1 }, returnCode: 999 },
    { data: { a: 1 }, succeeded: false, again: false },
  ],
  [
    { session: { a: 1 }, returnCode: 3, message: 'Half.' },
    { data: { a: 1 }, message: 'Code 3: Half.' },
  ],
  [
    { session: {}, booking: {} },
    { data: undefined, succeeded: false },
  ],
  ['The office is closed.', { succeeded: false, again: true, message: 'The office is closed.' }],
  [{ passport: {} }, { succeeded: false, message: expect.stringMatching(/"passport".*\{session: …\}/) }],
  [[1], { succeeded: false }],
])('of %j is read what it means', (returned, expected) => expect(modificationOf(returned)).toMatchObject(expected))
