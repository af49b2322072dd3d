/** Two kinds of load: as much as a few callers can get through, and so much a second whatever comes back. */
import { setTimeout as pause } from 'node:timers/promises'

/** One call; rejects when the answer is not the right one. A wrong answer ends the benchmark. */
export type Call = () => Promise<void>

export interface Throughput {
  readonly perSecond: number
  /** Of each call that ended within the time, in milliseconds. */
  readonly latencies: readonly number[]
}

/** A closed loop: each of `concurrency` callers calls again as soon as it is answered. Only what ended in time counts. */
export async function saturate(
  call: Call,
  { concurrency, seconds }: { readonly concurrency: number; readonly seconds: number },
): Promise<Throughput> {
  const latencies: number[] = []
  const start = performance.now()
  const end = start + seconds * 1000
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (;;) {
        const before = performance.now()
        if (before >= end) return
        await call()
        const after = performance.now()
        if (after <= end) latencies.push(after - before)
      }
    }),
  )
  return { perSecond: latencies.length / seconds, latencies }
}

/**
 * An open loop: a call every `1 / perSecond` seconds, without waiting for answers,
 * so that a slow system cannot slow down what measures it (coordinated omission).
 */
export async function keepRate(
  call: (index: number) => Promise<void>,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<void> {
  const start = performance.now()
  const calls: Promise<void>[] = []
  for (let index = 0; index < perSecond * seconds; index++) {
    const wait = start + (index * 1000) / perSecond - performance.now()
    if (wait > 0) await pause(wait)
    calls.push(call(index))
  }
  await Promise.all(calls)
}
