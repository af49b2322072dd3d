import { expect, test } from 'vitest'
import { labelIn, localise, textsFor } from './locales.ts'
import { parseManifest } from './manifest.ts'

const manifest = {
  implementation: 'org.example.mail',
  name: '%name%',
  author: 'Example Ltd',
  version: '1.0.0',
  description: '%about%',
  privacyPolicyUrl: 'https://example.org/privacy',
  settings: [
    { key: 'to', label: '%to%', group: '%group%', description: 'Plain.' },
    { key: 'size', options: [{ value: 's', label: '%small%' }] },
  ],
}
const english = { name: 'Mail', about: 'Mails.', to: 'Recipient', group: 'Mail', small: 'Small', 'ui.sent': 'Sent' }
const german = {
  name: 'Post',
  about: 'Schickt.',
  to: 'Empfänger',
  group: 'Post',
  small: 'Klein',
  'ui.sent': 'Gesendet',
}
const both = new Map([
  ['en', english],
  ['de', german],
])

test('texts written as %key% come from the catalogue of the default language, and others stand beside it', () => {
  const { manifest: filled, locales, faults } = localise(manifest, both)
  expect(faults).toEqual([])
  expect(parseManifest(filled)).toMatchObject({ name: 'Mail', settings: [{ label: 'Recipient', group: 'Mail' }, {}] })
  expect(locales.de).toMatchObject({
    name: 'Post',
    description: 'Schickt.',
    settings: {
      to: { label: 'Empfänger', group: 'Post', description: 'Plain.' },
      size: { options: { s: 'Klein' } },
    },
  })
})

test('another language may be the default', () => {
  const { manifest: filled } = localise({ ...manifest, defaultLocale: 'de' }, both)
  expect(parseManifest(filled)).toMatchObject({ name: 'Post', defaultLocale: 'de' })
})

test('a text that a language lacks is named with its file', () => {
  const { to: _, ...without } = german
  expect(
    localise(
      manifest,
      new Map([
        ['en', english],
        ['de', without],
      ]),
    ).faults,
  ).toEqual(['locales/de.json has no "to". Add it.'])
  expect(localise(manifest, new Map()).faults).toEqual(['Texts are written as %key%, but there is no locales/en.json.'])
})

test('a reader gets the closest language, and labels of settings and of further keys', () => {
  const { manifest: filled, locales } = localise(manifest, both)
  const parsed = parseManifest(filled)
  const label = (locale: string, key: string) => labelIn(parsed, textsFor(locales, locale), key)
  expect([label('de-CH', 'to'), label('DE', 'to'), label('fr', 'to'), label('', 'to')]).toEqual([
    'Empfänger',
    'Empfänger',
    'Recipient',
    'Recipient',
  ])
  expect([label('de', 'ui.sent'), label('en', 'size'), label('en', 'constructor')]).toEqual([
    'Gesendet',
    'size',
    undefined,
  ])
})
