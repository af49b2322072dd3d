import { describe, expect, test } from 'vitest'
import { allowedHosts } from './hosts.ts'
import { parseManifest, withSettings } from './manifest.ts'

const smallest = {
  implementation: 'org.example.notify',
  name: 'Notify',
  author: 'Example Ltd',
  version: '1.0.0',
  description: 'Notifies.',
  privacyPolicyUrl: 'https://example.org/privacy',
}

test('the smallest manifest is a consumer that may reach nothing', () => {
  expect(parseManifest(smallest)).toEqual({ ...smallest, permissions: [], kinds: ['consumer'], settings: [] })
})

test("the extension guide's own sample is read", () => {
  const manifest = parseManifest(
    {
      Implementation: 'ch.want.funnel.extension.email.EmailExtension',
      Name: 'Confirmation E-mails',
      Author: 'WaNT GmbH',
      BookingSource: 'Domain of booking platform',
      CustomerSystem: 'System name under which customer references are used',
      Version: '1.0.0',
      Description: 'Read confirmation e-mails from a POP3/IMAP e-mail server.',
      URL: 'http://www.want.ch/emailextension.html',
      PrivacyPolicyURL: 'http://www.want.ch/privacy.html',
      Permissions: [{ Socket: 'my.datahub.com' }],
    },
    'funnel-extension.json',
  )
  expect(manifest.implementation).toBe('ch.want.funnel.extension.email.EmailExtension')
  expect(manifest.url).toBe('http://www.want.ch/emailextension.html')
  expect(allowedHosts(manifest, {})).toEqual(['my.datahub.com'])
})

test('settings get their defaults', () => {
  const { settings } = parseManifest({
    ...smallest,
    settings: [{ key: 'region', options: ['north', { value: 'south', label: 'The South' }], default: 'north' }],
  })
  expect(settings).toEqual([
    {
      key: 'region',
      label: 'region',
      type: 'STRING',
      mandatory: false,
      default: 'north',
      options: [
        { value: 'north', label: 'north' },
        { value: 'south', label: 'The South' },
      ],
    },
  ])
})

const { privacyPolicyUrl: _, ...withoutPolicy } = smallest

describe('a fault is named with its key and what to do', () => {
  test.each<[string, unknown, string]>([
    ['no object', [], 'connector.json: must be a JSON object such as {"implementation": …}.'],
    [
      'a mandatory key is missing',
      withoutPolicy,
      'connector.json: "privacyPolicyUrl" is missing. Write the web address of the privacy policy, with https:// or http://.',
    ],
    [
      'a key is misspelt',
      { ...smallest, permision: [] },
      'connector.json: "permision" is not a known key. Did you mean "permissions"?',
    ],
    ['a key is unknown', { ...smallest, homepage: 'x' }, 'connector.json: "homepage" is not a known key. Remove it.'],
    [
      'a key would be a prototype',
      JSON.parse(`{"__proto__": {}, ${JSON.stringify(smallest).slice(1)}`),
      'connector.json: "__proto__" is not a known key. Remove it.',
    ],
    [
      'a version is not semantic',
      { ...smallest, version: '1.0' },
      'connector.json: "version" does not fit. Write a semantic version such as "1.0.0".',
    ],
    [
      'a permission has a scheme',
      { ...smallest, permissions: [{ socket: 'https://api.example.org' }] },
      'connector.json: "permissions.0.socket" does not fit. Write "host" or "host:port" without scheme and path, such as "api.example.org" or "api.example.org:8443".',
    ],
    [
      'a capability is unknown',
      { ...smallest, permissions: ['ftp'] },
      'connector.json: "permissions.0" does not fit. Write a list of {"socket": "host" or "host:port"}, {"setting": "key"} and capability names (mail, files, store, mailbox, sftp).',
    ],
    [
      'a permission has another key',
      { ...smallest, permissions: [{ sockets: 'a.example' }] },
      'connector.json: "permissions.0.socket" is missing. Write "host" or "host:port" without scheme and path, such as "api.example.org" or "api.example.org:8443".',
    ],
    [
      'a permission has two keys',
      { ...smallest, permissions: [{ socket: 'a.example', setting: 'url' }] },
      'connector.json: "permissions.0" has both "socket" and "setting". Write an entry for each.',
    ],
    [
      'a permission names a setting by what is no key',
      { ...smallest, permissions: [{ setting: 'the url' }] },
      'connector.json: "permissions.0.setting" does not fit. Write the key of a STRING setting that names a host, such as "url".',
    ],
    [
      'a permission names a setting that is not there',
      { ...smallest, permissions: ['mail', { setting: 'uri' }], settings: [{ key: 'url' }] },
      'connector.json: "permissions.1.setting" names "uri", which is not a setting. Add it to "settings".',
    ],
    ...(['PASSWORD', 'INTERNAL', 'LONG_STRING'] as const).map((type): [string, unknown, string] => [
      `a host would come from ${type}`,
      { ...smallest, permissions: [{ setting: 'url' }], settings: [{ key: 'url', type }] },
      `connector.json: "permissions.0.setting" names "url", which is of type ${type}. Only a STRING setting can name a host.`,
    ]),
    [
      'a default names no host',
      { ...smallest, permissions: [{ setting: 'url' }], settings: [{ key: 'url', default: 'ftp://office.example' }] },
      'connector.json: "settings.0" has "ftp://office.example", but a value of it must name a host.',
    ],
    [
      'a permission is there twice',
      { ...smallest, permissions: [{ setting: 'url' }, { setting: 'url' }], settings: [{ key: 'url' }] },
      'connector.json: "permissions.1" repeats {"setting":"url"}. Remove it.',
    ],
    [
      'a setting has a wrong type',
      { ...smallest, settings: [{ key: 'a', type: 'TEXT' }] },
      'connector.json: "settings.0.type" does not fit. Write one of STRING, LONG_STRING, PASSWORD, DATE, INT, BOOLEAN, INTERNAL.',
    ],
    [
      'a setting has no key',
      { ...smallest, settings: [{ type: 'INT' }] },
      'connector.json: "settings.0.key" is missing. Write 1 to 64 letters, digits and _.-, beginning with a letter and not with "funnel.environment".',
    ],
    [
      'a default does not fit its type',
      { ...smallest, settings: [{ key: 'since', type: 'DATE', default: '2026-02-30' }] },
      'connector.json: "settings.0.default" must be a date such as 2026-01-31.',
    ],
    [
      'a default is none of the options',
      { ...smallest, settings: [{ key: 'a', options: ['x', 'y'], default: 'z' }] },
      'connector.json: "settings.0.default" must be one of "x", "y".',
    ],
    [
      'a secret is published',
      { ...smallest, settings: [{ key: 'a', type: 'PASSWORD', default: 'hunter2' }] },
      'connector.json: "settings.0.default" does not fit PASSWORD: a manifest is public. Remove it.',
    ],
    [
      'a key is used twice',
      { ...smallest, settings: [{ key: 'a' }, { key: 'a' }] },
      'connector.json: "settings.1.key" repeats "a". Give every setting a key of its own.',
    ],
    [
      'state is mandatory',
      { ...smallest, settings: [{ key: 'a', type: 'INTERNAL', mandatory: true }] },
      'connector.json: "settings.0.mandatory" does not fit INTERNAL, which nobody fills in. Remove it.',
    ],
    [
      'a kind of session is unknown',
      { ...smallest, accepts: { kinds: ['order'] } },
      'connector.json: "accepts.kinds.0" does not fit. Write a list of application, booking.',
    ],
    [
      'a key is there in two spellings',
      { ...smallest, Name: 'Notify' },
      'connector.json: "Name" is there in two spellings. Keep "name".',
    ],
  ])('%s', (_case, input, message) => {
    expect(() => parseManifest(input)).toThrow(message)
  })

  test('every fault is told at once, in the spelling of the author', () => {
    expect(() =>
      parseManifest({ Implementation: 'org.example', Name: 'N', Permissions: {} }, 'funnel-extension.json'),
    ).toThrow(
      [
        'funnel-extension.json: "Author" is missing. Write the person or company behind it, at most 200 characters.',
        'funnel-extension.json: "Version" is missing. Write a semantic version such as "1.0.0".',
        'funnel-extension.json: "Description" is missing. Write what it does, in one or two sentences.',
        'funnel-extension.json: "PrivacyPolicyURL" is missing. Write the web address of the privacy policy, with https:// or http://.',
        'funnel-extension.json: "Permissions" does not fit. Write a list of {"socket": "host" or "host:port"}, {"setting": "key"} and capability names (mail, files, store, mailbox, sftp).',
      ].join('\n'),
    )
  })
})

describe('settings that stand in the code', () => {
  const manifest = parseManifest({ ...smallest, permissions: [{ setting: 'url' }] })

  test('may name hosts', () => {
    expect(allowedHosts(withSettings(manifest, [{ key: 'url' }]), { url: 'https://a.example' })).toEqual(['a.example'])
  })

  test.each([null, undefined, [], [{ key: 'uri' }]])('must be there when a permission names them: %j', (declared) => {
    expect(() => withSettings(manifest, declared)).toThrow(
      '"permissions.0.setting" names "url", which is not a setting.',
    )
  })
})
