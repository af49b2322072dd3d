/** The delivery engine: claims what is due, lets a carrier attempt it, writes what came of it. */
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { changesChannel, createNotifier, deliveriesChannel, listen, type Notifier } from '../database/notifications.ts'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { AttemptReport, Carrier, TargetKind } from './carrier.ts'
import { claimDeliveries } from './claim.ts'
import { Hand, type Held } from './hand.ts'
import { type Outcome, recordHealth } from './health.ts'
import { releaseLeases, renewLeases } from './renew.ts'
import { type RetryPolicy, retryBySchedule } from './retry-policy.ts'
import { type Settlement, settleDeliveries } from './settle.ts'

export interface DeliveryEngineOptions {
  readonly pool: pg.Pool
  /** One per kind. Deliveries of a kind without a carrier are left to other processes. */
  readonly carriers: readonly Carrier[]
  readonly log: Log
  /** @default the schedule of Standard Webhooks, with jitter */
  readonly retryPolicy?: RetryPolicy
  /** Attempts that run at once; one that takes longer than a second no longer counts, up to four times as many. @default 64 */
  readonly concurrency?: number
  /** After a process dies its deliveries are taken over when this has passed. @default 15000 */
  readonly leaseMs?: number
  /** Without any notification the database is asked this often. @default 1000 */
  readonly pollMs?: number
  /** So many failures in a row, and a webhook is shown as failing. @default 5 */
  readonly failingAfter?: number
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
/** After an error of the database. */
const pauseMs = 500

/**
 * A delivery is in one of these states (`deliveries.status`):
 *
 * - `pending`: written by the submitting transaction with `due_at` = now and
 *   nothing else set. Leaves by a claim.
 * - `leased`: a process works on it. `lease_token` names the claim, `due_at` is
 *   when the lease ends, `attempt_count` counts the attempt that the claim is for.
 *   The process renews the lease while it queues, attempts or writes. When it
 *   dies, `due_at` passes, and the delivery is claimed again like any that is due,
 *   under a new token; whatever the first process still writes is ignored, because
 *   every write names its token.
 * - `waiting`: an attempt failed and the retry policy named a time, or a stopping
 *   process gave it back. `due_at` is the time of the next attempt. Leaves by a claim.
 * - `succeeded`, `exhausted` (the policy named no time), `cancelled` (when it came
 *   due its target was switched off, or its integration had lost sight of the
 *   session): final. `due_at` and `lease_token` are null, `finished_at` is set.
 *
 * So a delivery is attempted at least once, and twice only where the result of an
 * attempt was lost, always with the same delivery id.
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
  readonly #failingAfter: number
  readonly #hand: Hand
  readonly #results: { readonly held: Held; readonly settlement: Settlement; readonly outcome?: Outcome }[] = []
  readonly #attempts = new Set<AbortController>()
  readonly #listener: { close(): Promise<void> }
  readonly #renewal: NodeJS.Timeout
  readonly #longCheck: NodeJS.Timeout
  readonly #notifier: Notifier
  /** Tells live queries that attempts were written. */
  readonly #settled: Notifier
  readonly #loop: Promise<void>
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
  }: DeliveryEngineOptions) {
    this.#pool = pool
    this.#log = log
    this.#carriers = new Map(carriers.map((carrier) => [carrier.kind, carrier]))
    this.#retryPolicy = retryPolicy
    this.#leaseMs = leaseMs
    this.#pollMs = pollMs
    this.#failingAfter = failingAfter
    this.#hand = new Hand({ concurrency })
    this.#listener = listen({ pool, channel: deliveriesChannel, log, onNotify: () => this.#poke() })
    this.#notifier = createNotifier({ pool, channels: [deliveriesChannel, changesChannel], log })
    this.#settled = createNotifier({ pool, channels: [changesChannel], log })
    this.#renewal = setInterval(() => void this.#renew(), leaseMs / 3)
    this.#longCheck = setInterval(() => {
      if (this.#hand.freeLong() > 0) this.#fill()
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
    await Promise.all([this.#listener.close(), this.#notifier.close(), this.#settled.close()])
  }

  /** If the database is away, the leases run out by themselves. */
  async #giveBack(stage: 'queued' | 'running'): Promise<void> {
    const held = this.#hand.all().filter((each) => each.stage === stage)
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
        const more = await this.#claim(limit, room)
        this.#hungry = more || [...room.values()].includes(0)
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

  /** @returns whether more is due, and could be claimed at once. */
  async #claim(limit: number, room: ReadonlyMap<string, number>): Promise<boolean> {
    const token = randomUUID()
    const leaseUntil = performance.now() + this.#leaseMs
    const { deliveries, more } = await claimDeliveries(this.#pool, {
      kinds: [...this.#carriers.keys()],
      limit,
      room,
      share: this.#hand.share,
      token,
      leaseMs: this.#leaseMs,
    })
    for (const delivery of deliveries) {
      const held = this.#hand.add(delivery, token, leaseUntil)
      if (delivery.refusal === null) continue
      const settlement: Settlement = { ...leaseOf(held), status: 'cancelled', last_error: delivery.refusal }
      this.#results.push({ held, settlement })
    }
    this.#write()
    this.#fill()
    return more
  }

  /** Starts what may start. */
  #fill(): void {
    while (!this.#stopping) {
      const held = this.#hand.start()
      if (!held) return
      if (held.leaseUntil - performance.now() < this.#leaseMs / 10) {
        // The process was held up for so long that another may have it by now.
        this.#hand.drop(held)
        continue
      }
      void this.#attempt(held)
    }
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
    const attempt = {
      number: delivery.attempt,
      started_at: startedAt,
      duration_ms: Math.round(duration * 100) / 100,
      report,
    }
    this.#results.push({
      held,
      settlement: { ...leaseOf(held), ...this.#nextState(delivery.attempt, report), attempt },
      outcome:
        delivery.kind === 'webhook'
          ? {
              webhook_id: delivery.target_id,
              succeeded: report.outcome === 'succeeded',
              gone: report.gone ? (report.error_message ?? 'The endpoint answered that it is gone.') : undefined,
            }
          : undefined,
    })
    this.#write()
    this.#fill()
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
      try {
        const settled = await this.#settle(settlements)
        this.#settled.notify()
        this.#results.splice(0, batch.length)
        for (const { held, settlement } of batch) {
          this.#hand.drop(held)
          if (!settled.has(settlement.delivery_id)) {
            this.#log.warn({ delivery: settlement.delivery_id }, 'the lease was lost before the result was written')
          } else if (settlement.delay_ms !== undefined) this.#pokeAfter(settlement.delay_ms)
        }
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
      await recordHealth(this.#pool, outcomes, { failingAfter: this.#failingAfter }).catch((error) =>
        this.#log.error({ error: messageOf(error) }, 'the health of webhooks could not be written'),
      )
    }
  }

  /** A batch that the database refuses for its content (a session deleted at that moment) is written one by one. */
  async #settle(settlements: readonly Settlement[]): Promise<ReadonlySet<string>> {
    try {
      return await settleDeliveries(this.#pool, settlements)
    } catch (error) {
      if (!isRefusedContent(error)) throw error
      const settled = new Set<string>()
      for (const settlement of settlements) {
        try {
          for (const id of await settleDeliveries(this.#pool, [settlement])) settled.add(id)
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
