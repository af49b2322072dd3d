/** Live results in the form in which graphql-ws sends them. */
import type { ExecutionResult } from 'graphql'
import type { Log } from '../log.ts'
import { toGraphQLError } from './graphql-errors.ts'
import { RawJson } from './raw-json.ts'

/**
 * A failure becomes the last result. No generator function: the `return()` of one waits for a `next()` that is under
 * way, and a subscription that its client completed would go on until its next change, and send that.
 */
export function executionResults(
  texts: AsyncGenerator<string, void, undefined>,
  log: Log,
  requestId: string,
): AsyncGenerator<ExecutionResult, void, undefined> {
  let ended = false
  const over = { done: true as const, value: undefined }
  const finish = async () => {
    ended = true
    await texts.return()
    return over
  }
  const results: AsyncGenerator<ExecutionResult, void, undefined> = {
    async next() {
      if (ended) return over
      try {
        const { done, value } = await texts.next()
        if (!done && !ended) return { done: false, value: { data: new RawJson(value) as never } }
        ended = true
        return over
      } catch (error) {
        if (ended) return over
        ended = true
        return { done: false, value: { errors: [toGraphQLError(error, log, requestId)] } }
      }
    },
    return: finish,
    async throw(error) {
      await finish()
      throw error
    },
    [Symbol.asyncIterator]: () => results,
    async [Symbol.asyncDispose]() {
      await finish()
    },
  }
  return results
}
