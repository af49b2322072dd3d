import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { unzipSync } from 'fflate'
import { buildSchema, parse, validate } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectorCommand } from '../../src/cli/connector.ts'
import { createSandboxPool, type SandboxPool } from '../../src/connectors/sandbox/pool.ts'
import { unpackTarball } from '../../src/connectors/tarball.ts'
import { checkConnector } from '../../src/connectors/vendor/check.ts'
import { installMutation, reviewMutation } from '../../src/connectors/vendor/install.ts'
import { packConnector } from '../../src/connectors/vendor/pack.ts'
import { testDatabase } from '../ground/database.ts'
import { type Receiver, startReceiver } from '../ground/receiver.ts'

let base: string
let sandboxes: SandboxPool
let receiver: Receiver
let count = 0
beforeAll(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'sluice-vendor-'))
  // A loop shall not take the test's time.
  sandboxes = createSandboxPool({ maxProcesses: 2, limits: { cpuMs: 700 } })
  receiver = await startReceiver({
    handler({ path: place }, response) {
      const body =
        place === '/token'
          ? { access_token: 'eyJhbGciOiJub25lIn0.eyJvcmciOiI3In0.c2lnbmF0dXJl', refresh_token: 'refresh-me-9876' }
          : { id: 17 }
      response.writeHead(201, { 'content-type': 'application/json', 'set-cookie': 'sid=cookie-value-1' })
      response.end(JSON.stringify(body))
    },
  })
})
afterAll(() => Promise.all([sandboxes.close(), receiver.close(), rm(base, { recursive: true })]))

/** Runs one command line. */
async function run(...words: string[]) {
  const lines: string[] = []
  let failed = false
  const command = connectorCommand(
    {},
    {
      print: (line) => lines.push(stripVTControlCharacters(line)),
      fail: () => {
        failed = true
      },
    },
  )
  await command.exitOverride().parseAsync(words, { from: 'user' })
  return { lines, failed, text: lines.join('\n') }
}

async function folder(code: string, manifest: object = {}, files: Record<string, string> = {}): Promise<string> {
  const root = path.join(base, `c${count++}`)
  const whole = {
    implementation: 'org.example.test',
    name: 'Test',
    author: 'Example Ltd',
    version: '1.0.0',
    description: 'Tests.',
    privacyPolicyUrl: 'https://example.org/privacy',
    ...manifest,
  }
  for (const [name, content] of Object.entries({
    'connector.json': JSON.stringify(whole),
    'index.ts': code,
    ...files,
  })) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true })
    await writeFile(path.join(root, name), content)
  }
  return root
}

test('a new connector passes check and test at once, and the same folder packs to the same bytes', async () => {
  const root = path.join(base, 'hand-over')
  expect((await run('new', root)).text).toContain(`Next: npm run connector -- check ${root}`)
  const checked = await run('check', root)
  expect(checked.failed).toBe(false)
  expect(checked.lines.filter((line) => !line.startsWith('✓'))).toEqual([])
  expect(await run('test', root)).toMatchObject({
    failed: false,
    text: expect.stringContaining('All 2 fixtures pass.'),
  })

  const out = path.join(base, 'hand-over.tgz')
  expect((await run('pack', root, '--out', out)).text).toMatch(/connector\.json[\s\S]*sha256 [0-9a-f]{64}$/)
  expect((await packConnector(root)).tarball.equals(await readFile(out))).toBe(true)
  const unpacked = await mkdtemp(path.join(base, 'unpacked-'))
  const again = await unpackTarball(await readFile(out), unpacked)
  expect(await readFile(path.join(again, 'index.ts'), 'utf8')).toBe(await readFile(path.join(root, 'index.ts'), 'utf8'))
  await expect(run('new', root)).rejects.toThrow('is there and not empty')
  await expect(run('new', path.join(base, 'Not A Name'))).rejects.toThrow('Write small letters, digits and hyphens')
})

describe('check says what is wrong and how to mend it', () => {
  const consumer = (body: string) =>
    `import { defineConnector } from 'sluice/connector'
     export default defineConnector({ async consume({ session, settings, request, mail, log, event, delivery }) { ${body} } })`
  const post = `await request.post('https://api.example.org/', { id: delivery.id })`
  const permissions = [{ socket: 'api.example.org' }]
  test.each<[string, string, object, RegExp]>([
    ['a missing key', consumer(`return 'success'`), { author: undefined }, /"author" is missing\. Write the person/],
    ['a type', consumer(`return settings.nothing.length > 0 ? 'success' : 42`), {}, /index\.ts.*error TS/],
    ['what the sandbox does not have', consumer(`await fetch('https://a.example'); return 'success'`), {}, /fetch/],
    ['an import', `import fs from 'node:fs'; export default () => String(fs)`, {}, /Modules of Node are not there/],
    [
      'blind success',
      consumer(`await request.post('https://api.example.org/', {}); return 'success'`),
      { permissions },
      /answered with 500, and it returned "success"/,
    ],
    [
      'swallowed errors',
      consumer(`await ${post.slice(6)}.catch(() => {}); return 'success'`),
      { permissions },
      /answered with unreachable, and it returned "success"/,
    ],
    [
      'a host',
      consumer(`return (await request.get('https://other.example:8443/')).statusCode === 200 ? 'success' : 'no'`),
      {},
      /Add \{"socket": "other\.example:8443"\} to "permissions"/,
    ],
    [
      'a capability',
      consumer(`await mail.send({ to: 'a@b.example', subject: 's', text: 't' }); return 'success'`),
      {},
      /Add "mail" to "permissions"/,
    ],
    ['an endless loop', consumer(`for (;;);`), {}, /its process had to be ended/],
    ['no status', `export default (() => 42) as never`, {}, /must return "success", "failed", a message in words/],
    [
      'data in the log',
      consumer(`log.info(JSON.stringify(session)); return 'success'`),
      {},
      /A text of the session is in its log/,
    ],
    [
      'memory between runs',
      `let runs = 0; export default async ({ request }: { request: { get(url: string): Promise<unknown> } }) => { await request.get('https://api.example.org/' + runs++); return 'no' }`,
      { permissions },
      /keep nothing in variables outside/,
    ],
    [
      'a label',
      `export default { consume: () => 'success', getLabelForKey: () => 7 }`,
      { settings: [{ key: 'a' }] },
      /getLabelForKey\("a", "en"\) returned 7/,
    ],
  ])('%s', async (_case, code, manifest, message) => {
    const findings = await checkConnector(await folder(code, manifest), sandboxes)
    const faults = findings.flatMap(({ fault, level }) => (level === 'must' && fault ? fault : []))
    expect(faults.join('\n')).toMatch(message)
  })
})

const office = `
  import { defineConnector } from 'sluice/connector'
  export default defineConnector<{ settings: { base: string; user: string; password: string } }>({
    async consume({ session, settings: { base, user, password }, request, files, delivery, log }) {
      const basic = btoa(user + ':' + password)
      const { response } = await request.post<{ access_token: string }>(base + '/token', { grant_type: 'client_credentials', client_secret: password },
        { bodyType: 'form', headers: { authorization: 'Basic ' + basic } })
      const { org } = JSON.parse(atob(response.access_token.split('.')[1] ?? ''))
      const names = (await files.list()).map(({ name }) => name)
      const { statusCode } = await request.post(base + '/applications?org=' + org, [
        { name: 'session', content: JSON.stringify(session) }, { name: 'plan', file: 'plan.txt' },
        { name: 'all', archive: [{ path: 'key.txt', content: 'of ' + password }, { path: 'plan.txt', file: 'plan.txt' }] },
      ], { bodyType: 'multipart', headers: { authorization: 'Bearer ' + response.access_token, 'idempotency-key': delivery.id } })
      log.info('sent with ' + password + ' ' + names.join())
      return statusCode === 201 ? 'success' : 'The office answered ' + statusCode
    },
  })`

test('a recorded run holds no secret, and is replayed without network until the connector changes', async () => {
  const root = await folder(
    office,
    {
      permissions: [{ socket: `127.0.0.1:${receiver.port}` }, 'files'],
      settings: [{ key: 'base' }, { key: 'user' }, { key: 'password', type: 'PASSWORD' }],
    },
    {
      'samples/session.json': JSON.stringify({ session: { reference: 'A1' }, files: { 'plan.txt': 'plan.txt' } }),
      'samples/plan.txt': 'a plan',
      'samples/settings.json': JSON.stringify({ base: receiver.url, user: 'camden', password: 'pass/wörd-4711' }),
    },
  )
  const allowed = ['--allow', '127.0.0.0/8']
  const recorded = await run('record', root, '--name', 'accepted', ...allowed)
  expect(recorded.text).toContain('info  sent with [secret] plan.txt')
  expect(recorded.text).toMatch(/call {2}request POST http:\/\/127\.0\.0\.1:\d+\/applications: 201/)
  expect(recorded.text).toMatch(/succeeded in \d+ ms\nRecorded .*accepted\.json/)

  const file = path.join(root, 'fixtures/accepted.json')
  const kept = await readFile(file, 'utf8')
  const basic = Buffer.from('camden:secret-of-password').toString('base64')
  expect(kept).toContain(`Basic ${basic}`)
  expect(kept).toContain('Bearer eyJhbGciOiJub25lIn0.eyJvcmciOiI3In0.redacted')
  for (const secret of [
    'pass/',
    '4711',
    'c2lnbmF0dXJl',
    'refresh-me',
    'cookie-value',
    btoa('camden:pass').slice(0, -2),
  ]) {
    expect(kept).not.toContain(secret)
  }

  // An archive is kept as what it is made of; its files are read from where they lie.
  expect(JSON.parse(kept).calls[1].argument.body.parts[2]).toEqual({
    name: 'all',
    archive: [
      { path: 'key.txt', text: 'of secret-of-password' },
      { path: 'plan.txt', file: 'plan.txt' },
    ],
  })
  const sent = receiver.requests.findLast(({ path: place }) => place.startsWith('/applications'))
  const form = await new Response(new Uint8Array(sent?.body ?? []), {
    headers: { 'content-type': sent?.headers['content-type'] ?? '' },
  }).formData()
  const zip = unzipSync(new Uint8Array(await (form.get('all') as File).arrayBuffer()))
  expect(Buffer.from(zip['plan.txt'] ?? []).toString()).toBe('a plan')

  const before = receiver.requests.length
  expect(await run('test', root)).toMatchObject({ failed: false, text: '✓ accepted.json\nAll 1 fixtures pass.' })
  await writeFile(path.join(root, 'index.ts'), office.replace('?org=', '?organisation='))
  const changed = await run('test', root)
  expect(changed.failed).toBe(true)
  expect(changed.text).toMatch(/calls\.1\.argument\.url: recorded ".*\?org=7", now ".*\?organisation=7"/)
  const fixture = JSON.parse(kept)
  await writeFile(file, JSON.stringify({ ...fixture, ignore: ['calls.1.argument.url'] }))
  expect((await run('test', root)).failed).toBe(false)
  await writeFile(
    path.join(root, 'index.ts'),
    office.replace(`return statusCode`, `await request.get(base); return statusCode`),
  )
  expect((await run('test', root)).text).toMatch(/calls\.2: recorded no further call, now GET http/)
  expect(receiver.requests.length).toBe(before)
  await writeFile(file, '{"calls":[]}')
  await expect(run('test', root)).rejects.toThrow(/accepted\.json: .* Record it anew/)
})

test('a host that a setting names is called, recorded and replayed; without the permission check advises it', async () => {
  const code = `export default async ({ request, settings }: any) => {
    const { statusCode } = await request.get(settings.base + '/x')
    return statusCode < 300 ? 'success' : 'It answered ' + statusCode
  }`
  const settings = [{ key: 'base', mandatory: true }]
  const samples = { 'samples/settings.json': JSON.stringify({ base: receiver.url }) }
  const named = await folder(code, { permissions: [{ setting: 'base' }], settings }, samples)
  const allowed = ['--allow', '127.0.0.0/8']
  expect((await run('record', named, '--name', 'there', ...allowed)).text).toContain('Recorded')
  expect(await run('test', named)).toMatchObject({ failed: false })
  expect((await checkConnector(named, sandboxes)).filter(({ fault }) => fault)).toEqual([])
  // Without a sample, one is made up that fits.
  const unsampled = await folder(code, { permissions: [{ setting: 'base' }], settings })
  expect((await checkConnector(unsampled, sandboxes)).filter(({ fault }) => fault)).toEqual([])

  const file = path.join(named, 'fixtures/there.json')
  const kept = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ ...kept, input: { ...kept.input, settings: { base: '' } } }))
  expect((await run('test', named)).failed).toBe(true)

  const fixed = await folder(code, { settings }, samples)
  expect((await run('run', fixed, ...allowed)).text).toMatch(/call .*: blocked/)
  expect((await checkConnector(fixed, sandboxes)).filter(({ fault }) => fault)).toMatchObject([
    { level: 'should', fault: expect.stringContaining('add {"setting": "base"} to "permissions"') },
  ])
  const wrong = await folder(
    code,
    { permissions: [{ setting: 'base' }], settings },
    { 'samples/settings.json': '{"base": "ftp://a"}' },
  )
  expect((await run('check', wrong)).text).toContain('"base" must name a host')
})

test('run tells what a run in production would: a host without permission, a private network, a final failure', async () => {
  const code = `export default async ({ request }: any) => { await request.get('${receiver.url}/x'); return { returnCode: 999, message: 'gone' } }`
  const closed = await folder(code)
  expect(await run('run', closed)).toMatchObject({ failed: true, text: expect.stringMatching(/call .*: blocked/) })
  const open = await folder(code, { permissions: [{ socket: `127.0.0.1:${receiver.port}` }] })
  expect((await run('run', open)).text).toMatch(/failed in \d+ ms: .*127\.0\.0\.1/)
  const allowed = await run('run', open, '--allow', '127.0.0.0/8')
  expect(allowed.text).toMatch(/failed in \d+ ms: gone It would not be tried again\./)
  await expect(run('run', open, '--session', path.join(base, 'none.json'))).rejects.toThrow(/none\.json cannot be read/)
})

test('install puts a folder or a tarball into the database, approved only when asked', async () => {
  const { database, url, close } = await testDatabase()
  const root = path.join(base, 'to-install')
  await run('new', root)
  const lines: string[] = []
  const command = () => connectorCommand({ DATABASE_URL: url }, { print: (line) => lines.push(line) })
  await command().parseAsync(['install', root], { from: 'user' })
  await run('pack', root, '--out', path.join(base, 'install.tgz'))
  await command().parseAsync(['install', path.join(base, 'install.tgz'), '--approve'], { from: 'user' })
  expect(lines[0]).toBe(
    'org.example.to-install@0.1.0 is submitted. An admin must approve it before it can be connected.',
  )
  expect(lines[2]).toBe('org.example.to-install@0.1.0 is approved. It can be connected.')
  expect(await database.prisma.connector.findMany({ select: { status: true } })).toEqual([{ status: 'approved' }])
  await expect(run('install', root)).rejects.toThrow('SLUICE_URL and SLUICE_TOKEN of a running Sluice, or DATABASE_URL')
  await close()
})

test('what install asks a running Sluice fits its schema, and its refusals are told in words', async () => {
  const schema = buildSchema(await readFile(path.join(import.meta.dirname, '../../schema.graphql'), 'utf8'))
  for (const document of [installMutation, reviewMutation]) expect(validate(schema, parse(document))).toEqual([])

  const root = path.join(base, 'over-api')
  await run('new', root)
  const install = (env: Record<string, string>) =>
    connectorCommand(env, { print: () => undefined }).parseAsync(['install', root], { from: 'user' })
  await expect(install({ SLUICE_URL: receiver.url })).rejects.toThrow('SLUICE_TOKEN is missing')
  await expect(install({ SLUICE_URL: 'http://127.0.0.1:1', SLUICE_TOKEN: 't' })).rejects.toThrow(/cannot be reached/)
})
