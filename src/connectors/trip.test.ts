import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LeasedDelivery } from '../delivery/carrier.ts'
import { linkTrip } from '../travel/link-trip.ts'
import { type ConnectorGround, connectorGround, unhurried } from './ground.fixture.ts'

let ground: ConnectorGround
beforeAll(async () => {
  ground = await connectorGround({ poolSize: 12 })
})
afterAll(() => ground.close())

async function bookings(connectionId: string, count: number, name: string): Promise<LeasedDelivery[]> {
  const all = []
  for (let at = 0; at < count; at++) {
    const data = { referenceNumber: `${name}-${at}`, travelservices: [] }
    const delivery = await ground.delivery(connectionId, { kind: 'booking', data, timeout_ms: 60_000 })
    await linkTrip(ground.database.pool, delivery.session_id, { reference: `trip:${name}`, title: null })
    all.push(delivery)
  }
  return all
}

/** As the guide says: a mark on the booking, looked for on all bookings of the trip. */
const oncePerTrip = `export default async ({ session, trip, extensionData, log }) => {
  const me = 'org.example.once'
  if (trip.bookings.some((booking) => booking.extensionData?.[me]?.done)) return 'success'
  extensionData[me] = { done: true }
  log.info('acted')
  return 'success'
}`

test('of 20 bookings of a trip at once, over two workers, exactly one acts', async () => {
  const root = await ground.package(oncePerTrip, { implementation: 'org.example.once' })
  const id = await ground.connected(root, { concurrency: 20 })
  const deliveries = await bookings(id, 20, 'once')
  const carriers = [ground.carrier(), ground.carrier()]
  const reports = await Promise.all(deliveries.map((each, at) => carriers[at % 2]?.deliver(each, unhurried)))
  expect(reports.every((report) => report?.outcome === 'succeeded')).toBe(true)
  const runs = (await Promise.all(deliveries.map((each) => ground.runs(each)))).flat()
  expect(runs.filter(({ log }) => log.some(({ message }) => message === 'acted'))).toHaveLength(1)
})

test('a consumer gets the bookings of the trip that it may have, and each is audited', async () => {
  const code = `export default async ({ session, trip, log }) => {
    log.info(JSON.stringify({ trip, session: session.referenceNumber }))
    return 'success'
  }`
  const id = await ground.connected(await ground.package(code))
  const [first, second, revoked] = await bookings(id, 3, 'granted')
  if (!first || !second || !revoked) throw new Error('no bookings')
  const { prisma, pool } = ground.database
  await prisma.sessionGrant.updateMany({
    where: { session_id: revoked.session_id },
    data: { revoked_at: new Date() },
  })
  await prisma.session.update({
    where: { id: second.session_id },
    data: { connector_data: { 'org.example.other': { a: 1 } } },
  })
  await ground.carrier().deliver(first, unhurried)
  const [run] = await ground.runs(first)
  const { trip } = JSON.parse(run?.log[0]?.message ?? '')
  expect(trip).toMatchObject({ reference: 'trip:granted', omitted: 0 })
  expect(trip.sessions.map((each: { id: string }) => each.id)).toEqual([first.session_id, second.session_id])
  expect(trip.bookings).toEqual([
    { referenceNumber: 'granted-0', travelservices: [], extensionData: {} },
    { referenceNumber: 'granted-1', travelservices: [], extensionData: { 'org.example.other': { a: 1 } } },
  ])
  const { rows } = await pool.query(
    `select outcome, session_ids from audit_entries where detail ->> 'delivery_id' = $1 order by detail ? 'trip_id'`,
    [first.id],
  )
  expect(rows).toEqual([
    { outcome: 'granted', session_ids: [first.session_id] },
    { outcome: 'granted', session_ids: [second.session_id] },
  ])
  const grant = await prisma.sessionGrant.findFirstOrThrow({ where: { session_id: second.session_id } })
  expect(grant.first_retrieved_at).not.toBeNull()
})

test('a large trip is bounded, and those with a mark of the connector come first', async () => {
  const code = `export default async ({ trip, log }) => {
    log.info(JSON.stringify({ ids: trip.sessions.map(({ id }) => id), omitted: trip.omitted, count: trip.bookings.length }))
    return 'success'
  }`
  const id = await ground.connected(await ground.package(code, { implementation: 'org.example.bounded' }))
  const deliveries = await bookings(id, 53, 'large')
  const [first, last] = [deliveries[0], deliveries.at(-1)]
  if (!first || !last) throw new Error('no bookings')
  await ground.database.prisma.session.update({
    where: { id: last.session_id },
    data: { connector_data: { 'org.example.bounded': { done: true } } },
  })
  await ground.carrier().deliver(first, unhurried)
  const said = JSON.parse((await ground.runs(first))[0]?.log[0]?.message ?? '')
  expect(said).toMatchObject({ omitted: 3, count: 50 })
  expect(said.ids.slice(0, 2)).toEqual([first.session_id, last.session_id])
})
