/**
 * The settling engine: every worker runs one. It takes sessions that wait, asks their modifiers, and announces what the
 * session says in the end.
 *
 * A row of `session_settlings` is
 * - **waiting** while `due_at` has passed or no lease is out;
 * - **leased** from `claimSettlings` until `due_at`, which `renewSettlings` puts off while its chain runs; when its worker
 *   dies it is waiting again, with one more in `attempts`;
 * - **gone** with `finishSettling`, in the statement that writes what came of it.
 *
 * While the chain runs (`settling-chain.ts`) all of it is in memory. It begins with what the last update says that waits in
 * `pending_revisions`, or with the session; readers have what is in `sessions` until the end is written. Whatever comes in meanwhile (an update, somebody who
 * asks for a modifier) raises the revision or `version`, so that the end is not written: the chain starts again on the
 * newest. A session whose source does not stop to update it, or whose workers keep dying, is announced all the same.
 */
import type pg from 'pg'
import { listen, settlingsChannel } from '../database/notifications.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { jsonProblem } from '../tables/predicate.ts'
import { judgeData } from './payload-schemas.ts'
import type { SchemaChecker } from './schema-checker.ts'
import { runChain } from './settling-chain.ts'
import {
  type ClaimedSettling,
  claimSettlings,
  finishSettling,
  type ModifierRun,
  releaseSettling,
  renewSettlings,
  returnSettlings,
  type Settled,
  type SettledChange,
  type SettlingEnd,
  type SettlingModifier,
} from './settling-sql.ts'
import { canonicalJson, contentHash } from './submission.ts'
import { matchingTargets } from './targets.ts'
import { tripOfData } from './trips.ts'

/** One question to one modifier. */
export interface ModifierQuestion {
  readonly modifier: SettlingModifier
  readonly session_id: string
  readonly session: ClaimedSettling['session']
  /** What the event at the end will be, as far as it is known. */
  readonly type: 'session.submitted' | 'session.updated'
  readonly revision: number
  readonly data: unknown
  /** `connector_data` as it stands, with what this chain has changed. */
  readonly extension: unknown
  /** From 1. */
  readonly attempt: number
}

export interface ModifierAnswer {
  /** The whole data as the modifier wants it; undefined for no change. */
  readonly data?: unknown
  /** It failed, and trying again shortly may help. */
  readonly again: boolean
  /** Undefined when it is stored already, or the run was stopped. */
  readonly run: ModifierRun | undefined
  /** What it changed of the extension data: an argument of `merge_extension_data`. */
  readonly extension?: unknown
}

/** Runs modifiers. The sandbox is behind it. */
export interface Modifiers {
  /** Never throws for what a modifier does. */
  modify(question: ModifierQuestion, signal: AbortSignal): Promise<ModifierAnswer>
  /** Two changes of extension data as one, the second over the first. */
  combine(first: unknown, second: unknown): unknown
  /** Extension data with a change. */
  apply(extension: unknown, change: unknown): unknown
}

export interface SettlingOptions {
  readonly pool: pg.Pool
  readonly checker: SchemaChecker
  readonly modifiers: Modifiers
  readonly log: Log
  /** Days that a grant still lasts after its first retrieval, where the team has not set its own. */
  readonly retentionAfterRetrievalDays: number
  /** Bytes that the data of a session may have, as when it is submitted; a change to more is not taken. @default 5 MiB */
  readonly maxDataBytes?: number
  /** Called when rows have changed: deliveries are due, live queries have something to show. */
  readonly committed?: () => void
  /** Told of each session that has settled: how long its modifiers took, in seconds, and their changes; for metrics. */
  readonly observe?: (took: number, changes: number) => void
  /** Chains at once. @default 256 */
  readonly most?: number
  /** @default 15 000 */
  readonly leaseMs?: number
  /** Without a notification. @default 500 */
  readonly pollMs?: number
  /** Before each further try of a modifier that failed. @default [1000, 3000] */
  readonly retryMs?: readonly number[]
  /** @default 10 */
  readonly maxRounds?: number
}

export interface Settling {
  /** Looks for sessions that wait, at once. */
  wake(): void
  /** Stops what runs and gives it back. */
  close(): Promise<void>
}

/** Sessions of one claim. */
const batch = 32
/** Claims without an end, and chains that were overtaken, before a session is announced as it is. */
const mostAttempts = 5
const mostRestarts = 20
/** Raised by `merge_extension_data`. */
const extensionDataTooLarge = 'SLX01'
/** A modifier that failed for so many sessions one after the other is left out for a while, so that not all of them wait. */
const patience = { failures: 5, restMs: 30_000 }

/**
 * @example
 * const settling = startSettling({ pool, checker, modifiers, log, retentionAfterRetrievalDays: 5 })
 * await settling.close()
 */
export function startSettling(options: SettlingOptions): Settling {
  return new SettlingEngine(options)
}

class SettlingEngine implements Settling {
  readonly #options: Required<SettlingOptions>
  readonly #closing = new AbortController()
  readonly #chains = new Map<string, Promise<void>>()
  readonly #resting = new Map<string, { failures: number; until: number }>()
  readonly #listener: { close(): Promise<void> }
  readonly #poll: NodeJS.Timeout
  readonly #renewal: NodeJS.Timeout
  #claiming: Promise<void> | undefined
  #again = false

  constructor({
    most = 256,
    leaseMs = 15_000,
    pollMs = 500,
    retryMs = [1000, 3000],
    maxRounds = 10,
    maxDataBytes = 5 * 1024 * 1024,
    committed = () => undefined,
    observe = () => undefined,
    ...options
  }: SettlingOptions) {
    this.#options = { most, leaseMs, pollMs, retryMs, maxRounds, maxDataBytes, committed, observe, ...options }
    const { pool, log } = options
    this.#listener = listen({ pool, channel: settlingsChannel, log, onNotify: () => this.wake() })
    this.#poll = setInterval(() => this.wake(), pollMs)
    this.#renewal = setInterval(() => void this.#renew(), leaseMs / 3)
    this.wake()
  }

  wake(): void {
    if (this.#closing.signal.aborted) return
    this.#again = true
    this.#claiming ??= this.#claim().finally(() => {
      this.#claiming = undefined
    })
  }

  async close(): Promise<void> {
    this.#closing.abort()
    clearInterval(this.#poll)
    await this.#listener.close()
    await this.#claiming
    await Promise.all(this.#chains.values())
    clearInterval(this.#renewal)
  }

  async #claim(): Promise<void> {
    const { pool, log, most, leaseMs, retentionAfterRetrievalDays } = this.#options
    try {
      while (this.#again) {
        this.#again = false
        const free = Math.min(batch, most - this.#chains.size)
        if (free <= 0) return
        const claimed = await claimSettlings(pool, { most: free, leaseMs, mostAttempts, retentionAfterRetrievalDays })
        if (this.#closing.signal.aborted) {
          await returnSettlings(
            pool,
            claimed.map(({ lease_token }) => lease_token),
          )
          return
        }
        for (const settling of claimed) this.#begin(settling)
        if (claimed.length === free) this.#again = true
      }
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'sessions that wait for their modifiers could not be claimed')
    }
  }

  #begin(settling: ClaimedSettling): void {
    const wasFull = this.#chains.size >= this.#options.most
    const chain = this.#settle(settling)
      .catch((error) => this.#giveBack(settling, error))
      .finally(() => {
        this.#chains.delete(settling.lease_token)
        if (wasFull || this.#chains.size === this.#options.most - 1) this.wake()
      })
    this.#chains.set(settling.lease_token, chain)
  }

  async #renew(): Promise<void> {
    const { pool, leaseMs, log } = this.#options
    if (this.#chains.size === 0) return
    await renewSettlings(pool, [...this.#chains.keys()], leaseMs).catch((error) =>
      log.warn({ error: messageOf(error) }, 'leases of sessions that settle could not be renewed'),
    )
  }

  async #settle(settling: ClaimedSettling): Promise<void> {
    const { pool, modifiers, maxRounds, committed, observe } = this.#options
    const begun = performance.now()
    const { session, grants, targets } = settling
    const content = JSON.parse(settling.data) as unknown
    const fingerprint = remembered(canonicalJson)
    const runs: ModifierRun[] = []
    let extension = inOne(settling.extensions, modifiers.combine)
    let schemaUrl = session.schema_url
    let made = 0
    const overtaken = settling.restarts >= mostRestarts
    const fatal = settling.attempts > mostAttempts
    for (const modifier of fatal ? settling.modifiers : []) {
      runs.push(
        runOf(
          modifier,
          session.revision,
          `It was left out: ${mostAttempts} times, the worker ended that had asked it. ${mend}`,
        ),
      )
    }
    const failed = new Set<string>()
    const ask = async (modifier: SettlingModifier, data: unknown): Promise<unknown> => {
      if (failed.has(modifier.id)) return undefined
      const question = {
        modifier,
        session_id: settling.session_id,
        session,
        type: settling.event_type ?? 'session.updated',
        revision: session.revision + made,
        data,
      } as const
      const present = () =>
        extension === null ? session.connector_data : modifiers.apply(session.connector_data, extension)
      const answer = await this.#askPatiently(question, present, runs)
      if (answer.again) failed.add(modifier.id)
      let wanted = answer.data
      if (wanted !== undefined) {
        const judged = await this.#judge(settling, wanted, (each) => fingerprint(each) === fingerprint(data))
        if (judged.fault !== undefined) {
          const place = answer.run ? runs.lastIndexOf(answer.run) : -1
          const run = answer.run ?? runOf(modifier, question.revision, null)
          failed.add(modifier.id)
          runs.splice(place >= 0 ? place : runs.length, 1, { ...run, status: 'failed', message: judged.fault })
          return undefined
        }
        if (judged.changed) {
          schemaUrl = judged.schemaUrl
          made += 1
        } else wanted = undefined
      }
      if (answer.extension !== undefined) extension = modifiers.combine(extension ?? undefined, answer.extension)
      return wanted
    }
    const chain = await runChain<SettlingModifier>({
      content,
      modifiers: overtaken || fatal ? [] : settling.modifiers,
      upToDate: upToDateAtFirst(settling),
      fingerprint,
      modify: ask,
      maxRounds,
    })
    if (this.#closing.signal.aborted) {
      await releaseSettling(pool, settling, { runs: [], delayMs: 0, restarted: false })
      return
    }
    const type = settling.event_type ?? (chain.changes.length > 0 ? 'session.updated' : null)
    const end: SettlingEnd = {
      settling,
      written: session.written,
      changes: chain.changes.map(({ modifier, content }) =>
        changeOf(settling, schemaUrl, modifier, content, fingerprint),
      ),
      schemaUrl,
      type,
      targets:
        type === null
          ? []
          : matchingTargets({ ...session, type }, grants, targets).filter(({ kind }) => kind !== 'modifier'),
      runs,
      extension,
      trip: tripNamedBy(
        settling,
        chain.changes.length > 0 || session.revision > session.written ? chain.content : undefined,
      ),
      loop: loopOf(settling, chain.loop),
      askAgain: overtaken,
    }
    const settled = await this.#finish(end)
    if (settled) {
      observe((performance.now() - begun) / 1000, chain.changes.length)
      committed()
    } else {
      await releaseSettling(pool, settling, { runs, delayMs: 0, restarted: true })
      this.wake()
    }
  }

  /** What connectors wrote beside the session grows meanwhile: where there is no room left for what this adds, it is left out. */
  async #finish(end: SettlingEnd): Promise<Settled | undefined> {
    const { pool, log } = this.#options
    return finishSettling(pool, end).catch((error: unknown) => {
      if (end.extension === null || (error as { code?: unknown }).code !== extensionDataTooLarge) throw error
      log.warn(
        { session: end.settling.session_id },
        'extension data of a session that settled was left out: too much of it',
      )
      return finishSettling(pool, { ...end, extension: null })
    })
  }

  /** Tries again shortly, and then goes on without it. */
  async #askPatiently(
    question: Omit<ModifierQuestion, 'attempt' | 'extension'>,
    extension: () => unknown,
    runs: ModifierRun[],
  ): Promise<ModifierAnswer> {
    const { modifiers, retryMs } = this.#options
    const { signal } = this.#closing
    const { modifier } = question
    const rest = this.#resting.get(modifier.id)
    if (rest && rest.until > performance.now()) {
      const why = `It was left out, because it failed for ${rest.failures} sessions one after the other. ${mend}`
      runs.push(runOf(modifier, question.revision, why))
      return { again: true, run: undefined }
    }
    for (let attempt = 1; ; attempt++) {
      const answer = await modifiers.modify({ ...question, extension: extension(), attempt }, signal)
      if (signal.aborted) return { again: false, run: undefined }
      if (answer.run) runs.push(answer.run)
      const wait = retryMs[attempt - 1]
      if (!answer.again || wait === undefined || (rest && rest.failures >= patience.failures)) {
        this.#remember(modifier.id, answer.again)
        return answer
      }
      await pause(wait, signal)
      if (signal.aborted) return { again: false, run: undefined }
    }
  }

  #remember(id: string, failed: boolean): void {
    if (!failed) {
      this.#resting.delete(id)
      return
    }
    const failures = (this.#resting.get(id)?.failures ?? 0) + 1
    const until = failures >= patience.failures ? performance.now() + patience.restMs : 0
    this.#resting.set(id, { failures, until })
  }

  /** Whether a change may be taken. */
  async #judge(
    { session, required, schemas }: ClaimedSettling,
    wanted: unknown,
    isPresent: (content: object) => boolean,
  ): Promise<{ readonly changed: boolean; readonly schemaUrl: string | null; readonly fault?: string }> {
    const { pool, checker, maxDataBytes } = this.#options
    const { team_id, schema_url: stated } = session
    const refused = (fault: string) => ({ changed: false, schemaUrl: stated, fault })
    if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) {
      return refused('The change was not taken: the data of a session is an object.')
    }
    const problem = jsonProblem(wanted)
    if (problem !== null) return refused(`The change was not taken: its data ${problem}.`)
    if (isPresent(wanted)) return { changed: false, schemaUrl: stated }
    const data = JSON.stringify(wanted)
    const bytes = Buffer.byteLength(data)
    if (bytes > maxDataBytes) {
      return refused(
        `The change was not taken: it would make the data ${bytes} bytes long, and a session's may have ${maxDataBytes} (MAX_BODY_BYTES).`,
      )
    }
    const { schema_url, problems } = await judgeData(
      { team_id, required, stated, facts: schemas, data },
      { database: { pool }, checker },
    )
    const [first] = problems
    if (!first) return { changed: true, schemaUrl: schema_url }
    return refused(
      `The change was not taken, because the data would not follow its schema any more: ${first.path || 'the whole'} ${first.message}`,
    )
  }

  async #giveBack(settling: ClaimedSettling, error: unknown): Promise<void> {
    const { pool, log } = this.#options
    log.error(
      { session: settling.session_id, error: messageOf(error) },
      'a session could not be settled; it is tried again',
    )
    await releaseSettling(pool, settling, { runs: [], delayMs: 1000 * settling.attempts, restarted: false }).catch(
      // The lease ends by itself.
      () => undefined,
    )
  }
}

/** Each object's is made once: of a chain's contents several are asked for four times. */
function remembered(print: (content: unknown) => string): (content: unknown) => string {
  const known = new WeakMap<object, string>()
  return (content) => {
    if (typeof content !== 'object' || content === null) return print(content)
    const printed = known.get(content) ?? print(content)
    known.set(content, printed)
    return printed
  }
}

/** What the updates that wait bring for the extension data. */
function inOne(extensions: readonly unknown[], combine: Modifiers['combine']): unknown {
  return extensions.reduce((all, each) => (all === null ? each : combine(all, each)), null)
}

/** A booking stays in its trip, unless an update or its modifiers made it name another one by UUID. */
function tripNamedBy({ session }: ClaimedSettling, content: unknown): SettlingEnd['trip'] {
  if (content === undefined || session.kind !== 'booking') return null
  const { reference, title } = tripOfData(content)
  return reference?.startsWith('trip:') && reference !== session.trip?.reference ? { reference, title } : null
}

/** Who is asked from the start: those that the event is for, or that somebody asked for; not the author of what is there. */
function upToDateAtFirst({ event_type, asked, modifiers, session }: ClaimedSettling): ReadonlySet<string> {
  const ids = modifiers.map(({ id }) => id).filter((id) => !asked.includes(id))
  const author = session.author_kind === 'connection' ? session.author_id : null
  return new Set(event_type === null ? ids : ids.filter((id) => id === author))
}

function changeOf(
  { session }: ClaimedSettling,
  schemaUrl: string | null,
  modifier: SettlingModifier,
  content: unknown,
  print: (content: unknown) => string,
): SettledChange {
  const { team, flow, kind, payment_id, config } = session
  const data = content as Record<string, unknown>
  return {
    data: JSON.stringify(data),
    hash: contentHash({ team, flow, kind, data, payment_id, config, schema_url: schemaUrl }, print),
    author: modifier.id,
  }
}

const loopReasons = {
  repeated: 'A change brought back what the session said before, so it was not taken.',
  rounds: 'They had not come to an end after the longest chain that is allowed.',
} as const

function loopOf(
  { session_id }: ClaimedSettling,
  loop: { readonly reason: keyof typeof loopReasons; readonly modifiers: readonly SettlingModifier[] } | null,
) {
  const last = loop?.modifiers.at(-1)
  if (!loop || !last) return null
  return {
    connection_id: last.id,
    name: last.name,
    session_id,
    reason: `Modifiers kept changing a session in turns. ${loopReasons[loop.reason]}`,
    connections: loop.modifiers.map(({ id, name }) => ({ id, name })),
  }
}

const mend = 'Mend it, then call modify_session for this session.'

/** A failed run that did not take place. */
function runOf({ id, connector }: SettlingModifier, revision: number, message: string | null): ModifierRun {
  return {
    connection_id: id,
    attempt: 1,
    status: 'failed',
    message,
    log: [],
    calls: [],
    connector,
    revision,
    started_at: new Date().toISOString(),
    duration_ms: 0,
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
