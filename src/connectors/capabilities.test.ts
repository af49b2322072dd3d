import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { unzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Receiver, startReceiver } from '../../test/ground/receiver.ts'
import { type TestStorage, testStorage } from '../../test/ground/storage.ts'
import type { LeasedDelivery } from '../delivery/carrier.ts'
import { silentLog } from '../log.ts'
import { createCapabilities } from './capabilities.ts'
import type { ConnectionCarrier } from './carrier.ts'
import { dryDoors, dryEgress, dryMailer, parseFixtures, type Withheld } from './dry-run.ts'
import { type ConnectorGround, connectorGround, unhurried } from './ground.fixture.ts'
import type { Manifest } from './manifest.ts'
import { checkRoom } from './run-files.ts'

let ground: ConnectorGround
let carrier: ConnectionCarrier
let storage: TestStorage
let receiver: Receiver
beforeAll(async () => {
  ;[ground, storage, receiver] = await Promise.all([
    connectorGround(),
    testStorage(),
    startReceiver({
      handler: ({ body }, response) =>
        void response.writeHead(200, { 'content-type': 'text/plain' }).end(body.length > 99 ? '[1]' : body),
    }),
  ])
  carrier = ground.carrier({}, { objects: storage.files })
})
afterAll(() => Promise.all([ground.close(), storage.close(), receiver.close()]))

const everything = () => [{ socket: `127.0.0.1:${receiver.port}` }, 'mail', 'files', 'store']

/** Runs the body of a consumer; what it logs is what is looked at. */
async function run(body: string, options: { permissions?: unknown[]; settings?: object; files?: object } = {}) {
  const { permissions = everything(), settings = {}, files = {} } = options
  const root = await ground.package(
    `export default async ({ session, event, settings, config, request, mail, files, store, log }) => { ${body} }`,
    { permissions, settings: Object.keys(settings).map((key) => ({ key, type: 'LONG_STRING' })) },
  )
  const connection = await ground.connected(root, { config: { url: receiver.url }, settings: { ...settings } })
  const delivery = await ground.delivery(connection)
  await addFiles(delivery, files)
  return { ...(await again(delivery)), delivery, connection }
}

async function again(delivery: LeasedDelivery) {
  const report = await carrier.deliver(delivery, unhurried)
  const row = (await ground.runs(delivery)).at(-1)
  return { report, lines: row?.log.map(({ message }) => message) ?? [], calls: row?.calls ?? [] }
}

async function addFiles({ session_id, team_id }: LeasedDelivery, files: object) {
  for (const [name, content] of Object.entries(files)) {
    const id = randomUUID()
    const object_key = `${team_id}/${session_id}/${id}`
    const isStored = Buffer.isBuffer(content)
    if (isStored) await storage.files.put(object_key, content)
    await ground.database.prisma.sessionFile.create({
      data: {
        id,
        session_id,
        name,
        type: 'application/pdf',
        object_key,
        ...(isStored
          ? { status: 'stored', size: content.length }
          : { status: 'quarantined', reason: 'The virus scanner found something in it.' }),
      },
    })
  }
}

describe('request', () => {
  test.each([
    [`request.put(config.url, { a: 1 })`, 'PUT', 'application/json', '{"a":1}'],
    [`request.patch(config.url, 'words')`, 'PATCH', 'text/plain; charset=utf-8', 'words'],
    [`request.post(config.url, 'a text', { bodyType: 'json' })`, 'POST', 'application/json', '"a text"'],
    [`request.post(config.url, new Uint8Array([104, 105]))`, 'POST', 'application/octet-stream', 'hi'],
    [`request.post(config.url, 'aGk=', { bodyType: 'base64' })`, 'POST', 'application/octet-stream', 'hi'],
    [
      `request.post(config.url, { a: 'x&y', b: [1, true] }, { bodyType: 'form' })`,
      'POST',
      'application/x-www-form-urlencoded',
      'a=x%26y&b=1&b=true',
    ],
    [
      `request.post(config.url, '<a/>', { headers: { 'Content-Type': 'application/xml' } })`,
      'POST',
      'application/xml',
      '<a/>',
    ],
    [`request.delete({ url: config.url })`, 'DELETE', undefined, ''],
    [`request.head(config.url)`, 'HEAD', undefined, ''],
  ])('%s', async (call, method, type, body) => {
    const { report } = await run(`await ${call}; return 'success'`)
    expect(report).toMatchObject({ outcome: 'succeeded' })
    const received = await receiver.next()
    expect([received.method, received.headers['content-type'], received.body.toString()]).toEqual([method, type, body])
  })

  test('an answer can be had as JSON, text, bytes or base64, whatever it calls itself', async () => {
    const { lines } = await run(`
      for (const responseType of ['auto', 'json', 'text', 'base64']) {
        log.info(JSON.stringify((await request.post(config.url, '[1,2]', { responseType })).response)) }
      log.info(String((await request.post(config.url, '[1,2]', { responseType: 'bytes' })).response instanceof Uint8Array))
      await request.post(config.url, 'no json', { responseType: 'json' }).catch((error) => log.info(error.name))
      return 'success'`)
    expect(lines).toEqual(['"[1,2]"', '[1,2]', '"[1,2]"', '"WzEsMl0="', 'true', 'SyntaxError'])
    for (let count = 0; count < 6; count++) await receiver.next()
  })

  test('a multipart body holds texts, bytes and files of the session, with its length and names that cannot break it', async () => {
    const plan = Buffer.alloc(3 * 1024 * 1024, 'p')
    const { report, calls, delivery } = await run(
      `await request.post(config.url, [
         { name: 'kind', content: 'full' },
         { name: 'raw', content: new Uint8Array([0, 255]), filename: 'a"b.bin' },
         { name: 'plan', file: 'plan.pdf', filename: 'Plan 1.pdf' },
       ], { bodyType: 'multipart', headers: { 'content-type': 'text/plain' } })
       await request.put(config.url, 'plan.pdf', { bodyType: 'file' })
       return 'success'`,
      { files: { 'plan.pdf': plan } },
    )
    expect(report).toMatchObject({ outcome: 'succeeded' })
    const { headers, body } = await receiver.next(({ method }) => method === 'POST')
    expect(headers['content-length']).toBe(String(body.length))
    const form = await new Response(new Uint8Array(body), {
      headers: { 'content-type': headers['content-type'] ?? '' },
    }).formData()
    expect(form.get('kind')).toBe('full')
    const raw = form.get('raw') as File
    expect([raw.name, [...new Uint8Array(await raw.arrayBuffer())]]).toEqual(['a"b.bin', [0, 255]])
    const sent = form.get('plan') as File
    expect([sent.name, sent.type, sent.size]).toEqual(['Plan 1.pdf', 'application/pdf', plan.length])
    const whole = await receiver.next(({ method }) => method === 'PUT')
    expect([whole.headers['content-length'], whole.body.equals(plan)]).toEqual([String(plan.length), true])
    expect(calls.map(({ kind, status }) => [kind, status])).toEqual([
      ['files', 'opened'],
      ['request', 200],
      ['files', 'opened'],
      ['request', 200],
    ])
    expect(JSON.stringify(calls)).not.toContain('plan.pdf')
    const read = { session_ids: { has: delivery.session_id }, operation: 'read_file' }
    expect(await ground.database.prisma.auditEntry.count({ where: { ...read, outcome: 'granted' } })).toBe(2)
  })

  test('an archive is a body, or a part of one, with its length; what is wrong with it is said in words', async () => {
    const plan = Buffer.alloc(3 * 1024 * 1024, 'p')
    const { report, lines, calls, delivery } = await run(
      `const entries = [
         { path: 'session.json', content: JSON.stringify(session) },
         { path: 'raw.bin', content: new Uint8Array([0, 255]), date: '2026-01-31T09:30:00Z' },
         { path: 'plans/1.pdf', file: 'plan.pdf' },
       ]
       await request.put(config.url, entries, { bodyType: 'archive' })
       await request.post(config.url, [
         { name: 'reference', content: event.id },
         { name: 'file', archive: entries, filename: 'all.zip' },
       ], { bodyType: 'multipart' })
       for (const bad of [[{ path: '../a', content: '' }], [{ path: 'a', file: 'no.pdf' }], 'text']) {
         await request.put(config.url, bad, { bodyType: 'archive' }).catch((error) => log.info(error.message)) }
       return 'success'`,
      { files: { 'plan.pdf': plan } },
    )
    expect(report).toMatchObject({ outcome: 'succeeded' })
    const whole = await receiver.next(({ method }) => method === 'PUT')
    expect(whole.headers).toMatchObject({
      'content-type': 'application/zip',
      'content-length': String(whole.body.length),
    })
    const files = unzipSync(whole.body)
    expect(Object.keys(files)).toEqual(['session.json', 'raw.bin', 'plans/1.pdf'])
    expect(plan.equals(files['plans/1.pdf'] ?? Buffer.of())).toBe(true)
    const { headers, body } = await receiver.next(({ method }) => method === 'POST')
    expect(headers['content-length']).toBe(String(body.length))
    const form = await new Response(new Uint8Array(body), {
      headers: { 'content-type': headers['content-type'] ?? '' },
    }).formData()
    const sent = form.get('file') as File
    expect([form.get('reference'), sent.name, sent.type]).toEqual([delivery.session_id, 'all.zip', 'application/zip'])
    expect(whole.body.equals(Buffer.from(await sent.arrayBuffer()))).toBe(true)
    expect(lines).toEqual([
      'This archive cannot be made: the path "../a" must not hold empty names, "." or "..".',
      'The session has no file "no.pdf".',
      'An archive is a list of entries.',
    ])
    expect(calls.map(({ kind, status }) => [kind, status])).toEqual([
      ['files', 'opened'],
      ['request', 200],
      ['files', 'opened'],
      ['request', 200],
      ['files', 'not_found'],
    ])
    const read = { session_ids: { has: delivery.session_id }, operation: 'read_file' }
    expect(await ground.database.prisma.auditEntry.count({ where: { ...read, outcome: 'granted' } })).toBe(2)
  })

  test('a dry run reads the files of an archive and sends nothing of it', async () => {
    const withheld: Withheld[] = []
    const notes: string[] = []
    const streams: Readable[] = []
    const read = async () => {
      const stream = Readable.from([Buffer.from('a plan')])
      streams.push(stream)
      return stream
    }
    const plan = { id: 'p', name: 'plan.pdf', type: 'application/pdf', size: 6, sha256: null, status: 'stored' }
    const manifest = {
      implementation: 'a.b',
      permissions: [{ socket: 'api.example.org' }, 'files', 'sftp'],
      settings: [],
    }
    const call = createCapabilities({
      manifest: manifest as unknown as Manifest,
      settings: {},
      egress: dryEgress(parseFixtures([{ url: 'https://api.example.org/*', status: 201 }]), withheld),
      doors: dryDoors(withheld),
      mailer: dryMailer(withheld),
      files: { list: async () => [plan], open: async () => ({ ...plan, stream: await read(), again: read }) },
      log: silentLog,
      deliveryId: 'd',
      deadline: performance.now() + 60_000,
      signal: new AbortController().signal,
      scrub: (text) => text,
      note: ({ kind, status }) => notes.push(`${kind} ${status}`),
    })
    const archive = [
      { path: 'note.txt', text: 'é' },
      { path: 'plan.pdf', file: 'plan.pdf' },
    ]
    const url = 'https://api.example.org/plans'
    expect(await call('request', { method: 'PUT', url, body: { archive } })).toMatchObject({ statusCode: 201 })
    const account = { host: 'api.example.org', user: 'u', password: 'p' }
    expect(await call('sftp.put', { account, path: 'all.zip', archive })).toBe(null)
    expect(withheld).toMatchObject([
      { kind: 'request', method: 'PUT', target: url, headers: { 'content-type': 'application/zip' }, body: null },
      { kind: 'sftp', target: 'put all.zip on api.example.org', body: null },
    ])
    expect(notes).toEqual(['files opened', 'request 201', 'files opened', 'sftp done'])
    // Each was read once, to its end, and not again.
    expect(streams.map(({ readableEnded }) => readableEnded)).toEqual([true, true])
  })

  test('a part whose file is not there stops the request before anything is sent', async () => {
    const before = receiver.requests.length
    const { report } = await run(
      `await request.post(config.url, [{ name: 'a', file: 'one.pdf' }, { name: 'b', file: 'two.pdf' }], { bodyType: 'multipart' })`,
      { files: { 'one.pdf': Buffer.from('one') } },
    )
    expect(report.error_message).toBe('The session has no file "two.pdf".')
    expect(receiver.requests.length).toBe(before)
  })
})

describe('files', () => {
  test('are listed, read whole, as text and in pieces', async () => {
    const { lines, report } = await run(
      `const all = await files.list()
       log.info(all.map(({ name, size, status }) => name + ' ' + size + ' ' + status).join())
       log.info(await files.text('small.pdf'))
       log.info(String((await files.read(all[0])).length))
       const sizes = []
       for await (const piece of files.stream('large.pdf')) sizes.push(piece.length)
       log.info(String(sizes.length > 2) + ' ' + sizes.reduce((a, b) => a + b))
       for await (const piece of files.stream('large.pdf')) break
       return 'success'`,
      { files: { 'large.pdf': Buffer.alloc(2_500_000, 'x'), 'small.pdf': Buffer.from('kleiner Plän') } },
    )
    expect(report).toMatchObject({ outcome: 'succeeded' })
    expect(lines).toEqual(['large.pdf 2500000 stored,small.pdf 13 stored', 'kleiner Plän', '2500000', 'true 2500000'])
  })

  test('one that is not stored says why; without the permission none is read', async () => {
    const body = `
      for (const name of ['bad.pdf', 'none.pdf']) await files.read(name).catch((error) => log.info(error.code + ' ' + error.message))
      return 'success'`
    expect((await run(body, { files: { 'bad.pdf': null } })).lines).toEqual([
      'NOT_FOUND The file "bad.pdf" is quarantined. The virus scanner found something in it.',
      'NOT_FOUND The session has no file "none.pdf".',
    ])
    expect((await run(body, { permissions: [] })).lines[0]).toBe(
      'BLOCKED This connector may not read files. Add "files" to "permissions" in connector.json.',
    )
  })

  test('a grant that ends while the run lasts closes them, and the refusal is audited', async () => {
    const { report, delivery } = await run(`await request.post(config.url, 'wait'); await files.read('a.pdf')`, {
      files: { 'a.pdf': Buffer.from('a') },
    })
    expect(report.error_message).toMatch(/returned nothing/)
    const { session_id } = delivery
    const { sessionFiles } = await import('./run-files.ts')
    await ground.database.prisma.sessionGrant.updateMany({ where: { session_id }, data: { revoked_at: new Date() } })
    const ids = { connection_id: delivery.target_id, session_id, delivery_id: delivery.id }
    const closed = sessionFiles({ pool: ground.database.pool, objects: storage.files, ...ids })
    await expect(closed.open('a.pdf')).rejects.toThrow('The grant for this session has ended, so its files are closed.')
    expect(await closed.list()).toEqual([])
    const where = { session_ids: { has: session_id }, operation: 'read_file', outcome: 'refused' }
    expect(await ground.database.prisma.auditEntry.findMany({ where })).toMatchObject([
      { actor_kind: 'connection', actor_id: delivery.target_id, team_id: ground.team.id },
    ])
  })
})

describe('store', () => {
  test('what is put stays for later runs of the connection, and is nobody else’s', async () => {
    const body = `
      log.info(String(await store.text('codes.txt')))
      await store.put('codes.txt', 'für 1')
      await store.put('raw', new Uint8Array([1, 2]))
      await store.remove('raw')
      log.info(JSON.stringify(await store.list()) + ' ' + await store.get('raw'))
      return 'success'`
    const first = await run(body)
    expect(first.lines).toEqual(['undefined', '[{"name":"codes.txt","size":6}] undefined'])
    expect((await again({ ...first.delivery, attempt: 2 })).lines[0]).toBe('für 1')
    expect((await run(body)).lines[0]).toBe('undefined')
    expect((await storage.files.stat(`connections/${first.connection}/codes.txt`))?.size).toBe(6)
    expect(first.calls.slice(0, 2)).toMatchObject([
      { kind: 'store', target: 'get', status: 'done', bytes: 0 },
      { kind: 'store', target: 'put', status: 'done', bytes: 6 },
    ])
  })

  test('names cannot lead out of it, and it is bounded', async () => {
    const { lines } = await run(`
      for (const name of ['../x', '.hidden', 'a/b', '', 'x'.repeat(101)]) await store.put(name, 'x').catch((error) => log.info(error.code))
      await store.put('large', new Uint8Array(4 * 1024 * 1024 + 1)).catch((error) => log.info(error.code + ' ' + error.message))
      return 'success'`)
    expect(lines).toEqual([...Array(5).fill('INVALID'), 'LIMIT A file in the store has at most 4194304 bytes.'])
    const full = Array.from({ length: 16 }, (_, index) => ({ name: String(index), size: 4 * 1024 * 1024 }))
    expect(() => checkRoom(full, 'new', 1)).toThrow('at most 67108864 bytes together')
    expect(() => checkRoom(full, '3', 1)).not.toThrow()
    expect(() =>
      checkRoom(
        Array.from({ length: 200 }, () => ({ name: 'a', size: 0 })),
        'new',
        1,
      ),
    ).toThrow('200 files')
  })
})

test('a mail goes only to addresses of the settings, whatever the data says', async () => {
  const { lines, calls } = await run(
    `await mail.send({ to: 'Desk@Camden.example', subject: 's', text: 't' })
     await mail.send({ to: ['desk@camden.example', 'ada@home.example'], subject: 's', text: 't' }).catch((error) => log.info(error.code + ' ' + error.message))
     return 'success'`,
    { settings: { to: 'Planning <desk@camden.example>; duty@camden.example' } },
  )
  expect(lines).toEqual([
    'BLOCKED A connector may mail only addresses that stand in the settings of its connection, so that no data can choose who gets a mail.',
  ])
  expect(calls.map(({ status }) => status)).toEqual(['sent', 'blocked'])
})
