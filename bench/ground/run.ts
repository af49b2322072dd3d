/** How every benchmark runs: to its end or until it is interrupted, and what it started is stopped either way. */

class Interrupted extends Error {}

/**
 * Runs `measure`, then what was deferred on `stack`, and ends the process: with 1 if anything failed.
 *
 * @param stack where `measure` defers the stopping of whatever it starts.
 */
export async function runMeasured(stack: AsyncDisposableStack, measure: () => Promise<void>): Promise<never> {
  const interrupted = Promise.withResolvers<never>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => interrupted.reject(new Interrupted(`${signal}: stopped before the end.`)))
  }
  // A reader of our output that went away, for one: what was started is stopped all the same.
  process.on('uncaughtException', interrupted.reject)
  try {
    await Promise.race([measure(), interrupted.promise])
  } catch (error) {
    console.error(error instanceof Interrupted ? error.message : error)
    process.exitCode = 1
  } finally {
    await stack.disposeAsync()
  }
  process.exit()
}
