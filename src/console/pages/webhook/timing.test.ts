import { expect, it } from 'vitest'
import { partsOf } from './timing.ts'

it('a request on a new connection is opened, waits for its answer and reads it', () => {
  expect(partsOf({ dns: 1, connect: 2, tls: 7, first_byte: 50, total: 52 })).toEqual([
    { part: 'dns', ms: 1 },
    { part: 'connect', ms: 2 },
    { part: 'tls', ms: 7 },
    { part: 'waiting', ms: 40 },
    { part: 'rest', ms: 2 },
  ])
})

it('one on a kept connection waits and reads; one without an answer has what it spent', () => {
  expect(partsOf({ first_byte: 4, total: 4 })).toEqual([{ part: 'waiting', ms: 4 }])
  expect(partsOf({ dns: 3, connect: 5, total: 1000 })).toEqual([
    { part: 'dns', ms: 3 },
    { part: 'connect', ms: 5 },
    { part: 'rest', ms: 992 },
  ])
})
