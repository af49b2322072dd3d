import { readFileSync } from 'node:fs'
import path from 'node:path'
import { CombinedError } from 'urql'
import { expect, it } from 'vitest'
import de from '../kit/de.json' with { type: 'json' }
import en from '../kit/en.json' with { type: 'json' }
import { Fault, faultOf } from './fault.ts'
import { fieldOf } from './hooks.ts'

it("takes the API's message, code, path and details from an answer", () => {
  const fault = faultOf(
    new CombinedError({
      graphQLErrors: [
        {
          message: 'name must say who holds it.',
          extensions: { code: 'VALIDATION_FAILED', path: 'object.name', details: { most: 200 } },
        },
      ],
    }),
  )
  expect(fault).toMatchObject({
    code: 'VALIDATION_FAILED',
    message: 'name must say who holds it.',
    path: 'object.name',
    details: { most: 200 },
  })
})

it('calls a gateway that does not answer NETWORK, and a defect UNEXPECTED', () => {
  expect(faultOf(new CombinedError({ networkError: new TypeError('Failed to fetch') })).code).toBe('NETWORK')
  expect(faultOf(new TypeError('Failed to fetch')).code).toBe('NETWORK')
  expect(faultOf(new TypeError('x is not a function')).code).toBe('UNEXPECTED')
})

it('finds the field of a form that a refusal is about', () => {
  const at = (path?: string) => new Fault('VALIDATION_FAILED', 'no', { path })
  expect(fieldOf(at('object.name'), ['name', 'url'])).toBe('name')
  expect(fieldOf(at('object.allowed_addresses[2]'), ['allowed_addresses'])).toBe('allowed_addresses')
  expect(fieldOf(at('_set.config.rate'), ['config'])).toBe('config')
  expect(fieldOf(at('object.expires_at'), ['expires_on'], { 'object.expires_at': 'expires_on' })).toBe('expires_on')
  expect(fieldOf(at('object.other'), ['name'])).toBeUndefined()
  expect(fieldOf(at(), ['name'])).toBeUndefined()
})

it('every code of the API has a title in both languages', () => {
  const source = readFileSync(path.join(import.meta.dirname, '../../errors.ts'), 'utf8')
  const codes = [...source.matchAll(/^ {2}([A-Z_]+): \d{3},$/gm)].map(([, code]) => `fault.${code}`)
  expect(codes.length).toBeGreaterThan(10)
  for (const texts of [en, de]) expect(Object.keys(texts)).toEqual(expect.arrayContaining(codes))
})
