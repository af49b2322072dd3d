import { expect, it } from 'vitest'
import { SluiceError } from '../errors.ts'
import { parseManifest } from './manifest.ts'
import { checkSettings } from './settings.ts'

const manifest = parseManifest({
  implementation: 'org.example.office',
  name: 'Office',
  author: 'Example Ltd',
  version: '1.0.0',
  description: 'Hands over.',
  privacyPolicyUrl: 'https://example.org/privacy',
  settings: [
    { key: 'office', label: 'Office', mandatory: true },
    { key: 'limit', type: 'INT' },
  ],
})

it('tells what is wrong with each setting by its key, so that forms can show it at the field', () => {
  let thrown: unknown
  try {
    checkSettings(manifest, { limit: 1.5, other: true })
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(SluiceError)
  const { details, path } = thrown as SluiceError
  expect(path).toBe('settings')
  expect(details).toEqual({
    faults: [
      expect.stringMatching(/^"other" is not a setting of Office/),
      '"Office" (office) is mandatory. Give it a value.',
      '"limit" must be a whole number.',
    ],
    fields: {
      office: '"Office" (office) is mandatory. Give it a value.',
      limit: '"limit" must be a whole number.',
    },
  })
})
