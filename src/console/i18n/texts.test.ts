import { expect, it } from 'vitest'
import { preferredLanguage, texts } from './texts.ts'

type Texts = Readonly<Record<string, string>>
const english = import.meta.glob<Texts>('../**/en.json', { eager: true, import: 'default' })
const german = import.meta.glob<Texts>('../**/de.json', { eager: true, import: 'default' })
const pairs = Object.entries(english).map(
  ([file, en]) =>
    [file.replace('../', '').replace('/en.json', ''), en, german[file.replace('en.json', 'de.json')]] as const,
)

it('every folder with English texts has German ones, and the other way round', () => {
  const folders = (files: object) => Object.keys(files).map((file) => file.replace(/(en|de)\.json$/, ''))
  expect(folders(german)).toEqual(folders(english))
})

it.each(pairs)('%s says the same things in both languages', (_, en, de) => {
  expect(Object.keys(de ?? {}).sort()).toEqual(Object.keys(en).sort())
})

it.each(pairs)('%s fills the same values into both languages, and leaves no text empty', (_, en, de) => {
  const values = (text = '') => [...text.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, name]) => name).sort()
  for (const [key, text] of Object.entries(en)) {
    expect(text.trim(), key).not.toBe('')
    expect(de?.[key]?.trim(), key).not.toBe('')
    // A number that is told by the form of the word ("one that ended") need not be there as a digit.
    if (!key.endsWith('_one')) expect(values(de?.[key]), key).toEqual(values(text))
  }
})

it('texts with a form for one have a form for other, and the other way round', () => {
  for (const [folder, en] of pairs) {
    const bases = (suffix: string) =>
      Object.keys(en)
        .filter((key) => key.endsWith(suffix))
        .map((key) => key.slice(0, -suffix.length))
        .sort()
    expect(bases('_one'), folder).toEqual(bases('_other'))
  }
})

it('numbers choose their form by the rules of the language', async () => {
  texts.addResourceBundle('en', 'trial', { days_one: '{{count}} day', days_other: '{{count}} days' })
  texts.addResourceBundle('de', 'trial', { days_one: '{{count}} Tag', days_other: '{{count}} Tage' })
  const days = (lng: string, count: number) => texts.t('days', { ns: 'trial', lng, count })
  expect([days('en', 1), days('en', 2), days('de', 1), days('de', 0)]).toEqual(['1 day', '2 days', '1 Tag', '0 Tage'])
})

it('takes the language that was chosen, else the first of the browser that there is, else English', () => {
  expect(preferredLanguage('de', ['en-GB'])).toBe('de')
  expect(preferredLanguage(null, ['fr-FR', 'de-AT', 'en'])).toBe('de')
  expect(preferredLanguage('xx', ['fr'])).toBe('en')
})
