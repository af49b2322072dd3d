import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { createInbox } from '../../test/ground/inbox.ts'
import { silentLog } from '../log.ts'
import { type Change, type ChangeFeed, openChangeFeed } from './change-feed.ts'
import { followTime, type PassingTime, timedColumnsOf } from './passing-time.ts'

let ground: TestDatabase
let feed: ChangeFeed
let time: PassingTime
let integration: { id: string; team_id: string; flow_id: string }
const inbox = createInbox<Change>('passed row')
const expiry = { table: 'session_grants', column: 'expires_at' }

beforeAll(async () => {
  ground = await testDatabase()
  const { pool, prisma } = ground.database
  const team = await prisma.team.create({ data: { slug: 'camden', name: 'Camden' } })
  const flow = await prisma.flow.create({ data: { team_id: team.id, slug: 'apply', name: 'Apply' } })
  const { id } = await prisma.integration.create({ data: { team_id: team.id, slug: 'one', name: 'One' } })
  integration = { id, team_id: team.id, flow_id: flow.id }
  feed = await openChangeFeed({ pool, log: silentLog, idleMs: 20 })
  time = followTime({ pool, feed, log: silentLog, retryMs: 20 })
  time.listen((changes) => {
    for (const change of changes) inbox.add(change)
  })
})
afterAll(async () => {
  time?.close()
  await feed?.close()
  await ground?.close()
})

/** A session and a grant that ends so many milliseconds from now. */
async function grant(ms: number): Promise<string> {
  const id = randomUUID()
  await ground.database.pool.query(
    `with s as (
       insert into sessions (id, team_id, flow_id, kind, status, data, content_hash, expires_at)
       values ($1, $2, $3, 'application', 'submitted', '{}', '', now() + interval '1 day') returning id
     ) insert into session_grants (id, session_id, integration_id, team_id, expires_at)
       select $1, s.id, $4, $2, now() + $5::float8 * interval '1 millisecond' from s`,
    [id, integration.team_id, integration.flow_id, integration.id, ms],
  )
  return id
}
const hasPassed = (id: string) => inbox.next(({ key }) => key.id === id)

describe('passing time', () => {
  it('costs nothing while nobody depends on it', async () => {
    await grant(10)
    expect(time.counts).toEqual({ watched: 0, sweeps: 0 })
  })

  it('tells of each row when its moment has come, those that were there and those that are new', async () => {
    const before = await grant(150)
    const stop = time.watch([expiry])
    const [later, sooner] = [await grant(400), await grant(100)]
    for (const id of [sooner, before, later]) {
      const change = await hasPassed(id)
      expect(change).toMatchObject({
        table: 'session_grants',
        operation: 'update',
        new: { integration_id: integration.id },
      })
      expect(Date.parse(String(change.new?.expires_at))).toBeLessThanOrEqual(Date.now())
    }
    stop()
  })

  it('follows a moment that is moved', async () => {
    const stop = time.watch([expiry])
    const id = await grant(86_400_000)
    await ground.database.pool.query(
      `update session_grants set expires_at = now() + interval '80 milliseconds' where id = $1`,
      [id],
    )
    await hasPassed(id)
    stop()
  })

  it('tells of thousands that share a moment, each once', async () => {
    const stop = time.watch([expiry])
    await ground.database.pool.query(
      `with s as (
         insert into sessions (id, team_id, flow_id, kind, status, data, content_hash, expires_at)
         select gen_random_uuid(), $1, $2, 'application', 'submitted', '{}', '', now() + interval '1 day'
           from generate_series(1, 2500) returning id
       ) insert into session_grants (id, session_id, integration_id, team_id, expires_at, created_at)
         select s.id, s.id, $3, $1, now() + (200 + row_number() over () / 1000) * interval '1 millisecond', '2001-01-01' from s`,
      [integration.team_id, integration.flow_id, integration.id],
    )
    const { rows } = await ground.database.pool.query<{ id: string }>(
      `select id from session_grants where created_at = '2001-01-01'`,
    )
    expect(rows).toHaveLength(2_500)
    const told: unknown[] = []
    for (const { id } of rows) told.push((await hasPassed(id)).key.id)
    expect(new Set(told).size).toBe(2_500)
    stop()
  })

  it('sweeps only when a moment comes', async () => {
    await ground.database.pool.query('delete from session_grants')
    const id = await grant(300)
    const before = time.counts.sweeps
    const stop = time.watch([expiry])
    await hasPassed(id)
    // The first, one a change that brought a nearer moment at most, and the one at the moment.
    expect(time.counts.sweeps - before).toBeLessThanOrEqual(4)
    stop()
    expect(time.counts.watched).toBe(0)
  })

  it('is what a predicate depends on wherever it names now(), also under NOT', () => {
    const compare = {
      kind: 'compare',
      type: 'timestamptz',
      list: false,
      operator: '_gt',
      operand: { kind: 'now' },
    } as const
    const predicate = {
      kind: 'and',
      of: [
        { kind: 'not', of: { ...compare, column: 'expires_at' } },
        { ...compare, column: 'due_at' },
      ],
    } as const
    expect(
      timedColumnsOf([
        { table: 'a', predicate },
        { table: 'a', predicate },
      ]),
    ).toEqual([
      { table: 'a', column: 'expires_at' },
      { table: 'a', column: 'due_at' },
    ])
  })
})
