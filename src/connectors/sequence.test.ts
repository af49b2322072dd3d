/** The extension guide's accounting sequence number: counted by a connector, over two workers, many runs at once. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDeliveryEngine } from '../delivery/engine.ts'
import { silentLog } from '../log.ts'
import { type ConnectorGround, connectorGround } from './ground.fixture.ts'

let ground: ConnectorGround
beforeAll(async () => {
  ground = await connectorGround({ poolSize: 20 })
})
afterAll(() => ground.close())

const runs = 1000

test('a number that 1,000 runs count at 8 at once in two workers has no gap and no repeat', async () => {
  const { pool } = ground.database
  const code = `export default async ({ state, log }) => {
    const before = state.number ?? 0
    await Promise.resolve()
    state.number = before + 1
    log.info(String(state.number))
    return 'success'
  }`
  const root = await ground.package(code, { settings: [{ key: 'number', type: 'INTERNAL' }] })
  const connection = await ground.connected(root, { concurrency: 8 })
  await plant(connection)
  const engines = [1, 2].map(() =>
    startDeliveryEngine({ pool, carriers: [ground.carrier()], log: silentLog, concurrency: 16 }),
  )
  try {
    await expect
      .poll(async () => (await count('status = $1', ['succeeded'])) + (await count('status = $1', ['exhausted'])), {
        timeout: 240_000,
        interval: 50,
      })
      .toBe(runs)
  } finally {
    await Promise.all(engines.map((engine) => engine.stop({ waitMs: 5000 })))
  }
  const { rows } = await pool.query<{ number: number }>(
    `select (log #>> '{0,message}')::int as number from connector_runs where status = 'succeeded' order by 1`,
  )
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: runs }, (_, index) => index + 1))
  const { rows: states } = await pool.query('select state from connections where id = $1', [connection])
  expect(states).toEqual([{ state: { number: runs } }])

  async function count(where: string, values: unknown[]): Promise<number> {
    const { rows: counted } = await pool.query<{ count: number }>(
      `select count(*)::int as count from deliveries where ${where}`,
      values,
    )
    return counted[0]?.count ?? 0
  }
}, 300_000)

/** Sessions, grants, events and deliveries, a statement each. */
async function plant(connection: string): Promise<void> {
  const { pool } = ground.database
  const ids = Array.from({ length: runs }, () => randomUUID())
  const both = [ids, ground.team.id]
  await pool.query(
    `insert into sessions (id, team_id, flow_id, kind, data, content_hash, expires_at)
     select id, $2, $3, 'application', '{}', '', now() + interval '1 day' from unnest($1::uuid[]) as id`,
    [...both, ground.flow.id],
  )
  await pool.query(
    `insert into session_grants (session_id, team_id, integration_id, expires_at)
     select id, $2, $3, now() + interval '1 day' from unnest($1::uuid[]) as id`,
    [...both, ground.integration.id],
  )
  await pool.query(
    `with events as (
       insert into session_events (type, session_id, team_id, flow_id)
       select 'session.submitted', id, $2, $3 from unnest($1::uuid[]) as id
       returning id, session_id, position
     )
     insert into deliveries (event_id, session_id, team_id, integration_id, connection_id, event_position)
     select id, session_id, $2, $4, $5, position from events`,
    [...both, ground.flow.id, ground.integration.id, connection],
  )
}
