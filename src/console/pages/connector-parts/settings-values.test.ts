import { expect, it } from 'vitest'
import type { SettingItem } from './manifest.ts'
import { byKey, changedSettings, initialSettings, misfitOf, nothingGiven } from './settings-values.ts'

const item = (part: Partial<SettingItem> & Pick<SettingItem, 'key' | 'type'>): SettingItem => ({
  label: part.key,
  mandatory: false,
  ...part,
})
const items = [
  item({ key: 'office.name', type: 'STRING', mandatory: true }),
  item({ key: 'limit', type: 'INT', default: 100 }),
  item({ key: 'strict', type: 'BOOLEAN', default: false }),
  item({ key: 'token', type: 'PASSWORD', mandatory: true }),
  item({ key: 'url', type: 'STRING', default: 'https://desk.example.org' }),
]

it('begins with defaults, and with an empty field for every secret', () => {
  expect(initialSettings(items, { settings: { limit: 5 }, secrets: ['token'] })).toEqual({
    s0: '',
    s1: 5,
    s2: false,
    s3: '',
    s4: 'https://desk.example.org',
  })
})

it('sends of a new connection what differs from the defaults', () => {
  const values = { ...initialSettings(items, nothingGiven), s0: 'north', s3: 'secret' }
  expect(changedSettings(items, values, nothingGiven)).toEqual({ 'office.name': 'north', token: 'secret' })
  expect(changedSettings(items, { ...values, s4: '' }, nothingGiven)).toMatchObject({ url: '' })
})

it('sends of a connection that is there what was changed; an empty secret stays', () => {
  const given = { settings: { 'office.name': 'north', limit: 5 }, secrets: ['token'] }
  const values = initialSettings(items, given)
  expect(changedSettings(items, values, given)).toEqual({})
  expect(changedSettings(items, { ...values, s1: '' }, given)).toEqual({ limit: null })
  expect(changedSettings(items, { ...values, s2: true }, given)).toEqual({ strict: true })
  expect(changedSettings(items, values, given, new Set(['token']))).toEqual({ token: null })
})

it('says what is wrong with a value, as the API would', () => {
  const [office, limit, , token] = items as [SettingItem, SettingItem, SettingItem, SettingItem]
  expect(misfitOf(office, '', false)).toBe('mandatory')
  expect(misfitOf(office, 'a\nb', false)).toBe('oneLine')
  expect(misfitOf(office, 'x'.repeat(2001), false)).toBe('tooLong')
  expect(misfitOf(limit, '', false)).toBeUndefined()
  expect(misfitOf(limit, 1.5, false)).toBe('integer')
  expect(misfitOf(token, '', false)).toBe('mandatory')
  expect(misfitOf(token, '', true)).toBeUndefined()
  expect(misfitOf(item({ key: 'since', type: 'DATE' }), 'soon', false)).toBe('date')
})

it('tells the values by key, without what is empty', () => {
  expect(byKey(items, { s0: 'north', s1: '7', s2: true, s3: '', s4: '' })).toEqual({
    'office.name': 'north',
    limit: 7,
    strict: true,
  })
})
