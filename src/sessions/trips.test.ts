import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aSession, basic, buildWorld, type World } from '../../test/ground/world.ts'
import { silentLog } from '../log.ts'
import { travelSchemaUrl } from '../travel/json-schemas.ts'
import { storeSchemaFolder } from './payload-schemas.ts'
import { createSchemaChecker } from './schema-checker.ts'
import { tripOfData } from './trips.ts'

let world: World
beforeAll(async () => {
  world = await buildWorld()
})
afterAll(() => world?.close())

async function submit(
  data: object,
  kind = 'booking',
): Promise<{ id: string; problems: { path: string; message: string }[] }> {
  const object = aSession(world.camden, { kind, data, id: randomUUID() })
  const { data: answer, errors } = await world.graphql<{ submit_session: { id: string; problems: never[] } }>(
    'mutation ($object: submit_session_input!) { submit_session(object: $object) { id problems } }',
    { variables: { object }, authorization: basic(world.source) },
  )
  expect(errors).toBeUndefined()
  return answer.submit_session
}

async function tripOfSession(id: string): Promise<string | null> {
  const { rows } = await world.database.pool.query(
    'select t.reference from sessions s left join trips t on t.id = s.trip_id where s.id = $1',
    [id],
  )
  return rows[0].reference
}

test('bookings that share a number are one trip, many at once too; applications have none', async () => {
  const bookings = await Promise.all(
    Array.from({ length: 10 }, (_, at) =>
      submit({ midofficeReferenceNumber: 'M-7', referenceNumber: `R-${at}`, travelservices: [] }),
    ),
  )
  const references = await Promise.all(bookings.map(({ id }) => tripOfSession(id)))
  expect(new Set(references)).toEqual(new Set(['midoffice:m-7']))
  const application = await submit({ referenceNumber: 'R-1' }, 'application')
  expect(await tripOfSession(application.id)).toBeNull()
})

test('an update that names the trip’s UUID moves the booking there', async () => {
  const { id } = await submit({ referenceNumber: 'R-20' })
  expect(await tripOfSession(id)).toBe('reference:r-20')
  const tripUuid = randomUUID()
  const { errors } = await world.graphql(
    'mutation ($object: update_session_input!) { update_session(object: $object) { revision } }',
    { variables: { object: { id, data: { referenceNumber: 'R-20', tripUuid } } }, authorization: basic(world.source) },
  )
  expect(errors).toBeUndefined()
  expect(await tripOfSession(id)).toBe(`trip:${tripUuid}`)
})

test.each([null, 7, 'text', {}, { tripUuid: 7, referenceNumber: { a: 1 } }, { bookings: [null, 7] }])(
  'data without a name, %j, is in a trip of its own',
  (data) => {
    expect(tripOfData(data)).toEqual({ reference: null, title: null })
  },
)

test('a zone in a local time is told in words, where the flow has the travel schema', async () => {
  const { database, camden } = world
  const checker = createSchemaChecker()
  await storeSchemaFolder(path.join(import.meta.dirname, '../travel/schemas'), { database, checker, log: silentLog })
  await checker.close()
  await database.pool.query('update flows set schema_url = $2 where id = $1', [
    camden.flow.id,
    travelSchemaUrl('booking'),
  ])
  const segments = [{ departuretime: '2019-04-20T04:56:00+02:00' }]
  const { problems } = await submit({
    travelservices: [{ travelServiceType: 'FLIGHT', segmentedLegs: [{ segments }] }],
    totalpricecurrency: 'francs',
  })
  expect(problems).toContainEqual(
    expect.objectContaining({
      path: '/travelservices/0/segmentedLegs/0/segments/0/departuretime',
      message: expect.stringContaining('must carry no time zone: "2019-04-20T04:56:00+02:00" ends in "+02:00"'),
    }),
  )
  expect(problems).toContainEqual(
    expect.objectContaining({ path: '/totalpricecurrency', message: expect.stringContaining('ISO 4217') }),
  )
})
