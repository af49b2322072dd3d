import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../src/delivery/deliveries.fixture.ts'
import { shippedFolder } from './peers/ground.ts'
import { type ProductionGround, productionGround } from './production.ground.ts'

const folder = path.join(shippedFolder, 'test-producer')
const samples = path.join(import.meta.dirname, '../../../shared/data/travel')

let ground: ProductionGround
let connector: string
beforeAll(async () => {
  ground = await productionGround()
  await ground.worker()
  connector = await ground.approved(folder)
})
afterAll(() => ground?.close())

async function ran(id: string) {
  const before = (await ground.world.database.prisma.connection.findUniqueOrThrow({ where: { id } })).last_run_at
  await ground.get('mutation ($id: uuid!) { run_connection(id: $id) { id } }', { id })
  const row = await until(
    () => ground.world.database.prisma.connection.findUniqueOrThrow({ where: { id } }),
    ({ last_run_at, run_token }) => run_token === null && last_run_at?.getTime() !== before?.getTime(),
  )
  const sources = await until(
    () => ground.sources(id),
    (all) => all.every(({ status }) => status !== 'received'),
  )
  return { row, sources }
}

interface Shown {
  status: string
  description: string
  participants: string
  session: {
    kind: string
    data: { participants: Record<string, unknown>[]; comment?: string }
    trip: { id: string } | null
  }
}

const shown = async (id: string) =>
  (
    await ground.get<{ raw_sources: Shown[] }>(
      `query ($id: uuid!) { raw_sources(where: {connection_id: {_eq: $id}}, order_by: {unique_id: asc}) {
         status description participants session { kind data trip { id } } } }`,
      { id },
    )
  ).raw_sources

test('makes bookings of its files, those of one trip in one trip, and takes over no more than was asked for', async () => {
  const connection = await ground.connected(connector)
  const { row, sources } = await ran(connection)
  expect(row.last_run_message).toBe('3 sources: 3 new, 0 seen before.')
  expect(sources.map(({ unique_id }) => unique_id).sort()).toEqual([
    'bern-geneva/1',
    'zurich-new-york/1',
    'zurich-new-york/2',
  ])
  const [train, flight, hotel] = await shown(connection)
  expect(flight).toMatchObject({ status: 'converted', description: 'Test Air, TESTNY', participants: 'Ada Example' })
  expect(flight?.session.kind).toBe('booking')
  expect(flight?.session.data.participants).toEqual([{ firstname: 'Ada', lastname: 'Example', ageGroup: 'ADT' }])
  expect(flight?.session.data).not.toHaveProperty('comment')
  expect(flight?.session.trip?.id).toBe(hotel?.session.trip?.id)
  expect(train?.session.trip?.id).not.toBe(flight?.session.trip?.id)

  const again = await ran(connection)
  expect(again.row.last_run_message).toBe('0 sources: 0 new, 0 seen before.')
  expect(again.sources).toHaveLength(3)
})

test('takes over what was asked for; a broken source fails alone; each run is fresh when it shall be', async () => {
  const connection = await ground.connected(connector, {
    settings: {
      fresh: true,
      broken: true,
      include_passport_data: true,
      include_travel_preferences: true,
      include_non_travel_data: true,
    },
  })
  const { sources } = await ran(connection)
  expect(sources.map(({ status }) => status).sort()).toEqual(['converted', 'converted', 'converted', 'failed'])
  const flight = (await shown(connection)).find(({ description }) => description === 'Test Air, TESTNY-1')
  expect(flight?.session.data.participants[0]).toMatchObject({
    passportNumber: 'X0000000',
    extendedProfileData: { seat: 'AISLE' },
  })
  expect(flight?.session.data.comment).toBe('Cost centre 4711')
  expect((await ran(connection)).row.last_run_message).toBe('4 sources: 4 new, 0 seen before.')
})

test('shows the settings that every producer has', async () => {
  const { connectors } = await ground.get<{ connectors: { manifest: { settings: { key: string }[] } }[] }>(
    'query ($id: uuid!) { connectors(where: {id: {_eq: $id}}) { manifest } }',
    { id: connector },
  )
  expect(connectors[0]?.manifest.settings.map(({ key }) => key)).toEqual([
    'fresh',
    'broken',
    'include_travel_preferences',
    'include_passport_data',
    'include_non_travel_data',
    'runs',
  ])
})

test.skipIf(!existsSync(samples))('real bookings come through unchanged', async () => {
  const trip = JSON.parse(await readFile(path.join(samples, 'trip-7383012568246.json'), 'utf8'))
  const booking = JSON.parse(await readFile(path.join(samples, 'booking-7383012568246.json'), 'utf8'))
  const connection = await ground.connected(
    await ground.installed(`export default {
      getRawSources: ({ config }) => config.bookings.map((source, index) => ({ source, uniqueSourceId: String(index) })),
      convertRawSource: (source) => ({ booking: JSON.parse(new TextDecoder().decode(source)), key: 'k' + source.length }),
    }`),
    { config: { bookings: [booking, trip] } },
  )
  const { sources } = await ran(connection)
  expect(sources.map(({ status, message }) => [status, message])).toEqual([
    ['converted', null],
    ['converted', null],
  ])
  for (const [index, expected] of [booking, trip].entries()) {
    const id = sources[index]?.session_id ?? ''
    const session = await ground.world.database.prisma.session.findUniqueOrThrow({ where: { id } })
    expect(session).toMatchObject({ kind: 'booking', status: 'submitted' })
    expect(session.data).toEqual(expected)
  }
})
