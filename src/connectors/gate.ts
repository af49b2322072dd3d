/**
 * Who may call a connector now. Each place inside is a process of the sandbox, and one that was not there before takes 40 ms
 * and 40 MB to start. So a new place opens only to who has waited for a while in front of those that are open: a connector
 * that answers in milliseconds keeps to one warm process however many ask, and one that waits for a third party gets as
 * many as it may have.
 */

export interface GateOptions {
  /** Before a new place opens, in milliseconds: about half of what a process takes to start. @default 25 */
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
export function createGate({ patienceMs = 25, restMs = 60_000 }: GateOptions = {}): Gate {
  const waiting: (() => void)[] = []
  let inside = 0
  let open = 1
  let fullAt = 0

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
    const stepOut = () => {
      const place = waiting.indexOf(wake)
      if (place >= 0) waiting.splice(place, 1)
      return place >= 0
    }
    const giveUp = () => {
      if (stepOut()) resolve(false)
    }
    const lookAround = setTimeout(() => {
      if (inside < most && stepOut()) {
        take()
        wake()
      }
    }, patienceMs)
    const end = setTimeout(giveUp, Math.max(0, deadline - performance.now()))
    signal.addEventListener('abort', giveUp)
    waiting.push(wake)
    return promise.finally(() => {
      clearTimeout(lookAround)
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
