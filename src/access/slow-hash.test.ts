import argon2 from 'argon2'
import { expect, it } from 'vitest'
import { argonOptions, createSlowHash } from './slow-hash.ts'

it('tells right from wrong', async () => {
  const hash = await argon2.hash('right', argonOptions)
  const slowHash = createSlowHash()
  expect(await slowHash.verify(hash, 'right')).toBe(true)
  expect(await slowHash.verify(hash, 'wrong')).toBe(false)
})

it('answers those it can and asks the others to come back', async () => {
  const hash = await argon2.hash('right', argonOptions)
  const slowHash = createSlowHash({ concurrent: 1, waiting: 2 })
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => slowHash.verify(hash, 'right')))
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'])
  expect(results[4]).toMatchObject({ reason: { code: 'UNAVAILABLE', details: { retry_after_seconds: 1 } } })
  // Places are given back, also after a hash that cannot be read.
  await expect(slowHash.verify('no hash', 'right')).rejects.toThrow()
  expect(await slowHash.verify(hash, 'right')).toBe(true)
})
