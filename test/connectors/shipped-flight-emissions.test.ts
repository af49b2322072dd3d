/** The shipped modifier in a real worker, killed in the middle where it must not matter. */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { airport } from '../../connectors/flight-emissions/airports.ts'
import { cabinOf, co2OfFlight, distanceKm } from '../../connectors/flight-emissions/emissions.ts'
import type { Principal } from '../../src/access/principal.ts'
import { bundleConnector } from '../../src/connectors/bundle.ts'
import { type ConnectorGround, connectorGround } from '../../src/connectors/ground.fixture.ts'
import { settlingsChannel } from '../../src/database/notifications.ts'
import { until } from '../../src/delivery/deliveries.fixture.ts'
import { createSchemaChecker, type SchemaChecker } from '../../src/sessions/schema-checker.ts'
import { submitSession } from '../../src/sessions/submit.ts'
import { updateSession } from '../../src/sessions/update.ts'

describe('the method', () => {
  const place = (code: string) => airport(code) as NonNullable<ReturnType<typeof airport>>

  test('distances are those along the great circle', () => {
    expect(distanceKm(place('ZRH'), place('JFK'))).toBeCloseTo(6310, -1)
    expect(distanceKm(place('LHR'), place('SYD'))).toBeCloseTo(17_020, -2)
    expect(distanceKm(place('ZRH'), place('ZRH'))).toBe(0)
    // Across the date line.
    expect(distanceKm(place('NAN'), place('APW'))).toBeLessThan(1300)
  })

  test('figures follow the formula, without a step between short and long flights', () => {
    // By hand: (2.714 · 695 + 1166.52) / (153.51 · 0.82) · 0.93 · 0.96 · 3.15
    expect(co2OfFlight(600, 'economy')).toBe(68.2)
    expect(co2OfFlight(1500.01, 'economy')).toBeCloseTo(co2OfFlight(1500, 'economy'), 0)
    expect(co2OfFlight(2499.99, 'first')).toBeCloseTo(co2OfFlight(2500, 'first'), 0)
    expect(co2OfFlight(6000, 'business')).toBeGreaterThan(co2OfFlight(6000, 'economy'))
  })

  test.each([
    ['Economy', 'economy'],
    ['C', 'business'],
    ['Business Class', 'business'],
    ['F', 'first'],
    [null, 'economy'],
  ])('the cabin of %s is %s', (said, cabin) => expect(cabinOf(said)).toBe(cabin))
})

test('it is a whole package in English and German', async () => {
  const folder = path.join(import.meta.dirname, '../../connectors/flight-emissions')
  const { locales, logo, license } = await bundleConnector(folder)
  expect(license).toMatch(/Apache-2\.0/)
  expect(logo).toMatch(/^data:image\/png;base64,/)
  expect(Object.keys(locales)).toEqual(['de', 'en'])
  expect(Object.keys(locales.de?.texts ?? {})).toEqual(Object.keys(locales.en?.texts ?? {}))
}, 60_000)

describe('in a worker', () => {
  let ground: ConnectorGround
  let checker: SchemaChecker
  const workers: ChildProcess[] = []
  beforeAll(async () => {
    ground = await connectorGround()
    checker = createSchemaChecker()
    await ground.database.prisma.destination.create({
      data: { flow_id: ground.flow.id, integration_id: ground.integration.id },
    })
    const folder = path.join(import.meta.dirname, '../../connectors/flight-emissions')
    await ground.connected(folder, { events: ['session.submitted', 'session.updated'] })
    await startWorker()
  })
  afterAll(async () => {
    await Promise.all(
      workers.map(async (worker) => {
        if (worker.exitCode !== null || worker.signalCode !== null) return
        worker.disconnect()
        await once(worker, 'exit')
      }),
    )
    await checker?.close()
    await ground?.close()
  })

  const secretKey = randomBytes(32).toString('base64')
  async function startWorker(leaseMs = 15_000): Promise<ChildProcess> {
    const { options } = ground.database.pool as unknown as { options: { connectionString: string } }
    const file = path.join(import.meta.dirname, '../../src/worker/settling.fixture.ts')
    const worker = fork(file, [options.connectionString, secretKey, String(leaseMs)], { stdio: 'inherit' })
    workers.push(worker)
    await once(worker, 'message')
    return worker
  }
  const principal: Principal = {
    ...{ kind: 'credential', id: 'source', role: 'admin', variables: {} },
    ...{ teamId: null, integrationId: null, expiresAt: null },
  }
  const context = () => ({ database: ground.database, checker, principal, retentionDays: 30 })
  const segment = (from: string, to: string, more: object = {}) => ({
    uuid: randomUUID(),
    departuretime: '2026-11-23T10:05:00',
    departingFromLocation: { unLocationCode: `${from}/XX` },
    arrivingAtLocation: { iataCode: to },
    travelclass: 'Economy',
    ...more,
  })
  const booking = (...segments: object[]) => ({
    referenceNumber: 'K7XQ2M',
    travelservices: [{ travelServiceType: 'FLIGHT', segmentedLegs: [{ segments }] }],
  })
  async function submit(data: Record<string, unknown>): Promise<string> {
    const { id, status } = await submitSession({ team: 'camden', flow: 'apply', kind: 'booking', data }, context())
    expect(status).toBe('settling')
    await ground.database.pool.query(`select pg_notify('${settlingsChannel}', '')`)
    return id
  }
  async function settled(id: string) {
    const { prisma } = ground.database
    await until(
      () => prisma.sessionSettling.count({ where: { session_id: id } }),
      (count) => count === 0,
    )
    return prisma.session.findUniqueOrThrow({ where: { id }, include: { events: true } })
  }
  // biome-ignore lint/suspicious/noExplicitAny: the shape is this test's own.
  const figures = (data: any): unknown[] =>
    data.travelservices[0].segmentedLegs[0].segments.map((each: { co2KiloPerPax?: number }) => each.co2KiloPerPax)

  test('flights get their figures before anybody hears of the booking, with annotations of the sum and where they have ids', async () => {
    const first = segment('ZRH', 'JFK')
    const id = await submit(booking(first, segment('JFK', 'XQZ'), segment('JFK', 'BOS', { co2KiloPerPax: 1 })))
    const session = await settled(id)
    expect(session).toMatchObject({ status: 'submitted', revision: 2, author_kind: 'connection' })
    expect(figures(session.data)).toEqual([443.5, undefined, 1])
    expect(session.events.map(({ type, revision }) => ({ type, revision }))).toEqual([
      { type: 'session.submitted', revision: 2 },
    ])
    expect(session.connector_data).toMatchObject({
      'sluice.flight-emissions': {
        ui: [
          { contextType: 'BOOKING', contextUuid: id, labelKey: 'co2.total', valueType: 'INT', value: 445 },
          { contextType: 'SEGMENT', contextUuid: first.uuid, labelKey: 'co2', valueType: 'INT', value: 444 },
        ],
      },
    })
    const [run] = await ground.database.prisma.connectorRun.findMany({ where: { session_id: id } })
    expect(run).toMatchObject({ method: 'modify', status: 'succeeded', message: 'One flight has a figure now.' })
    expect(JSON.stringify(run?.log)).toMatch(/XQZ/)
  })

  test('its own figure follows a change of the flight, and an unchanged booking stays as it is', async () => {
    const first = segment('ZRH', 'JFK')
    const id = await submit(booking(first))
    await settled(id)
    await updateSession({ id, data: booking({ ...first, travelclass: 'Business', co2KiloPerPax: 443.5 }) }, context())
    const changed = await settled(id)
    expect(figures(changed.data)).toEqual([853.8])
    expect(changed.events.map(({ type }) => type)).toEqual(['session.submitted', 'session.updated'])
    await ground.database.pool.query(
      `insert into session_settlings (session_id, asked, connection_ids) select $1, array_agg(id), array_agg(id) from connections`,
      [id],
    )
    expect(await settled(id)).toMatchObject({ revision: changed.revision })
    expect((await settled(id)).events).toHaveLength(2)
  })

  test('data of any shape ends well', async () => {
    const ids = await Promise.all(
      [{ travelservices: 'none' }, { bookings: [null, { travelservices: [{ travelServiceType: 'FLIGHT' }] }] }].map(
        (data) => submit({ referenceNumber: 'x', ...data }),
      ),
    )
    for (const id of ids) expect(await settled(id)).toMatchObject({ status: 'submitted', revision: 1 })
  })

  test('a worker that is killed while it settles sessions loses none and announces none twice', async () => {
    for (const worker of workers) {
      worker.disconnect()
      await once(worker, 'exit')
    }
    workers.length = 0
    const victim = await startWorker(1000)
    const ids: string[] = []
    for (let count = 0; count < 60; count++) {
      ids.push(await submit(booking(segment('ZRH', 'AMS'))))
      if (count === 30) victim.kill('SIGKILL')
    }
    await startWorker()
    const all = await Promise.all(ids.map(settled))
    expect(all.every(({ data }) => figures(data)[0] === 68.4)).toBe(true)
    expect(all.map(({ events, revision }) => [events.length, revision])).toEqual(ids.map(() => [1, 2]))
  }, 60_000)
})
