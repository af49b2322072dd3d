import { expect, test } from 'vitest'
import { orderly } from './lookups.ts'

/** Names that start with "dead" are answered when the test says so; others at once. */
function nameServers() {
  const waiting = new Map<string, (addresses: readonly string[]) => void>()
  const asked: string[] = []
  const resolve = (name: string) => {
    asked.push(name)
    if (!name.startsWith('dead')) return Promise.resolve(['192.0.2.1'])
    return new Promise<readonly string[]>((answer) => waiting.set(name, answer))
  }
  return {
    asked,
    waiting,
    resolve,
    answer(name: string) {
      waiting.get(name)?.([])
      waiting.delete(name)
    },
  }
}

test('who asks for a name that is being looked up gets the same answer', async () => {
  const servers = nameServers()
  const resolve = orderly(servers.resolve)
  const both = Promise.all([resolve('dead.test'), resolve('dead.test')])
  servers.answer('dead.test')
  await both
  expect(servers.asked).toEqual(['dead.test'])
  await resolve('quick.test')
  await resolve('quick.test')
  expect(servers.asked).toEqual(['dead.test', 'quick.test', 'quick.test'])
})

test('names that were slow wait for each other, and nobody else waits for them', async () => {
  const servers = nameServers()
  const resolve = orderly(servers.resolve, { slowMs: 80 })
  const names = ['dead1.test', 'dead2.test', 'dead3.test']
  const first = names.map(resolve)
  expect([...servers.waiting.keys()]).toEqual(names)
  const start = performance.now()
  await expect.poll(() => performance.now() - start).toBeGreaterThan(100)
  for (const name of names) servers.answer(name)
  await Promise.all(first)

  const second = names.map(resolve)
  await expect.poll(() => [...servers.waiting.keys()], { interval: 2 }).toEqual(['dead1.test'])
  expect(await resolve('quick.test')).toEqual(['192.0.2.1'])
  servers.answer('dead1.test')
  await expect.poll(() => [...servers.waiting.keys()], { interval: 2 }).toEqual(['dead2.test'])
  servers.answer('dead2.test')
  await expect.poll(() => [...servers.waiting.keys()], { interval: 2 }).toEqual(['dead3.test'])
  servers.answer('dead3.test')
  await Promise.all(second)

  // Answered in time, so they are names like any other again.
  const third = names.map(resolve)
  expect([...servers.waiting.keys()]).toEqual(names)
  for (const name of names) servers.answer(name)
  await Promise.all(third)
})

test('a lookup that fails lets the next one in', async () => {
  let times = 0
  const resolve = orderly(() => Promise.reject(new Error(`no ${++times}`)), { slowMs: 0 })
  await expect(resolve('a.test')).rejects.toThrow('no 1')
  await expect(resolve('a.test')).rejects.toThrow('no 2')
  await expect(resolve('b.test')).rejects.toThrow('no 3')
})
