import { expect, it } from 'vitest'
import { allPointers, jsonNodes, openAt, searchJson } from './json-nodes.ts'

const nodes = jsonNodes({ a: { 'b/c': [1, 'Two'], empty: {} }, d: null })

it('every value has its pointer; objects and lists say how much is in them', () => {
  expect(nodes.map(({ value, text }) => [value, text])).toEqual([
    ['/a', '{2}'],
    ['/d', 'null'],
  ])
  expect(nodes[0]?.children?.[0]?.children?.[1]).toMatchObject({ value: '/a/b~1c/1', name: '1', text: '"Two"' })
  expect(allPointers(nodes)).toEqual(['/a', '/a/b~1c'])
})

it('a value that is no object is one node', () => {
  expect(jsonNodes('text')).toMatchObject([{ value: '', text: '"text"' }])
})

it('opens as many levels as are asked for', () => {
  expect(openAt(nodes, 1)).toEqual({})
  expect(openAt(nodes, 2)).toEqual({ '/a': true })
  expect(openAt(nodes, 9)).toEqual({ '/a': true, '/a/b~1c': true })
})

it('finds names and values, and opens what leads to them', () => {
  const found = searchJson(nodes, 'two')
  expect(found.count).toBe(1)
  expect(found.open).toEqual({ '/a': true, '/a/b~1c': true })
  expect(found.nodes[0]?.children?.[0]?.children?.map(({ text }) => text)).toEqual(['"Two"'])
  expect(searchJson(nodes, 'EMPTY').count).toBe(1)
  expect(searchJson(nodes, 'nowhere')).toMatchObject({ nodes: [], count: 0 })
})
