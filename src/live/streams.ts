/**
 * Streams: rows beyond a cursor, in batches, each row once.
 *
 * States. BACKLOG: rows that were complete when the stream opened, in the
 * caller's order, batch after batch. FOLLOW: rows with later positions, in the
 * order of their positions, read only below the horizon under which every
 * transaction has ended; so a row that commits late is still ahead of the
 * cursor. ENDED: the consumer has left, or an evaluation failed for good.
 * BACKLOG becomes FOLLOW with the first batch that is not full.
 *
 * The next batch is read when the consumer has taken the last one: what a slow
 * consumer has not read yet waits in the database and nowhere else.
 */
import { isPassing } from '../database/passing-errors.ts'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { StreamStep } from '../tables/query.ts'
import type { ChangeFeed } from './change-feed.ts'
import type { Dependency } from './dependencies.ts'
import { createDependencyIndex } from './dependency-index.ts'
import type { Evaluator, LiveStatement } from './evaluator.ts'

export interface Stream {
  readonly dependencies: readonly Dependency[]
  readonly batchSize: number
  /** Set when the caller's cursor is `position` itself, ascending: the position to begin after. Such a stream only follows. */
  readonly startAfter: string | null
  /** The statement of a step; its row has `data`, `cursor` and `count`. */
  readonly statement: (step: StreamStep) => LiveStatement
}

export interface Streams {
  subscribe(stream: Stream): AsyncGenerator<string, void, undefined>
  readonly counts: { readonly streams: number }
  close(): void
}

export interface StreamsOptions {
  readonly feed: ChangeFeed
  readonly evaluator: Evaluator
  /** `position_horizon()` now. */
  readonly horizon: () => Promise<string>
  readonly log: Log
  /** @default 7 */
  readonly tries?: number
}

export function createStreams({ feed, evaluator, horizon, log, tries = 7 }: StreamsOptions): Streams {
  const open = new Set<Follower>()
  const index = createDependencyIndex<Follower>()
  let closed = false
  const stopListening = feed.listen((changes) => {
    for (const change of changes) for (const follower of index.concernedBy(change)) follower.wake()
  })
  const stopGaps = feed.onGap(() => {
    for (const follower of open) follower.wake()
  })

  /** Tries again through a restart of Postgres; the cursor has not moved, so nothing is lost. */
  const patiently = async <T>(work: () => Promise<T>, follower: Follower): Promise<T | null> => {
    for (let failures = 1; ; failures += 1) {
      try {
        return await work()
      } catch (error) {
        if (!isPassing(error) || failures >= tries) throw error
        log.warn({ error: messageOf(error), try: failures }, 'a stream could not be read; trying again')
        await Promise.race([new Promise((resolve) => setTimeout(resolve, 100 * 2 ** failures).unref()), follower.ended])
        if (follower.hasEnded) return null
      }
    }
  }

  async function* read(stream: Stream, follower: Follower): AsyncGenerator<string, void, undefined> {
    let step: StreamStep =
      stream.startAfter === null
        ? { phase: 'backlog', after: null, horizon: (await patiently(horizon, follower)) ?? '' }
        : { phase: 'follow', after: stream.startAfter }
    while (!follower.hasEnded) {
      follower.rest()
      const current = step
      const row = await patiently(() => evaluator.run(stream.statement(current)), follower)
      if (!row || follower.hasEnded) return
      const count = Number(row.count)
      step = following(step, row.cursor ?? null, count < stream.batchSize)
      if (count > 0) yield row.data as string
      else if (step.phase === 'follow' && current.phase === 'follow') await follower.woken()
    }
  }

  return {
    subscribe(stream) {
      if (closed) throw new SluiceError('UNAVAILABLE', 'The gateway is shutting down; connect again.')
      const follower = new Follower()
      open.add(follower)
      index.add(follower, stream.dependencies)
      const leave = () => {
        follower.end()
        open.delete(follower)
        index.remove(follower)
      }
      return endingAtOnce(read(stream, follower), leave)
    },
    get counts() {
      return { streams: open.size }
    },
    close() {
      closed = true
      stopListening()
      stopGaps()
      for (const follower of open) follower.end()
    },
  }
}

/** The step after one whose last row was at `cursor` (`[value, position]` as JSON). */
function following(step: StreamStep, cursor: string | null, isLast: boolean): StreamStep {
  const [value, position] = cursor ? (JSON.parse(cursor) as [string, string]) : [null, null]
  if (step.phase === 'follow') return position === null ? step : { phase: 'follow', after: position }
  // A horizon is 16 digits, a position 32: every position of a later transaction sorts behind it.
  if (isLast || value === null || position === null) return { phase: 'follow', after: step.horizon }
  return { ...step, after: { value, position } }
}

/** Remembers that something changed while its stream was reading. */
class Follower {
  #changed = true
  #ended = false
  #resume: (() => void) | null = null
  readonly #end = Promise.withResolvers<void>()

  get hasEnded(): boolean {
    return this.#ended
  }

  get ended(): Promise<void> {
    return this.#end.promise
  }

  /** What changed before is about to be read. */
  rest(): void {
    this.#changed = false
  }

  wake(): void {
    this.#changed = true
    this.#resume?.()
  }

  async woken(): Promise<void> {
    while (!this.#changed && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#resume = resolve
      })
      this.#resume = null
    }
  }

  end(): void {
    this.#ended = true
    this.#end.resolve()
    this.#resume?.()
  }
}

/** A generator's own `return()` waits for a `next()` that is under way; this one also ends what that waits for. */
function endingAtOnce(
  inner: AsyncGenerator<string, void, undefined>,
  leave: () => void,
): AsyncGenerator<string, void, undefined> {
  const finish = () => {
    leave()
    return inner.return()
  }
  const iterator: AsyncGenerator<string, void, undefined> = {
    async next() {
      try {
        const result = await inner.next()
        if (result.done) leave()
        return result
      } catch (error) {
        leave()
        throw error
      }
    },
    return: finish,
    async throw(error) {
      await finish()
      throw error
    },
    [Symbol.asyncIterator]: () => iterator,
    [Symbol.asyncDispose]: async () => {
      await finish()
    },
  }
  return iterator
}
