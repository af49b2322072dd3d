/** A job that goes on for as long as its process does. */

export interface RepeatOptions {
  /** @returns milliseconds until it is wanted again, if that is sooner or later than usual. */
  readonly job: (signal: AbortSignal) => Promise<number | undefined>
  /** Between two runs, in milliseconds. */
  readonly everyMs: number
  /** What the job threw; it runs again. */
  readonly onError: (error: unknown) => void
}

export interface Repeating {
  /** Waits for the run under way; `signal` tells it. */
  close(): Promise<void>
}

/** Runs `job`, waits, runs it again. Runs never overlap. */
export function repeat({ job, everyMs, onError }: RepeatOptions): Repeating {
  const closing = new AbortController()
  const { signal } = closing

  async function run(): Promise<void> {
    while (!signal.aborted) {
      let pauseMs = everyMs
      try {
        pauseMs = (await job(signal)) ?? everyMs
      } catch (error) {
        onError(error)
      }
      await pause(pauseMs, signal)
    }
  }
  const ended = run()

  return {
    async close() {
      closing.abort()
      await ended
    },
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
