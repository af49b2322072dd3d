import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../delivery/deliveries.fixture.ts'
import { settlingGround } from './settling.fixture.ts'
import { askModifier, askScheduledModifier } from './settling-ask.ts'
import { readWaiting } from './settling-read.ts'
import { claimSettlings } from './settling-sql.ts'

let ground: Awaited<ReturnType<typeof settlingGround>>
beforeAll(async () => {
  ground = await settlingGround()
})
afterEach(() => ground.reset())
afterAll(() => ground?.close())

const settled = (id: string) =>
  until(
    () => ground.session(id),
    (session) => session?.settling === false,
  )

describe('a submitted session', () => {
  it('without modifiers is announced in the statement that takes it in', async () => {
    const { id, status, event_id, deliveries } = await ground.submit({ a: 1 })
    expect({ status, deliveries }).toEqual({ status: 'submitted', deliveries: 1 })
    expect(event_id).not.toBeNull()
    expect(await ground.session(id)).toMatchObject({ settling: false, revision: 1 })
  })

  it('waits for its modifiers, and is announced once, with what they made of it', async () => {
    const first = await ground.modifier((data) => ({ ...data, b: 2 }), { run_order: 1 })
    const second = await ground.modifier((data) => (data.c ? undefined : { ...data, c: data.b }), { run_order: 2 })
    const { id, status, event_id, deliveries, grants } = await ground.submit({ a: 1 })
    expect({ status, event_id, deliveries, grants }).toEqual({
      status: 'settling',
      event_id: null,
      deliveries: 0,
      grants: 1,
    })
    expect(await ground.events(id)).toEqual([])
    ground.engine()
    expect(await settled(id)).toMatchObject({ status: 'submitted', revision: 3, data: { a: 1, b: 2, c: 2 } })
    // The webhook alone: a modifier gets no deliveries.
    expect(await ground.events(id)).toEqual([{ type: 'session.submitted', revision: 3, deliveries: 1 }])
    expect(await ground.revisions(id)).toMatchObject([
      { revision: 1, data: { a: 1 }, author_kind: 'credential' },
      { revision: 2, data: { a: 1, b: 2 }, author_kind: 'connection', author_id: first },
      { revision: 3, data: { a: 1, b: 2, c: 2 }, author_kind: 'connection', author_id: second },
    ])
    expect((await ground.runs(first)).map(({ method, status, revision }) => ({ method, status, revision }))).toEqual([
      { method: 'modify', status: 'succeeded', revision: 1 },
      { method: 'modify', status: 'succeeded', revision: 3 },
    ])
  })

  it('is announced as it is when no modifier changes it', async () => {
    await ground.modifier(() => undefined)
    await ground.modifier((data) => ({ ...data }))
    ground.engine()
    const { id } = await ground.submit({ a: 1 })
    expect(await settled(id)).toMatchObject({ status: 'submitted', revision: 1 })
    expect(await ground.events(id)).toEqual([{ type: 'session.submitted', revision: 1, deliveries: 1 }])
  })

  it('submitted again after modifiers changed it is the same submission', async () => {
    await ground.modifier((data) => ({ ...data, b: 2 }))
    ground.engine()
    const id = randomUUID()
    await ground.submit({ a: 1 }, { id })
    await settled(id)
    expect(await ground.submit({ a: 1 }, { id })).toMatchObject({ created: false, status: 'submitted', revision: 2 })
    await expect(ground.submit({ a: 2 }, { id })).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  it('does not wait for modifiers of another pattern, event, kind or schema, or that are off', async () => {
    const change = (data: object) => ({ ...data, never: true })
    await ground.modifier(change, { pattern: { config: { _contains: { region: 'north' } } } })
    await ground.modifier(change, { events: ['session.updated'] })
    await ground.modifier(change, { enabled: false })
    await ground.modifier(change, {}, { accepts: { kinds: ['booking'] } })
    await ground.modifier(change, {}, { accepts: { schemas: ['https://schemas.example/*'] } })
    const unapproved = await ground.modifier(change)
    await ground.pool.query(
      `update connectors set status = 'submitted' where id = (select connector_id from connections where id = $1)`,
      [unapproved],
    )
    expect(await ground.submit({ a: 1 })).toMatchObject({ status: 'submitted', deliveries: 1 })
  })
})

describe('an update', () => {
  it('is seen by nobody before its modifiers have settled; then it is announced', async () => {
    await ground.modifier((data) => ({ ...data, total: Number(data.a) * 2 }), { events: ['session.updated'] })
    const { id } = await ground.submit({ a: 1 })
    expect(await ground.update(id, { a: 2 })).toMatchObject({ status: 'submitted', revision: 2, event_id: null })
    expect(await ground.session(id)).toMatchObject({ revision: 1, data: { a: 1 } })
    expect(await ground.revisions(id)).toHaveLength(1)
    expect(await ground.events(id)).toHaveLength(1)
    ground.engine()
    expect(await settled(id)).toMatchObject({ revision: 3, data: { a: 2, total: 4 } })
    expect((await ground.events(id)).slice(1)).toEqual([{ type: 'session.updated', revision: 3, deliveries: 1 }])
    expect((await ground.revisions(id)).map(({ data, author_kind }) => [data, author_kind])).toEqual([
      [{ a: 1 }, 'credential'],
      [{ a: 2 }, 'credential'],
      [{ a: 2, total: 4 }, 'connection'],
    ])
  })

  it('follows the one that waits before it; both are revisions, and there is one announcement', async () => {
    await ground.modifier((data) => (data.a === 3 ? undefined : { ...data, late: true }), {
      events: ['session.updated'],
    })
    const { id } = await ground.submit({ a: 1 }, { payment_id: 'p-1' })
    await ground.update(id, { a: 2 })
    const change = { id, payment_id: 'p-2', config: { region: 'north' } }
    expect(await ground.change(change, { k: { set: { b: 1 }, remove: [] } })).toMatchObject({ revision: 3 })
    expect(await ground.change({ id, data: { a: 3 } }, { k: { set: { c: 2 }, remove: ['b'] } })).toMatchObject({
      revision: 4,
    })
    expect(await ground.change({ id, data: { a: 3 } })).toMatchObject({ changed: false, revision: 4 })
    await expect(ground.change({ id, data: { a: 9 }, expected_revision: 1 })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/at revision 4, not 1.*modifiers have settled/),
    })
    ground.engine()
    expect(await settled(id)).toMatchObject({ revision: 4, data: { a: 3 } })
    expect((await ground.revisions(id)).map(({ revision, data }) => [revision, data])).toEqual([
      [1, { a: 1 }],
      [2, { a: 2 }],
      [3, { a: 2 }],
      [4, { a: 3 }],
    ])
    expect((await ground.events(id)).slice(1)).toEqual([{ type: 'session.updated', revision: 4, deliveries: 1 }])
    const { rows } = await ground.pool.query(
      `select s.payment_id, s.config, s.connector_data, (select count(*)::int from pending_revisions) as waiting from sessions s where id = $1`,
      [id],
    )
    expect(rows).toEqual([
      { payment_id: 'p-2', config: { region: 'north' }, connector_data: { k: { c: 2 } }, waiting: 0 },
    ])
  })

  it('is told of while it waits: how many wait, since when and for whom, never what they say', async () => {
    const later = await ground.modifier(() => undefined, { events: ['session.updated'], name: 'Later', run_order: 2 })
    const first = await ground.modifier(() => undefined, { events: ['session.updated'], name: 'First', run_order: 1 })
    await ground.pool.query('update connections set team_id = null where id = $1', [later])
    const { id } = await ground.submit({ a: 1 })
    const told = (open: boolean) => readWaiting(ground.pool, { session_id: id, open })
    expect(await told(true)).toBeUndefined()
    await ground.update(id, { a: 2 })
    await ground.update(id, { a: 3 })
    expect(await told(false)).toEqual({
      session_id: id,
      event_type: 'session.updated',
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      attempts: 0,
      restarts: 0,
      pending_revisions: 2,
      modifiers: [
        { connection_id: first, name: 'First', integration: 'Office' },
        { connection_id: null, name: null, integration: 'Office' },
      ],
    })
    expect((await told(true))?.modifiers.at(1)).toMatchObject({ connection_id: later, name: 'Later' })
    await ground.pool.query('update connections set enabled = false where id = $1', [first])
    expect((await told(true))?.modifiers).toHaveLength(1)
    ground.engine()
    await settled(id)
    expect(await told(true)).toBeUndefined()
  })

  it('is written as it is when nothing changes it, moves its booking, and is purged with its session', async () => {
    await ground.modifier(() => undefined, { events: ['session.updated'] })
    const tripUuid = randomUUID()
    const [moved, ended] = [
      await ground.submit({ referenceNumber: 'R-41' }, { kind: 'booking' }),
      await ground.submit({ a: 1 }),
    ]
    await ground.update(moved.id, { referenceNumber: 'R-41', tripUuid })
    await ground.update(ended.id, { a: 2 })
    await ground.pool.query(`delete from session_settlings where session_id = $1`, [ended.id])
    ground.engine()
    expect(await settled(moved.id)).toMatchObject({ revision: 2, data: { tripUuid } })
    const session = await ground.prisma.session.findUniqueOrThrow({ where: { id: moved.id }, include: { trip: true } })
    expect(session).toMatchObject({ author_kind: 'credential', trip: { reference: `trip:${tripUuid}` } })
    expect((await ground.pool.query('select from pending_revisions')).rowCount).toBe(0)
    expect(await ground.session(ended.id)).toMatchObject({ revision: 1, data: { a: 1 } })
  })

  it('that comes while a session settles is taken in: the chain starts again, and nothing is lost', async () => {
    const asked = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    await ground.modifier(async (data) => {
      asked.resolve()
      await go.promise
      return { ...data, seen: data.a }
    })
    ground.engine()
    const { id } = await ground.submit({ a: 1 })
    await asked.promise
    expect(await ground.update(id, { a: 2 })).toMatchObject({ status: 'settling', event_id: null })
    go.resolve()
    expect(await settled(id)).toMatchObject({ status: 'submitted', revision: 3, data: { a: 2, seen: 2 } })
    expect(await ground.events(id)).toEqual([{ type: 'session.submitted', revision: 3, deliveries: 1 }])
    expect((await ground.revisions(id)).map(({ data }) => data)).toEqual([{ a: 1 }, { a: 2 }, { a: 2, seen: 2 }])
  })

  it('made by a connection is not handed back to it', async () => {
    let calls = 0
    const own = await ground.modifier((data) => {
      calls += 1
      return { ...data, n: Number(data.n ?? 0) + 1 }
    })
    ground.engine()
    const { id } = await ground.submit({ n: 0 })
    await settled(id)
    const author = { kind: 'connection', id: own, role: 'admin', variables: {}, teamId: null } as const
    await ground.update(id, { n: 10 }, { ...author, integrationId: null, expiresAt: null })
    expect(await settled(id)).toMatchObject({ data: { n: 10 } })
    expect(calls).toBe(1)
    expect(await ground.events(id)).toHaveLength(2)
  })
})

describe('a loop', () => {
  it('is cut, told to the team, and the session is announced with what it then holds', async () => {
    const one = await ground.modifier((data) => ({ ...data, by: 'one' }), { run_order: 1, name: 'One' })
    const two = await ground.modifier((data) => ({ ...data, by: 'two' }), { run_order: 2, name: 'Two' })
    ground.engine()
    const { id } = await ground.submit({})
    expect(await settled(id)).toMatchObject({ status: 'submitted', data: { by: 'two' } })
    expect(await ground.events(id)).toHaveLength(1)
    const { rows } = await ground.pool.query(
      `select type, team_id, detail from operational_events order by position desc`,
    )
    expect(rows[0]).toMatchObject({
      type: 'connection.modifier_loop',
      team_id: ground.team.id,
      detail: {
        session_id: id,
        connections: [
          { id: one, name: 'One' },
          { id: two, name: 'Two' },
        ],
      },
    })
  })

  it('that never repeats ends after ten rounds', async () => {
    const count = (key: string) => (data: Record<string, unknown>) => ({ ...data, [key]: Number(data[key] ?? 0) + 1 })
    await ground.modifier(count('a'))
    await ground.modifier(count('b'))
    ground.engine()
    const { id } = await ground.submit({})
    expect(await settled(id)).toMatchObject({ data: { a: 10, b: 10 }, revision: 21 })
    expect((await ground.revisions(id)).map(({ revision }) => revision)).toEqual(
      Array.from({ length: 21 }, (_, at) => at + 1),
    )
  })
})

describe('a modifier that fails', () => {
  it('is tried three times; then the session goes on without it, and it can be asked again', async () => {
    let mended = false
    const failing = await ground.modifier((data) => {
      if (!mended) throw new Error('The office is closed.')
      return { ...data, mended: true }
    })
    await ground.modifier((data) => ({ ...data, b: 2 }))
    ground.engine()
    const { id } = await ground.submit({})
    expect(await settled(id)).toMatchObject({ status: 'submitted', data: { b: 2 } })
    const runs = await ground.runs(failing)
    expect(runs).toMatchObject(
      [1, 2, 3].map((attempt) => ({ attempt, status: 'failed', message: 'The office is closed.', session_id: id })),
    )
    mended = true
    await askModifier(ground.pool, { connection_id: failing, session_id: id })
    expect(await settled(id)).toMatchObject({ data: { b: 2, mended: true } })
    expect((await ground.events(id)).map(({ type }) => type)).toEqual(['session.submitted', 'session.updated'])
  })

  it('by breaking the schema is refused, and the session goes on without its change', async () => {
    const url = 'https://schemas.example/strict'
    const document = { properties: { price: { type: 'number' } }, required: ['price'] }
    await ground.prisma.payloadSchema.create({ data: { url, name: 'strict', version: '1', document } })
    await ground.prisma.flow.update({ where: { id: ground.flow.id }, data: { schema_url: url } })
    const breaking = await ground.modifier((data) => ({ ...data, price: 'free' }), { run_order: 1 })
    await ground.modifier((data) => ({ ...data, vat: 2 }), { run_order: 2 })
    ground.engine()
    const { id } = await ground.submit({ price: 10 })
    expect(await settled(id)).toMatchObject({ status: 'submitted', data: { price: 10, vat: 2 } })
    expect((await ground.runs(breaking))[0]).toMatchObject({ status: 'failed' })
    expect((await ground.runs(breaking))[0]?.message).toMatch(/not taken.*\/price/)
  })

  it.each([
    ['a list', () => [1], /an object/],
    ['half a character', (data: object) => ({ ...data, text: '\ud800' }), /unpaired surrogate/],
    ['a NUL', (data: object) => ({ ...data, text: 'a\0b' }), /U\+0000/],
    [
      'a tower',
      (data: object) => ({ ...data, tower: JSON.parse(`${'['.repeat(300)}${']'.repeat(300)}`) }),
      /200 levels/,
    ],
    [
      'more than a session may have',
      (data: object) => ({ ...data, text: 'x'.repeat(5 * 1024 * 1024) }),
      /5242\d{3} bytes long.* 5242880/,
    ],
  ])('by returning %s changes nothing', async (_, change, message) => {
    const wrong = await ground.modifier(change)
    ground.engine()
    const { id } = await ground.submit({ text: '\\u0000 written out' })
    expect(await settled(id)).toMatchObject({ status: 'submitted', revision: 1 })
    expect((await ground.runs(wrong))[0]?.message).toMatch(message)
  })

  it('session after session is left out for a while', async () => {
    let calls = 0
    const dead = await ground.modifier(() => {
      calls += 1
      throw new Error('Dead.')
    })
    ground.engine()
    for (let count = 0; count < 7; count++) await settled((await ground.submit({ count })).id)
    expect(calls).toBe(15)
    expect((await ground.runs(dead)).at(-1)).toMatchObject({
      status: 'failed',
      message: expect.stringMatching(/left out/),
    })
  })
})

it('a modifier that names a trip by its UUID moves the booking there, before anybody hears of it', async () => {
  const tripUuid = randomUUID()
  await ground.modifier((data) => (data.tripUuid ? data : { ...data, tripUuid, title: 'To the lakes' }))
  const tripOf = async (id: string) =>
    (await ground.prisma.session.findUniqueOrThrow({ where: { id }, include: { trip: true } })).trip
  const { id } = await ground.submit({ referenceNumber: 'R-31' }, { kind: 'booking' })
  expect(await tripOf(id)).toMatchObject({ reference: 'reference:r-31' })
  ground.engine()
  expect(await settled(id)).toMatchObject({ status: 'submitted', revision: 2 })
  expect(await tripOf(id)).toMatchObject({ reference: `trip:${tripUuid}` })

  const other = await ground.submit({ referenceNumber: 'R-32' })
  await settled(other.id)
  expect(await tripOf(other.id)).toBeNull()
})

describe('while a session settles', () => {
  /** A modifier that waits in the middle. */
  async function held() {
    const asked = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    const connection = await ground.modifier(async (data) => {
      asked.resolve()
      await go.promise
      return { ...data, changed: true }
    })
    ground.engine()
    const { id } = await ground.submit({ a: 1 })
    await asked.promise
    return { id, connection, go: () => go.resolve() }
  }

  it('its modifier may be deleted', async () => {
    const { id, connection, go } = await held()
    await ground.pool.query('delete from connections where id = $1', [connection])
    go()
    expect(await settled(id)).toMatchObject({ status: 'submitted', data: { a: 1 }, revision: 1 })
    expect(await ground.events(id)).toMatchObject([{ type: 'session.submitted', deliveries: 1 }])
  })

  it('its modifier’s connector may be withdrawn: what it made is not taken', async () => {
    const { id, connection, go } = await held()
    await ground.pool.query(
      `update connectors set status = 'withdrawn' where id = (select connector_id from connections where id = $1)`,
      [connection],
    )
    go()
    expect(await settled(id)).toMatchObject({ status: 'submitted', data: { a: 1 }, revision: 1 })
    expect(await ground.events(id)).toMatchObject([{ type: 'session.submitted', deliveries: 1 }])
  })

  it('its grant may be withdrawn: what the modifier made of it is not taken, and nobody hears of it', async () => {
    const { id, go } = await held()
    await ground.pool.query('update session_grants set revoked_at = now() where session_id = $1', [id])
    go()
    expect(await settled(id)).toMatchObject({ status: 'submitted', data: { a: 1 }, revision: 1 })
    expect(await ground.events(id)).toMatchObject([{ type: 'session.submitted', deliveries: 0 }])
  })

  it('its worker may die: another takes over, and it is announced once', async () => {
    let calls = 0
    const dead = Promise.withResolvers<never>()
    await ground.modifier((data) => {
      calls += 1
      return calls === 1 ? dead.promise : { ...data, changed: true }
    })
    const { id } = await ground.submit({ a: 1 })
    ground.engine()
    await until(
      async () => calls,
      (count) => count === 1,
    )
    // The lease passes to another, as that of a process that was killed does after its time.
    await ground.pool.query(
      `update session_settlings set lease_token = gen_random_uuid(), due_at = now() where session_id = $1`,
      [id],
    )
    ground.engine()
    expect(await settled(id)).toMatchObject({ status: 'submitted', data: { a: 1, changed: true }, revision: 2 })
    expect(await ground.events(id)).toHaveLength(1)
    dead.reject(new Error('late'))
    await ground.stop()
    expect(await ground.events(id)).toHaveLength(1)
    expect(await ground.session(id)).toMatchObject({ revision: 2 })
  })
})

it('whose workers keep dying is announced without its modifiers', async () => {
  const deadly = await ground.modifier((data) => ({ ...data, never: true }))
  const { id } = await ground.submit({ a: 1 })
  await ground.pool.query('update session_settlings set attempts = 5')
  ground.engine()
  expect(await settled(id)).toMatchObject({ status: 'submitted', revision: 1 })
  expect(await ground.runs(deadly)).toMatchObject([
    { status: 'failed', message: expect.stringMatching(/worker ended/) },
  ])
})

it('whose source does not stop to update it is announced, and its modifiers are asked behind it', async () => {
  await ground.modifier((data) => ({ ...data, late: true }))
  const { id } = await ground.submit({ a: 1 })
  await ground.pool.query('update session_settlings set restarts = 20')
  ground.engine()
  await until(
    () => ground.events(id),
    (events) => events.length === 2,
  )
  expect(await ground.events(id)).toMatchObject([
    { type: 'session.submitted', revision: 1 },
    { type: 'session.updated', revision: 2 },
  ])
})

describe('a modifier on a schedule', () => {
  it('is asked about granted sessions that match, the longest unseen first, and announces only changes', async () => {
    const scheduled = await ground.modifier((data) => ({ ...data, a: 'new' }), {
      events: ['session.purged'],
      pattern: { kind: { _eq: 'application' } },
    })
    const ids = []
    for (const a of ['old', 'new', 'old']) ids.push((await ground.submit({ a })).id)
    await ground.submit({ a: 'old' }, { kind: 'booking' })
    await ground.pool.query(
      `update session_grants set revoked_at = now() where session_id <> all($1::uuid[]) or session_id in (
         select id from sessions where kind = 'booking')`,
      [ids],
    )
    ground.engine()
    expect(await askScheduledModifier(ground.pool, { connection_id: scheduled, most: 2 })).toEqual({ asked: 2 })
    await Promise.all(ids.map(settled))
    expect(await askScheduledModifier(ground.pool, { connection_id: scheduled, most: 1 })).toEqual({ asked: 1 })
    await Promise.all(ids.map(settled))
    expect((await Promise.all(ids.map(ground.events))).map((events) => events.map(({ type }) => type))).toEqual([
      ['session.submitted', 'session.updated'],
      ['session.submitted'],
      ['session.submitted', 'session.updated'],
    ])
    expect((await ground.runs(scheduled)).map((run) => run.session_id).sort()).toEqual([...ids].sort())
  })

  it('that changes a session lets the others see it', async () => {
    await ground.modifier((data) => ({ ...data, total: Number(data.price) * 2 }))
    const scheduled = await ground.modifier((data) => ({ ...data, price: 2 }), { events: ['session.purged'] })
    ground.engine()
    const { id } = await ground.submit({ price: 1 })
    await settled(id)
    await askModifier(ground.pool, { connection_id: scheduled, session_id: id })
    expect(await settled(id)).toMatchObject({ data: { price: 2, total: 4 } })
    expect((await ground.events(id)).map(({ type }) => type)).toEqual(['session.submitted', 'session.updated'])
  })
})

it('each modifier that is handed a session is audited; only one that can hand it on starts the clock', async () => {
  const pure = await ground.modifier(() => undefined)
  ground.engine()
  const clock = async (id: string) =>
    (await ground.pool.query('select first_retrieved_at from session_grants where session_id = $1', [id])).rows[0]
      .first_retrieved_at
  const { id } = await ground.submit({ a: 1 })
  await settled(id)
  expect(await clock(id)).toBeNull()
  const { rows } = await ground.pool.query(
    `select actor_id, operation, outcome, detail ->> 'method' as method from audit_entries
      where actor_kind = 'connection' and session_ids = array[$1::uuid]`,
    [id],
  )
  expect(rows).toEqual([{ actor_id: pure, operation: 'retrieve', outcome: 'granted', method: 'modify' }])
  await ground.pool.query(`update connectors set permissions = '{Calls the hosts that it names}'`)
  const next = await ground.submit({ a: 2 })
  await settled(next.id)
  expect(await clock(next.id)).not.toBeNull()
})

it('a claim waits for the disk only where a modifier can hand the session on', async () => {
  await ground.modifier(() => undefined)
  await ground.submit({ a: 1 })
  const commits = async () => {
    const client = await ground.pool.connect()
    try {
      await client.query('begin')
      await client.query('set local synchronous_commit = on')
      const options = { most: 1, leaseMs: 1000, mostAttempts: 5, retentionAfterRetrievalDays: 5 }
      const [claimed] = await claimSettlings(client, options)
      const { rows } = await client.query<{ synchronous_commit: string }>('show synchronous_commit')
      return { modifiers: claimed?.modifiers.length, waits: rows[0]?.synchronous_commit }
    } finally {
      await client.query('rollback')
      client.release()
    }
  }
  expect(await commits()).toEqual({ modifiers: 1, waits: 'off' })
  await ground.pool.query(`update connectors set permissions = '{Calls the hosts that it names}'`)
  expect(await commits()).toEqual({ modifiers: 1, waits: 'on' })
})

it('what a modifier did last stands at its connection: a new status at once, and else once a minute', async () => {
  let fails = false
  const id = await ground.modifier(() => {
    if (fails) throw new Error('The tax office is closed.')
    return undefined
  })
  ground.engine({ retryMs: [] })
  const afterNext = async () => {
    const session = await ground.submit({ a: 1 })
    await settled(session.id)
    const { rows } = await ground.pool.query(
      `select last_run_status as status, last_run_message as message, last_run_at, now() - last_run_at < interval '30 seconds' as is_new
         from connections where id = $1`,
      [id],
    )
    const { last_run_at, ...last } = rows[0] ?? {}
    return { ...last, at: last_run_at as Date }
  }
  const { at: first, ...begun } = await afterNext()
  expect(begun).toEqual({ status: 'succeeded', message: null, is_new: true })
  expect((await afterNext()).at).toEqual(first)
  fails = true
  expect(await afterNext()).toMatchObject({ status: 'failed', message: 'The tax office is closed.' })
  fails = false
  expect(await afterNext()).toMatchObject({ status: 'succeeded', message: null })
  await ground.pool.query(`update connections set last_run_at = now() - interval '2 minutes' where id = $1`, [id])
  expect(await afterNext()).toMatchObject({ status: 'succeeded', is_new: true })
})
