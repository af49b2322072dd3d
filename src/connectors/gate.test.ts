import { setTimeout as pause } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createGate, type Gate } from './gate.ts'

const never = new AbortController().signal
const later = () => performance.now() + 20_000
const entered = async (gate: Gate, most: number) => {
  const leave = await gate.enter(most, later(), never)
  if (!leave) throw new Error('There was no place.')
  return leave
}

it('lets who waits in by turns, never more than the most', async () => {
  const gate = createGate({ patienceMs: 1 })
  let inside = 0
  let highest = 0
  const order: number[] = []
  await Promise.all(
    Array.from({ length: 20 }, async (_, number) => {
      const leave = await entered(gate, 3)
      inside += 1
      highest = Math.max(highest, inside)
      order.push(number)
      await pause(5)
      inside -= 1
      leave()
    }),
  )
  expect(highest).toBe(3)
  expect(order).toEqual(order.toSorted((a, b) => a - b))
  expect(gate.isEmpty).toBe(true)
})

it('opens a place beside the first only to who has waited, and then keeps it open for a while', async () => {
  const gate = createGate({ patienceMs: 20 })
  const first = await entered(gate, 8)
  const begun = performance.now()
  const second = await entered(gate, 8)
  expect(performance.now() - begun).toBeGreaterThan(15)
  first()
  second()
  // Both are warm now: nobody waits.
  const [third, fourth] = [gate.enter(8, later(), never), gate.enter(8, later(), never)]
  const came = await Promise.race([Promise.all([third, fourth]), pause(10_000)])
  for (const leave of came as Awaited<typeof third>[]) leave?.()
  expect(gate.isEmpty).toBe(true)
})

it('keeps to one place as long as each is done before the next loses patience', async () => {
  const gate = createGate({ patienceMs: 60_000 })
  let inside = 0
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      const leave = await entered(gate, 8)
      inside += 1
      expect(inside).toBe(1)
      await pause(0)
      inside -= 1
      leave()
    }),
  )
})

it('who gives up, or has no more time, is passed over', async () => {
  const gate = createGate({ patienceMs: 60_000 })
  const leave = await entered(gate, 2)
  const stop = new AbortController()
  const stopped = gate.enter(2, later(), stop.signal)
  const late = gate.enter(2, performance.now() + 5, never)
  const patient = gate.enter(2, later(), never)
  stop.abort()
  expect(await stopped).toBeUndefined()
  expect(await late).toBeUndefined()
  leave()
  const last = await patient
  expect(last).toBeDefined()
  last?.()
  expect(gate.isEmpty).toBe(true)
  expect(await gate.enter(2, later(), AbortSignal.abort())).toBeUndefined()
})

it('opens no two places in one moment', async () => {
  const gate = createGate({ patienceMs: 30 })
  const begun = performance.now()
  const times: number[] = []
  const leaves = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const leave = await entered(gate, 8)
      times.push(performance.now() - begun)
      return leave
    }),
  )
  expect(times[2] as number).toBeGreaterThan(50)
  for (const leave of leaves) leave()
})
