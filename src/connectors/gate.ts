/**
 * Who may call a connector now. Each place inside is a process of the sandbox, and one that was not there before takes 40 ms
 * of a processor and 40 MB to start. So places open one after the other, and only to who has waited for a while in front of
 * those that are open: a connector that answers in milliseconds keeps to one warm process however many ask, and one that
 * waits for a third party gets as many as it may have. Without that, a busy machine would be made busier: eight at once
 * doubled the time in line there.
 */

export interface GateOptions {
  /** Before a new place opens, and between two, in milliseconds: longer than a start takes. @default 100 */
  readonly patienceMs?: number
  /** Places that were not all taken for so long are closed again: their processes have gone. @default 60 000 */
  readonly restMs?: number
}

export interface Gate {
  /**
   * Waits for a place, the first who came first.
   *
   * @param most places; may differ from call to call.
   * @param deadline by `performance.now()`.
   * @returns what gives the place up; undefined when there was none before `deadline` or abort.
   */
  enter(most: number, deadline: number, signal: AbortSignal): Promise<(() => void) | undefined>
  /** Nobody is inside or waits. */
  readonly isEmpty: boolean
}

/**
 * @example
 * const leave = await createGate().enter(8, performance.now() + 1000, signal)
 * try { … } finally { leave?.() }
 */
export function createGate({ patienceMs = 100, restMs = 60_000 }: GateOptions = {}): Gate {
  const waiting: (() => void)[] = []
  let inside = 0
  let open = 1
  let fullAt = 0
  let openedAt = Number.NEGATIVE_INFINITY

  const take = () => {
    inside++
    if (inside >= open) {
      open = inside
      fullAt = performance.now()
    }
  }
  const leave = () => {
    // Who waits takes over the place of who leaves.
    const next = waiting.shift()
    if (next) next()
    else inside--
  }
  const turn = (most: number, deadline: number, signal: AbortSignal): Promise<boolean> => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const wake = () => resolve(true)
    const giveUp = () => {
      const place = waiting.indexOf(wake)
      if (place < 0) return
      waiting.splice(place, 1)
      resolve(false)
    }
    const lookAround = setInterval(() => {
      const now = performance.now()
      if (waiting.length === 0 || inside >= most || (inside >= open && now - openedAt < patienceMs)) return
      if (inside >= open) openedAt = now
      take()
      waiting.shift()?.()
    }, patienceMs)
    const end = setTimeout(giveUp, Math.max(0, deadline - performance.now()))
    signal.addEventListener('abort', giveUp)
    waiting.push(wake)
    return promise.finally(() => {
      clearInterval(lookAround)
      clearTimeout(end)
      signal.removeEventListener('abort', giveUp)
    })
  }

  return {
    async enter(most, deadline, signal) {
      if (signal.aborted) return undefined
      if (performance.now() - fullAt > restMs) open = Math.max(1, inside)
      if (inside < Math.min(open, most)) take()
      else if (!(await turn(most, deadline, signal))) return undefined
      return leave
    },
    get isEmpty() {
      return inside === 0 && waiting.length === 0
    },
  }
}
