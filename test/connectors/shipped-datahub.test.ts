/** The shipped two-phase producer: a gateway, a worker and a hub. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { bundleConnector } from '../../src/connectors/bundle.ts'
import { connect } from '../../src/connectors/connections.ts'
import { installConnector, reviewConnector } from '../../src/connectors/registry.ts'
import { missPayloads } from '../../src/connectors/two-phase-jobs.ts'
import { createFileStore } from '../../src/files/store.ts'
import { silentLog } from '../../src/log.ts'
import { startWorkerParts, type Worker } from '../../src/worker/worker.ts'
import { buildWorld, type World } from '../ground/world.ts'
import { type DataHubPeer, startDataHub } from './peers/data-hub.ts'
import { shippedFolder } from './peers/ground.ts'

let world: World
let worker: Worker
let connector: string
let editor: string
beforeAll(async () => {
  world = await buildWorld()
  const { config, database, sealer } = world
  worker = await startWorkerParts({
    config,
    database,
    sealer,
    files: createFileStore(config),
    log: silentLog,
    schedules: [],
  })
  const { id } = await installConnector({ database }, path.join(shippedFolder, 'datahub'))
  await reviewConnector({ database }, id, 'approved')
  connector = id
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: { ...world.camden.editor } },
  )
  editor = `Bearer ${data.sign_in.token}`
})
afterAll(async () => {
  await worker?.close()
  await world?.close()
})

let hub: DataHubPeer
let connection: string
let address: string
beforeEach(async () => {
  hub = await startDataHub()
  const made = await connect(
    { database: world.database, sealer: world.sealer, reach: { allow: ['127.0.0.0/8'] } },
    {
      integration_id: world.camden.granted.id,
      connector,
      name: 'Hub',
      flow_id: world.camden.flow.id,
      settings: { url: hub.url, token: hub.token, agency: 'ZRH-1', signing_secret: hub.secret },
    },
  )
  connection = made.id
  const { data } = await ask<{ inbound_address: { url: string } }>(
    'query ($id: uuid!) { inbound_address(connection_id: $id) { url } }',
    { id: connection },
  )
  address = `${world.url}${new URL(data.inbound_address.url).pathname}`
  return () => hub.close()
})

async function ask<Data>(document: string, variables: Record<string, unknown>) {
  const answer = await world.graphql<Data>(document, { variables, authorization: editor })
  if (answer.errors) throw new Error(answer.errors[0]?.message)
  return answer
}

/** What a run brings is there before the run has ended, and until then it is not started again. */
async function trigger() {
  const { prisma } = world.database
  await expect
    .poll(async () => (await prisma.connection.findUniqueOrThrow({ where: { id: connection } })).run_token)
    .toBeNull()
  return ask('mutation ($id: uuid!) { run_connection(id: $id) { __typename } }', { id: connection })
}

interface Source {
  readonly id: string
  readonly unique_id: string | null
  readonly status: string
  readonly message: string | null
  readonly session_id: string | null
  readonly repeats: number
  readonly is_late: boolean
  readonly participants: string | null
}
async function until(fits: (sources: readonly Source[]) => boolean): Promise<readonly Source[]> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const { rows } = await world.database.pool.query<Source>(
      'select * from raw_sources where connection_id = $1 order by coalesce(unique_id, external_id), position',
      [connection],
    )
    if (fits(rows)) return rows
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(rows)}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
const statuses =
  (...wanted: readonly string[]) =>
  (sources: readonly Source[]) =>
    JSON.stringify(sources.map(({ status }) => status)) === JSON.stringify(wanted)

const booking = (reference: string, more: object = {}) => ({
  reference,
  status: 'confirmed',
  changed: '2026-11-20T09:15:00Z',
  currency: 'CHF',
  total: 842.5,
  remarks: 'Aisle, please',
  travellers: [{ first: 'Ada', last: 'Example', passport: { number: 'X123', country: 'CH', expires: '2030-01-01' } }],
  flights: [
    {
      from: 'ZRH',
      to: 'LHR',
      departs: '2027-01-05T07:10:00',
      arrives: '2027-01-05T08:05:00',
      carrier: 'LX',
      number: '316',
    },
    {
      from: 'LHR',
      to: 'ZRH',
      departs: '2027-01-08T18:00:00',
      arrives: '2027-01-08T20:40:00',
      carrier: 'LX',
      number: '325',
    },
  ],
  stays: [{ name: 'Hotel Example', city: 'London', country: 'GB', from: '2027-01-05', to: '2027-01-08', amount: 420 }],
  ...more,
})

test('asks for exports, waits for them, and makes bookings of what the hub sends', async () => {
  const ids = ['A1', 'B2', 'C3'].map((reference) => hub.changed(booking(reference)))
  await trigger()
  await until(statuses('pending', 'pending', 'pending'))
  expect(hub.asked).toEqual([
    [null, ['EX-1', 'EX-2']],
    ['c-2', ['EX-3']],
  ])
  const answer = await hub.sends(ids[0] as string, address)
  expect([answer.status, await answer.text()]).toEqual([200, '{"messageCode":"OK"}'])
  const [source] = await until(statuses('converted', 'pending', 'pending'))
  expect(source).toMatchObject({ unique_id: 'EX-1', participants: 'Example', is_late: false })
  const session = await world.database.prisma.session.findUniqueOrThrow({ where: { id: source?.session_id as string } })
  expect(session).toMatchObject({ kind: 'booking', team_id: world.camden.id })
  expect(session.data).toMatchObject({
    referenceNumber: 'A1',
    totalprice: 842.5,
    departuredate: '2027-01-05',
    returndate: '2027-01-08',
    participants: [{ fullname: 'Ada Example' }],
    travelservices: [
      { travelServiceType: 'FLIGHT', segmentedLegs: [{ legNr: 1 }, { legNr: 2 }] },
      { travelServiceType: 'HOTEL', providerName: 'Hotel Example' },
    ],
  })
  expect(JSON.stringify(session.data)).not.toMatch(/X123|Aisle/)
})

test('an export is asked for once, and taken once however often it is sent', async () => {
  const id = hub.changed(booking('A1'))
  await trigger()
  await until(statuses('pending'))
  await trigger()
  expect((await Promise.all([hub.sends(id, address), hub.sends(id, address)])).map(({ status }) => status)).toEqual([
    200, 200,
  ])
  const [source] = await until((sources) => statuses('converted')(sources) && sources[0]?.repeats === 1)
  const revisions = await world.database.prisma.session.findUniqueOrThrow({
    where: { id: source?.session_id as string },
  })
  expect(revisions.revision).toBe(1)
})

test('what the hub did not sign is not kept', async () => {
  const id = hub.changed(booking('A1'))
  await trigger()
  await until(statuses('pending'))
  await hub.sends(id, address, { forged: true })
  const sources = await until((all) => all.some(({ status }) => status === 'discarded'))
  expect(sources.find(({ status }) => status === 'discarded')?.message).toMatch(/signature is not one of this agency/)
  expect(sources.find(({ status }) => status === 'pending')?.unique_id).toBe(id)
})

test('an export that nobody asked for waits until it is asked for', async () => {
  const id = hub.changed(booking('A1'))
  await hub.sends(id, address)
  await until(statuses('unmatched'))
  await trigger()
  expect(await until(statuses('converted'))).toMatchObject([{ unique_id: id }])
})

test('an export that does not come in time is missing, and is taken when it comes late', async () => {
  const id = hub.changed(booking('A1'))
  await trigger()
  await until(statuses('pending'))
  await world.database.pool.query(`update raw_sources set due_at = now() where connection_id = $1`, [connection])
  expect(await missPayloads(world.database.pool)).toBe(1)
  await until(statuses('missing'))
  await hub.sends(id, address)
  expect(await until(statuses('converted'))).toMatchObject([{ unique_id: id, is_late: true }])
})

test('a changed booking is another export, and a revision of its session', async () => {
  const [first, second] = [hub.changed(booking('A1')), hub.changed(booking('A1', { status: 'cancelled' }))]
  await trigger()
  await until(statuses('pending', 'pending'))
  await hub.sends(first, address)
  await until(statuses('converted', 'pending'))
  await hub.sends(second, address)
  const [one, two] = await until(statuses('converted', 'converted'))
  expect(two?.session_id).toBe(one?.session_id)
  const session = await world.database.prisma.session.findUniqueOrThrow({ where: { id: one?.session_id as string } })
  expect(session.revision).toBe(2)
  expect(session.data).toMatchObject({ travelservices: [{ bookingstatus: 'CANCELED' }, { bookingstatus: 'CANCELED' }] })
})

test('the address of all accounts finds the connection by the agency', async () => {
  const id = hub.changed(booking('A1'))
  await trigger()
  await until(statuses('pending'))
  // Connections of other tests are for the same agency.
  await world.database.prisma.connection.updateMany({ where: { id: { not: connection } }, data: { enabled: false } })
  const everywhere = `${world.url}/p/publicapi/extension/webhook/glb/sluice.datahub`
  expect((await hub.sends(id, everywhere, { more: { agency: 'zrh-1' } })).status).toBe(200)
  await until(statuses('converted'))
})

test('a hub that does not answer well is told of, and its connection can be tested', async () => {
  hub.trouble(/exports/, 503)
  hub.changed(booking('A1'))
  await trigger()
  const message = async () =>
    (await world.database.prisma.connection.findUniqueOrThrow({ where: { id: connection } })).last_run_message
  const deadline = Date.now() + 30_000
  while (!(await message()) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 25))
  expect(await message()).toMatch(/The hub answered 503/)
  const { data } = await ask<{ test_connection: object }>(
    'mutation ($id: uuid!) { test_connection(id: $id) { ok message } }',
    { id: connection },
  )
  expect(data.test_connection).toEqual({ ok: true, message: 'The hub knows the agency.' })
})

test('the package is whole: licence, logo, English and German, a README that names every setting', async () => {
  const folder = path.join(shippedFolder, 'datahub')
  const { manifest, locales, logo, license } = await bundleConnector(folder)
  expect(license).toBe('Apache-2.0')
  expect(logo).toMatch(/^data:image\/png;base64,/)
  expect(Object.keys(locales.de?.texts ?? {})).toEqual(Object.keys(locales.en?.texts ?? {}))
  const readme = await readFile(path.join(folder, 'README.md'), 'utf8')
  for (const { key, type } of manifest.settings) if (type !== 'INTERNAL') expect(readme).toContain(`\`${key}\``)
})
