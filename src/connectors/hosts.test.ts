import { describe, expect, test } from 'vitest'
import { allowedHosts, hostIn, refusalOf } from './hosts.ts'
import { parseManifest } from './manifest.ts'
import { differenceOf, permissionSentences } from './permission-sentences.ts'
import { checkSettings } from './settings.ts'

const made = (permissions: unknown[], settings: unknown[], version = '1.0.0') =>
  parseManifest({
    implementation: 'org.example.notify',
    name: 'Notify',
    author: 'Example Ltd',
    version,
    description: 'Notifies.',
    privacyPolicyUrl: 'https://example.org/privacy',
    permissions,
    settings,
  })

const url = { key: 'url', label: 'Address', type: 'STRING' }

test.each([
  ['https://office.example', 'office.example'],
  ['https://office.example/a/b?c={{/event/id}}#d', 'office.example'],
  ['HTTPS://Office.Example:443/', 'office.example'],
  ['https://office.example:8443', 'office.example:8443'],
  ['http://127.0.0.1:3000/x', '127.0.0.1:3000'],
  ['https://[::1]:3000', '[::1]:3000'],
  ['https://bücher.example', 'xn--bcher-kva.example'],
  ['https://0x7f.1', '127.0.0.1'],
  ['office.example', 'office.example'],
  ['Office.example:8443', 'office.example:8443'],
  ['0x7f.1:80', '127.0.0.1:80'],
  ['https://office.example\\@other.example', 'office.example'],
])('%s names %s', (value, host) => {
  expect(hostIn(value)).toMatchObject({ host })
})

const general =
  'must name a host: write an address such as https://office.example/path, or office.example or office.example:8443 without a path'

test.each([
  ['ftp://office.example', general],
  ['//office.example', general],
  [' https://office.example', general],
  ['office.example/path', general],
  ['office.example:99999', general],
  ['https://', general],
  ['https://{{/event/team}}.example/', general],
  ['https://office.example{{/session/a}}', general],
  ['https://a b.example', general],
  ['user@office.example', general],
  ['', general],
  [17, general],
  ['*.office.example', 'must name one host. There are no wildcards'],
  ['https://*.office.example/', 'must name one host. There are no wildcards'],
  [
    'https://ada:secret@office.example',
    'must not hold a user name or password, because people see it. Use a setting of its own for them',
  ],
])('%s is refused', (value, fault) => {
  expect(hostIn(value)).toEqual({ fault })
})

describe('a connection may reach', () => {
  const manifest = made(
    ['mail', { socket: 'login.example' }, { setting: 'url' }, { setting: 'notify' }],
    [url, { key: 'notify' }, { key: 'secret', type: 'PASSWORD' }, { key: 'kept', type: 'INTERNAL' }, { key: 'other' }],
  )

  test('the fixed hosts and those of its own settings, and nothing else', () => {
    const addresses = { secret: 'https://b.example', kept: 'https://c.example', other: 'https://d.example' }
    expect(allowedHosts(manifest, { url: 'https://a.example/x', notify: 'login.example', ...addresses })).toEqual([
      'login.example',
      'a.example',
    ])
  })

  test('no host for a setting that is empty or not there', () => {
    expect(allowedHosts(manifest, { url: '', notify: null })).toEqual(['login.example'])
    expect(allowedHosts(manifest, Object.create({ url: 'https://a.example' }))).toEqual(['login.example'])
  })

  test('no host by a kept manifest whose setting is no longer in the open', () => {
    const settings = manifest.settings.map((item) => ({ ...item, type: 'PASSWORD' as const }))
    expect(allowedHosts({ ...manifest, settings }, { url: 'https://a.example' })).toEqual(['login.example'])
  })
})

test('a value that names no host is refused with the name of its setting; an empty optional one is fine', () => {
  const manifest = made([{ setting: 'url' }], [url])
  expect(() => checkSettings(manifest, { url: 'office.example/path' })).toThrow(`"Address" (url) ${general}.`)
  expect(checkSettings(manifest, { url: '' }).settings).toEqual({ url: '' })
  expect(() => checkSettings(made([{ setting: 'url' }], [{ ...url, mandatory: true }]), { url: '' })).toThrow(
    '"Address" (url) is mandatory.',
  )
})

describe('what an operator does not let be called is refused before it runs', () => {
  const resolve = async (name: string) => (name === 'office.internal' ? ['10.0.0.7'] : ['93.184.215.14'])
  const refused = (address: string, allow: string[] = []) => refusalOf(new URL(address), { allow, resolve })

  test.each([
    ['http://office.example', /must be called over https/],
    ['https://127.0.0.1', /not a public address/],
    ['https://169.254.169.254', /metadata service/],
    ['https://office.internal', /name of a private network/],
    ['https://office.example:25', /Port 25 belongs to a service that is not HTTP/],
  ])('%s', async (address, why) => {
    expect(await refused(address)).toMatch(why)
  })

  test('unless EGRESS_ALLOW covers it', async () => {
    expect(await refused('http://127.0.0.1:8080', ['127.0.0.0/8'])).toBeUndefined()
    expect(await refused('http://office.internal', ['10.0.0.0/8'])).toBeUndefined()
    expect(await refused('https://office.example')).toBeUndefined()
  })
})

describe('who approves reads', () => {
  test('which setting names the host, by its label', () => {
    expect(permissionSentences(made([{ socket: 'a.example' }, { setting: 'url' }], [url]))).toEqual([
      'Calls a.example',
      'Calls the host that the setting "Address" names',
    ])
    expect(permissionSentences(made([{ setting: 'url' }], [{ ...url, default: 'https://a.example/x' }]))).toEqual([
      'Calls the host that the setting "Address" names, by default a.example',
    ])
  })

  const before = made([{ setting: 'url' }], [url, { key: 'second', label: 'Address' }])
  test.each<[string, boolean, unknown[], unknown[]]>([
    ['a host that a setting names', true, [{ setting: 'url' }, { setting: 'more' }], [url, { key: 'more' }]],
    ['another setting with the same label', true, [{ setting: 'second' }], [url, { key: 'second', label: 'Address' }]],
    ['another default', true, [{ setting: 'url' }], [{ ...url, default: 'https://b.example' }]],
    ['a fixed host', true, [{ setting: 'url' }, { socket: 'b.example' }], [url]],
    ['only another label', false, [{ setting: 'url' }], [{ ...url, label: 'URL' }]],
    ['nothing', false, [], []],
  ])('that a new version with %s may do more: %s', (_, widens, permissions, settings) => {
    expect(differenceOf(before, made(permissions, settings, '1.1.0'), []).widens).toBe(widens)
  })
})
