/** The delivery engine: claims what is due, lets a carrier attempt it, writes what came of it. */
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { changesChannel, createNotifier, deliveriesChannel, listen, type Notifier } from '../database/notifications.ts'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { AttemptReport, Carrier, LeasedDelivery, TargetKind } from './carrier.ts'
import { type Claim, type ClaimedDelivery, claimDeliveries, firstTurn, type Turn } from './claim.ts'
import { Hand, type Held } from './hand.ts'
import {
  type DisablePolicy,
  disableAfter,
  type Outcome,
  type ProbePolicy,
  probeLessAndLess,
  recordHealth,
} from './health.ts'
import { releaseLeases, renewLeases, showLeased } from './renew.ts'
import { type PausePolicy, pauseWhenAsked, type RetryPolicy, retryBySchedule } from './retry-policy.ts'
import { type Settlement, settleDeliveries } from './settle.ts'
import { SlotClock } from './slot-clock.ts'

export interface DeliveryEngineOptions {
  readonly pool: pg.Pool
  /** One per kind. Deliveries of a kind without a carrier are left to other processes. */
  readonly carriers: readonly Carrier[]
  readonly log: Log
  /** @default the schedule of Standard Webhooks, with jitter */
  readonly retryPolicy?: RetryPolicy
  /** Attempts that run at once; one that takes longer than a second no longer counts, up to twelve times as many in hand. @default 64 */
  readonly concurrency?: number
  /** After a process dies its deliveries are taken over when this has passed. @default 15000 */
  readonly leaseMs?: number
  /** Without any notification the database is asked this often. @default 1000 */
  readonly pollMs?: number
  /** So many failures in a row, and a target is shown as failing. @default 5 */
  readonly failingAfter?: number
  /** When a failing target is given up. @default after five days */
  readonly disablePolicy?: DisablePolicy
  /** When a target that was given up is tried with one delivery. @default after an hour, then ever later, each day at least */
  readonly probePolicy?: ProbePolicy
  /** How long all of a target's deliveries wait after an answer that asks for it. @default after 429, and 503 with Retry-After */
  readonly pausePolicy?: PausePolicy
  /** Hears what happens, for metrics. */
  readonly observer?: EngineObserver
}

export interface EngineObserver {
  /** A claim took so many deliveries. */
  claimed?(count: number, seconds: number): void
  /** An attempt ended. `queuedSeconds` is how long it had been due; only for first attempts. */
  attempted?(delivery: LeasedDelivery, report: AttemptReport, seconds: number, queuedSeconds: number | undefined): void
  /** So many results were written in one statement. */
  settled?(count: number, seconds: number): void
}

export interface DeliveryEngine {
  /** Attempts under way at this moment, those that take longer than a second not counted. */
  readonly running: number
  /** Deliveries leased by this process: queued, running or about to be written. */
  readonly inHand: number
  /**
   * Ends without losing anything: claims no more, gives back what has not begun,
   * waits up to `waitMs` (default 10000) for attempts, gives back those that still run.
   */
  stop(options?: { readonly waitMs?: number }): Promise<void>
}

/**
 * @example
 * const engine = startDeliveryEngine({ pool: database.pool, carriers: [webhookCarrier], log })
 * await engine.stop()
 */
export function startDeliveryEngine(options: DeliveryEngineOptions): DeliveryEngine {
  return new Engine(options)
}

/** A carrier keeps the timeout of its target; one that does not is given up after this much more. */
const graceMs = 5000
/** Results written in one statement. */
const mostSettled = 500
/** How often attempts that have become long give up their places. */
const longCheckMs = 200
/** Another process was claiming in a lane that we wanted: it takes a few milliseconds. */
const contendedMs = 5
/** After an error of the database. */
const pauseMs = 500

/**
 * A delivery is in one of these states (`deliveries.status`):
 *
 * - `pending`: written by the submitting transaction with `due_at` = now and
 *   nothing else set. `waiting`: an attempt failed and the retry policy named a
 *   time, or a stopping process cut one off; `due_at` is when the next one may be.
 *   Both leave by the end of a lease.
 * - `leased`: like the one it was before, and an attempt has been under way for a
 *   quarter of a second. It is for those who look; quick attempts never show it.
 * - `succeeded`, `exhausted` (the policy named no time), `cancelled` (when it came
 *   due its target was switched off, or its integration had lost sight of the
 *   session; or a person did it): final. `due_at` is null and `finished_at` set,
 *   exactly in these. A replay makes one `pending` again,
 *   with the numbers of attempts going on and the schedule of retries beginning anew.
 *
 * Who works on a delivery holds a **lease**: a row of `delivery_leases` with a
 * token, the number of the attempt, and an end. A claim makes leases and does not
 * write `deliveries`. The process renews them while it queues, attempts or writes;
 * the end of a lease (its row deleted, the delivery's state written, one
 * statement) needs its token. When a process dies its leases run out, and a claim
 * takes them over under a new token and the next attempt's number; whatever the
 * first process still writes is ignored, but for the attempt, which was made. A
 * process that was held up and finds its own delivery due again keeps the attempt
 * that it has under way.
 *
 * So a delivery is attempted at least once, and twice only where the result of an
 * attempt was lost, always with the same delivery id.
 *
 * A target's **lane** (`delivery_lanes`) is locked while somebody claims from it,
 * which makes order, rate and concurrency hold over all processes: see `claim.ts`.
 * Of an ordered target this process may lease several, but it starts one only when
 * the result of the one before is written, and gives the others back when that one
 * has to be tried again.
 *
 * In the process: one loop claims, whenever it is woken and there is room; `Hand`
 * says what may start; each attempt runs by itself; one writer settles results in
 * batches, as large as they grow while the batch before is being written.
 */
class Engine implements DeliveryEngine {
  readonly #pool: pg.Pool
  readonly #log: Log
  readonly #carriers: ReadonlyMap<TargetKind, Carrier>
  readonly #retryPolicy: RetryPolicy
  readonly #leaseMs: number
  readonly #pollMs: number
  readonly #health: {
    readonly failingAfter: number
    readonly disablePolicy: DisablePolicy
    readonly probePolicy: ProbePolicy
  }
  readonly #pausePolicy: PausePolicy
  readonly #observer: EngineObserver
  /** Names this process in leases. */
  readonly #workerId = randomUUID()
  readonly #hand: Hand
  readonly #clock = new SlotClock()
  readonly #results: {
    readonly held: Held
    readonly settlement: Settlement
    readonly outcome?: Outcome
    /** The target's other deliveries go back once this is written. */
    readonly halts?: boolean
  }[] = []
  readonly #attempts = new Set<AbortController>()
  readonly #listener: { close(): Promise<void> }
  readonly #renewal: NodeJS.Timeout
  readonly #longCheck: NodeJS.Timeout
  readonly #notifier: Notifier
  /** Tells live queries that attempts were written. */
  readonly #settled: Notifier
  readonly #loop: Promise<void>
  /** Whose turn it is in the next claim. */
  #turn: Turn = firstTurn
  #rateTimer: NodeJS.Timeout | undefined
  #stopping = false
  #stopped: Promise<void> | undefined
  #woken = false
  #wake = Promise.withResolvers<void>()
  /** The last claim left something behind, for want of room. */
  #hungry = false
  #writing: Promise<void> | undefined
  #idle: (() => void) | undefined
  /** Stopping, and nobody waits for the database to come back. */
  #lastChance = false

  constructor({
    pool,
    carriers,
    log,
    retryPolicy = retryBySchedule(),
    concurrency = 64,
    leaseMs = 15_000,
    pollMs = 1000,
    failingAfter = 5,
    disablePolicy = disableAfter(),
    probePolicy = probeLessAndLess(),
    pausePolicy = pauseWhenAsked(),
    observer = {},
  }: DeliveryEngineOptions) {
    this.#pool = pool
    this.#log = log
    this.#carriers = new Map(carriers.map((carrier) => [carrier.kind, carrier]))
    this.#retryPolicy = retryPolicy
    this.#leaseMs = leaseMs
    this.#pollMs = pollMs
    this.#health = { failingAfter, disablePolicy, probePolicy }
    this.#pausePolicy = pausePolicy
    this.#observer = observer
    this.#hand = new Hand({ concurrency })
    this.#listener = listen({ pool, channel: deliveriesChannel, log, onNotify: () => this.#poke() })
    this.#notifier = createNotifier({ pool, channels: [deliveriesChannel, changesChannel], log })
    this.#settled = createNotifier({ pool, channels: [changesChannel], log })
    this.#renewal = setInterval(() => void this.#renew(), leaseMs / 3)
    this.#longCheck = setInterval(() => {
      if (this.#hand.freeLong() > 0) this.#fill()
      void this.#show()
    }, longCheckMs)
    this.#loop = this.#claimUntilStopped()
  }

  get running(): number {
    return this.#hand.running
  }

  get inHand(): number {
    return this.#hand.size
  }

  stop({ waitMs = 10_000 }: { readonly waitMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(waitMs)
    return this.#stopped
  }

  async #stop(waitMs: number): Promise<void> {
    this.#stopping = true
    this.#poke()
    await this.#loop
    await this.#giveBack('queued')
    if (this.#hand.size > 0) {
      const timer = Promise.withResolvers<void>()
      const timeout = setTimeout(timer.resolve, waitMs)
      const idle = new Promise<void>((resolve) => {
        this.#idle = resolve
      })
      await Promise.race([idle, timer.promise])
      clearTimeout(timeout)
    }
    await this.#giveBack('running')
    for (const attempt of this.#attempts) attempt.abort(new Error('the worker stops'))
    this.#lastChance = true
    await this.#writing
    clearInterval(this.#renewal)
    clearInterval(this.#longCheck)
    clearTimeout(this.#rateTimer)
    await Promise.all([this.#listener.close(), this.#notifier.close(), this.#settled.close()])
  }

  /** Attempts that take their time are shown as leased. */
  async #show(): Promise<void> {
    const held = this.#hand.toShow()
    if (held.length === 0) return
    try {
      await showLeased(this.#pool, held.map(leaseOf))
      this.#settled.notify()
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'deliveries under way could not be shown as leased')
    }
  }

  /** If the database is away, the leases run out by themselves. */
  async #giveBack(
    stage: 'queued' | 'running',
    held: readonly Held[] = this.#hand.all().filter((each) => each.stage === stage),
  ): Promise<void> {
    if (held.length === 0) return
    for (const each of held) this.#hand.drop(each)
    try {
      await releaseLeases(this.#pool, held.map(leaseOf), { begun: stage === 'running' })
      this.#notifier.notify()
    } catch (error) {
      this.#log.warn(
        { error: messageOf(error), deliveries: held.length },
        'deliveries could not be given back; others take them when their leases end',
      )
    }
  }

  async #claimUntilStopped(): Promise<void> {
    while (!this.#stopping) {
      const limit = this.#hand.free
      if (limit <= 0) {
        this.#hungry = true
        await this.#sleep(this.#pollMs)
        continue
      }
      try {
        const room = this.#hand.room()
        const { more, filled } = await this.#claim(limit, room)
        this.#hungry = more || filled || [...room.values()].includes(0)
        // What came first may have filled its target; others are served by the next claim.
        if (more) continue
      } catch (error) {
        this.#log.error({ error: messageOf(error) }, 'deliveries could not be claimed')
        await this.#sleep(pauseMs)
        continue
      }
      await this.#sleep(this.#pollMs)
    }
  }

  async #claim(limit: number, room: ReadonlyMap<string, number>): Promise<Pick<Claim, 'more' | 'filled'>> {
    const token = randomUUID()
    const start = performance.now()
    const leaseUntil = start + this.#leaseMs
    const { deliveries, more, filled, contended, nextInMs, databaseNow, turn } = await claimDeliveries(this.#pool, {
      kinds: [...this.#carriers.keys()],
      workerId: this.#workerId,
      limit,
      room,
      share: this.#hand.share,
      token,
      leaseMs: this.#leaseMs,
      turn: this.#turn,
    })
    this.#turn = turn
    const claimedAt = this.#clock.localOf(databaseNow, start, performance.now())
    this.#observer.claimed?.(deliveries.length, (performance.now() - start) / 1000)
    if (contended) this.#pokeAfter(contendedMs)
    if (nextInMs !== undefined) this.#pokeAfter(nextInMs)
    for (const delivery of deliveries) {
      if (delivery.refusal === null && this.#hand.retake(delivery.id, token, leaseUntil)) continue
      const held = this.#hand.add(delivery, token, leaseUntil, claimedAt)
      if (delivery.refusal === null) continue
      const settlement: Settlement = { ...leaseOf(held), status: 'cancelled', last_error: delivery.refusal }
      this.#results.push({ held, settlement })
    }
    this.#write()
    this.#fill()
    return { more, filled }
  }

  /** Starts what may start. */
  #fill(): void {
    while (!this.#stopping) {
      const held = this.#hand.start()
      if (!held) break
      if (held.leaseUntil - performance.now() < this.#leaseMs / 10) {
        // The process was held up for so long that another may have it by now.
        this.#hand.drop(held)
        continue
      }
      void this.#attempt(held)
    }
    const next = this.#hand.nextStartAt
    if (next === undefined || this.#stopping) return
    clearTimeout(this.#rateTimer)
    this.#rateTimer = setTimeout(() => this.#fill(), Math.max(0, next - performance.now()))
  }

  async #attempt(held: Held): Promise<void> {
    const { delivery } = held
    const startedAt = new Date()
    const start = performance.now()
    const report = await this.#report(held)
    const duration = performance.now() - start
    // Given back meanwhile: the attempt of whoever has it now counts.
    if (!this.#hand.holds(held)) return

    this.#hand.ended(held, duration)
    this.#observed(delivery, report, { startedAt, duration })
    const attempt = {
      number: delivery.attempt,
      started_at: startedAt,
      duration_ms: Math.round(duration * 100) / 100,
      report,
    }
    const next = this.#nextState(delivery.attempt - (delivery.attempts_before_replay ?? 0), report)
    const pause_ms = this.#pausePolicy(report)
    // What else is in hand for a target that wants none, or must not be overtaken, goes back unbegun.
    const halts = pause_ms !== undefined || report.gone === true || (delivery.ordered && next.status === 'waiting')
    if (halts) this.#hand.halt(delivery.target_id)
    this.#results.push({
      held,
      halts,
      settlement: { ...leaseOf(held), ...next, ...(pause_ms === undefined ? {} : { pause_ms }), attempt },
      outcome: {
        kind: delivery.kind,
        target_id: delivery.target_id,
        succeeded: report.outcome === 'succeeded',
        ...(report.gone ? { gone: report.error_message ?? 'The endpoint answered that it is gone.' } : {}),
        ...(report.outcome === 'failed' && delivery.kind === 'webhook' ? { error: next.last_error ?? 'failed' } : {}),
      },
    })
    this.#write()
    this.#fill()
  }

  #observed(
    delivery: ClaimedDelivery,
    report: AttemptReport,
    { startedAt, duration }: { readonly startedAt: Date; readonly duration: number },
  ): void {
    const queued =
      delivery.attempt === 1 && !delivery.is_replayed
        ? (startedAt.getTime() - delivery.event.created_at.getTime()) / 1000
        : undefined
    this.#observer.attempted?.(delivery, report, duration / 1000, queued)
    if (report.outcome === 'succeeded') return
    const { id, kind, target_id, attempt } = delivery
    const { status_code, error_class, error_message } = report
    // What a connector says may quote a session, which is no matter of logs.
    const error = kind === 'webhook' ? error_message : undefined
    this.#log.info({ delivery: id, [kind]: target_id, attempt, status_code, error_class, error }, 'an attempt failed')
  }

  async #report({ delivery }: Held): Promise<AttemptReport> {
    const limit = delivery.timeout_ms + graceMs
    const late = Promise.withResolvers<AttemptReport>()
    const giveUp = new AbortController()
    this.#attempts.add(giveUp)
    const timeout = setTimeout(() => {
      giveUp.abort(new Error('the attempt took too long'))
      late.resolve({
        outcome: 'failed',
        error_class: 'timeout',
        error_message: `The attempt did not end within ${limit} ms.`,
      })
    }, limit)
    try {
      const carrier = this.#carriers.get(delivery.kind)
      if (!carrier) throw new Error(`no carrier for ${delivery.kind}`)
      return await Promise.race([carrier.deliver(delivery, { signal: giveUp.signal }), late.promise])
    } catch (error) {
      this.#log.error({ error, delivery: delivery.id }, 'a carrier threw')
      return {
        outcome: 'failed',
        error_class: 'internal',
        error_message: error instanceof SluiceError ? error.message : 'An internal error; its details are in the log.',
      }
    } finally {
      clearTimeout(timeout)
      this.#attempts.delete(giveUp)
    }
  }

  #nextState(attempt: number, report: AttemptReport): Pick<Settlement, 'status' | 'delay_ms' | 'last_error'> {
    if (report.outcome === 'succeeded') return { status: 'succeeded' }
    const last_error = report.error_message ?? report.error_class ?? 'failed'
    const now = new Date()
    const next = this.#retryPolicy({ attempt, now, report })
    if (!next) return { status: 'exhausted', last_error }
    return { status: 'waiting', delay_ms: Math.max(0, next.getTime() - now.getTime()), last_error }
  }

  /** Lets the one writer run, if it does not. */
  #write(): void {
    if (this.#results.length === 0) {
      if (this.#hand.size === 0) this.#idle?.()
      return
    }
    if (this.#lastChance && this.#writing === undefined) return
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
      this.#write()
    })
  }

  async #writeAll(): Promise<void> {
    while (this.#results.length > 0) {
      const batch = this.#results.slice(0, mostSettled)
      const settlements = batch.map(({ settlement }) => settlement)
      const durable = batch.some(({ held }) => held.delivery.ordered)
      const start = performance.now()
      try {
        const settled = await this.#settle(settlements, durable)
        this.#observer.settled?.(batch.length, (performance.now() - start) / 1000)
        this.#settled.notify()
        this.#results.splice(0, batch.length)
        const returned: Held[] = []
        for (const { held, settlement, halts } of batch) {
          this.#hand.drop(held)
          const isLost = !settled.has(settlement.delivery_id)
          if (halts || (isLost && held.delivery.ordered))
            returned.push(...this.#hand.takeQueued(held.delivery.target_id))
          if (isLost) {
            this.#log.warn({ delivery: settlement.delivery_id }, 'the lease was lost before the result was written')
          } else if (settlement.delay_ms !== undefined) this.#pokeAfter(settlement.delay_ms)
        }
        // The next of an ordered target waits for this.
        this.#fill()
        await this.#giveBack('queued', returned)
        if (this.#hungry && this.#hand.isWorthClaiming(batch.map(({ held }) => held.delivery.target_id))) this.#poke()
      } catch (error) {
        this.#log.error(
          { error: messageOf(error), results: batch.length },
          'results could not be written; trying again',
        )
        // Stopping without a database: the leases end by themselves.
        if (this.#lastChance) return
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
        continue
      }
      const outcomes = batch.flatMap(({ outcome }) => outcome ?? [])
      try {
        const released = await recordHealth(this.#pool, outcomes, this.#health)
        if (released.length > 0) this.#notifier.notify()
      } catch (error) {
        this.#log.error({ error: messageOf(error) }, 'the health of targets could not be written')
      }
    }
  }

  /** A batch that the database refuses for its content (a session deleted at that moment) is written one by one. */
  async #settle(settlements: readonly Settlement[], durable: boolean): Promise<ReadonlySet<string>> {
    try {
      return await settleDeliveries(this.#pool, settlements, { durable })
    } catch (error) {
      if (!isRefusedContent(error)) throw error
      const settled = new Set<string>()
      for (const settlement of settlements) {
        try {
          for (const id of await settleDeliveries(this.#pool, [settlement], { durable })) settled.add(id)
        } catch (single) {
          if (!isRefusedContent(single)) throw single
          this.#log.error(
            { error: messageOf(single), delivery: settlement.delivery_id },
            'a result could not be written',
          )
        }
      }
      return settled
    }
  }

  async #renew(): Promise<void> {
    const now = performance.now()
    const held = this.#hand.all().filter(({ leaseUntil }) => leaseUntil - now < (this.#leaseMs * 2) / 3)
    if (held.length === 0) return
    try {
      const kept = await renewLeases(this.#pool, held.map(leaseOf), this.#leaseMs)
      for (const each of held) {
        if (kept.has(each.delivery.id)) each.leaseUntil = now + this.#leaseMs
        else if (each.stage === 'queued') this.#hand.drop(each)
      }
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'leases could not be renewed')
    }
  }

  #poke(): void {
    this.#woken = true
    this.#wake.resolve()
  }

  /** A retry that is due soon is not left to the poll. */
  #pokeAfter(ms: number): void {
    if (ms < this.#pollMs * 10) setTimeout(() => this.#poke(), ms + 1).unref()
  }

  /** Until poked, at most `ms`. A poke that came since the last sleep counts. */
  async #sleep(ms: number): Promise<void> {
    if (!this.#woken && !this.#stopping) {
      const timeout = setTimeout(this.#wake.resolve, ms)
      await this.#wake.promise
      clearTimeout(timeout)
    }
    this.#woken = false
    this.#wake = Promise.withResolvers()
  }
}

function leaseOf({ delivery, token }: Held): { readonly delivery_id: string; readonly lease_token: string } {
  return { delivery_id: delivery.id, lease_token: token }
}

/** Classes 22 and 23: bad data, a broken constraint. Everything else passes or is a defect that a retry shows. */
function isRefusedContent(error: unknown): boolean {
  return /^2[23]/.test(String((error as { code?: unknown }).code ?? ''))
}
