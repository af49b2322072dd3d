/**
 * Live queries: the result at start, then again whenever it differs.
 *
 * Subscribers whose statement and values are the same form a cohort: one
 * evaluation and one result text for all of them. States of a cohort: CLEAN
 * (its last result is current), DIRTY (a change concerns it; waiting for its
 * turn), RUNNING (being evaluated; a change meanwhile makes it DIRTY again
 * afterwards). A cohort that loses its last subscriber is gone.
 *
 * Which cohorts a change concerns is found by an index over what they depend on
 * (`dependency-index.ts`); cohorts of one plan that are dirty together are
 * evaluated together (`evaluator.ts`).
 */
import { isPassing } from '../database/passing-errors.ts'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Change, ChangeFeed } from './change-feed.ts'
import type { Dependency } from './dependencies.ts'
import { createDependencyIndex } from './dependency-index.ts'
import type { Evaluator, LiveStatement } from './evaluator.ts'
import { Mailbox } from './mailbox.ts'
import { type PassingTime, timedColumnsOf } from './passing-time.ts'

export interface LiveQuery {
  /** Equal keys share one evaluation; everything that decides the result must be in it. */
  readonly key: string
  readonly dependencies: readonly Dependency[]
  /** Its row has a column `data`, JSON text. */
  readonly statement: LiveStatement
}

export interface LiveQueries {
  /** Results as JSON text; ends when the consumer returns, throws when the query fails for good. */
  subscribe(query: LiveQuery): AsyncGenerator<string, void, undefined>
  readonly counts: {
    readonly cohorts: number
    readonly subscribers: number
    /** Cohorts woken by changes since the start. */
    readonly wakes: number
  }
  close(): void
}

export interface LiveQueriesOptions {
  readonly feed: ChangeFeed
  readonly evaluator: Evaluator
  /** Wakes queries that depend on `now()`. */
  readonly time: PassingTime
  readonly log: Log
  /** Tries of an evaluation before its subscribers are told; about a minute in all. @default 33 */
  readonly tries?: number
}

/** Between tries of an evaluation, at the most: how late subscribers may hear after an outage. */
const longestPauseMs = 2_000

interface Cohort {
  readonly query: LiveQuery
  readonly subscribers: Set<Mailbox>
  /** Ends its watch of the time. */
  unwatch: () => void
  last: string | null
  dirty: boolean
  running: boolean
  failures: number
}

export function createLiveQueries({ feed, evaluator, time, log, tries = 33 }: LiveQueriesOptions): LiveQueries {
  const cohorts = new Map<string, Cohort>()
  const index = createDependencyIndex<Cohort>()
  let wakes = 0
  let closed = false

  const wake = (cohort: Cohort) => {
    cohort.dirty = true
    if (!cohort.running) void run(cohort)
  }

  const run = async (cohort: Cohort) => {
    cohort.running = true
    while (cohort.dirty && !closed && cohort.subscribers.size > 0) {
      cohort.dirty = false
      try {
        const { data } = await evaluator.run(cohort.query.statement)
        cohort.failures = 0
        tell(cohort, data as string)
      } catch (error) {
        await fail(cohort, error)
      }
    }
    cohort.running = false
  }

  const tell = (cohort: Cohort, text: string) => {
    if (text === cohort.last) return
    cohort.last = text
    for (const mailbox of cohort.subscribers) mailbox.put(text)
  }

  /** What passes (a restart of Postgres) is tried again, later each time; anything else is told at once. */
  const fail = async (cohort: Cohort, error: unknown) => {
    cohort.failures += 1
    if (!isPassing(error) || cohort.failures >= tries) {
      for (const mailbox of cohort.subscribers) mailbox.fail(error)
      return
    }
    log.warn({ error: messageOf(error), try: cohort.failures }, 'a live query could not be evaluated; trying again')
    const pauseMs = Math.min(100 * 2 ** cohort.failures, longestPauseMs)
    await new Promise((resolve) => setTimeout(resolve, pauseMs).unref())
    cohort.dirty = true
  }

  const onChanges = (changes: readonly Change[]) => {
    const concerned = new Set<Cohort>()
    for (const change of changes) for (const cohort of index.concernedBy(change)) concerned.add(cohort)
    wakes += concerned.size
    for (const cohort of concerned) wake(cohort)
  }
  const stopListening = feed.listen(onChanges)
  const stopTime = time.listen(onChanges)
  const stopGaps = feed.onGap(() => {
    for (const cohort of cohorts.values()) wake(cohort)
  })

  const join = (query: LiveQuery, mailbox: Mailbox): Cohort => {
    const known = cohorts.get(query.key)
    const cohort = known ?? newCohort(query)
    cohort.subscribers.add(mailbox)
    if (!known) {
      cohorts.set(query.key, cohort)
      // Filed before the first evaluation, so no change can fall between the two.
      index.add(cohort, query.dependencies)
      cohort.unwatch = time.watch(timedColumnsOf(query.dependencies))
      wake(cohort)
    } else if (cohort.last !== null) {
      mailbox.put(cohort.last)
    }
    return cohort
  }

  const leave = (cohort: Cohort, mailbox: Mailbox) => {
    cohort.subscribers.delete(mailbox)
    if (cohort.subscribers.size > 0 || cohorts.get(cohort.query.key) !== cohort) return
    cohorts.delete(cohort.query.key)
    index.remove(cohort)
    cohort.unwatch()
  }

  return {
    subscribe(query) {
      if (closed) throw new SluiceError('UNAVAILABLE', 'The gateway is shutting down; connect again.')
      const mailbox = new Mailbox()
      const cohort = join(query, mailbox)
      return mailbox.results(() => leave(cohort, mailbox))
    },
    get counts() {
      let subscribers = 0
      for (const cohort of cohorts.values()) subscribers += cohort.subscribers.size
      return { cohorts: cohorts.size, subscribers, wakes }
    },
    close() {
      closed = true
      stopListening()
      stopTime()
      stopGaps()
      for (const cohort of cohorts.values()) for (const mailbox of cohort.subscribers) mailbox.end()
      cohorts.clear()
    },
  }
}

function newCohort(query: LiveQuery): Cohort {
  return {
    query,
    subscribers: new Set(),
    unwatch: () => undefined,
    last: null,
    dirty: false,
    running: false,
    failures: 0,
  }
}
