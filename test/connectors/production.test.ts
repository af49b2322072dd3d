import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { purgeRawSources } from '../../src/connectors/raw-source-retention.ts'
import { until } from '../../src/delivery/deliveries.fixture.ts'
import { type ProductionGround, productionGround, type SourceRow } from './production.ground.ts'

let ground: ProductionGround
beforeAll(async () => {
  ground = await productionGround()
  await ground.worker()
})
afterAll(() => ground?.close())

const runNow = (id: string) => ground.get('mutation ($id: uuid!) { run_connection(id: $id) { id } }', { id })

const lastRun = (id: string) => ground.world.database.prisma.connection.findUniqueOrThrow({ where: { id } })

/** Runs it, and waits until nothing of it is left to do. */
async function ran(id: string): Promise<SourceRow[]> {
  const before = (await lastRun(id)).last_run_at
  await runNow(id)
  await until(
    () => lastRun(id),
    ({ last_run_at, run_token }) => run_token === null && last_run_at?.getTime() !== before?.getTime(),
  )
  return settled(id)
}

const settled = (id: string) =>
  until(
    () => ground.sources(id),
    (sources) => sources.every(({ status }) => status !== 'received'),
  )

const sessionOf = (id: string | null | undefined) =>
  ground.world.database.prisma.session.findUniqueOrThrow({
    where: { id: id ?? randomUUID() },
    include: { events: true },
  })

const runsOf = (connection_id: string, method: string) =>
  ground.world.database.prisma.connectorRun.findMany({ where: { connection_id, method }, orderBy: { id: 'asc' } })

describe('a run', () => {
  test('keeps every source, makes a session of each, and announces them', async () => {
    const connection = await ground.connected(
      await ground.installed(`
        export default {
          getRawSources: () => ['one', new Uint8Array([116, 119, 111]), { source: { three: 3 }, uniqueSourceId: 'id-3' }],
          extractMetadata: (source) => ({ description: 'A ' + new TextDecoder().decode(source), mimeType: 'text/plain', createdAt: '2026-01-31T10:00:00' }),
          convertRawSource: (source, { delivery, config, settings }) => ({
            session: { data: { text: new TextDecoder().decode(source), settings: Object.keys(settings) }, payment_id: 'p', config: { from: 'test' } },
            message: 'Taken.',
          }),
        }`),
    )
    const sources = await ran(connection)
    expect(sources.map(({ status, message, repeats }) => ({ status, message, repeats }))).toEqual(
      [1, 2, 3].map(() => ({ status: 'converted', message: 'Taken.', repeats: 0 })),
    )
    expect(sources.map(({ unique_id }) => unique_id)).toEqual([
      expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      'id-3',
    ])
    const session = await sessionOf(sources[1]?.session_id)
    expect(session).toMatchObject({
      kind: 'application',
      status: 'submitted',
      team_id: ground.world.camden.id,
      flow_id: ground.world.camden.flow.id,
      payment_id: 'p',
      author_kind: 'connection',
      author_id: connection,
      data: { text: 'two', settings: expect.arrayContaining(['include_passport_data']) },
      events: [{ type: 'session.submitted', config: { from: 'test' } }],
    })
    expect(await lastRun(connection)).toMatchObject({
      last_run_status: 'succeeded',
      last_run_message: '3 sources: 3 new, 0 seen before.',
      next_run_at: null,
    })
    // What people see of it.
    const { raw_sources } = await ground.get<{ raw_sources: unknown[] }>(
      `query ($id: uuid!) { raw_sources(where: {connection_id: {_eq: $id}, unique_id: {_eq: "id-3"}}) {
         status size mime description created_by_source_at connection { id } session { id } runs { method status } } }`,
      { id: connection },
    )
    expect(raw_sources).toEqual([
      {
        status: 'converted',
        size: 11,
        mime: 'text/plain',
        description: 'A {"three":3}',
        created_by_source_at: '2026-01-31T10:00:00',
        connection: { id: connection },
        session: { id: sources[2]?.session_id },
        runs: [{ method: 'convertRawSource', status: 'succeeded' }],
      },
    ])
  })

  test('asks for more until there is none, and hands on its state', async () => {
    const connection = await ground.connected(
      await ground.installed(
        `export default {
           getRawSources({ state }) {
             state.page = (state.page ?? 0) + 1
             return { sources: [{ source: 'page ' + state.page, uniqueSourceId: String(state.page) }], more: state.page < 3 }
           },
           convertRawSource: () => null,
         }`,
        { settings: [{ key: 'page', type: 'INTERNAL' }] },
      ),
    )
    const sources = await ran(connection)
    expect(sources.map(({ unique_id, status }) => [unique_id, status])).toEqual([
      ['1', 'discarded'],
      ['2', 'discarded'],
      ['3', 'discarded'],
    ])
    expect((await lastRun(connection)).state).toEqual({ page: 3 })
    expect(await runsOf(connection, 'getRawSources')).toHaveLength(3)
  })

  test('a source already seen is not converted twice, and need not be fetched again', async () => {
    const connection = await ground.connected(
      await ground.installed(`
        export default {
          async getRawSources({ known, log }) {
            log.info(JSON.stringify(await known(['a', 'b', 'c'])))
            return [{ source: 'first', uniqueSourceId: 'a' }, { source: 'other content', uniqueSourceId: 'a' }, 'no id', 'no id']
          },
          convertRawSource: (source) => ({ session: { data: { text: new TextDecoder().decode(source) } } }),
        }`),
    )
    expect(await ran(connection)).toHaveLength(2)
    const again = await ran(connection)
    expect(again).toHaveLength(2)
    expect(again.map(({ repeats, attempt_count }) => [repeats, attempt_count])).toEqual([
      [1, 1],
      [1, 1],
    ])
    const runs = await runsOf(connection, 'getRawSources')
    expect(runs.map(({ message }) => message)).toEqual([
      '4 sources: 2 new, 2 seen before.',
      '4 sources: 0 new, 4 seen before.',
    ])
    expect(runs.map(({ log }) => (log as { message: string }[])[0]?.message)).toEqual(['[]', '["a"]'])
  })

  test('one bad source is left out alone and told, and the state waits for it', async () => {
    const connection = await ground.connected(
      await ground.installed(
        `export default {
           getRawSources({ state }) { state.done = true; return ['good', '', { source: 'x', uniqueSourceId: 'y'.repeat(501) }] },
           convertRawSource: () => ({ discard: true }),
         }`,
        { settings: [{ key: 'done', type: 'INTERNAL' }] },
      ),
    )
    expect(await ran(connection)).toHaveLength(1)
    expect(await lastRun(connection)).toMatchObject({
      last_run_status: 'failed',
      last_run_message:
        'Source 2 of 3 was left out: it is empty. Source 3 of 3 was left out: its uniqueSourceId is no text of 1 to 500 characters. 1 source: 1 new, 0 seen before.',
      state: {},
    })
  })

  test.each([
    ['export default { getRawSources: () => 7, convertRawSource: () => null }', /must return a list of sources/],
    [
      `export default { getRawSources: () => Array(1001).fill('x'), convertRawSource: () => null }`,
      /returned 1001 sources at once/,
    ],
    [
      `export default { getRawSources() { throw new Error('The mailbox is locked.') }, convertRawSource: () => null }`,
      /The mailbox is locked/,
    ],
  ])('a producer that does not work is told why: %s', async (code, message) => {
    const connection = await ground.connected(await ground.installed(code))
    expect(await ran(connection)).toEqual([])
    expect(await lastRun(connection)).toMatchObject({
      last_run_status: 'failed',
      last_run_message: expect.stringMatching(message),
    })
  })

  test('run_connection says why it cannot run', async () => {
    const producer = await ground.installed('export default { getRawSources: () => [], convertRawSource: () => null }')
    const consumer = await ground.installed(`export default () => 'success'`, { kinds: ['consumer'] })
    const refusal = async (id: string) => {
      const { errors } = await ground.ask('mutation ($id: uuid!) { run_connection(id: $id) { id } }', { id })
      return errors?.[0]
    }
    const cases = [
      [await ground.connected(consumer, { flow_id: null }), /is no producer and no modifier/],
      [await ground.connected(producer, { flow_id: null }), /Choose the flow/],
      [await ground.connected(producer, { enabled: false }), /The connection is disabled/],
      [
        await ground.connected(producer, { run_token: randomUUID(), run_until: new Date(Date.now() + 60_000) }),
        /It is running/,
      ],
    ] as const
    for (const [id, message] of cases) {
      expect(await refusal(id)).toMatchObject({
        message: expect.stringMatching(message),
        extensions: { code: 'CONFLICT' },
      })
    }
    const { errors } = await ground.ask(
      'mutation ($id: uuid!) { run_connection(id: $id) { id } }',
      { id: cases[1][0] },
      await ground.token(ground.world.lambeth.editor),
    )
    expect(errors?.[0]?.extensions.code).toBe('NOT_FOUND')
  })
})

describe('a schedule', () => {
  const producer = `export default { getRawSources: () => ['tick'], convertRawSource: () => null }`

  test('is planned when it is written, runs once for all that was missed, and is planned again', async () => {
    const { pool } = ground.world.database
    const connection = await ground.connected(await ground.installed(producer))
    const written = await ground.ask(
      `mutation ($id: uuid!) { update_connections_by_pk(pk_columns: {id: $id}, _set: {schedule: "15 6 * * *", time_zone: "Europe/Zurich"}) { id } }`,
      { id: connection },
    )
    expect(written.errors).toBeUndefined()
    const { next_run_at } = await until(
      () => lastRun(connection),
      (row) => row.next_run_at !== null,
    )
    expect(next_run_at?.getTime()).toBeGreaterThan(Date.now())
    // A week without workers.
    await pool.query(`update connections set next_run_at = now() - interval '7 days' where id = $1`, [connection])
    const after = await until(
      () => lastRun(connection),
      (row) => row.last_run_at !== null && row.run_token === null,
    )
    expect(after.next_run_at?.getTime()).toBe(next_run_at?.getTime())
    expect(await runsOf(connection, 'getRawSources')).toHaveLength(1)
  })

  test('is not all that a run waits for which failed: it comes again, ever later', async () => {
    const { pool } = ground.world.database
    const away = `export default {
      getRawSources({ config }) { if (!config.back) throw new Error('The server is away.'); return [] },
      convertRawSource: () => null }`
    const connection = await ground.connected(await ground.installed(away), {
      // Half a year away, whenever this runs.
      schedule: `0 0 1 ${((new Date().getUTCMonth() + 6) % 12) + 1} *`,
      next_run_at: new Date(0),
    })
    const secondsToNext = async () => {
      const { next_run_at, updated } = await until(
        async () => {
          const row = await lastRun(connection)
          return { ...row, updated: await runsOf(connection, 'getRawSources') }
        },
        ({ run_token, next_run_at: next, updated: runs }) =>
          runs.length > 0 && run_token === null && next !== null && next.getTime() > 0,
      )
      const [last] = updated.slice(-1)
      return ((next_run_at?.getTime() ?? 0) - (last?.started_at.getTime() ?? 0)) / 1000
    }
    const again = (more: object = {}) =>
      pool.query('update connections set next_run_at = to_timestamp(0), config = $2 where id = $1', [connection, more])
    expect(await secondsToNext()).toBeGreaterThan(59)
    expect(await secondsToNext()).toBeLessThan(200)
    await again()
    expect(await secondsToNext()).toBeGreaterThan(299)
    await again({ back: true })
    expect(await secondsToNext()).toBeGreaterThan(86_400)
    expect((await runsOf(connection, 'getRawSources')).map(({ status }) => status)).toEqual([
      'failed',
      'failed',
      'succeeded',
    ])
  })

  test('is refused when it cannot be read, and for what has none', async () => {
    const set = `mutation ($id: uuid!, $set: connections_set_input!) { update_connections_by_pk(pk_columns: {id: $id}, _set: $set) { id } }`
    const id = await ground.connected(await ground.installed(producer))
    const consumer = await ground.connected(
      await ground.installed(`export default () => 'success'`, { kinds: ['consumer'] }),
      { flow_id: null },
    )
    const message = async (which: string, values: object) =>
      (await ground.ask(set, { id: which, set: values })).errors?.[0]?.message
    expect(await message(id, { schedule: 'every day' })).toMatch(/schedule: write five fields/)
    expect(await message(id, { time_zone: 'Zurich' })).toMatch(/"Zurich" is no time zone/)
    expect(await message(id, { flow_id: ground.world.lambeth.flow.id })).toMatch(/no such flow in the team/)
    expect(await message(consumer, { schedule: '@daily' })).toMatch(/only producers and modifiers run on a schedule/)
  })

  test('waits while the connection or its integration is disabled, or its connector is not approved', async () => {
    const { prisma, pool } = ground.world.database
    const connectorId = await ground.installed(producer)
    const integration = await prisma.integration.create({
      data: { team_id: ground.world.camden.id, slug: 'off', name: 'Off', status: 'disabled' },
    })
    const due = { next_run_at: new Date(Date.now() - 1000) }
    const off = await ground.connected(connectorId, { ...due, enabled: false })
    const stopped = await ground.connected(connectorId, { ...due, integration_id: integration.id })
    const working = await ground.connected(connectorId, due)
    await until(
      () => lastRun(working),
      ({ last_run_at }) => last_run_at !== null,
    )
    for (const id of [off, stopped]) expect(await lastRun(id)).toMatchObject({ last_run_at: null, run_token: null })
    await pool.query('update connections set enabled = true where id = $1', [off])
    await until(
      () => lastRun(off),
      ({ last_run_at }) => last_run_at !== null,
    )
  })
})

describe('a conversion', () => {
  const booking = (values: string) => `
    export default {
      getRawSources: ({ config }) => config.sources.map((each, index) => ({ source: JSON.stringify(each), uniqueSourceId: each.id ?? String(index) })),
      ${values}
    }`
  const sourcesOf = (...sources: object[]) => ({ config: { sources } })

  test('one source that fails fails alone, is listed, and is converted again after a fix', async () => {
    const code = booking(`convertRawSource(source, { config }) {
      const { n } = JSON.parse(new TextDecoder().decode(source))
      if (n === 2 && !config.fixed) throw new Error('There is no date in it.')
      return { session: { data: { n } } } }`)
    const connection = await ground.connected(await ground.installed(code), sourcesOf({ n: 1 }, { n: 2 }, { n: 3 }))
    const sources = await ran(connection)
    expect(sources.map(({ status, message }) => [status, message])).toEqual([
      ['converted', null],
      ['failed', expect.stringContaining('There is no date in it.')],
      ['converted', null],
    ])
    expect((await runsOf(connection, 'convertRawSource')).map(({ status }) => status).sort()).toEqual([
      'failed',
      'succeeded',
      'succeeded',
    ])

    await ground.world.database.pool.query(
      `update connections set config = config || '{"fixed": true}' where id = $1`,
      [connection],
    )
    const again = 'mutation ($id: uuid!) { convert_raw_sources(connection_id: $id) { count } }'
    expect(await ground.get(again, { id: connection })).toEqual({ convert_raw_sources: { count: 1 } })
    const after = await settled(connection)
    expect(after.map(({ status }) => status)).toEqual(['converted', 'converted', 'converted'])
    expect(after[0]?.session_id).toBe(sources[0]?.session_id)
    expect((await sessionOf(after[1]?.session_id)).data).toEqual({ n: 2 })
  })

  test('what cannot be stored fails at once, in words', async () => {
    const code = booking(`convertRawSource(source) {
      const text = new TextDecoder().decode(source)
      if (text.includes('key')) return { session: { data: {} }, key: 'a\\0b' }
      let tower = {}
      for (let level = 0; level < 300; level++) tower = { tower }
      return { session: { data: text.includes('nul') ? { 'a\\0': 1 } : text.includes('half') ? { a: ['\\ud800'] } : tower } } }`)
    const sources = ['key', 'nul', 'half', 'tower'].map((what) => ({ what }))
    const connection = await ground.connected(await ground.installed(code), sourcesOf(...sources))
    expect(
      (await ran(connection)).map(({ status, message, attempt_count }) => [status, message, attempt_count]),
    ).toEqual(
      [/U\+0000/, /U\+0000/, /surrogate/, /200 levels/].map((words) => ['failed', expect.stringMatching(words), 1]),
    )
  })

  test('a booking is checked as one, and kept without what belongs to connectors', async () => {
    const code = booking(`convertRawSource: (source) => ({ booking: JSON.parse(new TextDecoder().decode(source)) })`)
    const flight = (departuretime: string) => ({
      referenceNumber: `R-${departuretime.length}`,
      extensionData: { 'org.example.producer': { seen: 1 }, 'com.example.other': { kept: true } },
      travelservices: [{ travelServiceType: 'FLIGHT', segmentedLegs: [{ segments: [{ departuretime }] }] }],
    })
    const connection = await ground.connected(
      await ground.installed(code),
      sourcesOf(flight('2027-01-31T10:00:00'), flight('2027-01-31T10:00:00+01:00')),
    )
    const [good, zoned] = await ran(connection)
    const session = await sessionOf(good?.session_id)
    expect(session).toMatchObject({
      kind: 'booking',
      data: { referenceNumber: 'R-19', extensionData: { 'com.example.other': { kept: true } } },
      connector_data: { 'org.example.producer': { seen: 1 } },
    })
    // In the transaction that announced it, so that nobody hears of a session without it.
    const { rows } = await ground.world.database.pool.query(
      'select s.xmin = e.xmin as together from sessions s join session_events e on e.session_id = s.id where s.id = $1',
      [good?.session_id],
    )
    expect(rows).toEqual([{ together: true }])
    expect(zoned).toMatchObject({ status: 'failed', message: expect.stringContaining('must carry no time zone') })
  })

  test('a later source of the same booking is a revision; the same again announces nothing', async () => {
    const { pool } = ground.world.database
    const code = booking(`convertRawSource: (source) => {
      const { id, ...rest } = JSON.parse(new TextDecoder().decode(source)); return { booking: rest } }`)
    const of = (id: string, totalprice: number) => ({
      id,
      referenceNumber: 'ABC123',
      sourceDomain: 'air.example',
      totalprice,
    })
    const connection = await ground.connected(await ground.installed(code), sourcesOf(of('1', 100)))
    const [first] = await ran(connection)
    const bring = (...sources: object[]) =>
      pool.query('update connections set config = $2 where id = $1', [connection, { sources }])
    await bring(of('2', 100), of('3', 120))
    const all = await ran(connection)
    expect(all.map(({ status, session_id, session_key }) => ({ status, session_id, session_key }))).toEqual(
      all.map(() => ({ status: 'converted', session_id: first?.session_id, session_key: 'air.example/ABC123' })),
    )
    const session = await sessionOf(first?.session_id)
    expect(session).toMatchObject({ revision: 2, data: { totalprice: 120 } })
    expect(session.events.map(({ type }) => type)).toEqual(['session.submitted', 'session.updated'])

    // Converting an old one again takes nothing back.
    await ground.get('mutation ($ids: [uuid!]) { convert_raw_sources(ids: $ids) { count } }', { ids: [first?.id] })
    const [old] = await settled(connection)
    expect(old).toMatchObject({ status: 'discarded', message: 'A later source has said what this session is.' })
    expect(await sessionOf(first?.session_id)).toMatchObject({ revision: 2 })

    // A modifier's work stays when the source says nothing new.
    await pool.query(`update sessions set data = data || '{"co2": 84}' where id = $1`, [first?.session_id])
    await ground.get('mutation ($ids: [uuid!]) { convert_raw_sources(ids: $ids) { count } }', { ids: [all[2]?.id] })
    await settled(connection)
    expect(await sessionOf(first?.session_id)).toMatchObject({ revision: 2, data: { totalprice: 120, co2: 84 } })

    // What it said at first is a revision too when it says so later.
    await bring(of('4', 100))
    await ran(connection)
    expect(await sessionOf(first?.session_id)).toMatchObject({ revision: 3, data: { totalprice: 100 } })
  })

  test('what comes after the session has ended is a session of its own', async () => {
    const { pool } = ground.world.database
    const code = booking(
      `convertRawSource: (source) => ({ session: { data: JSON.parse(new TextDecoder().decode(source)) }, key: 'one' })`,
    )
    const connection = await ground.connected(await ground.installed(code), sourcesOf({ id: 'a' }))
    const [first] = await ran(connection)
    await pool.query(
      `update sessions set status = 'purged', purged_at = now(), data = null, content_hash = '' where id = $1`,
      [first?.session_id],
    )
    await pool.query('update connections set config = $2 where id = $1', [connection, { sources: [{ id: 'b' }] }])
    const [, second] = await ran(connection)
    expect(second).toMatchObject({ status: 'converted' })
    expect(second?.session_id).not.toBe(first?.session_id)
  })

  test('isModifyAllowedFrom keeps bookings of other sources apart, or throws them away', async () => {
    const code = booking(`
      convertRawSource: (source) => { const { id, ...rest } = JSON.parse(new TextDecoder().decode(source)); return { booking: rest } },
      isModifyAllowedFrom(domain) {
        if (domain === 'spam.example') throw new Error('not ours')
        return domain === 'friend.example'
      }`)
    const of = (id: string, sourceDomain: string) => ({ id, referenceNumber: 'ABC123', sourceDomain })
    const connection = await ground.connected(
      await ground.installed(code),
      sourcesOf(
        of('1', 'air.example'),
        of('2', 'friend.example'),
        of('3', 'stranger.example'),
        of('4', 'spam.example'),
      ),
    )
    const [own, friend, stranger, spam] = await ran(connection)
    expect(friend?.session_id).toBe(own?.session_id)
    expect(stranger?.session_id).not.toBe(own?.session_id)
    expect(spam).toMatchObject({ status: 'discarded', session_id: null })
  })

  test('the guide’s names and codes are understood: 999, updatedRawSource, discardAsIntermediate, null', async () => {
    const code = booking(`
      extractMetadata: (source) => ({ discardAsIntermediate: new TextDecoder().decode(source).includes('draft'), description: 'd' }),
      convertRawSourceToTripData(source) {
        const { kind, id, ...rest } = JSON.parse(new TextDecoder().decode(source))
        if (kind === 'nothing') return null
        if (kind === 'listed') return { booking: { referenceNumber: id }, returnCode: 999, message: 'No price in it' }
        if (kind === 'bad') return { bookings: [] , session: { data: 7 } }
        return { booking: { referenceNumber: id }, updatedRawSource: 'without the card', returnCode: 3 }
      }`)
    const connection = await ground.connected(
      await ground.installed(code),
      sourcesOf(...['draft', 'nothing', 'listed', 'bad', 'card'].map((kind) => ({ id: kind, kind }))),
    )
    const sources = await ran(connection)
    expect(sources.map(({ unique_id, status, message }) => [unique_id, status, message])).toEqual([
      ['draft', 'discarded', 'It is a step on the way.'],
      ['nothing', 'discarded', null],
      ['listed', 'converted', 'No price in it'],
      ['bad', 'failed', expect.stringContaining('"session.data" does not fit: must be an object')],
      ['card', 'converted', 'Code 3'],
    ])
    const runs = await runsOf(connection, 'convertRawSourceToTripData')
    expect(runs.find(({ message }) => message === 'No price in it')).toMatchObject({ status: 'failed' })
    const { raw_source_content: kept } = await ground.get<{ raw_source_content: { content: string; size: number } }>(
      'mutation ($id: uuid!) { raw_source_content(id: $id) { content size } }',
      { id: sources[4]?.id },
    )
    expect(Buffer.from(kept.content, 'base64').toString()).toBe('without the card')
    const entry = await until(
      () =>
        ground.world.database.prisma.auditEntry.findFirst({
          where: { operation: 'raw_source_content', session_ids: { has: sources[4]?.session_id ?? '' } },
        }),
      (found) => found !== null,
    )
    expect(entry).toMatchObject({ outcome: 'granted', actor_kind: 'person' })
  })

  test('a session’s id that the connector chose must be its own', async () => {
    const foreign = await ground.world.submit({ team: 'camden', flow: 'apply', data: { theirs: true } })
    const code = booking(
      `convertRawSource: (source, { config }) => ({ session: { id: config.target, data: { mine: true } } })`,
    )
    const connection = await ground.connected(await ground.installed(code), {
      config: { target: foreign.id, sources: [{}] },
    })
    const [source] = await ran(connection)
    expect(source).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('which this connection has not made'),
    })
    expect((await sessionOf(foreign.id)).data).toEqual({ theirs: true })
  })

  test('waits while its connector is not approved', async () => {
    const { pool } = ground.world.database
    const id = await ground.installed(booking('convertRawSource: () => null'))
    const connection = await ground.connected(id, sourcesOf({}))
    await pool.query(`update connectors set status = 'withdrawn' where id = $1`, [id])
    await pool.query(
      `insert into raw_sources (connection_id, team_id, unique_id, content, sha256) values ($1, $2, 'x', 'x', 'x')`,
      [connection, ground.world.camden.id],
    )
    const other = await ground.connected(await ground.installed(booking('convertRawSource: () => null')), sourcesOf({}))
    await ran(other)
    expect(await ground.sources(connection)).toMatchObject([{ status: 'received', attempt_count: 0 }])
    const { errors } = await ground.ask('mutation ($id: uuid!) { run_connection(id: $id) { id } }', { id: connection })
    expect(errors?.[0]?.message).toMatch(/is withdrawn. Upgrade the connection first/)
  })
})

describe('the end of raw sources', () => {
  test('that became no session comes with their age; what is seen again after it is still known', async () => {
    const { database, config } = ground.world
    const code = `export default {
      getRawSources: () => ['one', { source: 'two', uniqueSourceId: 'mail-2' }],
      convertRawSource() { throw new Error('Robin Example is not known.') } }`
    const connection = await ground.connected(await ground.installed(code))
    await ran(connection)
    const parts = { pool: database.pool, retentionDays: config.RETENTION_DAYS }
    await purgeRawSources(parts)
    expect((await ground.sources(connection)).map(({ message }) => message)).toEqual([
      expect.stringContaining('Robin Example'),
      expect.stringContaining('Robin Example'),
    ])
    await database.pool.query(
      `update raw_sources set created_at = now() - interval '31 days' where connection_id = $1`,
      [connection],
    )
    expect(await purgeRawSources(parts)).toBe(2)
    const purged = await ground.sources(connection)
    expect(purged).toMatchObject([1, 2].map(() => ({ message: null, content: null, purged_at: expect.any(Date) })))
    expect(JSON.stringify([purged, await runsOf(connection, 'convertRawSource')])).not.toMatch(/Robin|mail-2/)

    expect((await ran(connection)).map(({ status, repeats }) => [status, repeats])).toEqual([
      ['failed', 1],
      ['failed', 1],
    ])
    const { errors } = await ground.ask('mutation ($id: uuid!) { raw_source_content(id: $id) { content } }', {
      id: purged[0]?.id,
    })
    expect(errors?.[0]).toMatchObject({
      message: expect.stringMatching(/^The content was purged on/),
      extensions: { code: 'GONE' },
    })
  })
})
