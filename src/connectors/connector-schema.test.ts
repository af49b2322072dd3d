import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { connectorSchema } from './connector-schema.ts'
import { parseManifest } from './manifest.ts'

const ajv = new Ajv2020({ allErrors: true, validateFormats: false })
const fits = ajv.compile(connectorSchema())
const minimal = {
  implementation: 'org.example.hello',
  name: 'Hello',
  author: 'Example Ltd',
  version: '1.0.0',
  description: 'Greets.',
  privacyPolicyUrl: 'https://example.org/privacy',
}

test('the published schema is the one that installing checks by', async () => {
  const published = await readFile(path.join(import.meta.dirname, '../../docs/connector.schema.json'), 'utf8')
  expect(JSON.parse(published), 'run: node -e "…" as docs/connectors.md says under "The manifest"').toEqual(
    JSON.parse(JSON.stringify(connectorSchema())),
  )
})

test.each<[string, object]>([
  ['the least', {}],
  ['a reference to the schema', { $schema: 'https://sluice.example/schemas/connector.json' }],
  ['hosts, ports and capabilities', { permissions: [{ socket: 'api.example.org:8443' }, 'mail'] }],
  ['a host that a setting names', { permissions: [{ setting: 'url' }], settings: [{ key: 'url' }] }],
  ['settings with options', { settings: [{ key: 'size', type: 'INT', options: ['1', { value: '2', label: 'Two' }] }] }],
])('the schema and the parser both take %s', (_, more) => {
  expect(fits({ ...minimal, ...more }), JSON.stringify(fits.errors)).toBe(true)
  expect(() => parseManifest({ ...minimal, ...more })).not.toThrow()
})

test.each<[string, object]>([
  ['an unknown key', { permission: [] }],
  ['no version', { version: undefined }],
  ['a version that is none', { version: '1' }],
  ['a host with a scheme', { permissions: [{ socket: 'https://api.example.org' }] }],
  ['a setting that cannot be one', { permissions: [{ setting: 'the url' }] }],
  ['both in one permission', { permissions: [{ socket: 'api.example.org', setting: 'url' }] }],
  ['an unknown type', { settings: [{ key: 'size', type: 'FLOAT' }] }],
  ['a logo outside of the package', { logo: '../logo.png' }],
  ["a key of the environment's", { settings: [{ key: 'funnel.environment.own' }] }],
])('the schema and the parser both refuse %s', (_, more) => {
  const manifest = JSON.parse(JSON.stringify({ ...minimal, ...more }))
  expect(fits(manifest)).toBe(false)
  expect(() => parseManifest(manifest)).toThrow(/connector\.json: "/)
})
