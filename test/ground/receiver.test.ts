import { afterEach, expect, test } from 'vitest'
import { type Receiver, startReceiver } from './receiver.ts'

let receiver: Receiver
afterEach(() => receiver.close())

test('records what it is sent and hands each request out once', async () => {
  receiver = await startReceiver()
  const awaited = receiver.next(({ path }) => path === '/second')
  await fetch(`${receiver.url}/first?a=1`, { method: 'POST', body: 'one', headers: { 'x-test': 'yes' } })
  await fetch(`${receiver.url}/second`)

  expect((await awaited).method).toBe('GET')
  const first = await receiver.next()
  expect(first).toMatchObject({ method: 'POST', path: '/first?a=1', headers: { 'x-test': 'yes' } })
  expect(first.body.toString()).toBe('one')
  expect(receiver.requests).toHaveLength(2)
  await expect(receiver.next(undefined, 1)).rejects.toThrow('2 arrived in all')
})

test('answers as its handler says, and closing cuts a request that it never answers', async () => {
  receiver = await startReceiver({
    handler({ path }, response) {
      if (path !== '/never') response.writeHead(410).end('gone')
    },
  })
  expect((await fetch(receiver.url)).status).toBe(410)
  const unanswered = fetch(`${receiver.url}/never`).catch((error: Error) => error)
  await receiver.next(({ path }) => path === '/never')
  await receiver.close()
  expect(await unanswered).toBeInstanceOf(Error)
  receiver = await startReceiver()
})
