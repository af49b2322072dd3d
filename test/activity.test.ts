import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { sealAuditBlock } from '../src/access/audit-seal.ts'
import { aSession, buildWorld, type World } from './ground/world.ts'

let world: World
let editor: string
beforeAll(async () => {
  world = await buildWorld()
  editor = await bearerOf(world.camden.editor)
})
afterAll(() => world?.close())

async function bearerOf({ email, password }: { email: string; password: string }): Promise<string> {
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: { email, password } },
  )
  return `Bearer ${data.sign_in.token}`
}

interface Answer {
  readonly activity: {
    readonly buckets: readonly Record<'sessions' | 'deliveries' | 'exhausted' | 'runs' | 'failed_runs', number>[]
    readonly waiting_deliveries: number
    readonly oldest_waiting: { readonly id: string; readonly webhook_id: string | null } | null
    readonly waiting_targets: readonly { readonly id: string; readonly waiting: number }[]
  }
}

const activity = (variables: { team: string; seconds?: number; bucket?: number }, authorization = editor) =>
  world.graphql<Answer>(
    `query ($team: uuid!, $seconds: Int = 3600, $bucket: Int = 60) {
       activity(team_id: $team, seconds: $seconds, bucket_seconds: $bucket) {
         buckets { at sessions deliveries exhausted runs failed_runs }
         waiting_deliveries oldest_waiting { id due_at created_at session_id webhook_id connection_id }
         waiting_targets { id waiting }
       }
     }`,
    { variables, authorization },
  )

it('counts what a team had, in buckets without gaps, and finds what has waited longest', async () => {
  const { camden, lambeth, database } = world
  const { rows: webhooks } = await database.pool.query<{ id: string }>(
    `insert into webhooks (team_id, integration_id, name, url) values ($1, $2, 'Back office', 'https://hooks.example')
     returning id`,
    [camden.id, camden.granted.id],
  )
  for (let n = 0; n < 3; n += 1) await world.submit(aSession(camden, { id: randomUUID() }))
  await world.submit(aSession(lambeth, { id: randomUUID() }))
  await database.pool.query(
    `update deliveries set status = 'exhausted', last_error = 'gone', due_at = null, finished_at = now()
      where id = (select id from deliveries where team_id = $1 order by id limit 1)`,
    [camden.id],
  )

  const { data, errors } = await activity({ team: camden.id })
  expect(errors).toBeUndefined()
  const { buckets, waiting_deliveries, oldest_waiting, waiting_targets } = data.activity
  expect(buckets).toHaveLength(60)
  const sum = (name: 'sessions' | 'deliveries' | 'exhausted' | 'runs') =>
    buckets.reduce((total, bucket) => total + bucket[name], 0)
  expect([sum('sessions'), sum('deliveries'), sum('exhausted'), sum('runs')]).toEqual([3, 3, 1, 0])
  expect(waiting_deliveries).toBe(2)
  expect(waiting_targets).toEqual([{ id: webhooks[0]?.id, waiting: 2 }])
  const { rows } = await database.pool.query<{ id: string }>(
    `select id from deliveries where team_id = $1 and due_at is not null order by due_at, id limit 1`,
    [camden.id],
  )
  expect(oldest_waiting).toMatchObject({ id: rows[0]?.id, webhook_id: webhooks[0]?.id })
})

it('each range is its own, and its last bucket is that of now', async () => {
  const { data } = await activity({ team: world.camden.id, seconds: 604_800, bucket: 7_200 })
  const { buckets } = data.activity
  expect(buckets).toHaveLength(84)
  expect(buckets.at(-1)?.sessions).toBeGreaterThanOrEqual(0)
  expect(buckets.reduce((total, { sessions }) => total + sessions, 0)).toBe(3)
})

it.each([
  ['too many buckets', { seconds: 86_400, bucket: 60 }, 'bucket_seconds', /173 or more/],
  ['a bucket of a second', { bucket: 1 }, 'bucket_seconds', /60 to 86400/],
  ['a year', { seconds: 31_536_000, bucket: 86_400 }, 'seconds', /31 days/],
])('refuses %s', async (_, ask, path, message) => {
  const { errors } = await activity({ team: world.camden.id, ...ask })
  expect(errors?.[0]).toMatchObject({
    message: expect.stringMatching(message),
    extensions: { code: 'VALIDATION_FAILED', path },
  })
})

it("another team's is not there", async () => {
  const { errors } = await activity({ team: world.lambeth.id })
  expect(errors?.[0]).toMatchObject({ extensions: { code: 'NOT_FOUND', path: 'team_id' } })
})

it('says how far the audit log is sealed', async () => {
  const read = () =>
    world.graphql<{ audit_head: { number: number; head: string } | null }>(
      '{ audit_head { number head last_position sealed_at } }',
      { authorization: editor },
    )
  expect((await read()).data.audit_head).toBeNull()
  const deadline = Date.now() + 30_000
  while (!(await sealAuditBlock({ pool: world.database.pool, sealer: world.sealer }))) {
    expect(Date.now()).toBeLessThan(deadline)
  }
  expect((await read()).data.audit_head).toMatchObject({ number: 1, head: expect.stringMatching(/^1:[0-9a-f]{64}$/) })
})
