import { expect, it } from 'vitest'
import { differences } from './differences.ts'

it('equal values have none', () => {
  expect(differences({ a: [1, { b: null }] }, { a: [1, { b: null }] })).toEqual([])
})

it('names what changed, what is new and what is gone by its pointer', () => {
  expect(differences({ a: 1, b: [1, 2], 'c/d~': 'x' }, { a: 2, b: [1], e: true })).toEqual([
    { path: '/a', before: 1, after: 2 },
    { path: '/b/1', before: 2, after: undefined },
    { path: '/c~1d~0', before: 'x', after: undefined },
    { path: '/e', before: undefined, after: true },
  ])
})

it('a value of another kind is changed as a whole', () => {
  expect(differences({ a: { b: 1 } }, { a: [1] })).toEqual([{ path: '/a', before: { b: 1 }, after: [1] }])
  expect(differences(null, {})).toEqual([{ path: '', before: null, after: {} }])
})
