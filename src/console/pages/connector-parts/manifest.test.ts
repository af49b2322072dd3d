import { expect, it } from 'vitest'
import { type ConnectorRow, groupsOf, hostsWith, newerFirst, settingsOf } from './manifest.ts'

const manifest = {
  privacyPolicyUrl: 'https://example.org/privacy',
  permissions: ['mail', { socket: 'api.example.org:8443' }, { setting: 'url' }, { setting: 'token_url' }],
  settings: [
    { key: 'url', type: 'STRING', mandatory: true, label: 'Address', group: 'Desk' },
    {
      key: 'token_url',
      type: 'STRING',
      mandatory: false,
      label: 'Tokens',
      default: 'https://tokens.example.org/oauth',
    },
    { key: 'tone', type: 'STRING', mandatory: false, label: 'Tone', options: [{ value: 'plain', label: 'Plain' }] },
    { key: 'include_passport_data', type: 'BOOLEAN', mandatory: false, label: 'Passports', default: false },
    { key: 'count', type: 'INTERNAL', mandatory: false, label: 'count' },
  ],
} as const satisfies ConnectorRow['manifest']

const connector = {
  manifest,
  en: null,
  de: { settings: { url: { label: 'Adresse', group: 'Schalter' }, tone: { options: { plain: 'Schlicht' } } } },
}

it('tells settings in the language of the person, and never those that the connector keeps itself', () => {
  const [url, , tone] = settingsOf(connector, 'de')
  expect(url).toMatchObject({ label: 'Adresse', group: 'Schalter' })
  expect(tone?.options).toEqual([{ value: 'plain', label: 'Schlicht' }])
  expect(settingsOf(connector, 'en').map(({ label }) => label)).toEqual(['Address', 'Tokens', 'Tone', 'Passports'])
  expect(settingsOf(connector, 'de', { url: 'Amt' })[0]?.label).toBe('Amt')
})

it('keeps choices about privacy apart from the groups of the manifest', () => {
  const { groups, privacy } = groupsOf(settingsOf(connector, 'en'))
  expect(groups.map(({ heading, items }) => [heading, items.map(({ key }) => key)])).toEqual([
    ['Desk', ['url']],
    [undefined, ['token_url', 'tone']],
  ])
  expect(privacy.map(({ key }) => key)).toEqual(['include_passport_data'])
})

it('names the hosts that settings open, and those of defaults', () => {
  expect(hostsWith(manifest, {})).toEqual(['api.example.org:8443', 'tokens.example.org'])
  expect(hostsWith(manifest, { url: 'https://office.example/api', token_url: 'office.example:444' })).toEqual([
    'api.example.org:8443',
    'office.example',
    'office.example:444',
  ])
  expect(hostsWith(manifest, { url: 'https://', token_url: 'office' })).toEqual(['api.example.org:8443'])
})

it('puts newer versions first, and a release before what led to it', () => {
  expect(['1.9.0', '2.0.0-beta.1', '1.10.0', '2.0.0', '2.0.0-beta.10'].toSorted(newerFirst)).toEqual([
    '2.0.0',
    '2.0.0-beta.10',
    '2.0.0-beta.1',
    '1.10.0',
    '1.9.0',
  ])
})
