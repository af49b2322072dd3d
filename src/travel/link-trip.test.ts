import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildWorld, type World } from '../../test/ground/world.ts'
import { tripOf } from './grouping.ts'
import { linkTrip } from './link-trip.ts'
import type { Booking } from './model.ts'

let world: World
beforeAll(async () => {
  world = await buildWorld()
})
afterAll(() => world.close())

async function submitted(booking: Booking, { team = world.camden, kind = 'booking' } = {}): Promise<string> {
  const { id } = await world.submit({ team: team.slug, flow: team.flow.slug, kind, data: booking })
  return id
}

async function link(booking: Booking, where = {}) {
  const id = await submitted(booking, where)
  return { id, trip: await linkTrip(world.database.pool, id, tripOf(booking)) }
}

const tripOfSession = async (id: string) =>
  (await world.database.prisma.session.findUniqueOrThrow({ where: { id } })).trip_id

test('bookings of one name share a trip, others do not, and neither do other teams', async () => {
  const one = await link({ referenceNumber: 'SHARED', travelservices: [] })
  const other = await link({ referenceNumber: 'shared', comment: 'later' })
  const elsewhere = await link({ referenceNumber: 'SHARED' }, { team: world.lambeth })
  const different = await link({ referenceNumber: 'DIFFERENT' })
  expect(one.trip).toEqual({ trip_id: expect.any(String), reference: 'reference:shared' })
  expect(other.trip).toEqual(one.trip)
  expect(new Set([one, elsewhere, different].map(({ trip }) => trip?.trip_id)).size).toBe(3)
  expect(await tripOfSession(other.id)).toBe(one.trip?.trip_id)
})

test('a session stays in its trip, until the booking names the trip by its UUID', async () => {
  const { id, trip } = await link({ referenceNumber: 'STAYS' })
  const again = await linkTrip(
    world.database.pool,
    id,
    tripOf({ referenceNumber: 'STAYS', midofficeReferenceNumber: 'F7' }),
  )
  expect(again).toEqual(trip)
  const tripUuid = randomUUID()
  const moved = await linkTrip(world.database.pool, id, tripOf({ referenceNumber: 'STAYS', tripUuid }))
  expect(moved?.reference).toBe(`trip:${tripUuid}`)
  expect(await tripOfSession(id)).toBe(moved?.trip_id)
})

test('one that names no trip has a trip of its own', async () => {
  const { id, trip } = await link({ referenceNumber: null })
  expect(trip?.reference).toBe(`session:${id}`)
})

test('a trip takes the title that is told, and keeps it when nothing is told', async () => {
  const { id, trip } = await link({ referenceNumber: 'TITLED' })
  await linkTrip(world.database.pool, id, { reference: 'trip:oslo', title: 'Oslo' })
  const linked = await linkTrip(world.database.pool, id, { reference: 'trip:oslo', title: null })
  expect(linked?.trip_id).not.toBe(trip?.trip_id)
  const stored = await world.database.prisma.trip.findUniqueOrThrow({ where: { id: linked?.trip_id } })
  expect(stored.title).toBe('Oslo')
})

test('many at once make one trip', async () => {
  const ids = await Promise.all(Array.from({ length: 8 }, (_, index) => submitted({ referenceNumber: 'RACE', index })))
  const trips = await Promise.all(
    ids.map((id) => linkTrip(world.database.pool, id, tripOf({ referenceNumber: 'RACE' }))),
  )
  expect(new Set(trips.map((trip) => trip?.trip_id)).size).toBe(1)
})

test('applications, purged sessions and unknown ones have no trip', async () => {
  const booking = { referenceNumber: 'NONE' }
  expect((await link(booking, { kind: 'application' })).trip).toBeNull()
  expect(await linkTrip(world.database.pool, randomUUID(), tripOf(booking))).toBeNull()
  const id = await submitted(booking)
  await world.database.pool.query('update sessions set purged_at = now(), data = null where id = $1', [id])
  expect(await linkTrip(world.database.pool, id, tripOf(booking))).toBeNull()
})
