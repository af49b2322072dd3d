/** Mailboxes and file servers in the hands of a connector's author: recorded, replayed, tried dry. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCapabilities } from '../../src/connectors/capabilities.ts'
import { dryDoors, dryEgress, dryMailer, type Withheld } from '../../src/connectors/dry-run.ts'
import { parseManifest } from '../../src/connectors/manifest.ts'
import type { RunCall } from '../../src/connectors/record.ts'
import { createSandboxPool, type SandboxPool } from '../../src/connectors/sandbox/pool.ts'
import { checkConformance } from '../../src/connectors/vendor/conformance.ts'
import { createRecorder, parseFixture, replay } from '../../src/connectors/vendor/fixtures.ts'
import { openPackage } from '../../src/connectors/vendor/package.ts'
import { readSample } from '../../src/connectors/vendor/sample.ts'
import { localHost, tryConnector } from '../../src/connectors/vendor/try.ts'
import { loopbackCertificate } from '../../src/egress/certificate.fixture.ts'
import { createEgress, type Egress } from '../../src/egress/egress.ts'
import { silentLog } from '../../src/log.ts'
import { type ImapPeer, startImap } from './peers/imap.ts'
import { type SftpPeer, startSftp } from './peers/sftp.ts'

let base: string
let sandboxes: SandboxPool
let egress: Egress
let imap: ImapPeer
let office: SftpPeer
beforeAll(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'sluice-remote-'))
  sandboxes = createSandboxPool({ maxProcesses: 2 })
  egress = createEgress({ allow: ['127.0.0.0/8'], ca: loopbackCertificate })
  ;[imap, office] = await Promise.all([startImap(), startSftp()])
})
afterAll(() =>
  Promise.all([sandboxes.close(), egress.close(), imap.close(), office.close(), rm(base, { recursive: true })]),
)

const manifest = {
  implementation: 'org.example.remote',
  name: 'Remote',
  author: 'Example Ltd',
  version: '1.0.0',
  description: 'Puts mails on a file server.',
  privacyPolicyUrl: 'https://example.org/privacy',
  permissions: ['mailbox', 'sftp', { setting: 'imap' }, { setting: 'files' }],
  settings: [
    { key: 'imap', mandatory: true },
    { key: 'files', mandatory: true },
    { key: 'key', mandatory: true },
    { key: 'password', type: 'PASSWORD', mandatory: true },
    { key: 'files_password', type: 'PASSWORD', mandatory: true },
  ],
}

const code = `import './blob.js'
import PostalMime from 'postal-mime'
export default async ({ settings, mailbox, sftp, log }) => {
  const inbox = mailbox({ host: settings.imap, user: 'bookings', password: settings.password })
  const office = sftp({ host: settings.files, user: 'camden', password: settings.files_password, hostKey: settings.key })
  for (const { uid } of await inbox.list({ without: 'Done' })) {
    const { subject, text, attachments } = await PostalMime.parse(await inbox.fetch(uid))
    log.info(subject + ': ' + attachments.map(({ filename, mimeType }) => filename + ' ' + mimeType).join())
    await office.put(uid + '.txt', text.trim() + SUFFIX)
    await inbox.mark(uid, 'Done')
  }
  return 'success'
}`

/** What postal-mime wants and the sandbox does not have: as much of the web's Blob as it uses. */
const blob = `const bytes = (chunk) => typeof chunk === 'string' ? new TextEncoder().encode(chunk)
  : chunk instanceof ArrayBuffer ? new Uint8Array(chunk) : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
globalThis.Blob ??= class {
  constructor(chunks = []) {
    this.chunks = chunks.map(bytes)
  }
  async arrayBuffer() {
    const whole = new Uint8Array(this.chunks.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const chunk of this.chunks) {
      whole.set(chunk, at)
      at += chunk.length
    }
    return whole.buffer
  }
}`

const mime = `From: "Ada" <ada@example.org>
Subject: =?utf-8?B?R3LDvMOfZQ==?=
MIME-Version: 1.0
Message-ID: <1@example.org>
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename=plan.pdf
Content-Transfer-Encoding: base64

JVBERg==
--b--
`

async function packageWith(suffix: string) {
  const root = await mkdtemp(path.join(base, 'package-'))
  await writeFile(path.join(root, 'connector.json'), JSON.stringify(manifest))
  await writeFile(path.join(root, 'index.js'), code.replace('SUFFIX', JSON.stringify(suffix)))
  await writeFile(path.join(root, 'blob.js'), blob)
  await mkdir(path.join(root, 'samples'))
  const settings = {
    imap: `localhost:${imap.port}`,
    files: `127.0.0.1:${office.port}`,
    key: office.hostKey,
    password: imap.password,
    files_password: office.password,
  }
  await writeFile(path.join(root, 'samples/settings.json'), JSON.stringify(settings))
  const library = path.join(import.meta.dirname, '../../node_modules/postal-mime')
  await cp(library, path.join(root, 'node_modules/postal-mime'), { recursive: true })
  return openPackage(root, sandboxes)
}

test('a run is recorded without secrets, and replayed without a server; the mail is parsed in the sandbox', async () => {
  imap.deliver(mime)
  const made = await packageWith('!')
  const sample = await readSample(made.root, made.manifest, {})
  const over = new AbortController()
  const calls: RunCall[] = []
  const host = localHost({
    package: made,
    sample,
    egress,
    mailer: dryMailer([]),
    signal: over.signal,
    timeoutMs: 20_000,
    onCall: (call) => void calls.push(call),
  })
  const recorder = createRecorder(sample, host)
  const { outcome, verdict, log } = await tryConnector({ package: made, sandboxes, sample, call: recorder.call })
  over.abort()
  expect(verdict.message).toBeNull()
  expect([verdict.succeeded, log.map(({ message }) => message)]).toEqual([true, ['Grüße: plan.pdf application/pdf']])
  expect(calls.map(({ kind, status }) => `${kind} ${status}`)).toEqual([
    'mailbox done',
    'mailbox done',
    'sftp done',
    'mailbox done',
  ])
  expect(office.files.get('1.txt')?.toString()).toBe('Grüße!')

  const text = JSON.stringify(recorder.finish(outcome, {}))
  for (const secret of [imap.password, office.password]) expect(text).not.toContain(secret)
  expect(text).toContain('secret-of-files_password')
  const fixture = parseFixture(JSON.parse(text), 'fixture')
  const before = [imap.commands.length, office.changes.length]
  expect(await replay({ package: made, sandboxes, fixture, files: {} })).toEqual([])
  const other = await replay({ package: await packageWith('?'), sandboxes, fixture, files: {} })
  expect(other).toEqual([expect.stringMatching(/^calls\.2\.argument\.base64: recorded /)])
  expect([imap.commands.length, office.changes.length]).toEqual(before)
})

test('the rules of connectors know such calls', async () => {
  const made = await packageWith('!')
  const sample = await readSample(made.root, made.manifest, {})
  const results = await checkConformance({ package: made, sandboxes, sample })
  expect(results.filter(({ fault }) => fault !== undefined)).toEqual([])
  const other = { ...made, manifest: { ...made.manifest, permissions: ['mailbox', 'sftp'] as const } }
  const faults = (await checkConformance({ package: other, sandboxes, sample })).flatMap(({ fault }) => fault ?? [])
  expect(faults.join('\n')).toContain(`It opens localhost:${imap.port}. Add {"socket": "localhost:${imap.port}"}`)
})

describe('a dry run', () => {
  const withheld: Withheld[] = []
  const call = createCapabilities({
    manifest: parseManifest(manifest),
    settings: { imap: 'imap.example.org', files: 'files.example.org' },
    egress: dryEgress([], withheld),
    doors: dryDoors(withheld),
    mailer: dryMailer(withheld),
    log: silentLog,
    deliveryId: 'a',
    deadline: performance.now() + 60_000,
    signal: new AbortController().signal,
    scrub: (text) => text,
    note: () => undefined,
  })
  const files = { host: 'files.example.org', user: 'a', password: 'b' }
  const mails = { host: 'imap.example.org', user: 'a', password: 'b' }

  test('keeps what would have changed a server, and sends nothing', async () => {
    await call('sftp.put', { account: files, path: 'in/1.csv', base64: Buffer.from('1,2').toString('base64') })
    await call('sftp.rename', { account: files, from: 'a', to: 'b' })
    await call('sftp.remove', { account: files, path: 'a' })
    await call('mailbox.mark', { account: mails, uid: 1, flag: 'seen' })
    await call('mailbox.move', { account: mails, uid: 1, folder: 'Done' })
    expect(withheld.map(({ kind, target, body }) => [kind, target, body])).toEqual([
      ['sftp', 'put in/1.csv on files.example.org', '1,2'],
      ['sftp', 'rename a to b on files.example.org', null],
      ['sftp', 'remove a on files.example.org', null],
      ['mailbox', 'mark 1 seen in imap.example.org/INBOX', null],
      ['mailbox', 'move 1 to Done in imap.example.org/INBOX', null],
    ])
  })

  test.each(['sftp.list', 'sftp.get', 'mailbox.list', 'mailbox.fetch'])('%s reads nothing', async (kind) => {
    const argument = kind.startsWith('sftp')
      ? { account: files, path: 'a' }
      : { account: mails, ...(kind === 'mailbox.list' ? { query: {} } : { uid: 1 }) }
    await expect(call(kind, argument)).rejects.toMatchObject({ code: 'BLOCKED', message: /dry run/ })
  })
})
