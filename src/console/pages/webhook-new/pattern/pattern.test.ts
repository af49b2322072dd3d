import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fromJson, group, parseValue, toJson, writeValue } from './pattern.ts'

const throughRows = (pattern: Record<string, unknown>) => toJson(fromJson(pattern))

it.each([
  [{}],
  [{ flow: { _eq: 'apply' } }],
  [{ flow: { _in: ['apply', 'renew'] }, kind: { _neq: 'booking' } }],
  [{ flow: { _eq: 'apply' }, _or: [{ kind: { _eq: 'booking' } }, { config: { _contains: { region: 'north' } } }] }],
  [{ _not: { config: { _has_key: 'office' } } }],
  [{ _not: { _or: [{ flow: { _eq: 'a' } }, { flow: { _eq: 'b' } }] } }],
  [{ config: { _contains: { size: 5 } } }],
  [{ config: { _contains: { size: '5' } } }],
  // What rows have no words for.
  [{ team: { _gt: 'a' } }],
  [{ _or: [] }],
  [{ config: { _contained_in: { region: 'north' } } }],
  [{ nonsense: 7 }],
])('%j is the same after a visit to the rows', (pattern) => {
  expect(throughRows(pattern)).toEqual(pattern)
})

it('what is there twice is put into a list', () => {
  expect(throughRows({ flow: { _neq: 'a', _like: 'x%' } })).toEqual({
    _and: [{ flow: { _neq: 'a' } }, { flow: { _like: 'x%' } }],
  })
})

it('rows without a value and groups without rows say nothing', () => {
  const test = { is: 'text', key: 'a', word: 'flow', operator: '_eq', values: [] } as const
  expect(toJson(group('any', [test, group('none', [])]))).toEqual({})
})

it('any text and any JSON value is read as it was written', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(parseValue(writeValue(value))).toEqual(plain(value))
    }),
  )
  expect([parseValue('north'), parseValue('5'), parseValue('"5"'), parseValue('true')]).toEqual(['north', 5, '5', true])
})

/** JSON has no -0. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
