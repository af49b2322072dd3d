import { expect, it } from 'vitest'
import { held } from './held-rows.ts'

const row = (n: number, status = 'submitted') => ({
  id: `0193a1c2-0000-7000-8000-00000000000${n}`,
  submitted_at: `2026-11-22T10:00:0${n}.000+00:00`,
  status,
})

it('nobody reads: everything is shown as it comes', () => {
  expect(held([row(3), row(2)], [row(2), row(1)], null)).toEqual({ rows: [row(3), row(2)], waiting: 0 })
})

it('while somebody reads, new ones wait and the others go on changing', () => {
  expect(held([row(3), row(2, 'purged'), row(1)], [row(2), row(1)], row(2))).toEqual({
    rows: [row(2, 'purged'), row(1)],
    waiting: 1,
  })
})

it('rows that new ones have pushed off the end stay where they are', () => {
  expect(held([row(4), row(3)], [row(2), row(1)], row(2))).toEqual({ rows: [row(2), row(1)], waiting: 2 })
})

it('a row that is gone is gone, where nothing pushed it off', () => {
  expect(held([row(2)], [row(2), row(1)], row(2))).toEqual({ rows: [row(2)], waiting: 0 })
})

it('what fits into the list later is added at its end', () => {
  expect(held([row(2), row(1)], [row(2)], row(2)).rows).toEqual([row(2), row(1)])
})
