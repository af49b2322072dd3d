/** Things that arrive over time, and a way to await the next one. */

export interface Inbox<T> {
  /** Everything that has arrived, oldest first. */
  readonly items: readonly T[]
  add(item: T): void
  /**
   * The oldest item that fits and was not handed out by `next` before, now or as soon as it arrives.
   *
   * @throws Error after `ms` (default 30,000) milliseconds, telling how many did arrive.
   */
  next(fits?: (item: T) => boolean, ms?: number): Promise<T>
}

export function createInbox<T>(what: string): Inbox<T> {
  const items: T[] = []
  const fresh: T[] = []
  const waiting = new Set<{ fits: (item: T) => boolean; resolve: (item: T) => void }>()
  return {
    items,
    add(item) {
      items.push(item)
      for (const waiter of waiting) {
        if (!waiter.fits(item)) continue
        waiting.delete(waiter)
        return waiter.resolve(item)
      }
      fresh.push(item)
    },
    next(fits = () => true, ms = 30_000) {
      const index = fresh.findIndex(fits)
      const [found] = index === -1 ? [] : fresh.splice(index, 1)
      if (found !== undefined) return Promise.resolve(found)
      return new Promise<T>((resolve, reject) => {
        const waiter = {
          fits,
          resolve(item: T) {
            clearTimeout(timer)
            resolve(item)
          },
        }
        const timer = setTimeout(() => {
          waiting.delete(waiter)
          reject(new Error(`No ${what} that fits arrived within ${ms} ms; ${items.length} arrived in all`))
        }, ms)
        waiting.add(waiter)
      })
    },
  }
}
