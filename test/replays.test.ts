/** Tests of webhooks, replays, the list of exhausted deliveries, and what a team is told, as editors meet them. */
import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { createClient } from 'graphql-ws'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { until } from '../src/delivery/deliveries.fixture.ts'
import { disableAfter } from '../src/delivery/health.ts'
import { retryBySchedule } from '../src/delivery/retry-policy.ts'
import { createMailer, type Mailer } from '../src/egress/mail.ts'
import type { MailCatcher } from '../src/egress/mail-catcher.ts'
import { createFileStore } from '../src/files/store.ts'
import { silentLog } from '../src/log.ts'
import { announceOperational } from '../src/webhooks/operational-announce.ts'
import { mailLocks, mailOperational } from '../src/webhooks/operational-mail.ts'
import { startWorkerParts } from '../src/worker/worker.ts'
import { testMail } from './ground/mail.ts'
import { type ReceivedRequest, type Receiver, startReceiver } from './ground/receiver.ts'
import { aSession, buildWorld, type GraphQLAnswer, type World } from './ground/world.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers are checked by the expectations.
type Any = any
type Who = 'admin' | 'editor' | 'stranger'

let world: World
let mail: MailCatcher
let receiver: Receiver
let worker: Awaited<ReturnType<typeof startWorkerParts>>
/** What the receiver answers, by path; 204 if nothing is said. */
const answers = new Map<string, number>()
const tokens = new Map<Who, string>()

beforeAll(async () => {
  mail = await testMail()
  receiver = await startReceiver({
    handler: ({ path }: ReceivedRequest, response: ServerResponse) => {
      response.writeHead(answers.get(path) ?? 204).end()
    },
  })
  world = await buildWorld({ config: { SMTP_URL: mail.url, PUBLIC_URL: 'https://sluice.example' } })
  worker = await startWorkerParts({
    config: world.config,
    database: world.database,
    sealer: world.sealer,
    files: createFileStore(world.config),
    log: silentLog,
    schedules: [],
    engine: {
      pollMs: 50,
      failingAfter: 2,
      retryPolicy: retryBySchedule({ delaysMs: [5, 5], jitter: 0 }),
      disablePolicy: disableAfter(3_600_000),
    },
    // Told by hand in these tests.
    telling: { pollMs: 3_600_000 },
  })
  for (const [who, { email, password }] of Object.entries({
    admin: world.admin,
    editor: world.camden.editor,
    stranger: world.lambeth.editor,
  })) {
    const { data } = await world.graphql<Any>(
      'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
      { variables: { email, password } },
    )
    tokens.set(who as Who, `Bearer ${data.sign_in.token}`)
  }
})
afterAll(async () => {
  await worker?.close()
  await world?.close()
  await Promise.all([receiver?.close(), mail?.close()])
})
beforeEach(async () => {
  answers.clear()
  await world.database.pool.query('delete from webhooks')
  await world.database.pool.query('delete from operational_events')
})

const send = (who: Who, query: string, variables = {}): Promise<GraphQLAnswer<Any>> =>
  world.graphql<Any>(query, { variables, authorization: tokens.get(who) })
async function run(query: string, variables = {}, who: Who = 'editor'): Promise<Any> {
  const { data, errors } = await send(who, query, variables)
  expect(errors).toBeUndefined()
  return data
}
async function refuse(query: string, variables = {}, who: Who = 'editor'): Promise<Any> {
  const { errors } = await send(who, query, variables)
  return { message: errors?.[0]?.message, ...errors?.[0]?.extensions }
}
const rows = async (text: string, values: unknown[] = []): Promise<Any[]> =>
  (await world.database.pool.query(text, values)).rows

/** A webhook of camden's granted integration, at a path of its own. */
async function aWebhook(changes = {}): Promise<{ id: string; secret: string; path: string; name: string }> {
  const name = randomUUID()
  const path = `/${name}`
  const object = { integration_id: world.camden.granted.id, name, url: `${receiver.url}${path}`, ...changes }
  const { create_webhook: made } = await run(
    'mutation ($object: create_webhook_input!) { create_webhook(object: $object) { id secret } }',
    { object },
  )
  return { ...made, path, name }
}

const test = `mutation ($id: uuid!, $wait: Float) {
  test_webhook(id: $id, wait_seconds: $wait) { delivery_id outcome { status status_code error_class error duration_ms } }
}`
const testNow = async (id: string) => (await run(test, { id, wait: 10 })).test_webhook

describe('test_webhook', () => {
  it('sends a signed event that says it is a test, and answers with what came of it', async () => {
    const { id, secret, path } = await aWebhook({ config: { office: 'north' } })
    const { delivery_id, outcome } = await testNow(id)
    expect(outcome).toMatchObject({
      status: 'succeeded',
      status_code: 204,
      error: null,
      duration_ms: expect.any(Number),
    })
    const request = await receiver.next((one) => one.path === path)
    expect(request.headers['webhook-id']).toBe(delivery_id)
    const body = new Webhook(secret).verify(request.body.toString(), request.headers as Record<string, string>)
    expect(body).toEqual({
      type: 'webhook.test',
      timestamp: expect.stringMatching(/Z$/),
      data: { test: true, id: expect.any(String), team: 'camden', config: { office: 'north' } },
    })
    const { deliveries_by_pk: seen } = await run(
      'query ($id: uuid!) { deliveries_by_pk(id: $id) { status operational_event { type } attempts { status_code } } }',
      { id: delivery_id },
    )
    expect(seen).toEqual({
      status: 'succeeded',
      operational_event: { type: 'webhook.test' },
      attempts: [{ status_code: 204 }],
    })
  })

  it('tells why it failed, and is tried once', async () => {
    const { id, path } = await aWebhook()
    answers.set(path, 500)
    const { delivery_id, outcome } = await testNow(id)
    expect(outcome).toMatchObject({
      status: 'failed',
      status_code: 500,
      error_class: 'http',
      error: 'The endpoint answered 500.',
    })
    expect(await rows('select status, attempt_count from deliveries where id = $1', [delivery_id])).toEqual([
      { status: 'exhausted', attempt_count: 1 },
    ])
  })

  it('without waiting it answers with the delivery at once; waiting ends when its time is over', async () => {
    const { id } = await aWebhook()
    await world.database.pool.query(
      `update delivery_lanes set paused_until = now() + interval '1 hour' where target_id = $1`,
      [id],
    )
    expect((await run(test, { id })).test_webhook).toEqual({ delivery_id: expect.any(String), outcome: null })
    expect((await run(test, { id, wait: 0.05 })).test_webhook.outcome).toBeNull()
    expect(await refuse(test, { id, wait: 36 })).toMatchObject({ code: 'VALIDATION_FAILED', path: 'wait_seconds' })
    expect(await refuse(test, { id }, 'stranger')).toMatchObject({ code: 'NOT_FOUND' })
  })

  it.each(['unordered', 'ordered'])('comes before what waits for an %s webhook', async (kind) => {
    const { id, path } = await aWebhook({ ordered: kind === 'ordered', concurrency: 1 })
    const pause = (until: string) =>
      world.database.pool.query(`update delivery_lanes set paused_until = now() + $2::interval where target_id = $1`, [
        id,
        until,
      ])
    await pause('1 hour')
    for (let n = 0; n < 3; n += 1) await world.submit(aSession(world.camden))
    const { delivery_id } = (await run(test, { id })).test_webhook
    await pause('0')
    await until(
      () => rows('select 1 from deliveries where webhook_id = $1 and due_at is not null', [id]),
      (waiting) => waiting.length === 0,
    )
    const order = receiver.requests.filter((one) => one.path === path).map(({ headers }) => headers['webhook-id'])
    expect(order).toHaveLength(4)
    expect(order[0]).toBe(delivery_id)
  })

  it('reaches a disabled webhook, which stays disabled', async () => {
    const { id } = await aWebhook({ enabled: false })
    expect((await testNow(id)).outcome).toMatchObject({ status: 'succeeded' })
    expect(await rows('select enabled from webhooks where id = $1', [id])).toEqual([{ enabled: false }])
  })

  it('a success makes one active again that was given up, and releases what waits; one that is gone stays off', async () => {
    const { id } = await aWebhook()
    await world.database.pool.query(
      `update webhooks set state = 'disabled', disabled_at = now(), probe_at = now() + interval '1 day', consecutive_failures = 9,
                           failing_since = now() - interval '6 days' where id = $1`,
      [id],
    )
    const session = await world.submit(aSession(world.camden))
    expect(session.deliveries).toBe(1)
    expect((await testNow(id)).outcome).toMatchObject({ status: 'succeeded' })
    await until(
      () => rows('select status from deliveries where session_id = $1', [session.id]),
      ([row]) => row?.status === 'succeeded',
    )
    expect(await rows('select state from webhooks where id = $1', [id])).toEqual([{ state: 'active' }])
    await world.database.pool.query(`update webhooks set state = 'disabled', probe_at = null where id = $1`, [id])
    expect((await testNow(id)).outcome).toMatchObject({ status: 'succeeded' })
    expect(await rows('select state from webhooks where id = $1', [id])).toEqual([{ state: 'disabled' }])
  })
})

/** Submits sessions of which every delivery is given up. */
async function exhausted(path: string, count: number): Promise<string[]> {
  answers.set(path, 500)
  const sessions = await Promise.all(Array.from({ length: count }, () => world.submit(aSession(world.camden))))
  const ids = sessions.map(({ id }) => id)
  await until(
    () => rows(`select 1 from deliveries where session_id = any($1) and status = 'exhausted'`, [ids]),
    (done) => done.length === count,
  )
  return ids
}

/** A target's health is written after the delivery that changes it. */
const toldOf = (type: string, id: string) =>
  until(
    () => rows('select 1 from operational_events where type = $1 and webhook_id = $2', [type, id]),
    (found) => found.length === 1,
  )

const replay = `mutation ($object: replay_deliveries_input!) { replay_deliveries(object: $object) { id total skipped } }`

describe('the list of exhausted deliveries', () => {
  it('is sent again under the same ids, with progress that is seen live', async () => {
    const { id, path } = await aWebhook()
    const sessions = await exhausted(path, 5)
    const { deliveries } = await run(
      'query ($id: uuid!) { deliveries(where: { webhook_id: { _eq: $id }, status: { _eq: "exhausted" } }) { id } }',
      { id },
    )
    expect(deliveries).toHaveLength(5)
    answers.delete(path)
    const object = { webhook_id: id, where: { status: { _eq: 'exhausted' } }, rate_per_second: 50 }
    expect((await run(replay, { object: { ...object, dry_run: true } })).replay_deliveries).toEqual({
      id: null,
      total: 5,
      skipped: 0,
    })
    const { id: replayId, total } = (await run(replay, { object })).replay_deliveries
    expect(total).toBe(5)
    expect(await lastProgress(replayId)).toEqual({ status: 'finished', total: 5, released: 5, skipped: 0 })
    await until(
      () => rows(`select 1 from deliveries where session_id = any($1) and status = 'succeeded'`, [sessions]),
      (done) => done.length === 5,
    )
    const received = receiver.requests.filter((one) => one.path === path).map(({ headers }) => headers['webhook-id'])
    expect(new Set(received)).toEqual(new Set(deliveries.map((delivery: Any) => delivery.id)))
    const [attempts] = await rows(
      `select array_agg(distinct a.number order by a.number) as numbers from delivery_attempts a join deliveries d on d.id = a.delivery_id where d.webhook_id = $1`,
      [id],
    )
    expect(attempts.numbers).toEqual([1, 2, 3, 4])
  })

  it('or taken off, by who may: another team cannot, and nobody without saying which', async () => {
    const { id, path } = await aWebhook()
    await exhausted(path, 2)
    const cancel = 'mutation ($where: jsonb!) { cancel_deliveries(where: $where) { cancelled more } }'
    const where = { webhook_id: { _eq: id }, status: { _eq: 'exhausted' } }
    expect(await run(cancel, { where }, 'stranger')).toEqual({ cancel_deliveries: { cancelled: 0, more: false } })
    expect(await refuse(cancel, { where: {} })).toMatchObject({ code: 'VALIDATION_FAILED', path: 'where' })
    expect(await refuse(cancel, { where: { nonsense: 1 } })).toMatchObject({ path: 'where.nonsense' })
    expect(await run(cancel, { where })).toEqual({ cancel_deliveries: { cancelled: 2, more: false } })
    expect(await rows('select status, last_error from deliveries where webhook_id = $1', [id])).toEqual(
      Array(2).fill({ status: 'cancelled', last_error: 'The endpoint answered 500.' }),
    )
    const [{ id: one }] = await rows('select id from deliveries where webhook_id = $1 limit 1', [id])
    answers.delete(path)
    const again = 'mutation ($id: uuid!) { replay_delivery(id: $id) { id attempt } }'
    expect(await refuse(again, { id: one }, 'stranger')).toMatchObject({ code: 'NOT_FOUND' })
    expect(await run(again, { id: one })).toEqual({ replay_delivery: { id: one, attempt: 4 } })
    await until(
      () => rows('select status from deliveries where id = $1', [one]),
      ([row]) => row.status === 'succeeded',
    )
  })

  it('a replay is cancelled at any moment', async () => {
    const { id, path } = await aWebhook()
    await exhausted(path, 3)
    const object = { webhook_id: id, rate_per_second: 0.01 }
    const { id: replayId } = (await run(replay, { object })).replay_deliveries
    const cancel = 'mutation ($id: uuid!) { cancel_replay(id: $id) { status total released skipped } }'
    expect(await refuse(cancel, { id: replayId }, 'stranger')).toMatchObject({ code: 'NOT_FOUND' })
    const { cancel_replay: state } = await run(cancel, { id: replayId })
    expect(state).toMatchObject({ status: 'cancelled', total: 3 })
    expect(state.released).toBeLessThan(2)
    expect((await run(cancel, { id: replayId })).cancel_replay).toEqual(state)
    expect(await rows('select 1 from replay_items where replay_id = $1', [replayId])).toEqual([])
  })

  it.each([
    [{ rate_per_second: 0 }, 'rate_per_second'],
    [{ rate_per_second: 2000 }, 'rate_per_second'],
    [{ from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }, 'to'],
    [{ where: [] }, 'where'],
    [{ connection_id: randomUUID() }, 'object'],
  ])('%o is refused', async (changes, path) => {
    const { id } = await aWebhook()
    expect(await refuse(replay, { object: { webhook_id: id, ...changes } })).toMatchObject({
      code: 'VALIDATION_FAILED',
      path,
    })
  })

  it('a new webhook is filled up with what it missed, once', async () => {
    const sessions = [await world.submit(aSession(world.camden)), await world.submit(aSession(world.camden))]
    const { id, path } = await aWebhook()
    const where = { session_id: { _in: sessions.map((session) => session.id) } }
    const object = { webhook_id: id, missed: true, where, rate_per_second: 100 }
    expect((await run(replay, { object })).replay_deliveries).toMatchObject({ total: 2 })
    const got = [await receiver.next((one) => one.path === path), await receiver.next((one) => one.path === path)]
    expect(new Set(got.map(({ body }) => JSON.parse(body.toString()).data.id))).toEqual(
      new Set(sessions.map((session) => session.id)),
    )
    expect((await run(replay, { object: { ...object, dry_run: true } })).replay_deliveries.total).toBe(0)
  })
})

/** The last state that a live query of a replay shows. */
async function lastProgress(id: string): Promise<Any> {
  const client = createClient({
    url: `${world.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { headers: { Authorization: tokens.get('editor') } },
  })
  try {
    const query = `subscription { replays_by_pk(id: "${id}") { status total released skipped } }`
    for await (const { data } of client.iterate<Any>({ query })) {
      const { status, total, released, skipped } = data.replays_by_pk
      expect(released + skipped).toBeLessThanOrEqual(total)
      if (status !== 'running') return data.replays_by_pk
    }
  } finally {
    await client.dispose()
  }
}

describe('how targets fare', () => {
  let mailer: Mailer
  beforeAll(() => {
    mailer = createMailer({ url: mail.url, from: 'Sluice <no-reply@sluice.example>' })
  })
  afterAll(() => mailer.close())
  const tell = (changes = {}) =>
    mailOperational({
      pool: world.database.pool,
      mailer,
      publicUrl: 'https://sluice.example',
      log: silentLog,
      gatherMs: 0,
      everyMs: 0,
      ...changes,
    })
  const setEmail = `mutation ($id: uuid!, $email: String) {
    update_teams_by_pk(pk_columns: { id: $id }, _set: { notification_email: $email }) { notification_email }
  }`
  const notify = (email: string | null) => run(setEmail, { id: world.camden.id, email })
  const typesAt = (path: string) =>
    receiver.requests.filter((one) => one.path === path).map(({ body }) => JSON.parse(body.toString()).type)

  it('is told to the webhooks that hear of it, once, never to the target itself, and never in a circle', async () => {
    const events = ['webhook.failing', 'webhook.recovered', 'delivery.exhausted']
    const { id, path, name } = await aWebhook({ events: ['session.submitted', ...events] })
    const hears = await aWebhook({ events, pattern: { flow: { _eq: 'another' } } })
    const deaf = await aWebhook({ events: ['webhook.disabled'] })
    await exhausted(path, 1)
    const bound = await Promise.all(Array.from({ length: 4 }, () => announceOperational(world.database.pool)))
    expect(bound.reduce((sum, one) => sum + one.bound, 0)).toBe(2)
    const { body } = await receiver.next((one) => one.path === hears.path && one.body.includes('webhook.failing'))
    expect(JSON.parse(body.toString())).toMatchObject({
      type: 'webhook.failing',
      data: {
        team: 'camden',
        webhook_id: id,
        name,
        reason: '2 attempts in a row have failed.',
        error: 'The endpoint answered 500.',
      },
    })
    await receiver.next((one) => one.path === hears.path && one.body.includes('delivery.exhausted'))
    expect(typesAt(path)).toEqual(Array(3).fill('session.submitted'))
    expect(typesAt(deaf.path)).toEqual([])

    // One whose own news cannot be delivered is told of as failing, and its undelivered news are not.
    answers.set(hears.path, 500)
    answers.delete(path)
    await testNow(id)
    await toldOf('webhook.recovered', id)
    await announceOperational(world.database.pool)
    await until(
      () => rows(`select 1 from deliveries where webhook_id = $1 and status = 'exhausted'`, [hears.id]),
      (done) => done.length === 1,
    )
    const about = await until(
      () => rows('select type from operational_events where webhook_id = $1', [hears.id]),
      (found) => found.length > 0,
    )
    expect(about).toEqual([{ type: 'webhook.failing' }])
  })

  it('is mailed to the editors once, in words that help', async () => {
    const { id, path, name } = await aWebhook()
    await exhausted(path, 2)
    const [{ sent }, other] = await Promise.all([tell(), tell()])
    expect(sent + other.sent).toBe(1)
    const { to, text, subject, headers } = await mail.waitFor(({ text }) => text.includes(id))
    expect(to).toEqual([world.camden.editor.email])
    expect(subject).toBe(`Webhook "${name}" of "back-office" is failing`)
    expect(text).toContain(`https://sluice.example/console/webhooks/${id}`)
    expect(text).toMatch(/Failing since \d{4}-\d\d-\d\d \d\d:\d\d\. 2 attempts in a row have failed\./)
    expect(text).toContain('2 deliveries were given up after the last attempt')
    expect(text).toContain('Last error: The endpoint answered 500.')
    expect(text).toContain('test_webhook')
    expect(text).not.toContain('Robin Example')
    expect(headers['message-id']).toMatch(/\.operational@sluice\.example>$/)
    expect(await tell()).toEqual({ sent: 0, failed: 0 })
    expect(await rows('select 1 from operational_events where mailed_at is null')).toEqual([])
  })

  it('of many at once in one mail, to the address that the team named, and not again for a while', async () => {
    const hooks = await Promise.all([aWebhook(), aWebhook(), aWebhook()])
    await notify('Ops@camden.test')
    const news = (type: string, of: readonly { id: string }[]) =>
      world.database.pool.query(
        `insert into operational_events (type, team_id, webhook_id, detail) select $1, $2, unnest($3::uuid[]), '{"reason": "Because."}'`,
        [type, world.camden.id, of.map(({ id }) => id)],
      )
    await news('webhook.failing', hooks)
    await news('webhook.disabled', hooks.slice(0, 1))
    expect(await tell({ gatherMs: 60_000 })).toEqual({ sent: 0, failed: 0 })
    expect(await tell()).toEqual({ sent: 1, failed: 0 })
    const caught = await mail.waitFor(({ to }) => to.includes('ops@camden.test'))
    for (const { id } of hooks) expect(caught.text).toContain(id)
    expect(caught.subject).toMatch(/^Webhook ".*, and 2 more$/)
    expect(caught.text.indexOf('Switched off')).toBeLessThan(caught.text.lastIndexOf('Failing since'))
    await news('webhook.recovered', hooks.slice(0, 1))
    expect(await tell({ everyMs: 60_000 })).toEqual({ sent: 0, failed: 0 })
    expect(await tell()).toEqual({ sent: 1, failed: 0 })
    await mail.waitFor(({ subject }) => subject.endsWith('works again'))
    await notify(null)
    const refused = await refuse(setEmail, { id: world.camden.id, email: 'nobody' })
    expect(refused).toMatchObject({ code: 'VALIDATION_FAILED', message: expect.stringContaining('one e-mail address') })
  })

  it('is mailed again, under the same id, when the worker died before it could say so', async () => {
    const { id } = await aWebhook()
    await world.database.pool.query(
      `insert into operational_events (type, team_id, webhook_id, detail) values ('webhook.failing', $1, $2, '{}')`,
      [world.camden.id, id],
    )
    const dying: Pick<Mailer, 'send'> = {
      async send(message) {
        const sent = await mailer.send(message)
        const { rowCount } = await world.database.pool.query(
          `select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database
            where l.locktype = 'advisory' and l.classid = $1 and d.datname = current_database()`,
          [mailLocks],
        )
        expect(rowCount).toBe(1)
        return sent
      },
    }
    expect(await tell({ mailer: dying })).toEqual({ sent: 0, failed: 1 })
    await until(tell, ({ sent }) => sent === 1)
    const about = () => mail.messages().filter(({ text }) => text.includes(id))
    await until(
      async () => about(),
      (caught) => caught.length === 2,
    )
    expect(new Set(about().map(({ headers }) => headers['message-id'])).size).toBe(1)
    expect(await tell()).toEqual({ sent: 0, failed: 0 })
  })

  it('waits for a mail server that is away, and says what is the platform’s to its administrators', async () => {
    const { id } = await aWebhook()
    await world.database.pool.query(
      `insert into operational_events (type, team_id, webhook_id, detail) values ('webhook.disabled', null, $1, '{}')`,
      [id],
    )
    const away = createMailer({ url: 'smtp://127.0.0.1:1', from: 'a@example.org' })
    expect(await tell({ mailer: away })).toEqual({ sent: 0, failed: 1 })
    await away.close()
    expect(await rows('select 1 from operational_events where mailed_at is null')).toHaveLength(1)
    expect(await tell()).toEqual({ sent: 1, failed: 0 })
    await mail.waitFor(({ to, text }) => to.includes(world.admin.email) && text.includes('of the platform'))
  })
})
