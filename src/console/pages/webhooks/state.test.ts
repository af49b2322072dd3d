import { expect, it } from 'vitest'
import { likeText, stateOf } from './state.ts'

it('a webhook that a person switched off is off, however it fared before', () => {
  const of = (enabled: boolean, state: Parameters<typeof stateOf>[0]['state'], failing_since: string | null = null) =>
    stateOf({ enabled, state, failing_since })
  const since = '2026-11-22T10:00:00Z'
  expect(of(false, 'failing', since)).toBe('off')
  expect(of(true, 'active')).toBe('works')
  expect(of(true, 'active', since)).toBe('stumbles')
  expect(of(true, 'failing', since)).toBe('failing')
  expect(of(true, 'disabled', since)).toBe('gaveUp')
  expect(of(true, 'probing', since)).toBe('gaveUp')
})

it('what is looked for is text, not a pattern', () => {
  expect(likeText(' 50%_a\\b ')).toBe('%50\\%\\_a\\\\b%')
})
