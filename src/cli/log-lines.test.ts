import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { humanLine } from './log-lines.ts'

const shown = (entry: object | string) => {
  const line = humanLine('worker', typeof entry === 'string' ? entry : JSON.stringify(entry))
  return line && stripVTControlCharacters(line)
}

test('shows warnings and errors as a sentence with their facts', () => {
  expect(
    shown({ level: 40, time: 1, pid: 2, name: 'worker', msg: 'slow', ms: 12, err: { message: 'reset', stack: '…' } }),
  ).toBe('worker: warning slow ms=12 err=reset')
  expect(shown({ level: 50, msg: 'failed', list: ['a'] })).toBe('worker: error failed list=["a"]')
})

test('leaves the rest to the log file', () => {
  expect(shown({ level: 30, msg: 'ready' })).toBeUndefined()
  expect(shown('')).toBeUndefined()
})

test('passes on what is no log entry', () => {
  expect(shown('Error: broken')).toBe('worker: Error: broken')
  expect(shown('{"not": "ours"}')).toBe('worker: {"not": "ours"}')
  expect(shown('{cut off')).toBe('worker: {cut off')
})
