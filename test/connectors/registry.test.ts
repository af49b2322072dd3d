/** Connectors over GraphQL, with a gateway, a worker, a registry and a third party. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { installConnector, reviewConnector } from '../../src/connectors/registry.ts'
import { createSandboxPool, type SandboxPool } from '../../src/connectors/sandbox/pool.ts'
import { packageTarball } from '../../src/connectors/tarball.fixture.ts'
import { createFileStore } from '../../src/files/store.ts'
import { silentLog } from '../../src/log.ts'
import { startWorkerParts } from '../../src/worker/worker.ts'
import { type Receiver, startReceiver } from '../ground/receiver.ts'
import { buildWorld, type World } from '../ground/world.ts'

let world: World
let folder: string
let sandboxes: SandboxPool
let worker: Awaited<ReturnType<typeof startWorkerParts>>
let office: Receiver
let registry: Receiver
let npm: { packed: Buffer; name: string; version: string }
let admin: string
let editor: string
let stranger: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-registry-'))
  sandboxes = createSandboxPool({ maxProcesses: 2 })
  office = await startReceiver({
    handler({ path }, response) {
      response.writeHead(path === '/closed' ? 503 : 201, { 'content-type': 'application/json' }).end('{"id": 7}')
    },
  })
  registry = await startReceiver({
    handler({ path }, response) {
      const { packed, name, version } = npm
      if (path === '/package.tgz') return void response.writeHead(200).end(packed)
      if (path !== `/${name}/${version}`) return void response.writeHead(404).end()
      const integrity = `sha512-${createHash('sha512').update(packed).digest('base64')}`
      response
        .writeHead(200)
        .end(JSON.stringify({ name, version, dist: { tarball: `${registry.url}/package.tgz`, integrity } }))
    },
  })
  world = await buildWorld({ config: { CONNECTOR_REGISTRY_URL: registry.url } })
  const { config, database, sealer } = world
  worker = await startWorkerParts({
    config,
    database,
    sealer,
    files: createFileStore(config),
    log: silentLog,
    schedules: [],
  })
  ;[admin, editor, stranger] = (await Promise.all(
    [world.admin, world.camden.editor, world.lambeth.editor].map(async ({ email, password }) => {
      const { data } = await world.graphql<{ sign_in: { token: string } }>(
        'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
        { variables: { email, password } },
      )
      return `Bearer ${data.sign_in.token}`
    }),
  )) as [string, string, string]
})
afterAll(async () => {
  await worker?.close()
  await sandboxes.close()
  await rm(folder, { recursive: true })
  await world?.close()
  await office?.close()
  await registry?.close()
})

async function ask<Data = Record<string, never>>(
  authorization: string,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<Data> {
  const { data, errors } = await world.graphql<Data>(query, { variables, authorization })
  if (errors?.[0]) throw Object.assign(new Error(errors[0].message), { code: errors[0].extensions?.code })
  return data
}

let versions = 0
function manifestOf(more: object = {}): Record<string, unknown> {
  return {
    implementation: 'org.example.office',
    name: 'Office',
    author: 'Example Ltd',
    version: `1.0.${++versions}`,
    description: 'Hands over.',
    privacyPolicyUrl: 'https://example.org/privacy',
    license: 'Apache-2.0',
    permissions: [{ socket: `127.0.0.1:${office.port}` }],
    settings: [
      { key: 'url', mandatory: true, label: 'Address' },
      { key: 'token', type: 'PASSWORD' },
      { key: 'sent', type: 'INTERNAL' },
    ],
    ...more,
  }
}

const code = `export default {
  async consume({ session, settings, request, state, event }) {
    const { statusCode } = await request.send({ method: 'POST', url: settings.url, body: session,
      headers: { authorization: 'Bearer ' + settings.token, 'x-revision': String(event.revision) } })
    state.sent = (state.sent ?? 0) + 1
    return statusCode === 201 ? 'success' : 'The office answered ' + statusCode
  },
  validateSettings(values, locale) {
    if (!values.url.startsWith('http')) throw new Error(locale === 'de' ? 'Die Adresse ist falsch: ' + values.token : 'The address is wrong.')
  },
  getLabelForKey: (key, locale) => key === 'url' && locale === 'de' ? 'Adresse' : undefined,
  async testConnection(settings, locale, { request }) {
    const { statusCode } = await request.get(settings.url)
    if (statusCode !== 201) throw new Error('The office is closed to ' + settings.token)
    return 'The office is open.'
  },
}`

interface Installed {
  readonly id: string
  readonly status: string
  readonly permissions: string[]
  readonly license: string
  readonly created: boolean
}
const installation = `mutation ($tarball: String, $reference: String) {
  install_connector(tarball: $tarball, reference: $reference) { id status permissions license created } }`

async function install(more: object = {}, source = code): Promise<Installed> {
  const packed = await packageTarball({ 'connector.json': JSON.stringify(manifestOf(more)), 'index.js': source })
  const data = await ask<{ install_connector: Installed }>(admin, installation, { tarball: packed.toString('base64') })
  return data.install_connector
}
const review = (id: string, decision: string, note?: string) =>
  ask(
    admin,
    'mutation ($id: uuid!, $decision: String!, $note: String) { review_connector(id: $id, decision: $decision, note: $note) { status } }',
    { id, decision, note },
  )
/** Quicker than through the worker, which other tests go through. */
async function approved(more: object = {}, source = code): Promise<string> {
  const root = path.join(folder, String(versions))
  await mkdir(root)
  await writeFile(path.join(root, 'connector.json'), JSON.stringify(manifestOf(more)))
  await writeFile(path.join(root, 'index.js'), source)
  const { id } = await installConnector({ database: world.database, sandboxes }, root)
  await reviewConnector({ database: world.database }, id, 'approved')
  return id
}
const connectTo = async (connector_id: string, more: object = {}, as = editor) => {
  const object = {
    connector_id,
    integration_id: world.camden.granted.id,
    name: 'Office',
    settings: { url: office.url, token: 'top secret' },
    ...more,
  }
  const data = await ask<{ connect: { id: string } }>(
    as,
    'mutation ($object: connect_input!) { connect(object: $object) { id } }',
    { object },
  )
  return data.connect.id
}
const connectionOf = async (id: string) =>
  (
    await ask<{ connections_by_pk: Record<string, unknown> }>(
      editor,
      `query ($id: uuid!) { connections_by_pk(id: $id) { connector_id requested_connector_id settings secret_settings health state_reason connector { version } } }`,
      { id },
    )
  ).connections_by_pk
const removeConnections = () => world.database.pool.query('delete from connections')

interface Run {
  readonly id: string
  readonly status: string
  readonly message: string | null
  readonly revision: number
  readonly connector: string
  readonly dry_run: boolean
}
/** The first so many runs of a connection, by live query. */
async function runsOf(connection: string, count: number): Promise<readonly Run[]> {
  const client = createClient({
    url: `${world.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: editor },
  })
  try {
    const query =
      'subscription ($id: uuid!) { connector_runs(where: { connection_id: { _eq: $id } }, order_by: { started_at: asc }) { id status message revision connector dry_run } }'
    for await (const { data } of client.iterate<{ connector_runs: Run[] }>({ query, variables: { id: connection } })) {
      const runs = data?.connector_runs ?? []
      if (runs.length >= count) return runs
    }
    throw new Error('the live query ended')
  } finally {
    await client.dispose()
  }
}
const submitted = async () => (await world.submit({ team: 'camden', flow: 'apply', data: { applicant: 'Ada' } })).id

describe('installing', () => {
  test('a tarball is bundled, inspected and submitted; people see what it may do before they approve it', async () => {
    const { id, ...installed } = await install()
    expect(installed).toEqual({
      status: 'submitted',
      permissions: [`Calls 127.0.0.1:${office.port}`],
      license: 'Apache-2.0',
      created: true,
    })
    const shown =
      'query ($id: uuid!) { connectors_by_pk(id: $id) { status permissions kinds functions source license manifest } }'
    expect(await ask(editor, shown, { id })).toEqual({ connectors_by_pk: null })
    await review(id, 'approve', 'Looked at by two.')
    expect(await ask(editor, shown, { id })).toMatchObject({
      connectors_by_pk: {
        status: 'approved',
        source: 'tarball',
        kinds: ['consumer'],
        functions: expect.arrayContaining(['consume', 'validateSettings', 'testConnection']),
        manifest: { settings: [{ key: 'url', label: 'Address' }, {}, {}] },
      },
    })
  })

  test('an npm package is fetched from the registry that the operator allows', async () => {
    const name = 'office-connector'
    npm = {
      name,
      version: '2.0.0',
      packed: await packageTarball({ 'connector.json': JSON.stringify(manifestOf()), 'index.js': code }),
    }
    const { install_connector } = await ask<{ install_connector: Installed }>(admin, installation, {
      reference: `npm:${name}@2.0.0`,
    })
    expect(install_connector).toMatchObject({ status: 'submitted', created: true })
    await expect(ask(admin, installation, { reference: `npm:${name}@2.0.1` })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    await expect(ask(admin, installation, { reference: `${name}` })).rejects.toThrow('write npm:name@version')
  })

  test.each<[string, object, string, RegExp]>([
    [
      'a manifest with a misspelt key',
      { permission: [] },
      code,
      /"permission" is not a known key\. Did you mean "permissions"/,
    ],
    ['code that does not compile', {}, 'export default (', /the package|index\.js/],
    [
      'code that imports what is not there',
      {},
      `import x from 'left-pad'; export default () => x`,
      /Could not resolve "left-pad"/,
    ],
    [
      'code that fails when it is loaded',
      {},
      `throw new Error('not today'); export default () => 1`,
      /cannot be loaded: .*not today/,
    ],
    ['a consumer that does not consume', {}, 'export default { getLabelForKey: () => "x" }', /its code has no consume/],
    ['a source that is nested too deeply to parse', {}, `export default ${'['.repeat(300_000)}`, /./],
  ])('%s is refused with a reason, and no trace of the machine', async (_, more, source, message) => {
    const error = await install(more, source).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'VALIDATION_FAILED', message: expect.stringMatching(message) })
    expect(error.message).not.toMatch(/\/tmp\//)
  })

  test('neither and both of tarball and reference are refused, and what is no base64', async () => {
    await expect(ask(admin, installation, {})).rejects.toThrow('Give either a tarball')
    await expect(ask(admin, installation, { tarball: '!' })).rejects.toThrow('base64')
    await expect(ask(admin, installation, { tarball: 'aGVsbG8=' })).rejects.toThrow('Make it with npm pack')
  })
})

describe('settings', () => {
  test('our rules come first, then the connector itself, in the language that was asked for and without secrets', async () => {
    const connector = await approved()
    await expect(connectTo(connector, { settings: {} })).rejects.toThrow('"Address" (url) is mandatory')
    await expect(connectTo(connector, { settings: { url: 'no', token: 'top secret' } })).rejects.toThrow(
      'The address is wrong.',
    )
    await expect(connectTo(connector, { settings: { url: 'no', token: 'top secret' }, locale: 'de' })).rejects.toThrow(
      'Die Adresse ist falsch: [secret]',
    )
    const id = await connectTo(connector)
    expect(await connectionOf(id)).toMatchObject({ settings: { url: office.url }, secret_settings: ['token'] })

    const change =
      'mutation ($id: uuid!, $settings: jsonb!) { update_connection_settings(id: $id, settings: $settings) { settings secret_settings } }'
    expect(await ask(editor, change, { id, settings: { url: `${office.url}/new` } })).toEqual({
      update_connection_settings: { settings: { url: `${office.url}/new` }, secret_settings: ['token'] },
    })
    await expect(ask(editor, change, { id, settings: { url: 'no' } })).rejects.toThrow('The address is wrong.')
    await expect(ask(editor, change, { id, settings: { sent: 9 } })).rejects.toThrow('is kept by Office itself')
    expect(await ask(editor, change, { id, settings: { token: null } })).toMatchObject({
      update_connection_settings: { secret_settings: [] },
    })
    await expect(ask(stranger, change, { id, settings: {} })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await removeConnections()
  })

  test("labels come from the connector's own function, else from the manifest", async () => {
    const connector_id = await approved()
    const label = async (key: string, locale: string) =>
      (
        await ask<{ connector_label: string }>(
          editor,
          'query ($connector_id: uuid!, $key: String!, $locale: String) { connector_label(connector_id: $connector_id, key: $key, locale: $locale) }',
          { connector_id, key, locale },
        )
      ).connector_label
    expect([await label('url', 'de'), await label('url', 'en'), await label('nothing', 'en')]).toEqual([
      'Adresse',
      'Address',
      'nothing',
    ])
  })

  test('a connection is tested by the connector, in the worker, and its secrets stay secret', async () => {
    const connector = await approved()
    const test_ = 'mutation ($id: uuid!) { test_connection(id: $id) { ok tested message } }'
    const id = await connectTo(connector)
    expect(await ask(editor, test_, { id })).toEqual({
      test_connection: { ok: true, tested: true, message: 'The office is open.' },
    })
    const closed = await connectTo(connector, { settings: { url: `${office.url}/closed`, token: 'top secret' } })
    expect(await ask(editor, test_, { id: closed })).toEqual({
      test_connection: { ok: false, tested: true, message: 'The office is closed to [secret]' },
    })
    await removeConnections()
  })
})

describe('versions', () => {
  const upgrade = `mutation ($id: uuid!, $connector_id: uuid!, $accept: Boolean, $settings: jsonb) {
    upgrade_connection(id: $id, connector_id: $connector_id, accept_widened: $accept, settings: $settings) { upgraded message } }`

  test('a version that may do no more is taken at once; one that may do more waits for an admin', async () => {
    const [first, second, third] = [
      await approved(),
      await approved(),
      await approved({ permissions: [{ socket: `127.0.0.1:${office.port}` }, { socket: 'more.example' }, 'mail'] }),
    ]
    const id = await connectTo(first)
    expect(await ask(editor, upgrade, { id, connector_id: second })).toMatchObject({
      upgrade_connection: { upgraded: true },
    })
    const preview =
      'query ($id: uuid!, $connector_id: uuid!) { connector_upgrade_preview(id: $id, connector_id: $connector_id) { widens permissions_added settings_missing } }'
    expect(await ask(editor, preview, { id, connector_id: third })).toEqual({
      connector_upgrade_preview: {
        widens: true,
        permissions_added: ['Calls more.example', 'Sends mail'],
        settings_missing: [],
      },
    })
    expect(await ask(editor, upgrade, { id, connector_id: third, accept: true })).toEqual({
      upgrade_connection: {
        upgraded: false,
        message: 'The new version may do more: Calls more.example, Sends mail. An admin was asked to agree.',
      },
    })
    expect(await connectionOf(id)).toMatchObject({ connector_id: second, requested_connector_id: third })
    expect(await ask(admin, upgrade, { id, connector_id: third })).toMatchObject({
      upgrade_connection: { upgraded: false },
    })
    expect(await ask(admin, upgrade, { id, connector_id: third, accept: true })).toMatchObject({
      upgrade_connection: { upgraded: true },
    })
    expect(await connectionOf(id)).toMatchObject({
      connector_id: third,
      requested_connector_id: null,
      secret_settings: ['token'],
    })
    await removeConnections()
  })

  test('new obligations need values, old settings go, and other connectors are refused', async () => {
    const id = await connectTo(await approved())
    const next = await approved({ settings: [{ key: 'url' }, { key: 'office', mandatory: true }] })
    await expect(ask(editor, upgrade, { id, connector_id: next })).rejects.toThrow('"office" is mandatory')
    await ask(editor, upgrade, { id, connector_id: next, settings: { office: 'North' } })
    expect(await connectionOf(id)).toMatchObject({
      settings: { url: office.url, office: 'North' },
      secret_settings: [],
    })
    const other = await approved({ implementation: 'org.example.other' })
    await expect(ask(editor, upgrade, { id, connector_id: other })).rejects.toMatchObject({ code: 'CONFLICT' })
    const unreviewed = await install()
    await expect(ask(editor, upgrade, { id, connector_id: unreviewed.id })).rejects.toThrow(
      'An admin must approve it first',
    )
    await removeConnections()
  })

  test('withdrawing stops connections with the reason, an upgrade starts them again, and uninstalling keeps what was', async () => {
    const [bad, good] = [await approved(), await approved()]
    const id = await connectTo(bad)
    await submitted()
    await runsOf(id, 1)
    const uninstall = 'mutation ($id: uuid!) { uninstall_connector(id: $id) { status } }'
    await expect(ask(admin, uninstall, { id: bad })).rejects.toThrow('1 connection uses org.example.office@')
    await review(bad, 'withdraw', 'It loses drawings.')
    expect(await connectionOf(id)).toMatchObject({
      health: 'disabled',
      state_reason: expect.stringMatching(
        /^The connector org\.example\.office@\S+ was withdrawn: It loses drawings\. Upgrade/,
      ),
    })
    const session = await submitted()
    const read = async () =>
      (
        await ask<{ deliveries: { status: string; last_error: string }[] }>(
          editor,
          'query ($session: uuid!, $id: uuid!) { deliveries(where: { session_id: { _eq: $session }, connection_id: { _eq: $id } }) { status last_error } }',
          { session, id },
        )
      ).deliveries
    await expect
      .poll(read)
      .toEqual([{ status: 'cancelled', last_error: expect.stringContaining('It loses drawings.') }])
    await expect(review(bad, 'approve')).rejects.toThrow('was withdrawn and cannot be reviewed')

    await ask(editor, upgrade, { id, connector_id: good })
    expect(await connectionOf(id)).toMatchObject({ health: 'active', state_reason: null })
    await submitted()
    expect((await runsOf(id, 2)).map(({ status }) => status)).toEqual(['succeeded', 'succeeded'])
    await ask(admin, uninstall, { id: bad })
    const [first] = await runsOf(id, 2)
    expect(first?.connector).toMatch(/^org\.example\.office@1\.0\./)
    const { rows } = await world.database.pool.query('select bundle, uninstalled_at from connectors where id = $1', [
      bad,
    ])
    expect(rows).toEqual([{ bundle: '', uninstalled_at: expect.any(Date) }])
    await removeConnections()
  })
})

describe('runs', () => {
  test('a run is seen live, and made again from the revision that it had', async () => {
    const id = await connectTo(await approved())
    const session = await submitted()
    const [run] = await runsOf(id, 1)
    expect(run).toMatchObject({ status: 'succeeded', revision: 1, dry_run: false })
    await world.graphql('mutation ($object: update_session_input!) { update_session(object: $object) { revision } }', {
      variables: { object: { id: session, data: { applicant: 'Grace' } } },
      authorization: admin,
    })
    const again = 'mutation ($id: uuid!) { rerun(run_id: $id) { delivery_id revision } }'
    expect(await ask(editor, again, { id: run?.id })).toMatchObject({ rerun: { revision: 1 } })
    const [, second] = await runsOf(id, 2)
    expect(second).toMatchObject({ status: 'succeeded', revision: 1 })
    expect(
      office.requests
        .filter(({ headers }) => headers['x-revision'])
        .at(-1)
        ?.body.toString(),
    ).toBe('{"applicant":"Ada"}')
    await expect(ask(stranger, again, { id: run?.id })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await world.database.pool.query('update session_grants set revoked_at = now() where session_id = $1', [session])
    await expect(ask(editor, again, { id: run?.id })).rejects.toMatchObject({ code: 'GONE' })
    await removeConnections()
  })

  test('a dry run sends nothing, keeps no state, starts no clock, and shows what it would have sent', async () => {
    const id = await connectTo(await approved(), { enabled: true, pattern: { flow: { _eq: 'none' } } })
    const session = await submitted()
    const before = office.requests.length
    const dry = `mutation ($id: uuid!, $session: uuid!, $fixtures: jsonb) {
      dry_run_connection(connection_id: $id, session_id: $session, fixtures: $fixtures) { id succeeded message calls withheld } }`
    const fixtures = [{ method: 'POST', url: `${office.url}*`, status: 201, body: { id: 1 } }]
    const { dry_run_connection: run } = await ask<{ dry_run_connection: Record<string, unknown> }>(editor, dry, {
      id,
      session,
      fixtures,
    })
    expect(run).toMatchObject({
      succeeded: true,
      message: null,
      calls: [{ kind: 'request', status: 201 }],
      withheld: [
        {
          method: 'POST',
          target: `${office.url}/`,
          headers: { authorization: 'Bearer [secret]' },
          body: '{"applicant":"Ada"}',
        },
      ],
    })
    const refused = await ask<{ dry_run_connection: Record<string, unknown> }>(editor, dry, { id, session })
    expect(refused.dry_run_connection).toMatchObject({
      succeeded: false,
      message: expect.stringContaining('no fixture answers POST'),
    })
    expect(office.requests.length).toBe(before)
    expect(await runsOf(id, 2)).toMatchObject([{ dry_run: true }, { dry_run: true }])
    const { rows } = await world.database.pool.query(
      `select c.state, g.first_retrieved_at,
              (select count(*)::int from audit_entries a where a.detail @> '{"dry_run": true}' and $2 = any(a.session_ids)) as audited
         from connections c join session_grants g on g.integration_id = c.integration_id and g.session_id = $2 where c.id = $1`,
      [id, session],
    )
    expect(rows).toEqual([{ state: {}, first_retrieved_at: null, audited: 2 }])
    await expect(ask(editor, dry, { id, session, fixtures: [{ status: 1 }] })).rejects.toThrow('fixtures.0')
    await expect(
      ask(editor, 'mutation ($id: uuid!) { rerun(run_id: $id) { delivery_id } }', { id: run.id }),
    ).rejects.toThrow('This was a dry run')
    await removeConnections()
  })
})

test('the JSON Schema of manifests is served, and nothing that was asked of workers stays', async () => {
  const response = await fetch(`${world.url}/schemas/connector.json`)
  expect(await response.json()).toMatchObject({ title: 'connector.json', additionalProperties: false })
  const { rows } = await world.database.pool.query('select count(*)::int as left from connector_tasks')
  expect(rows).toEqual([{ left: 0 }])
})

describe('a host that a setting names', () => {
  const named = { permissions: [{ setting: 'url' }] }
  const hostsOf = async (id: string) =>
    (
      await ask<{ connections_by_pk: { hosts: string[] } }>(
        editor,
        'query ($id: uuid!) { connections_by_pk(id: $id) { hosts } }',
        { id },
      )
    ).connections_by_pk.hosts
  const change =
    'mutation ($id: uuid!, $settings: jsonb!) { update_connection_settings(id: $id, settings: $settings) { hosts } }'

  test('is what an admin approves and an editor chooses: tests, dry runs and runs reach it, and no other', async () => {
    const { id: connector, permissions } = await install(named)
    expect(permissions).toEqual(['Calls the host that the setting "Address" names'])
    await review(connector, 'approve')
    const id = await connectTo(connector)
    expect(await hostsOf(id)).toEqual([`127.0.0.1:${office.port}`])
    expect(await ask(editor, 'mutation ($id: uuid!) { test_connection(id: $id) { message } }', { id })).toEqual({
      test_connection: { message: 'The office is open.' },
    })
    const session = await submitted()
    expect((await runsOf(id, 1))[0]).toMatchObject({ status: 'succeeded' })
    const dry = `mutation ($id: uuid!, $session: uuid!, $fixtures: jsonb) {
      dry_run_connection(connection_id: $id, session_id: $session, fixtures: $fixtures) { succeeded message } }`
    const fixtures = [{ url: `${registry.url}/*`, status: 201 }]
    const other = {
      ...named,
      settings: [{ key: 'url' }, { key: 'token', type: 'PASSWORD' }, { key: 'sent', type: 'INTERNAL' }],
    }
    const elsewhere = await connectTo(
      await approved(other, `export default ({ request }) => request.get('${registry.url}/x').then(() => 'success')`),
    )
    expect(await ask(editor, dry, { id: elsewhere, session, fixtures })).toEqual({
      dry_run_connection: { succeeded: false, message: expect.stringContaining('not among the hosts') },
    })
    expect(await ask(editor, change, { id: elsewhere, settings: { url: registry.url } })).toEqual({
      update_connection_settings: { hosts: [`127.0.0.1:${registry.port}`] },
    })
    expect(await ask(editor, dry, { id: elsewhere, session, fixtures })).toMatchObject({
      dry_run_connection: { succeeded: true },
    })
    expect(await ask(editor, change, { id: elsewhere, settings: { url: null } })).toEqual({
      update_connection_settings: { hosts: [] },
    })
    expect(await ask(editor, dry, { id: elsewhere, session, fixtures })).toMatchObject({
      dry_run_connection: { succeeded: false },
    })
    await removeConnections()
  })

  test.each([
    ['http://office.example/in', 'office.example must be called over https'],
    ['https://169.254.169.254/', 'metadata service'],
    ['https://ada:secret@office.example', 'must not hold a user name or password'],
    ['*.office.example', 'There are no wildcards'],
    ['/in', 'must name a host: write an address such as https://office.example/path'],
  ])('cannot be %s, when connecting and afterwards', async (url, why) => {
    const connector = await approved(named)
    const refused = { code: 'VALIDATION_FAILED', message: expect.stringMatching(/^"Address" \(url\)/) }
    const connecting = connectTo(connector, { settings: { url, token: 'top secret' } })
    await expect(connecting).rejects.toMatchObject(refused)
    await expect(connecting).rejects.toThrow(why)
    const id = await connectTo(connector)
    await expect(ask(editor, change, { id, settings: { url } })).rejects.toThrow(why)
    expect(await hostsOf(id)).toEqual([`127.0.0.1:${office.port}`])
    await removeConnections()
  })

  test('is more than a fixed one, so a new version that lets settings choose waits for an admin', async () => {
    const [first, second] = [await approved(), await approved(named)]
    const id = await connectTo(first, { settings: { url: registry.url, token: 'top secret' } })
    expect(await hostsOf(id)).toEqual([`127.0.0.1:${office.port}`])
    const upgrade = `mutation ($id: uuid!, $connector_id: uuid!, $accept: Boolean) {
      upgrade_connection(id: $id, connector_id: $connector_id, accept_widened: $accept) { upgraded message } }`
    expect(await ask(editor, upgrade, { id, connector_id: second, accept: true })).toEqual({
      upgrade_connection: {
        upgraded: false,
        message:
          'The new version may do more: Calls the host that the setting "Address" names. An admin was asked to agree.',
      },
    })
    await ask(admin, upgrade, { id, connector_id: second, accept: true })
    expect(await hostsOf(id)).toEqual([`127.0.0.1:${registry.port}`])
    await removeConnections()
  })
})
