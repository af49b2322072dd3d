/**
 * The latest result that one subscriber has not taken yet. A newer one replaces
 * it, so a slow socket gets the latest state and never a backlog.
 */
export class Mailbox {
  #latest: string | null = null
  #error: unknown = null
  #ended = false
  #wake: (() => void) | null = null

  put(text: string): void {
    this.#latest = text
    this.#wake?.()
  }

  /** Ends it with an error, which the reader gets in place of what it has not taken. */
  fail(error: unknown): void {
    this.#latest = null
    this.#error = error ?? new Error('failed')
    this.#wake?.()
  }

  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  /** An iterator whose `return()` also ends a `next()` that is still waiting, so that an unsubscribe takes effect at once. */
  results(onEnd: () => void): AsyncGenerator<string, void, undefined> {
    const finish = () => {
      if (!this.#ended) this.end()
      onEnd()
      return { done: true as const, value: undefined }
    }
    const next = async (): Promise<IteratorResult<string, void>> => {
      for (;;) {
        if (this.#error) {
          const error = this.#error
          this.#error = null
          finish()
          throw error
        }
        if (this.#ended) return finish()
        if (this.#latest !== null) {
          const value = this.#latest
          this.#latest = null
          return { done: false, value }
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        this.#wake = null
      }
    }
    const iterator: AsyncGenerator<string, void, undefined> = {
      next,
      return: async () => finish(),
      throw: async (error) => {
        finish()
        throw error
      },
      [Symbol.asyncIterator]: () => iterator,
      [Symbol.asyncDispose]: async () => {
        finish()
      },
    }
    return iterator
  }
}
