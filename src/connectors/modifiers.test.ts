import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEgress } from '../egress/egress.ts'
import { createMailer } from '../egress/mail.ts'
import { silentLog } from '../log.ts'
import { type ConnectorGround, connectorGround, unhurried } from './ground.fixture.ts'
import { modificationOf } from './modification.ts'
import type { DryRun } from './run.ts'
import { createTaskHandlers } from './task-handlers.ts'

let ground: ConnectorGround
beforeAll(async () => {
  ground = await connectorGround()
})
afterAll(() => ground?.close())

test('a dry run of a modifier shows what it would change, and changes nothing', async () => {
  const folder = await ground.package(
    'export default { modify: (session) => ({ session: { ...session, total: 2 }, message: "Added." }) }',
    { kinds: ['modifier'] },
  )
  const connection_id = await ground.connected(folder)
  const { session_id } = await ground.delivery(connection_id, { data: { price: 1 } })
  const { database, sealer } = ground
  const egress = createEgress({ allow: [] })
  const mailer = createMailer({ url: 'smtp://127.0.0.1:9', from: 'a@example.org' })
  const environment = { serverContext: '/', isProduction: false }
  const parts = { database, sealer, egress, mailer, environment, log: silentLog }
  const { handlers, close } = createTaskHandlers({ ...parts, registry: undefined, retentionAfterRetrievalDays: 5 })
  const dryRun = handlers.dry_run as (task: object, signal: AbortSignal) => Promise<DryRun>
  const run = await dryRun({ connection_id, session_id, fixtures: [] }, unhurried.signal)
  expect(run).toMatchObject({
    succeeded: true,
    message: 'Added.',
    changes: [{ op: 'add', path: '/total', value: 2 }],
  })
  const session = await database.prisma.session.findUniqueOrThrow({ where: { id: session_id } })
  expect(session).toMatchObject({ data: { price: 1 }, revision: 1 })
  await Promise.all([close(), egress.close(), mailer.close()])
})

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
