import { expect, it } from 'vitest'
import { liveSecrets, stateOf } from './state.ts'

const now = Date.parse('2026-11-22T10:00:00Z')
const before = '2026-11-22T09:59:59Z'
const later = '2026-11-23T10:00:00Z'

it('a credential works until it is revoked or its end has come', () => {
  expect(stateOf({ revoked_at: null, expires_at: null }, now)).toBe('works')
  expect(stateOf({ revoked_at: null, expires_at: later }, now)).toBe('ending')
  expect(stateOf({ revoked_at: null, expires_at: before }, now)).toBe('expired')
  expect(stateOf({ revoked_at: before, expires_at: later }, now)).toBe('revoked')
})

it('of secrets, those that have ended are not shown', () => {
  const secret = (id: string, expires_at: string | null) => ({
    id,
    ending: null,
    created_at: before,
    last_used_at: null,
    expires_at,
  })
  const shown = liveSecrets([secret('new', null), secret('overlapping', later), secret('old', before)], now)
  expect(shown.map(({ id }) => id)).toEqual(['new', 'overlapping'])
})
