/**
 * How much one principal may ask for: operations and their cost in a minute, and how much of anything at once. Whoever
 * has not said who they are is counted by address.
 *
 * Counts are kept in the memory of the process: with N gateway processes a principal may have up to N times as much.
 * A count across processes would cost a round trip for every operation, and what is protected here is this process.
 */
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'
import { SluiceError } from '../errors.ts'
import { networkOf } from './address-list.ts'
import type { Principal } from './principal.ts'

/** 0 is no limit. */
export interface LimitSettings {
  /** Operations in a minute: of an API credential, of a person, of an address without either. */
  readonly requestsPerMinute: number
  readonly requestsPerMinutePeople: number
  readonly requestsPerMinuteAnonymous: number
  /** Cost of the operations of one minute, by the rule of MAX_COST. */
  readonly costPerMinute: number
  /** Operations that run at the same time, subscriptions aside. */
  readonly concurrent: number
  readonly sockets: number
  /** Operations of one socket at the same time, subscriptions included. */
  readonly perSocket: number
  /** Event streams at the same time. */
  readonly streams: number
}

/** What is left in this minute, for the header `RateLimit`. */
export interface Quota {
  readonly name: 'requests' | 'cost'
  readonly quota: number
  readonly remaining: number
  readonly resetSeconds: number
}

export type Held = 'concurrent' | 'sockets' | 'streams'

export interface Limits {
  /** Counts one operation. @throws SluiceError RATE_LIMITED */
  request(principal: Principal, address: string | null): Promise<Quota | null>
  /** Counts what an operation costs. @throws SluiceError RATE_LIMITED */
  cost(principal: Principal, address: string | null, cost: number): Promise<Quota | null>
  /** Takes one of what there may be so many of at once; returns how to give it back. @throws SluiceError RATE_LIMITED */
  hold(kind: Held, principal: Principal, address: string | null): () => void
  /** Operations of one socket at the same time, subscriptions included; Infinity without a limit. */
  readonly perSocket: number
  /** What was refused since the start, by limit. */
  readonly refused: Readonly<Record<Quota['name'] | Held, number>>
}

const windowSeconds = 60
/** Addresses that are told apart in one window; those beyond share one count, so that a flood cannot fill the memory. */
const mostAddresses = 10_000

export function createLimits(settings: LimitSettings): Limits {
  const limiter = (points: number) =>
    points > 0 ? new RateLimiterMemory({ points, duration: windowSeconds, keyPrefix: '' }) : null
  const requests = {
    machine: limiter(settings.requestsPerMinute),
    person: limiter(settings.requestsPerMinutePeople),
    anonymous: limiter(settings.requestsPerMinuteAnonymous),
  }
  const costs = limiter(settings.costPerMinute)
  const addresses = createAddressKeys()
  const held = {
    concurrent: new Map<string, number>(),
    sockets: new Map<string, number>(),
    streams: new Map<string, number>(),
  }
  const refused = { requests: 0, cost: 0, concurrent: 0, sockets: 0, streams: 0 }
  const tooMuchOf = (quota: Quota) => {
    refused[quota.name] += 1
    return tooMuch(quota)
  }
  const keyOf = (principal: Principal, address: string | null) =>
    principal.kind === 'anonymous' ? addresses(address) : `${principal.kind} ${principal.id}`

  return {
    async request(principal, address) {
      const who = principal.kind === 'person' || principal.kind === 'anonymous' ? principal.kind : 'machine'
      const counted = requests[who]
      return counted && take(counted, 'requests', keyOf(principal, address), 1, tooMuchOf)
    },
    async cost(principal, address, cost) {
      return costs && take(costs, 'cost', keyOf(principal, address), Math.ceil(cost), tooMuchOf)
    },
    hold(kind, principal, address) {
      const most = settings[kind]
      if (most === 0) return nothing
      const counts = held[kind]
      const key = keyOf(principal, address)
      const now = counts.get(key) ?? 0
      if (now >= most) {
        refused[kind] += 1
        throw tooManyAtOnce(kind, most)
      }
      counts.set(key, now + 1)
      let returned = false
      return () => {
        if (returned) return
        returned = true
        const left = (counts.get(key) ?? 1) - 1
        if (left > 0) counts.set(key, left)
        else counts.delete(key)
      }
    },
    perSocket: settings.perSocket > 0 ? settings.perSocket : Number.POSITIVE_INFINITY,
    refused,
  }
}

const nothing = () => undefined

async function take(
  limiter: RateLimiterMemory,
  name: Quota['name'],
  key: string,
  points: number,
  tooMuchOf: (quota: Quota) => SluiceError,
): Promise<Quota> {
  try {
    return quotaOf(limiter, name, await limiter.consume(key, points))
  } catch (refused) {
    if (refused instanceof Error) throw refused
    throw tooMuchOf(quotaOf(limiter, name, refused as RateLimiterRes))
  }
}

function quotaOf(
  { points }: RateLimiterMemory,
  name: Quota['name'],
  { remainingPoints, msBeforeNext }: RateLimiterRes,
): Quota {
  return { name, quota: points, remaining: remainingPoints, resetSeconds: Math.max(1, Math.ceil(msBeforeNext / 1000)) }
}

/** Counts by network; beyond so many in a window all new ones are one. */
function createAddressKeys(): (address: string | null) => string {
  let seen = new Set<string>()
  let until = 0
  return (address) => {
    const now = Date.now()
    if (now > until) {
      seen = new Set()
      until = now + windowSeconds * 1000
    }
    const key = `address ${networkOf(address ?? '')}`
    if (seen.has(key)) return key
    if (seen.size >= mostAddresses) return 'address other'
    seen.add(key)
    return key
  }
}

const words = {
  requests: 'operations a minute',
  cost: 'cost of operations a minute',
  concurrent: 'operations at the same time',
  sockets: 'sockets at the same time',
  streams: 'event streams at the same time',
} as const

function tooMuch({ name, quota, resetSeconds }: Quota): SluiceError {
  return new SluiceError(
    'RATE_LIMITED',
    `The limit of ${quota} ${words[name]} is reached; come back in ${resetSeconds} s.`,
    { details: { limit: name, max: quota, retry_after_seconds: resetSeconds } },
  )
}

/** When one of them ends is not known; a second is a polite guess. */
function tooManyAtOnce(kind: Held, most: number): SluiceError {
  return new SluiceError(
    'RATE_LIMITED',
    `The limit of ${most} ${words[kind]} is reached; end one, or come back in 1 s.`,
    {
      details: { limit: kind, max: most, retry_after_seconds: 1 },
    },
  )
}
