import { expect, it } from 'vitest'
import { likeText, stateOf } from './state.ts'

it('a webhook that a person switched off is off, however it fared before', () => {
  expect(stateOf({ enabled: false, state: 'failing' })).toBe('off')
  expect(stateOf({ enabled: true, state: 'active' })).toBe('works')
  expect(stateOf({ enabled: true, state: 'failing' })).toBe('failing')
  expect(stateOf({ enabled: true, state: 'disabled' })).toBe('gaveUp')
  expect(stateOf({ enabled: true, state: 'probing' })).toBe('gaveUp')
})

it('what is looked for is text, not a pattern', () => {
  expect(likeText(' 50%_a\\b ')).toBe('%50\\%\\_a\\\\b%')
})
