/**
 * What one process has in hand: its leased deliveries, by target. Decides which
 * of them may start now and how much more may be claimed. Pure bookkeeping; it
 * knows neither the database nor the network.
 */
import type { ClaimedDelivery } from './claim.ts'

/** A leased delivery in hand. `queued` until it is started; `settling` once its result waits to be written. */
export interface Held {
  readonly delivery: ClaimedDelivery
  readonly token: string
  /** On the monotonic clock: from then on another process may have it. */
  leaseUntil: number
  stage: 'queued' | 'running' | 'settling'
  /** On the monotonic clock, once started. */
  startedAt: number
  /** It runs, but no longer takes one of the process's places. */
  isLong: boolean
}

interface Target {
  readonly id: string
  readonly concurrency: number
  readonly queue: Held[]
  running: number
  held: number
  /** Moving average of an attempt's duration; undefined before the first ended. */
  meanMs: number | undefined
}

/** Below this mean, waiting for a claim between two attempts would cost more than holding some in reserve. */
const quickMs = 100
/** How many times its concurrency a quick target may have in hand, written results included. */
const reserve = 4
/** How many times the process's concurrency it may have in hand. */
const mostInHand = 4
/** An attempt that takes longer mostly waits, which costs next to nothing: its place goes to another. */
const longMs = 1000

export interface HandOptions {
  /** Attempts that run at once, long ones not counted. */
  readonly concurrency: number
}

export class Hand {
  readonly #held = new Map<string, Held>()
  /** The target that was served last is the last: a ring. */
  readonly #targets = new Map<string, Target>()
  readonly #concurrency: number
  #running = 0

  constructor({ concurrency }: HandOptions) {
    this.#concurrency = concurrency
  }

  /** No target takes more than a quarter of the process, so that several slow ones leave room for others. */
  get share(): number {
    return Math.max(1, Math.ceil(this.#concurrency / 4))
  }

  /** Attempts that take a place. */
  get running(): number {
    return this.#running
  }

  get size(): number {
    return this.#held.size
  }

  /** How many more may be claimed. Larger claims and results cost the database less each. */
  get free(): number {
    return this.#concurrency * mostInHand - this.#held.size
  }

  /** How many more each target in hand may get. Less than half a target's allowance is not worth a claim and counts as none. */
  room(): ReadonlyMap<string, number> {
    const rooms = new Map<string, number>()
    for (const [id, target] of this.#targets) {
      const limit = Math.min(target.concurrency, this.share)
      const isQuick = target.meanMs !== undefined && target.meanMs < quickMs
      const allowance = isQuick ? limit * reserve : limit
      const left = allowance - target.held
      rooms.set(id, isQuick && left < allowance / 2 ? 0 : Math.max(0, left))
    }
    return rooms
  }

  /** Whether a claim would bring enough for one of these targets, whose deliveries were just dropped. */
  isWorthClaiming(targets: readonly string[]): boolean {
    if (this.free < this.#concurrency / 4) return false
    const room = this.room()
    return targets.some((target) => room.get(target) !== 0)
  }

  /** One that must not be delivered is never queued. */
  add(delivery: ClaimedDelivery, token: string, leaseUntil: number): Held {
    const stage = delivery.refusal === null ? 'queued' : 'settling'
    const held: Held = { delivery, token, leaseUntil, stage, startedAt: 0, isLong: false }
    this.#held.set(delivery.id, held)
    const target = this.#targets.get(delivery.target_id) ?? {
      id: delivery.target_id,
      concurrency: delivery.concurrency,
      queue: [],
      running: 0,
      held: 0,
      meanMs: undefined,
    }
    target.held++
    if (held.stage === 'queued') target.queue.push(held)
    this.#targets.set(target.id, target)
    return held
  }

  /** The next delivery that may start, target after target in turn; marks it as running. */
  start(now = performance.now()): Held | undefined {
    if (this.#running >= this.#concurrency) return undefined
    for (const target of this.#targets.values()) {
      if (target.running >= Math.min(target.concurrency, this.share)) continue
      const held = target.queue.shift()
      if (!held) continue
      this.#targets.delete(target.id)
      this.#targets.set(target.id, target)
      held.stage = 'running'
      held.startedAt = now
      target.running++
      this.#running++
      return held
    }
    return undefined
  }

  /** Frees the places of attempts that have become long. They still count for their targets. @returns how many. */
  freeLong(now = performance.now()): number {
    let freed = 0
    for (const held of this.#held.values()) {
      if (held.stage !== 'running' || held.isLong || now - held.startedAt < longMs) continue
      held.isLong = true
      this.#running--
      freed++
    }
    return freed
  }

  /** Its attempt ended; it stays in hand until its result is written. */
  ended(held: Held, durationMs: number): void {
    if (held.stage !== 'running') return
    held.stage = 'settling'
    if (!held.isLong) this.#running--
    const target = this.#targets.get(held.delivery.target_id)
    if (!target) return
    target.running--
    target.meanMs = target.meanMs === undefined ? durationMs : target.meanMs * 0.8 + durationMs * 0.2
  }

  /** Puts it out of hand, whatever its stage. */
  drop(held: Held): void {
    // The same delivery may be in hand again under a newer lease.
    if (this.#held.get(held.delivery.id) === held) this.#held.delete(held.delivery.id)
    const target = this.#targets.get(held.delivery.target_id)
    if (!target) return
    if (held.stage === 'running') {
      if (!held.isLong) this.#running--
      target.running--
    }
    const place = target.queue.indexOf(held)
    if (place >= 0) target.queue.splice(place, 1)
    target.held--
    if (target.held === 0) this.#targets.delete(target.id)
  }

  holds(held: Held): boolean {
    return this.#held.get(held.delivery.id) === held
  }

  all(): readonly Held[] {
    return [...this.#held.values()]
  }
}
