import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { checkKey, isSecret, keyPattern, newKey, newSecret, secretEnding, secretPattern } from './key-format.ts'

it('makes keys and secrets that the patterns for secret scanners find', () => {
  expect(newKey('staging')).toMatch(keyPattern)
  expect(newSecret('staging')).toMatch(secretPattern)
  expect(newKey('staging')).not.toMatch(secretPattern)
})

it('publishes the very patterns that the code uses', () => {
  const page = readFileSync(path.join(import.meta.dirname, '../../docs/security.md'), 'utf8')
  expect(page).toContain(keyPattern.source)
  expect(page).toContain(secretPattern.source)
})

it('refuses a key of another environment by name, and a typing mistake without asking the database', () => {
  const key = newKey('staging')
  expect(() => checkKey(key, 'production')).toThrow(/of the environment "staging", this is "production"/)
  expect(() =>
    checkKey(
      key.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      'staging',
    ),
  ).toThrow(/typing mistake/)
  expect(() => checkKey(key, 'staging')).not.toThrow()
})

it('knows a secret by its checksum', () => {
  const secret = newSecret('production')
  expect(isSecret(secret)).toBe(true)
  expect(isSecret(secret.replace('_production_', '_staging_'))).toBe(false)
  expect(isSecret('wrong')).toBe(false)
  expect(secret.endsWith(`_${secretEnding(secret)}`)).toBe(true)
})
