/**
 * Live queries: the result at start, then again whenever it differs.
 *
 * Subscribers whose statement and values are the same form a cohort: one
 * evaluation and one result text for all of them. States of a cohort: CLEAN
 * (its last result is current), DIRTY (a table it reads has changed; waiting for
 * its turn), RUNNING (being evaluated; a change meanwhile makes it DIRTY again
 * afterwards). A cohort that loses its last subscriber is gone.
 *
 * A subscriber holds at most one result that it has not taken yet; a newer one
 * replaces it, so a slow socket gets the latest state and not a backlog.
 */
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Change, ChangeFeed } from './change-feed.ts'

export interface LiveQuery {
  /** Equal keys share one evaluation; everything that decides the result must be in it. */
  readonly key: string
  /** Tables whose changes can change the result. */
  readonly tables: ReadonlySet<string>
  /** The result now, as JSON text. */
  readonly evaluate: () => Promise<string>
}

export interface LiveQueries {
  /** Results as JSON text; ends when the consumer returns, throws when the query fails for good. */
  subscribe(query: LiveQuery): AsyncGenerator<string, void, undefined>
  /** How many cohorts and subscribers there are. */
  readonly size: { readonly cohorts: number; readonly subscribers: number }
  close(): void
}

export interface LiveQueriesOptions {
  readonly feed: ChangeFeed
  readonly log: Log
  /** Evaluations at once, so that live queries never take the whole pool. @default 4 */
  readonly concurrency?: number
  /** Tries of an evaluation before its subscribers are told. @default 5 */
  readonly tries?: number
}

interface Cohort {
  readonly query: LiveQuery
  readonly subscribers: Set<Mailbox>
  last: string | null
  dirty: boolean
  running: boolean
  failures: number
}

export function createLiveQueries({ feed, log, concurrency = 4, tries = 5 }: LiveQueriesOptions): LiveQueries {
  const cohorts = new Map<string, Cohort>()
  const byTable = new Map<string, Set<Cohort>>()
  const waiting: Cohort[] = []
  let active = 0
  let closed = false

  const wake = (cohort: Cohort) => {
    if (cohort.dirty) return
    cohort.dirty = true
    if (!cohort.running) waiting.push(cohort)
    pump()
  }

  const pump = () => {
    while (!closed && active < concurrency) {
      const cohort = waiting.shift()
      if (!cohort) return
      if (cohorts.get(cohort.query.key) !== cohort || cohort.running) continue
      active += 1
      void run(cohort).finally(() => {
        active -= 1
        pump()
      })
    }
  }

  const run = async (cohort: Cohort) => {
    cohort.running = true
    cohort.dirty = false
    try {
      const text = await cohort.query.evaluate()
      cohort.failures = 0
      if (text !== cohort.last) {
        cohort.last = text
        for (const mailbox of cohort.subscribers) mailbox.put(text)
      }
    } catch (error) {
      fail(cohort, error)
    } finally {
      cohort.running = false
      if (cohort.dirty) waiting.push(cohort)
    }
  }

  /** A refusal is final; anything else (a restart of Postgres) is tried again a few times, later each time. */
  const fail = (cohort: Cohort, error: unknown) => {
    cohort.failures += 1
    if (error instanceof SluiceError || cohort.failures >= tries) {
      for (const mailbox of cohort.subscribers) mailbox.fail(error)
      return
    }
    log.warn({ error: messageOf(error), try: cohort.failures }, 'a live query could not be evaluated; trying again')
    setTimeout(() => wake(cohort), 100 * 2 ** cohort.failures).unref()
  }

  const onChanges = (changes: readonly Change[]) => {
    for (const table of new Set(changes.map((change) => change.table))) {
      for (const cohort of byTable.get(table) ?? []) wake(cohort)
    }
  }
  const stopListening = feed.listen(onChanges)
  const stopGaps = feed.onGap(() => {
    for (const cohort of cohorts.values()) wake(cohort)
  })

  const join = (query: LiveQuery, mailbox: Mailbox): Cohort => {
    let cohort = cohorts.get(query.key)
    if (!cohort) {
      cohort = { query, subscribers: new Set(), last: null, dirty: false, running: false, failures: 0 }
      cohorts.set(query.key, cohort)
      for (const table of query.tables) {
        const members = byTable.get(table) ?? new Set()
        byTable.set(table, members.add(cohort))
      }
    }
    cohort.subscribers.add(mailbox)
    // Registered before the first evaluation, so no change can fall between the two.
    if (cohort.last === null) wake(cohort)
    else mailbox.put(cohort.last)
    return cohort
  }

  const leave = (cohort: Cohort, mailbox: Mailbox) => {
    cohort.subscribers.delete(mailbox)
    if (cohort.subscribers.size > 0 || cohorts.get(cohort.query.key) !== cohort) return
    cohorts.delete(cohort.query.key)
    for (const table of cohort.query.tables) {
      const members = byTable.get(table)
      members?.delete(cohort)
      if (members?.size === 0) byTable.delete(table)
    }
  }

  return {
    subscribe(query) {
      if (closed) throw new SluiceError('UNAVAILABLE', 'The gateway is shutting down; connect again.')
      const mailbox = new Mailbox()
      const cohort = join(query, mailbox)
      return mailbox.results(() => leave(cohort, mailbox))
    },
    get size() {
      let subscribers = 0
      for (const cohort of cohorts.values()) subscribers += cohort.subscribers.size
      return { cohorts: cohorts.size, subscribers }
    },
    close() {
      closed = true
      stopListening()
      stopGaps()
      for (const cohort of cohorts.values()) for (const mailbox of cohort.subscribers) mailbox.end()
      cohorts.clear()
      byTable.clear()
    },
  }
}

/** The latest result that one subscriber has not taken yet. */
class Mailbox {
  #latest: string | null = null
  #error: unknown = null
  #ended = false
  #wake: (() => void) | null = null

  put(text: string): void {
    this.#latest = text
    this.#wake?.()
  }

  fail(error: unknown): void {
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
        if (this.#latest !== null) {
          const value = this.#latest
          this.#latest = null
          return { done: false, value }
        }
        if (this.#ended) return finish()
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
