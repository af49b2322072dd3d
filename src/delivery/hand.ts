/**
 * What one process has in hand: its leased deliveries, by target. Decides which
 * of them may start now and how much more may be claimed. Pure bookkeeping; it
 * knows neither the database nor the network.
 */
import type { ClaimedDelivery } from './claim.ts'

/** A leased delivery in hand. `queued` until it is started; `settling` once its result waits to be written. */
export interface Held {
  readonly delivery: ClaimedDelivery
  /** Replaced when this process takes its own lease back after having been held up for longer than it. */
  token: string
  /** On the monotonic clock: from then on another process may have it. */
  leaseUntil: number
  stage: 'queued' | 'running' | 'settling'
  /** On the monotonic clock, once started. */
  startedAt: number
  /** On the monotonic clock: the target's rate allows it from then on. */
  readonly startAt: number
  /** It runs, but no longer takes one of the process's places. */
  isLong: boolean
}

interface Target {
  readonly id: string
  readonly concurrency: number
  /** One after the other, each when the result of the one before is written. */
  readonly ordered: boolean
  /** Between two attempts at least. */
  readonly intervalMs: number
  readonly queue: Held[]
  running: number
  held: number
  /** On the monotonic clock, by its rate. */
  nextStart: number
  /** Nothing more is started: what is queued goes back. */
  isHalted: boolean
}

/** Below this mean, waiting for a claim between two attempts would cost more than holding some in reserve. */
const quickMs = 100
/** How many times its concurrency a quick target may have in hand, written results included. */
const reserve = 16
/** How many times the process's concurrency it may have in hand. Claims of 250 instead of 85 deliveries made the engine 1.6 times as fast. */
const mostInHand = 12
/** An attempt that takes longer mostly waits, which costs next to nothing: its place goes to another. */
const longMs = 1000
/** Attempts under way for longer are shown as leased. */
const shownMs = 250
/** Targets of which the process remembers how long an attempt takes. */
const mostRemembered = 10_000

export interface HandOptions {
  /** Attempts that run at once, long ones not counted. */
  readonly concurrency: number
}

export class Hand {
  readonly #held = new Map<string, Held>()
  /** The target that was served last is the last: a ring. */
  readonly #targets = new Map<string, Target>()
  /** Moving average of an attempt's duration, of targets that were tried lately. */
  readonly #meanMs = new Map<string, number>()
  readonly #concurrency: number
  #running = 0
  #nextStartAt: number | undefined
  readonly #shown = new WeakSet<Held>()

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

  /**
   * How many more each target may get; one that is not named gets its share. Less
   * than half a target's allowance is not worth a claim and counts as none.
   *
   * Slow targets together hold at most half of the hand, however many they are:
   * beyond that none of them gets more, and the quick ones have the other half.
   */
  room(): ReadonlyMap<string, number> {
    const rooms = new Map<string, number>()
    let slowHeld = 0
    for (const [id, target] of this.#targets) {
      const limit = Math.min(target.concurrency, this.share)
      const mean = this.#meanMs.get(id)
      const isQuick = mean !== undefined && mean < quickMs
      const allowance = isQuick ? limit * reserve : limit
      const left = allowance - target.held
      rooms.set(id, isQuick && left < allowance / 2 ? 0 : Math.max(0, left))
      if (mean !== undefined && mean >= longMs) slowHeld += target.held
    }
    if (slowHeld >= (this.#concurrency * mostInHand) / 2) {
      for (const [id, mean] of this.#meanMs) if (mean >= longMs) rooms.set(id, 0)
    }
    return rooms
  }

  /** Whether a claim would bring enough for one of these targets, whose deliveries were just dropped. */
  isWorthClaiming(targets: readonly string[]): boolean {
    if (this.free < this.#concurrency * 4) return false
    const room = this.room()
    return targets.some((target) => room.get(target) !== 0)
  }

  /** One that must not be delivered is never queued. */
  add(delivery: ClaimedDelivery, token: string, leaseUntil: number, now = performance.now()): Held {
    const stage = delivery.refusal === null ? 'queued' : 'settling'
    const startAt = now + delivery.start_in_ms
    const held: Held = { delivery, token, leaseUntil, stage, startedAt: 0, startAt, isLong: false }
    this.#held.set(delivery.id, held)
    const target = this.#targets.get(delivery.target_id) ?? {
      id: delivery.target_id,
      concurrency: delivery.concurrency,
      ordered: delivery.ordered,
      intervalMs: delivery.interval_ms ?? 0,
      queue: [],
      running: 0,
      held: 0,
      nextStart: 0,
      isHalted: false,
    }
    target.held++
    if (held.stage === 'queued') target.queue.push(held)
    this.#targets.set(target.id, target)
    return held
  }

  /** What this process still queues or attempts under a lease that ran out, when a claim gets it that same delivery. */
  retake(id: string, token: string, leaseUntil: number): boolean {
    const held = this.#held.get(id)
    if (!held || held.stage === 'settling') return false
    held.token = token
    held.leaseUntil = leaseUntil
    return true
  }

  /** The next delivery that may start, target after target in turn; marks it as running. */
  start(now = performance.now()): Held | undefined {
    this.#nextStartAt = undefined
    if (this.#running >= this.#concurrency) return undefined
    for (const target of this.#targets.values()) {
      const [first] = target.queue
      if (!first || target.isHalted) continue
      if (target.ordered) {
        if (target.held > target.queue.length) continue
      } else if (target.running >= Math.min(target.concurrency, this.share)) continue
      // Timers are late by a part of a millisecond at most.
      const startAt = Math.max(first.startAt, target.nextStart)
      if (startAt > now + 0.5) {
        this.#nextStartAt = Math.min(this.#nextStartAt ?? startAt, startAt)
        continue
      }
      target.queue.shift()
      target.nextStart = Math.max(now, startAt) + target.intervalMs
      this.#targets.delete(target.id)
      this.#targets.set(target.id, target)
      first.stage = 'running'
      first.startedAt = now
      target.running++
      this.#running++
      return first
    }
    return undefined
  }

  /** When the rate of some target allows what `start` has just passed over, on the monotonic clock. */
  get nextStartAt(): number | undefined {
    return this.#nextStartAt
  }

  /** Starts no more of this target until what is queued was taken out. */
  halt(targetId: string): void {
    const target = this.#targets.get(targetId)
    if (target) target.isHalted = true
  }

  /** Takes what has not begun of this target out of hand, and lets it start what comes later. */
  takeQueued(targetId: string): readonly Held[] {
    const target = this.#targets.get(targetId)
    if (!target) return []
    const queued = [...target.queue]
    target.isHalted = false
    for (const held of queued) this.drop(held)
    return queued
  }

  /** Attempts that have just become worth showing; each is told once. */
  toShow(now = performance.now()): readonly Held[] {
    const shown: Held[] = []
    for (const held of this.#held.values()) {
      if (held.stage !== 'running' || this.#shown.has(held) || now - held.startedAt < shownMs) continue
      this.#shown.add(held)
      shown.push(held)
    }
    return shown
  }

  /** Frees the places of attempts that have become long. They still count for their targets. @returns how many. */
  freeLong(now = performance.now()): number {
    let freed = 0
    for (const held of this.#held.values()) {
      if (held.stage !== 'running' || held.isLong || now - held.startedAt < longMs) continue
      held.isLong = true
      this.#running--
      // It is slow, although it has not ended.
      this.#remember(held.delivery.target_id, now - held.startedAt)
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
    this.#remember(target.id, durationMs)
  }

  /** The ones tried longest ago are forgotten first. */
  #remember(targetId: string, durationMs: number): void {
    const before = this.#meanMs.get(targetId)
    this.#meanMs.delete(targetId)
    this.#meanMs.set(targetId, before === undefined ? durationMs : before * 0.8 + durationMs * 0.2)
    if (this.#meanMs.size <= mostRemembered) return
    const [oldest] = this.#meanMs.keys()
    if (oldest !== undefined) this.#meanMs.delete(oldest)
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
