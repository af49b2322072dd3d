import { expect, test } from 'vitest'
import { jsonDifference } from './json-difference.ts'

test.each([
  [{ a: 1 }, { a: 1 }, []],
  [
    { a: 1 },
    { a: 2, b: null },
    [
      { op: 'replace', path: '/a', value: 2 },
      { op: 'add', path: '/b', value: null },
    ],
  ],
  [
    { a: [1, 2, 3] },
    { a: [1] },
    [
      { op: 'remove', path: '/a/2' },
      { op: 'remove', path: '/a/1' },
    ],
  ],
  [{ 'a/b~': { c: 1 } }, { 'a/b~': { c: [] } }, [{ op: 'replace', path: '/a~1b~0/c', value: [] }]],
  [{ a: [] }, { a: {} }, [{ op: 'replace', path: '/a', value: {} }]],
  [{ a: 1 }, null, [{ op: 'replace', path: '', value: null }]],
])('from %j to %j', (before, after, expected) => expect(jsonDifference(before, after)).toEqual(expected))
