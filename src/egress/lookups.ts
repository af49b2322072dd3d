/**
 * How many lookups run at once. The system's resolver has four threads for the whole
 * process, files and compression included, and a name whose servers do not answer
 * holds one of them for ten seconds or more. So each name is looked up once at a time, for all
 * who ask meanwhile, and names that were slow the last time wait for each other:
 * together they hold one thread, and names that answer are not kept waiting.
 */
import type { Resolve } from './dial.ts'

export interface LookupOptions {
  /** A lookup that takes longer makes its name a slow one, until it is answered in time, in milliseconds. @default 1000 */
  readonly slowMs?: number
}

/** Names remembered as slow; the one that was slow longest ago is forgotten first. */
const mostSlow = 10_000

export function orderly(resolve: Resolve, { slowMs = 1000 }: LookupOptions = {}): Resolve {
  const running = new Map<string, Promise<readonly string[]>>()
  const slow = new Set<string>()
  let lane: Promise<unknown> = Promise.resolve()

  async function look(hostname: string): Promise<readonly string[]> {
    const timer = setTimeout(() => {
      slow.add(hostname)
      const [oldest] = slow.size > mostSlow ? slow : []
      if (oldest !== undefined) slow.delete(oldest)
    }, slowMs)
    const start = performance.now()
    try {
      return await resolve(hostname)
    } finally {
      clearTimeout(timer)
      if (performance.now() - start < slowMs) slow.delete(hostname)
    }
  }

  function start(hostname: string): Promise<readonly string[]> {
    if (!slow.has(hostname)) return look(hostname)
    const turn = lane.then(() => look(hostname))
    lane = turn.catch(() => undefined)
    return turn
  }

  return (hostname) => {
    const shared = running.get(hostname) ?? start(hostname).finally(() => running.delete(hostname))
    running.set(hostname, shared)
    return shared
  }
}
