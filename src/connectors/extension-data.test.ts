import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LeasedDelivery } from '../delivery/carrier.ts'
import {
  combined,
  type ExtensionData,
  extensionChange,
  givenData,
  maxPartBytes,
  partedBooking,
  withChange,
} from './extension-data.ts'
import { type ConnectorGround, connectorGround, unhurried } from './ground.fixture.ts'

const me = 'org.example.me'

describe('what a run changed', () => {
  test('only changed keys of its own part are written', () => {
    const before = { [me]: { kept: 1, changed: 1, removed: 1 }, 'org.example.other': { a: 1 } }
    const after = { [me]: { kept: 1, changed: 2, added: [1] }, 'org.example.other': { a: 1 } }
    const { change, refused } = extensionChange(me, before, after)
    expect(change).toEqual({ [me]: { set: { changed: 2, added: [1] }, remove: ['removed'] } })
    expect(refused).toEqual([])
  })

  test("another's part stays as it was, and the log says so", () => {
    const { change, refused } = extensionChange(me, { other: { a: 1 } }, { other: { a: 2 }, [me]: { b: 1 } })
    expect(change).toEqual({ [me]: { set: { b: 1 }, remove: [] } })
    expect(refused).toEqual([expect.stringContaining('extensionData of "other" was changed')])
    expect(extensionChange(me, { other: { a: 1 } }, {}).refused).toHaveLength(1)
  })

  test.each([null, undefined, 'text', 7, []])('%j in place of the whole changes nothing', (after) => {
    expect(extensionChange(me, { [me]: { a: 1 } }, after)).toEqual({ change: undefined, refused: [], fault: undefined })
  })

  test('a part may be null, and no object at all', () => {
    expect(extensionChange(me, { [me]: null }, { [me]: { a: 1 } }).change).toEqual({
      [me]: { set: { a: 1 }, remove: [] },
    })
    expect(extensionChange(me, { [me]: { a: 1 } }, { [me]: null }).change).toEqual({ [me]: { value: null } })
    expect(extensionChange(me, {}, { [me]: [1, 2] }).change).toEqual({ [me]: { value: [1, 2] } })
  })

  test('the shared parts are everybody’s', () => {
    const after = { _shared_: { a: 1 }, 'ch.want.funnel.extension._shared_': { b: 2 } }
    expect(extensionChange(me, {}, after)).toMatchObject({ refused: [], change: { _shared_: { set: { a: 1 } } } })
  })

  test('a part that is too large is a fault that says what to do', () => {
    const { change, fault } = extensionChange(me, {}, { [me]: { text: 'x'.repeat(maxPartBytes) } })
    expect(change).toBeUndefined()
    expect(fault).toContain('larger than the 65536 bytes')
  })

  const part = fc.oneof(
    fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'ui'), fc.jsonValue(), { noNullPrototype: true }),
    fc.constantFrom(null, 'text'),
  )
  const data = fc.dictionary(fc.constantFrom(me, '_shared_'), part, { noNullPrototype: true })

  test('what was changed, applied to what was given, is what was left; also of two changes in one', () => {
    fc.assert(
      fc.property(data, data, data, (before, middle, after) => {
        const first = extensionChange(me, before, { ...before, ...middle }).change
        const reached = withChange(before, first)
        expect(plain(reached)).toEqual(plain({ ...before, ...middle }))
        const second = extensionChange(me, reached, { ...reached, ...after }).change
        expect(plain(withChange(before, combined(first, second)))).toEqual(plain(withChange(reached, second)))
      }),
    )
  })
})

describe('extension data of a booking', () => {
  test('what the source put into it is given too, under what connectors wrote', () => {
    const data = { extensionData: { a: { sent: 1 }, b: { sent: 1 } } }
    expect(givenData('booking', data, { b: { stored: 1 } })).toEqual({ a: { sent: 1 }, b: { stored: 1 } })
    expect(givenData('application', data, null)).toEqual({})
    expect(givenData('booking', { extensionData: null }, null)).toEqual({})
  })

  test('is taken out of what a connector returns, so that it is not stored twice', () => {
    const given = { referenceNumber: 'X1' }
    const returned = { referenceNumber: 'X2', extensionData: { [me]: { a: 1 } } }
    const { booking, change } = partedBooking(me, returned, {}, given)
    expect(booking).toEqual({ referenceNumber: 'X2' })
    expect(change).toEqual({ [me]: { set: { a: 1 }, remove: [] } })
    const sent = { extensionData: { old: { a: 1 } } }
    expect(partedBooking(me, { extensionData: { old: { a: 1 } } }, { old: { a: 1 } }, sent).booking).toEqual(sent)
  })
})

describe('runs', () => {
  let ground: ConnectorGround
  beforeAll(async () => {
    ground = await connectorGround({ poolSize: 12 })
  })
  afterAll(() => ground.close())

  /** Another delivery of the same session. */
  async function again(delivery: LeasedDelivery, connectionId = delivery.target_id): Promise<LeasedDelivery> {
    const { team_id, integration_id, session_id } = delivery
    const event = await ground.database.prisma.sessionEvent.create({
      data: { type: 'session.updated', session_id, team_id, flow_id: ground.flow.id, config: {} },
    })
    const { id } = await ground.database.prisma.delivery.create({
      data: { event_id: event.id, connection_id: connectionId, team_id, integration_id, session_id },
    })
    return { ...delivery, id, target_id: connectionId }
  }

  async function stored(sessionId: string): Promise<ExtensionData> {
    const { rows } = await ground.database.pool.query('select connector_data from sessions where id = $1', [sessionId])
    return rows[0].connector_data
  }

  const implementation = (name: string) => ({ implementation: `org.example.${name}` })

  test('data is given back unchanged, to every connector, and a consumer keeps its own part', async () => {
    const carrier = ground.carrier()
    const writes = await ground.package(
      `export default async ({ extensionData, log }) => {
        log.info(JSON.stringify(extensionData))
        extensionData['org.example.first'] = { lastGeneratedId: 662323667, nested: [{ a: null }] }
        return 'success'
      }`,
      implementation('first'),
    )
    const reads = await ground.package(
      `export default async ({ extensionData, log }) => {
        log.info(JSON.stringify(extensionData))
        extensionData['org.example.first'].lastGeneratedId = 1
        return 'success'
      }`,
      implementation('second'),
    )
    const first = await ground.delivery(await ground.connected(writes))
    await carrier.deliver(first, unhurried)
    const second = await again(first, await ground.connected(reads))
    await carrier.deliver(second, unhurried)
    const kept = { 'org.example.first': { lastGeneratedId: 662323667, nested: [{ a: null }] } }
    expect((await ground.runs(first))[0]?.log.map(({ message }) => message)).toEqual(['{}'])
    const [run] = await ground.runs(second)
    expect(JSON.parse(run?.log[0]?.message ?? '')).toEqual(kept)
    expect(run?.log[1]).toMatchObject({ level: 'warn', message: expect.stringContaining('org.example.first') })
    expect(await stored(first.session_id)).toEqual(kept)
    const { rows } = await ground.database.pool.query(
      `select s.revision, (select count(*)::int from session_events e where e.session_id = s.id) as events,
              (select count(*)::int from session_revisions r where r.session_id = s.id) as revisions
         from sessions s where s.id = $1`,
      [first.session_id],
    )
    expect(rows).toEqual([{ revision: 1, events: 2, revisions: 0 }])
  })

  test('the guide’s code works on a booking, where the field is null at first', async () => {
    const code = `export default async ({ session: booking, extensionData }) => {
      let data = booking.extensionData
      if (data == null) booking.extensionData = data = {}
      let internal = data['org.example.guide']
      if (internal == null) data['org.example.guide'] = internal = {}
      internal.trackingId = String(Number(internal.trackingId ?? 0) + 1)
      return extensionData === booking.extensionData ? 'success' : 'two objects'
    }`
    const id = await ground.connected(await ground.package(code, implementation('guide')))
    const data = { referenceNumber: 'X1', extensionData: null }
    const delivery = await ground.delivery(id, { kind: 'booking', data })
    expect(await ground.carrier().deliver(delivery, unhurried)).toMatchObject({ outcome: 'succeeded' })
    await ground.carrier().deliver(await again(delivery), unhurried)
    expect(await stored(delivery.session_id)).toEqual({ 'org.example.guide': { trackingId: '2' } })
    const session = await ground.database.prisma.session.findUniqueOrThrow({ where: { id: delivery.session_id } })
    expect(session.data).toEqual(data)
  })

  test('a run that throws keeps none, one that fails in words does', async () => {
    const code = `export default async ({ extensionData, delivery, session }) => {
      extensionData['org.example.thrower'] = { [session.key]: true }
      if (session.key === 'thrown') throw new Error('no')
      return 'Not now.'
    }`
    const id = await ground.connected(await ground.package(code, implementation('thrower')))
    for (const [key, kept] of [
      ['thrown', null],
      ['said', { 'org.example.thrower': { said: true } }],
    ] as const) {
      const delivery = await ground.delivery(id, { data: { key } })
      expect(await ground.carrier().deliver(delivery, unhurried)).toMatchObject({ outcome: 'failed' })
      expect(await stored(delivery.session_id)).toEqual(kept)
    }
  })

  test('a part that grows too large by many runs is a failed run that says so, and keeps neither data nor state', async () => {
    const code = `export default async ({ extensionData, delivery, state }) => {
      extensionData['org.example.large'] = { ...extensionData['org.example.large'], [delivery.id]: 'x'.repeat(30000) }
      state.count = Number(state.count ?? 0) + 1
      return 'success'
    }`
    const settings = [{ key: 'count', type: 'INTERNAL' }]
    const id = await ground.connected(await ground.package(code, { ...implementation('large'), settings }))
    const first = await ground.delivery(id)
    const reports = []
    for (const delivery of [first, await again(first), await again(first)]) {
      reports.push(await ground.carrier().deliver(delivery, unhurried))
    }
    expect(reports).toMatchObject([
      { outcome: 'succeeded' },
      { outcome: 'succeeded' },
      { outcome: 'failed', error_message: expect.stringContaining('65536 bytes') },
    ])
    expect(Object.keys((await stored(first.session_id))['org.example.large'] as object)).toHaveLength(2)
    const connection = await ground.database.prisma.connection.findUniqueOrThrow({ where: { id } })
    expect(connection.state).toEqual({ count: 2 })
    await expect(
      ground.database.pool.query('select merge_extension_data($1, $2)', [
        { me: { a: 'x'.repeat(40_000) } },
        { me: { set: { b: 'x'.repeat(40_000) }, remove: [] } },
      ]),
    ).rejects.toMatchObject({ code: 'SLX01', detail: 'me' })
  })

  test('of many runs at once, of several connectors and workers, nobody loses a key', async () => {
    const names = ['red', 'green', 'blue']
    const code = (name: string) => `export default async ({ extensionData, event, delivery, config }) => {
      const own = (extensionData['org.example.${name}'] ??= {})
      own['run ' + delivery.id] = config
      delete own.temporary
      ;(extensionData._shared_ ??= {})['${name} ' + delivery.id] = true
      return 'success'
    }`
    const connections = await Promise.all(
      names.map(async (name) => ground.connected(await ground.package(code(name), implementation(name)))),
    )
    // 60 runs of three connectors share eight sandboxes, on a machine that may be busy.
    const first = await ground.delivery(connections[0] as string, { timeout_ms: 60_000 })
    const seeded = { 'org.example.red': { temporary: 1, old: { kept: true } }, 'org.example.fourth': [1] }
    await ground.database.prisma.session.update({
      where: { id: first.session_id },
      data: { connector_data: seeded },
    })
    const deliveries = await Promise.all(
      Array.from({ length: 60 }, (_, at) => again(first, connections[at % names.length])),
    )
    const carriers = [ground.carrier({ maxProcesses: 4 }), ground.carrier({ maxProcesses: 4 })]
    const reports = await Promise.all(deliveries.map((each, at) => carriers[at % 2]?.deliver(each, unhurried)))
    expect(reports.filter((report) => report?.outcome !== 'succeeded')).toEqual([])
    const data = (await stored(first.session_id)) as Record<string, Record<string, unknown>>
    for (const [at, name] of names.entries()) {
      const own = deliveries.filter((_, index) => index % names.length === at).map(({ id }) => `run ${id}`)
      const { old, ...runs } = data[`org.example.${name}`] ?? {}
      expect(Object.keys(runs).sort()).toEqual(own.sort())
      if (name === 'red') expect(old).toEqual({ kept: true })
    }
    expect(Object.keys(data._shared_ ?? {})).toHaveLength(60)
    expect(data['org.example.fourth']).toEqual([1])
  }, 90_000)

  test('what the database merges is what is computed here', async () => {
    const part = fc.oneof(
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(1, 'text', null, { x: 1 }, [])),
      fc.constantFrom(null, 'text', [1]),
    )
    const data = fc.dictionary(fc.constantFrom(me, '_shared_'), part)
    await fc.assert(
      fc.asyncProperty(data, data, data, async (before, after, meanwhile) => {
        const { change } = extensionChange(me, before, after)
        if (!change) return
        const { rows } = await ground.database.pool.query('select merge_extension_data($1, $2) as merged', [
          meanwhile,
          JSON.stringify(change),
        ])
        expect(rows[0].merged).toEqual(plain(withChange(meanwhile, change)))
      }),
      { numRuns: 60 },
    )
  })

  test('annotations that will not be shown are in the log with their places', async () => {
    const code = `export default async ({ extensionData, event }) => {
      const node = { contextType: 'BOOKING', contextUuid: event.id, labelKey: 'a.b', valueType: 'INT', value: 84 }
      const segment = { ...node, contextType: 'SEGMENT', contextUuid: 'c8ec4565-d7d1-4c48-8ff7-a5eac3a5778f' }
      extensionData['org.example.ui'] = { ui: [node, { ...node, value: 'many' }, segment] }
      return 'success'
    }`
    const id = await ground.connected(await ground.package(code, implementation('ui')))
    const segments = [{ uuid: 'c8ec4565-d7d1-4c48-8ff7-a5eac3a5778f' }]
    const booking = { referenceNumber: 'X1', travelservices: [null, { segmentedLegs: [7, { segments }] }] }
    const cases = [
      { kind: 'booking', data: booking, places: ['/org.example.ui/ui/1/value'] },
      { kind: 'application', data: {}, places: ['/org.example.ui/ui/1/value', '/org.example.ui/ui/2/contextUuid'] },
    ] as const
    for (const { kind, data, places } of cases) {
      const delivery = await ground.delivery(id, { kind, data })
      await ground.carrier().deliver(delivery, unhurried)
      const [run] = await ground.runs(delivery)
      expect(run?.log.map(({ level, message }) => `${level} ${message.split(' ')[0]}`)).toEqual(
        places.map((place) => `warn extensionData${place}`),
      )
    }
  })
})

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
