import { expect, it } from 'vitest'
import { slugOf, slugPattern } from './slug.ts'
import { configOf, rowsOf } from './variables.ts'

it('what a form shows of variables reads back as it was', () => {
  const config = { region: 'north', limit: 5, asText: '5', flag: true, none: null, quoted: '"x"', deep: { a: [1] } }
  expect(configOf(rowsOf(config))).toEqual(config)
  expect(rowsOf(config).map(({ value }) => value)).toEqual([
    'north',
    '5',
    '"5"',
    'true',
    'null',
    '"\\"x\\""',
    '{"a":[1]}',
  ])
})

it('rows without a name are no variables, and no config has none', () => {
  expect(
    configOf([
      { name: ' ', value: 'x' },
      { name: ' office ', value: 'west' },
    ]),
  ).toEqual({ office: 'west' })
  expect(rowsOf(null)).toEqual([])
})

it('a short name is made of any name', () => {
  expect(slugOf('Apply: a Certificate – für München')).toBe('apply-a-certificate-fur-munchen')
  for (const name of ['St Albans', ' - Büro 2 - ', 'A']) expect(slugOf(name)).toMatch(slugPattern)
  expect(slugOf('!?')).toBe('')
})
