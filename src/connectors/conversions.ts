/**
 * The conversion engine. A raw source that is `received` is leased by one worker, converted in the sandbox, and becomes
 * a session, or not:
 *
 * ```
 *   received ──claim──▶ leased ──▶ converted   a session was made, or has a new revision
 *      ▲  ▲                │  ├──▶ discarded   it becomes no session
 *      │  └── given back ──┘  └──▶ failed      the connector threw, or what it made is not right
 *      └── leased_until passes, or convert_raw_sources
 * ```
 *
 * Nothing that failed is converted again unasked: the connector, or the source, is to be put right first. What fails for
 * reasons of our own (the database is away) is given back and tried later.
 */
import { listen, productionChannel } from '../database/notifications.ts'
import { messageOf } from '../errors.ts'
import { type ClaimedSource, claimSources, giveSourceBack, renewSources } from './conversion-claims.ts'
import { type ConversionOutcome, type ConvertParts, convertSource, retryAfter } from './convert-source.ts'

export interface ConversionsOptions extends ConvertParts {
  /** Called when a source was converted, or was not. */
  readonly committed: () => void
  /** Told of each conversion, and how long it took in seconds; for metrics. */
  readonly observe?: (outcome: ConversionOutcome, took: number) => void
  /** Sources at the same time in this process. @default 16 */
  readonly concurrency?: number
  /** How often it looks unasked, in milliseconds. @default 1000 */
  readonly pollMs?: number
  /** A killed worker's sources are taken over after so many milliseconds. @default 30 000 */
  readonly leaseMs?: number
}

export interface Conversions {
  /** There may be something to convert. */
  wake(): void
  /** Stops what runs and gives it back. */
  close(): Promise<void>
}

export function startConversions({
  committed,
  observe = () => undefined,
  concurrency = 16,
  pollMs = 1000,
  leaseMs = 30_000,
  ...parts
}: ConversionsOptions): Conversions {
  const { log } = parts
  const { pool } = parts.database
  const ending = new AbortController()
  const running = new Map<string, { readonly done: Promise<void>; readonly lost: AbortController }>()
  let looking: Promise<void> | undefined
  let again = false

  const look = async (): Promise<void> => {
    while (!ending.signal.aborted && running.size < concurrency) {
      again = false
      const most = concurrency - running.size
      const claimed = await claimSources(pool, { most, leaseMs })
      for (const each of claimed) begin(each)
      // What is left waits for its connection, and is looked for when one of that ends.
      if (claimed.length < most && !again) return
    }
  }
  const wake = (): void => {
    again = true
    if (looking || ending.signal.aborted) return
    looking = look()
      .catch((error) => log.warn({ error: messageOf(error) }, 'raw sources could not be looked for'))
      .finally(() => {
        looking = undefined
        // Something ended while it looked.
        if (again && running.size < concurrency) wake()
      })
  }
  const begin = (claimed: ClaimedSource): void => {
    const { lease_token } = claimed.source
    const lost = new AbortController()
    const done = convert(claimed, AbortSignal.any([ending.signal, lost.signal])).finally(() => {
      running.delete(lease_token)
      committed()
      wake()
    })
    running.set(lease_token, { done, lost })
  }
  const convert = async (claimed: ClaimedSource, signal: AbortSignal): Promise<void> => {
    const begun = performance.now()
    try {
      const outcome = await convertSource(parts, claimed, signal)
      observe(outcome, (performance.now() - begun) / 1000)
    } catch (error) {
      log.error({ err: error, raw_source: claimed.source.id }, 'a raw source could not be converted; it is tried again')
      const afterMs = retryAfter(claimed.source.attempt_count)
      await giveSourceBack(pool, claimed, { afterMs, uncount: false }).catch((failure) =>
        log.warn(
          { error: messageOf(failure) },
          'a raw source could not be given back; it is taken over after its lease',
        ),
      )
    }
  }
  const renew = async (): Promise<void> => {
    if (running.size === 0) return
    const held = await renewSources(pool, [...running.keys()], leaseMs)
    // One that has just ended is not held either.
    for (const [token, { lost }] of running) if (!held.has(token)) lost.abort()
  }

  const listener = listen({ pool, channel: productionChannel, log, onNotify: wake })
  const timers = [
    setInterval(wake, pollMs),
    setInterval(
      () =>
        void renew().catch((error) =>
          log.warn({ error: messageOf(error) }, 'leases of raw sources could not be renewed'),
        ),
      leaseMs / 3,
    ),
  ]
  return {
    wake,
    async close() {
      for (const timer of timers) clearInterval(timer)
      ending.abort()
      await listener.close()
      await looking
      await Promise.all([...running.values()].map(({ done }) => done))
    },
  }
}
