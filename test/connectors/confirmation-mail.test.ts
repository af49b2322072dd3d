/** Confirmation mails from a mailbox to whoever reads bookings: a real IMAP server, a real worker, a webhook. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import tls from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { installConnector, reviewConnector } from '../../src/connectors/registry.ts'
import { createSandboxPool } from '../../src/connectors/sandbox/pool.ts'
import { until } from '../../src/delivery/deliveries.fixture.ts'
import { loopbackCertificate } from '../../src/egress/certificate.fixture.ts'
import { createFileStore } from '../../src/files/store.ts'
import { silentLog } from '../../src/log.ts'
import { parseBooking } from '../../src/travel/parse.ts'
import { startWorkerParts } from '../../src/worker/worker.ts'
import { type Receiver, startReceiver } from '../ground/receiver.ts'
import { basic, buildWorld, type World } from '../ground/world.ts'
import { shippedFolder } from './peers/ground.ts'
import { type ImapPeer, startImap } from './peers/imap.ts'

// Workers and sandboxes of their own, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

// biome-ignore lint/suspicious/noExplicitAny: answers are checked by the expectations.
type Any = any

const mail = (name: string) => readFileSync(path.join(import.meta.dirname, `mails/${name}.eml`))
const defaultCertificates = tls.getCACertificates('default')

let world: World
let authorization: string
let connector_id: string
let imap: ImapPeer
let receiver: Receiver
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  tls.setDefaultCACertificates([...defaultCertificates, loopbackCertificate])
  world = await buildWorld()
  const sandboxes = createSandboxPool({ maxProcesses: 1 })
  const { database } = world
  const installed = await installConnector({ database, sandboxes }, path.join(shippedFolder, 'confirmation-mail'))
  await sandboxes.close()
  await reviewConnector({ database }, installed.id, 'approved')
  connector_id = installed.id
  const { email, password } = world.camden.editor
  const { data } = await world.graphql<Any>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: { email, password } },
  )
  authorization = `Bearer ${data.sign_in.token}`
})
afterAll(async () => {
  await world.close()
  tls.setDefaultCACertificates(defaultCertificates)
})

beforeEach(async () => {
  ;[imap, receiver] = await Promise.all([startImap(), startReceiver()])
  closing.push(
    () => imap.close(),
    () => receiver.close(),
  )
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await world.database.pool.query('delete from webhooks')
})

async function ask<T = Any>(query: string, variables: object = {}, as = authorization): Promise<T> {
  const { data, errors } = await world.graphql<T>(query, { variables: { ...variables }, authorization: as })
  if (errors) throw new Error(errors.map(({ message }) => message).join('\n'))
  return data
}

async function startWorker() {
  const { config, database, sealer } = world
  const worker = await startWorkerParts({
    config,
    database,
    sealer,
    files: createFileStore(config),
    log: silentLog,
    schedules: [],
    engine: { pollMs: 50 },
    production: { runs: { pollMs: 50 }, conversions: { pollMs: 50 } },
  })
  closing.push(() => worker.close())
}

async function connected(settings: object = {}, locale = 'en'): Promise<string> {
  const { data, errors } = await world.graphql<Any>(
    'mutation ($object: connect_input!) { connect(object: $object) { id } }',
    {
      authorization,
      variables: {
        object: {
          connector_id,
          integration_id: world.camden.granted.id,
          flow_id: world.camden.flow.id,
          locale,
          name: `Mails of ${imap.port}`,
          settings: {
            host: `localhost:${imap.port}`,
            user: imap.user,
            password: imap.password,
            ...settings,
          },
        },
      },
    },
  )
  if (errors) throw new Error(errors[0]?.message)
  const { id } = data.connect
  closing.push(() => ask('mutation ($id: uuid!) { delete_connections_by_pk(id: $id) { id } }', { id }))
  return id
}

/** Runs it now, and waits for the end of the run and of all conversions. */
async function run(id: string) {
  const rows = () =>
    ask('query ($id: uuid!) { connections_by_pk(id: $id) { last_run_status last_run_message last_run_at } }', {
      id,
    }).then(({ connections_by_pk }) => connections_by_pk)
  await ask('mutation ($id: uuid!) { run_connection(id: $id) { id } }', { id })
  // `last_run_at` tells of each call; the run has ended when nobody holds it and nobody is to take it.
  const idle =
    'select run_token is null and (next_run_at is null or next_run_at > now()) as idle from connections where id = $1'
  await until(
    () => world.database.pool.query(idle, [id]).then(({ rows: [found] }) => found.idle),
    (is) => is,
  )
  const ended = await rows()
  await until(
    () => sources(id),
    (all) => all.every(({ status }) => status !== 'received' && status !== 'converting'),
  )
  return ended
}

const sources = async (id: string): Promise<Any[]> =>
  (
    await ask(
      `query ($id: uuid!) { raw_sources(where: {connection_id: {_eq: $id}}, order_by: {position: asc}) {
        id unique_id status message mime description participants created_by_source_at session_id } }`,
      { id },
    )
  ).raw_sources

const sessionOf = async (id: string) =>
  (
    await ask(
      'query ($id: uuid!) { sessions_by_pk(id: $id) { kind status revision data trip { reference sessions { id } } } }',
      { id },
      basic(world.camden.granted.consumer),
    )
  ).sessions_by_pk

async function announcedTo() {
  await ask('mutation ($object: webhooks_insert_input!) { insert_webhooks_one(object: $object) { id } }', {
    object: {
      integration_id: world.camden.granted.id,
      name: 'bookings',
      url: `${receiver.url}/bookings`,
      events: ['session.submitted', 'session.updated'],
    },
  })
}

test('mails become sessions with trips, announced to a webhook; they are marked one run later', async () => {
  await startWorker()
  await announcedTo()
  for (const name of ['flight', 'hotel', 'newsletter', 'broken', 'train-forwarded']) imap.deliver(mail(name))
  const id = await connected()
  const said = await ask('mutation ($id: uuid!) { test_connection(id: $id) { message } }', { id })
  expect(said.test_connection.message).toBe('The mailbox answers: 5 mails in INBOX.')

  const first = await run(id)
  expect(first).toMatchObject({
    last_run_status: 'succeeded',
    last_run_message: '5 sources: 5 new, 0 seen before.',
  })
  const all = await sources(id)
  expect(all.map(({ status, message }) => [status, message])).toEqual([
    ['converted', 'Read 6 FlightReservation. Times had a zone; their local part was taken.'],
    ['converted', 'Read 1 LodgingReservation. Times had a zone; their local part was taken.'],
    ['discarded', 'The mail has no schema.org markup of a reservation.'],
    ['failed', expect.stringContaining('The markup of the reservation is broken: it is no JSON from line 1 on.')],
    ['converted', 'Read 1 TrainReservation.'],
  ])
  expect(all[0]).toMatchObject({
    unique_id: expect.stringMatching(/^<conf-1@mail\.alpenflug\.example> [0-9a-f]{16}$/),
    mime: 'message/rfc822',
    description: 'Ihre Buchung PCRESW – gute Reise!',
    participants: 'Mira Testfeld, Jonas Beispiel',
    created_by_source_at: '2027-01-15T17:05:00.000Z',
  })
  const ids = all.flatMap(({ session_id }) => session_id ?? [])
  const told = await Promise.all([receiver.next(), receiver.next(), receiver.next()])
  expect(told.map(({ body }) => JSON.parse(String(body)).data.id).sort()).toEqual([...ids].sort())
  const session = await sessionOf(all[0].session_id)
  expect(session).toMatchObject({ kind: 'booking', status: 'submitted', revision: 1 })
  expect(parseBooking(session.data)).toMatchObject({ referenceNumber: 'PCRESW', totalprice: 948.99 })
  expect(session.trip).toEqual({ reference: 'reference:pcresw', sessions: [{ id: all[0].session_id }] })

  expect(imap.mails().map(({ flags }) => [...flags])).toEqual([[], [], [], [], []])
  await run(id)
  expect(imap.mails().map(({ flags }) => [...flags])).toEqual(Array(5).fill(['\\Seen']))
  expect(await sources(id)).toHaveLength(5)
  expect(imap.commands.filter((line) => line.startsWith('UID FETCH') && line.includes('BODY.PEEK[]'))).toHaveLength(5)

  // The airline gives its cancellation the Message-ID of the confirmation.
  imap.deliver(mail('flight-cancelled'))
  await run(id)
  const [, , , , , cancelled] = await sources(id)
  expect(cancelled).toMatchObject({ status: 'converted', session_id: all[0].session_id })
  const revised = await sessionOf(all[0].session_id)
  expect([revised.revision, revised.data.travelservices[0].bookingstatus]).toEqual([2, 'CANCELED'])
  const update = await receiver.next(({ body }) => JSON.parse(String(body)).type === 'session.updated')
  expect(JSON.parse(String(update.body)).data.id).toBe(all[0].session_id)
})

test('passport data is in neither the session nor the mail that is kept', async () => {
  await startWorker()
  imap.deliver(mail('package'))
  const id = await connected()
  await run(id)
  const [source] = await sources(id)
  expect(source).toMatchObject({ status: 'converted', message: expect.stringContaining('Passport data was left out') })
  const { raw_source_content } = await ask('mutation ($id: uuid!) { raw_source_content(id: $id) { content } }', source)
  const kept = Buffer.from(raw_source_content.content, 'base64').toString()
  const { data } = await sessionOf(source.session_id)
  for (const text of [kept, JSON.stringify(data)]) {
    expect(text).toContain('K9LMNO')
    expect(text).not.toMatch(/X0000001|1984-02-29/)
  }
  await ask('mutation ($id: uuid!) { convert_raw_sources(ids: [$id]) { count } }', source)
  await until(
    () => sources(id),
    ([again]) => again.status === 'converted' && !again.message.includes('Passport'),
  )
  expect((await sessionOf(source.session_id)).revision).toBe(1)
})

test('mails are moved, one that is too large is listed, and what cannot be moved is read all the same', async () => {
  await startWorker()
  const id = await connected({ afterwards: 'move', processed_folder: 'Done' })
  imap.deliver(mail('hotel'))
  imap.deliver(Buffer.concat([mail('bus'), Buffer.alloc(6 * 1024 * 1024, 'x')]))
  await run(id)
  const all = await sources(id)
  expect(all.map(({ status }) => status)).toEqual(['converted', 'failed'])
  expect(all[1]).toMatchObject({
    description: 'Your coach',
    message: expect.stringContaining('Forward it to the mailbox without its attachments.'),
  })
  imap.deliver(mail('rental-car'))
  const without = await run(id)
  expect(without.last_run_status).toBe('succeeded')
  expect(await sources(id)).toHaveLength(3)
  expect(imap.mails()).toHaveLength(3)
  imap.addFolder('Done')
  await run(id)
  expect([imap.mails().length, imap.mails('Done').length]).toEqual([0, 3])
})

test('mails before a day and mails that were opened are left alone; the keyword marks the others', async () => {
  await startWorker()
  const id = await connected({ afterwards: 'flag', since: '2027-01-01', only_unread: true })
  imap.deliver(mail('hotel'), { received: new Date('2026-12-31T09:00:00Z') })
  imap.deliver(mail('bus'), { received: new Date('2027-01-02T09:00:00Z') })
  imap.deliver(mail('rental-car'), { received: new Date('2027-01-02T09:00:00Z') })
  imap.mails()[1]?.flags.add('\\Seen')
  await run(id)
  expect((await sources(id)).map(({ description }) => description)).toEqual(['Reservation RC-546'])
  await run(id)
  expect(imap.mails().map(({ flags }) => [...flags])).toEqual([[], ['\\Seen'], ['SluiceDone']])
})

test('a folder that was made anew is read again, and what is known is not converted twice', async () => {
  await startWorker()
  const id = await connected({ afterwards: 'leave' })
  imap.deliver(mail('hotel'))
  imap.deliver(mail('bus'))
  await run(id)
  imap.addFolder('INBOX')
  imap.deliver(mail('bus'))
  imap.deliver(mail('rental-car'))
  expect(await run(id)).toMatchObject({ last_run_message: '2 sources: 1 new, 1 seen before.' })
  expect((await sources(id)).map(({ status }) => status)).toEqual(['converted', 'converted', 'converted'])
})

test('settings that cannot work are told, in English and German', async () => {
  await startWorker()
  await expect(connected({ afterwards: 'move' })).rejects.toThrow('name the folder that they are moved to')
  await expect(connected({ afterwards: 'move', processed_folder: 'INBOX' })).rejects.toThrow('another one')
  await expect(connected({ senders: 'airline' })).rejects.toThrow('"airline" is no domain such as airline.example.')
  await expect(connected({ senders: 'airline' }, 'de')).rejects.toThrow('„airline“ ist keine Domain')
})

test('what is wrong with the mailbox is told, and the password is in no run', async () => {
  await startWorker()
  const id = await connected({ password: 'not-the-password-of-it' })
  const { last_run_status, last_run_message } = await run(id)
  expect(last_run_status).toBe('failed')
  expect(last_run_message).toMatch(/password|user|sign/i)
  const { rows } = await world.database.pool.query(
    'select message, log, calls from connector_runs where connection_id = $1',
    [id],
  )
  expect(JSON.stringify(rows)).not.toContain('not-the-password-of-it')
})

test('a worker that is killed while it reads loses no mail, takes none twice, and has marked none', async () => {
  const names = ['flight', 'hotel', 'bus', 'train-forwarded', 'rental-car']
  for (const name of names) imap.deliver(mail(name))
  imap.trouble(/UID FETCH 4 /, 'hangs')
  const { DATABASE_URL = '', SLUICE_SECRET_KEY = '' } = world.config as unknown as Record<string, string>
  const child: ChildProcess = spawn(
    process.execPath,
    [path.join(import.meta.dirname, 'producing.fixture.ts'), DATABASE_URL, SLUICE_SECRET_KEY],
    { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] },
  )
  closing.push(async () => child.kill('SIGKILL'))
  // What is asked of a worker waits for its answer, and for no worker that has yet to start.
  await once(child, 'message')
  const id = await connected()
  await ask('mutation ($id: uuid!) { run_connection(id: $id) { id } }', { id })
  await until(
    async () => imap.commands.filter((line) => line.startsWith('UID FETCH 4 ')),
    ({ length }) => length > 0,
  )
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await sources(id)).toEqual([])
  expect(imap.mails().flatMap(({ flags }) => [...flags])).toEqual([])

  await startWorker()
  const all = await until(
    () => sources(id),
    (found) => found.length === names.length && found.every(({ status }) => status === 'converted'),
  )
  expect(new Set(all.map(({ session_id }) => session_id)).size).toBe(names.length)
})
