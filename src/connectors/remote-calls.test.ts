import { unzipSync } from 'fflate'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ImapPeer, startImap } from '../../test/connectors/peers/imap.ts'
import { type SftpPeer, startSftp } from '../../test/connectors/peers/sftp.ts'
import { type TestStorage, testStorage } from '../../test/ground/storage.ts'
import type { ConnectionCarrier } from './carrier.ts'
import { type ConnectorGround, connectorGround, unhurried } from './ground.fixture.ts'

let ground: ConnectorGround
let carrier: ConnectionCarrier
let storage: TestStorage
beforeAll(async () => {
  ;[ground, storage] = await Promise.all([connectorGround(), testStorage()])
  carrier = ground.carrier({}, { objects: storage.files })
})
afterAll(() => Promise.all([ground.close(), storage.close()]))

let imap: ImapPeer
let office: SftpPeer
beforeEach(async () => {
  ;[imap, office] = await Promise.all([startImap(), startSftp()])
})
afterEach(() => Promise.all([imap.close(), office.close()]))

const servers = () => ['mailbox', 'sftp', { setting: 'imap_host' }, { setting: 'sftp_host' }]

/** Runs the body of a consumer with `inbox` and `office` open; what it logs is what is looked at. */
async function run(body: string, { permissions = servers(), settings = {}, file }: RunOptions = {}) {
  const root = await ground.package(
    `export default async ({ settings, mailbox, sftp, log }) => {
      const { imap_host, imap_user, sftp_host, sftp_user, host_key, password } = settings
      const inbox = mailbox({ host: imap_host, user: imap_user, password })
      const office = sftp({ host: sftp_host, user: sftp_user, password: settings.sftp_password, hostKey: host_key })
      const told = (promise) => promise.then((value) => log.info(JSON.stringify(value ?? null)), (error) => log.info(error.code + ': ' + error.message))
      ${body}
      return 'success'
    }`,
    {
      permissions,
      settings: [
        ...['imap_host', 'imap_user', 'sftp_host', 'sftp_user', 'host_key'].map((key) => ({ key, type: 'STRING' })),
        ...['password', 'sftp_password'].map((key) => ({ key, type: 'PASSWORD' })),
      ],
    },
  )
  const connection = await ground.connected(root, {
    settings: {
      imap_host: `localhost:${imap.port}`,
      imap_user: imap.user,
      password: imap.password,
      sftp_host: `127.0.0.1:${office.port}`,
      sftp_user: office.user,
      sftp_password: office.password,
      host_key: office.hostKey,
      ...settings,
    },
  })
  const delivery = await ground.delivery(connection, file ? { timeout_ms: 60_000 } : {})
  if (file) {
    const object_key = `${delivery.session_id}/plan.pdf`
    await storage.files.put(object_key, file)
    await ground.database.prisma.sessionFile.create({
      data: {
        session_id: delivery.session_id,
        name: 'plan.pdf',
        type: 'application/pdf',
        object_key,
        status: 'stored',
        size: file.length,
      },
    })
  }
  const report = await carrier.deliver(delivery, unhurried)
  const row = (await ground.runs(delivery)).at(-1)
  return { report, row, lines: row?.log.map(({ message }) => message) ?? [], calls: row?.calls ?? [] }
}

interface RunOptions {
  readonly permissions?: unknown[]
  readonly settings?: object
  /** Content of the session's `plan.pdf`. */
  readonly file?: Buffer
}

/** Waits for what happens by itself, ten seconds at most. */
async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!holds() && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve))
  expect(holds()).toBe(true)
}

test('a connector reads a mailbox, marks and moves; each call is in the run, over one connection', async () => {
  imap.addFolder('Done')
  imap.deliver('From: ada@example.org\nSubject: One\nMessage-ID: <1@example.org>\n\nHellö')
  const { report, lines, calls } = await run(`
    for (const { uid, subject, messageId } of await inbox.list({ without: 'SluiceDone', since: '2026-01-31', limit: 5 })) {
      const raw = await inbox.fetch(uid)
      log.info([subject, messageId, raw instanceof Uint8Array, new TextDecoder().decode(raw).endsWith('Hellö')].join(' '))
      await inbox.mark(uid, 'SluiceDone')
      await inbox.move(uid, 'Done')
    }`)
  expect(report.outcome).toBe('succeeded')
  expect(lines).toEqual(['One <1@example.org> true true'])
  const at = `imap://localhost:${imap.port}/INBOX`
  expect(calls.map(({ kind, target, status }) => [kind, target, status])).toEqual([
    ['mailbox', `list ${at}`, 'done'],
    ['mailbox', `fetch ${at} 1`, 'done'],
    ['mailbox', `mark ${at} 1 SluiceDone`, 'done'],
    ['mailbox', `move ${at} 1 to Done`, 'done'],
  ])
  expect(calls[1]?.bytes).toBe(imap.mails('Done')[0]?.raw.length)
  expect(imap.mails('Done')[0]?.flags).toEqual(new Set(['SluiceDone']))
  expect(imap.commands.filter((line) => line === 'LOGIN')).toHaveLength(1)
  await until(() => imap.connections() === 0)
})

test('a connector writes and reads files of a server; nothing secret is in the run', async () => {
  office.addFolder('in')
  const { report, row, lines, calls } = await run(`
    await office.put('in/a.csv', 'a,é\\n')
    await office.put('in/b.bin', new Uint8Array([0, 255]))
    log.info((await office.list('in')).map(({ name, size }) => name + ' ' + size).join(', '))
    log.info([...await office.get('in/b.bin')].join(' '))
    await office.rename('in/a.csv', 'in/c.csv')
    await office.remove('in/b.bin')`)
  expect(report.outcome).toBe('succeeded')
  expect(lines).toEqual(['a.csv 5, b.bin 2', '0 255'])
  expect([...office.files]).toEqual([['in/c.csv', Buffer.from('a,é\n')]])
  const at = `sftp://127.0.0.1:${office.port}/in`
  expect(calls.map(({ target, status, bytes }) => [target, status, bytes])).toEqual([
    [`put ${at}/a.csv`, 'done', 5],
    [`put ${at}/b.bin`, 'done', 2],
    [`list ${at}`, 'done', expect.any(Number)],
    [`get ${at}/b.bin`, 'done', 2],
    [`rename ${at}/a.csv to in/c.csv`, 'done', 0],
    [`remove ${at}/b.bin`, 'done', 0],
  ])
  expect(JSON.stringify(row)).not.toContain(office.password)
  expect(office.signIns.filter((line) => line.startsWith('password'))).toHaveLength(1)
  await until(() => office.connections() === 0)
})

test('a file of the session and an archive are streamed to a server, larger than what a run could hold there', async () => {
  const plan = Buffer.alloc(5.1 * 1024 * 1024, 'plan')
  const { report, lines, calls } = await run(
    `await office.put('plan.pdf', { file: 'plan.pdf' })
     await office.put('all.zip', { archive: [{ path: 'note.txt', content: 'é' }, { path: 'plan.pdf', file: 'plan.pdf' }] })
     await told(office.put('no.pdf', { file: 'no.pdf' }))
     await told(office.put('no.zip', { archive: [{ path: '/no', content: '' }] }))
     await told(office.put('no.txt', {}))`,
    { permissions: [...servers(), 'files'], file: plan },
  )
  expect(report.outcome).toBe('succeeded')
  expect(lines).toEqual([
    'NOT_FOUND: The session has no file "no.pdf".',
    'INVALID: This archive cannot be made: the path "/no" must be relative.',
    'INVALID: sftp.put cannot be called like this: give text, bytes, { file } or { archive }.',
  ])
  expect([...office.files.keys()]).toEqual(['plan.pdf', 'all.zip'])
  expect(plan.equals(office.files.get('plan.pdf') ?? Buffer.of())).toBe(true)
  const zip = office.files.get('all.zip') ?? Buffer.of()
  const files = unzipSync(zip)
  expect(Object.keys(files)).toEqual(['note.txt', 'plan.pdf'])
  expect(plan.equals(files['plan.pdf'] ?? Buffer.of())).toBe(true)
  expect(calls.map(({ kind, status, bytes }) => [kind, status, bytes])).toEqual([
    ['files', 'opened', plan.length],
    ['sftp', 'done', plan.length],
    ['files', 'opened', plan.length],
    ['sftp', 'done', zip.length],
    ['files', 'not_found', 0],
    ['sftp', 'not_found', 0],
    ['sftp', 'invalid', 0],
  ])
})

describe('is refused', () => {
  test('what the manifest does not ask for, by capability and by host', async () => {
    const without = await run(`await told(inbox.list()); await told(office.list())`, {
      permissions: [{ setting: 'imap_host' }, { setting: 'sftp_host' }],
    })
    expect(without.lines).toEqual([
      'BLOCKED: This connector may not open mailboxes. Add "mailbox" to "permissions" in connector.json.',
      'BLOCKED: This connector may not open file servers. Add "sftp" to "permissions" in connector.json.',
    ])
    const elsewhere = await run(`await told(inbox.list()); await told(office.list())`, {
      permissions: ['mailbox', 'sftp', { socket: 'imap.example.org' }],
    })
    expect(elsewhere.lines[0]).toMatch(
      /^BLOCKED: localhost:\d+ is not among the hosts .* "permissions" in connector\.json\.$/,
    )
    expect(elsewhere.calls.map(({ status }) => status)).toEqual(['blocked', 'blocked'])
    expect([imap.commands, office.signIns]).toEqual([[], []])
  })

  test('a wrong password, a wrong or unknown key, each in words', async () => {
    const wrong = await run(`await told(inbox.list()); await told(office.list())`, {
      settings: { password: 'not-the-password', sftp_password: 'not-the-password' },
    })
    expect(wrong.lines).toEqual([
      'REFUSED: localhost refuses the user name or password: Wrong user or password.',
      'REFUSED: 127.0.0.1 refuses the user name, password or key.',
    ])
    expect(JSON.stringify(wrong.row)).not.toContain('not-the-password')
    const unknown = await run(`await told(office.list())`, { settings: { host_key: '' } })
    expect(unknown.lines[0]).toContain(office.hostKey)
    const other = await run(`await told(office.list())`, { settings: { host_key: `SHA256:${'b'.repeat(43)}` } })
    expect(other.lines[0]).toMatch(/^REFUSED: 127\.0\.0\.1 showed another key than expected: SHA256:/)
  })

  test.each([
    [`inbox.fetch(0)`, /^INVALID: mailbox\.fetch cannot be called like this: uid/],
    [`inbox.mark(1, '\\\\Deleted')`, /^INVALID: .*flag: must be letters/],
    [`inbox.move(1, 'a\\r\\nb')`, /^INVALID: .*folder: must be one line/],
    [`inbox.list({ limit: 501 })`, /^INVALID: .*query\.limit/],
    [`inbox.list({ since: 'yesterday' })`, /^INVALID: .*query\.since/],
    [`mailbox({ host: imap_host, user: imap_user }).list()`, /^INVALID: .*account\.password/],
    [`mailbox().list()`, /^INVALID: .*account/],
    [`office.put('../x', '')`, /^INVALID: .*path: must not go up/],
    [`office.put('in/', '')`, /^INVALID: .*path: must name a file/],
    [`office.put('x', new Uint8Array(5 * 1024 * 1024 + 9))`, /^INVALID: .*base64/],
    [`office.get('nothing')`, /^NOT_FOUND: 127\.0\.0\.1 has no nothing/],
    [`sftp({ host: sftp_host, user: 'a', password, hostKey: 'MD5:aa' }).list()`, /^INVALID: .*must be SHA256/],
    [`sftp({ host: sftp_host, user: 'a', hostKey: host_key }).list()`, /^INVALID: .*either password or privateKey/],
    [`sftp({ host: '169.254.169.254', user: 'a', password }).list()`, /^BLOCKED: /],
  ])('%s', async (call, message) => {
    const { lines, report } = await run(`await told(${call})`)
    expect(report.outcome).toBe('succeeded')
    expect(lines[0]).toMatch(message)
  })
})

test('a connection that broke is opened anew at the next call', async () => {
  office.trouble(/^write/, 'cut')
  const { lines } = await run(`
    await told(office.put('a.csv', 'a'))
    await told(office.put('a.csv', 'a'))`)
  expect(lines).toEqual([expect.stringMatching(/^UNREACHABLE: /), 'null'])
  expect(office.files.get('a.csv')?.toString()).toBe('a')
})

test('a run opens a few servers and folders, not any number', async () => {
  for (const folder of ['A', 'B', 'C', 'D', 'E']) imap.addFolder(folder)
  const { lines } = await run(`
    for (const folder of ['A', 'B', 'C', 'D', 'E']) {
      await told(mailbox({ host: imap_host, user: imap_user, password, folder }).list())
    }`)
  expect(lines).toEqual(['[]', '[]', '[]', '[]', 'LIMIT: A run has at most 4 servers or folders open.'])
})
