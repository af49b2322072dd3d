import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { settingsPurpose } from './call.ts'
import { connect } from './connections.ts'
import { type ConnectorGround, connectorGround } from './ground.fixture.ts'
import { installConnector, reviewConnector, uninstallConnector } from './registry.ts'

let ground: ConnectorGround
beforeAll(async () => {
  ground = await connectorGround()
})
afterAll(() => ground.close())

const code = `export default () => 'success'`
const install = (folder: string) => installConnector({ database: ground.database, sandboxes: ground.sandboxes }, folder)
const review = (id: string, decision: 'approved' | 'rejected') =>
  reviewConnector({ database: ground.database }, id, decision)

describe('installing', () => {
  test('submits the package with its permissions; the same again changes nothing, also not its approval', async () => {
    const folder = await ground.package(code, { permissions: [{ socket: 'api.example.org' }, 'mail'] })
    const first = await install(folder)
    expect(first).toMatchObject({
      status: 'submitted',
      created: true,
      permissions: [{ socket: 'api.example.org' }, 'mail'],
    })
    await review(first.id, 'approved')
    expect(await install(folder)).toEqual({ ...first, status: 'approved', created: false })
    const row = await ground.database.prisma.connector.findUniqueOrThrow({ where: { id: first.id } })
    expect(row).toMatchObject({
      author: 'Example Ltd',
      bundle_sha256: first.bundle_sha256,
      reviewed_at: expect.any(Date),
    })
    expect(row.bundle).toContain('success')
  })

  test('other code or another manifest under the same version is a conflict', async () => {
    const folder = await ground.package(code)
    await install(folder)
    await writeFile(path.join(folder, 'index.ts'), `${code} // changed\nexport const more = 1`)
    await expect(install(folder)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('Raise "version" in the manifest.'),
    })
    await writeFile(path.join(folder, 'index.ts'), code)
    expect((await install(folder)).created).toBe(false)
    const file = path.join(folder, 'connector.json')
    const manifest = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...manifest, permissions: [{ socket: 'elsewhere.example' }] }))
    await expect(install(folder)).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  test('many at once make one connector', async () => {
    for (let round = 0; round < 5; round++) {
      const folder = await ground.package(code)
      const all = await Promise.all(Array.from({ length: 8 }, () => install(folder)))
      expect(all.filter(({ created }) => created)).toHaveLength(1)
      expect(new Set(all.map(({ id }) => id)).size).toBe(1)
    }
  })
})

test('a review of what is not there is refused', async () => {
  await expect(review('0198a0de-0000-7000-8000-000000000001', 'approved')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(review('nonsense', 'approved')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

describe('what the code says of itself', () => {
  test('settings may stand in the code, and are part of the manifest from then on', async () => {
    const folder = await ground.package(
      `export default { settings: [{ key: 'office', mandatory: true }, { key: 'sent', type: 'INTERNAL' }], consume: () => 'success' }`,
    )
    const { id } = await install(folder)
    const row = await ground.database.prisma.connector.findUniqueOrThrow({ where: { id } })
    expect(row.manifest).toMatchObject({ settings: [{ key: 'office', mandatory: true }, { key: 'sent' }] })
    expect(row.functions).toEqual(['consume'])
    await review(id, 'approved')
    await expect(
      connect(
        { database: ground.database, sealer: ground.sealer },
        { integration_id: ground.integration.id, connector: id, name: 'x' },
      ),
    ).rejects.toThrow('"office" is mandatory')
  })

  test('settings in both places, or of a type that is none, are refused', async () => {
    const both = await ground.package(`export default { settings: [{ key: 'a' }], consume: () => 'success' }`, {
      settings: [{ key: 'b' }],
    })
    await expect(install(both)).rejects.toThrow('Keep them in one place')
    const wrong = await ground.package(
      `export default { settings: [{ key: 'a', type: 'FLOAT' }], consume: () => 'success' }`,
    )
    await expect(install(wrong)).rejects.toThrow('defineConnector: "settings.0.type" does not fit')
  })

  test('a version that was uninstalled comes back only with its own content, and is reviewed again', async () => {
    const folder = await ground.package(code)
    const { id } = await install(folder)
    await review(id, 'approved')
    await uninstallConnector({ database: ground.database }, id)
    expect(await install(folder)).toMatchObject({ id, status: 'submitted', created: true })
    await uninstallConnector({ database: ground.database }, id)
    await writeFile(path.join(folder, 'index.ts'), `${code} // changed\nexport const more = () => 1`)
    await expect(install(folder)).rejects.toMatchObject({ code: 'CONFLICT' })
  })
})

describe('connecting', () => {
  const settings = [
    { key: 'url', label: 'Address', mandatory: true },
    { key: 'token', type: 'PASSWORD', mandatory: true },
    { key: 'since', type: 'DATE' },
    { key: 'size', type: 'INT', options: ['1', '2'] },
    { key: 'region', mandatory: true, default: 'north' },
    { key: 'count', type: 'INTERNAL' },
  ]
  const good = { url: 'https://a.example', token: 'a secret token' }
  const join = (connector: string, input: object = {}) =>
    connect(
      { database: ground.database, sealer: ground.sealer },
      { integration_id: ground.integration.id, connector, name: 'Test', settings: good, ...input },
    )
  let connector: string
  beforeAll(async () => {
    const installed = await install(await ground.package(code, { settings }))
    await review(installed.id, 'approved')
    connector = `${installed.implementation}@${installed.version}`
  })

  test('by implementation and version, or by id; passwords are sealed', async () => {
    const { id } = await join(connector, { pattern: { team: { _eq: 'camden' } }, config: { a: 1 } })
    const row = await ground.database.prisma.connection.findUniqueOrThrow({ where: { id } })
    expect(row).toMatchObject({
      team_id: ground.team.id,
      settings: { url: 'https://a.example' },
      state: {},
      pattern: { team: { _eq: 'camden' } },
      config: { a: 1 },
    })
    expect(JSON.parse(ground.sealer.open(row.sealed_settings ?? new Uint8Array(), settingsPurpose))).toEqual({
      token: 'a secret token',
    })
    expect((await join(row.connector_id)).id).not.toBe(id)
  })

  test.each<[string, object, string]>([
    ['a mandatory setting is missing', { settings: { token: 't' } }, '"Address" (url) is mandatory. Give it a value.'],
    [
      'a mandatory setting is empty',
      { settings: { ...good, url: '' } },
      '"Address" (url) is mandatory. Give it a value.',
    ],
    [
      'a setting is unknown',
      { settings: { ...good, colour: 'red' } },
      '"colour" is not a setting of Test. It has url, token, since, size, region.',
    ],
    ['state is set', { settings: { ...good, count: 1 } }, '"count" is kept by Test itself and cannot be set.'],
    ['a date is none', { settings: { ...good, since: 'yesterday' } }, '"since" must be a date such as 2026-01-31.'],
    ['a number is text', { settings: { ...good, size: '1' } }, '"size" must be a whole number.'],
    ['a value is no option', { settings: { ...good, size: 3 } }, '"size" must be one of "1", "2".'],
    [
      'several are wrong',
      { settings: { size: 3 } },
      '"Address" (url) is mandatory. Give it a value.\n"token" is mandatory. Give it a value.\n"size" must be one of "1", "2".',
    ],
    ['settings are no object', { settings: [] }, 'settings: must be an object of keys and values.'],
    ['a pattern has unknown words', { pattern: { colour: { _eq: 1 } } }, 'colour'],
    ['config is no object', { config: [] }, 'config: must be an object.'],
    ['the name is empty', { name: ' ' }, 'name: write 1 to 200 characters.'],
    [
      'the integration is not there',
      { integration_id: '0198a0de-0000-7000-8000-000000000001' },
      'There is no integration 0198a0de',
    ],
  ])('refused when %s', async (_case, input, message) => {
    await expect(join(connector, input)).rejects.toThrow(message)
  })

  test('refused for a connector that is not there or not approved, and for what its kind cannot do', async () => {
    await expect(join('org.example.none@1.0.0')).rejects.toThrow(
      'There is no connector org.example.none@1.0.0. Install it first.',
    )
    await expect(join('nonsense')).rejects.toThrow('Write implementation@version or its id.')
    const submitted = await install(await ground.package(code))
    await expect(join(submitted.id, { settings: {} })).rejects.toThrow('is submitted. An admin must approve it first.')
    await expect(install(await ground.package(code, { kinds: ['producer'] }))).rejects.toThrow(
      'The manifest says that it is a producer, but its code has no getRawSources. Export it, or change "kinds".',
    )
    const produces = 'export default { getRawSources: () => [], convertRawSource: () => null }'
    const producer = await install(await ground.package(produces, { kinds: ['producer'] }))
    await review(producer.id, 'approved')
    const { id: flow_id } = ground.flow
    await expect(join(producer.id, { settings: {}, flow_id, schedule: '61 * * * *' })).rejects.toThrow(
      'schedule: "61 * * * *" is no cron expression: Invalid value for minute: 61.',
    )
    await expect(join(producer.id, { settings: {}, flow_id: ground.team.id })).rejects.toThrow(
      'flow_id: there is no such flow in the team of the connection.',
    )
    await expect(join(connector, { settings: good, schedule: '@daily' })).rejects.toThrow(
      'schedule: its connector is a consumer, and only producers and modifiers run on a schedule.',
    )
    await expect(join(connector, { settings: good, flow_id })).rejects.toThrow(
      'flow_id: its connector is a consumer, and only producers and webhooks make sessions of a flow.',
    )
  })
})
