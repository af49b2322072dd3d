/**
 * Failed attempts to prove who one is, counted for all gateway processes together
 * in the table `rate_limits`, so that guessing is slow wherever it is done. Only a
 * failure writes: who is right the first time costs no write at all.
 *
 * Three counts, each over its own window: of one name from one address, of one
 * name from everywhere, and of one address for all names. Somebody else's
 * guessing must not shut out the rightful owner, so a name that was right from an
 * address lately is held to the first count alone there.
 */
import { createHash } from 'node:crypto'
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'
import type { Database } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { networkOf } from './address-list.ts'

/** What is proved; each kind is counted apart. */
export type AttemptKind = 'secret' | 'password' | 'assertion' | 'reset' | 'inbound'

export interface Attempts {
  /**
   * Call before the costly check.
   *
   * @param key the name that is claimed: an API key, an e-mail address. Unknown ones are counted alike.
   * @param address of the caller; null counts by name only.
   * @throws SluiceError RATE_LIMITED with `details.retry_after_seconds`.
   */
  check(kind: AttemptKind, key: string, address: string | null): Promise<void>
  /** The proof was wrong: counts it. */
  failed(kind: AttemptKind, key: string, address: string | null): Promise<void>
  /** The proof was right. Writes nothing; this process remembers that this name is at home at this address. */
  succeeded(kind: AttemptKind, key: string, address: string | null): void
  /** How many were refused by `check` since the start. */
  readonly refused: number
}

export interface AttemptLimit {
  readonly points: number
  readonly seconds: number
}

export interface AttemptLimits {
  /** Of one name from one address. @default 10 in 5 minutes */
  readonly pair: AttemptLimit
  /** Of one name from everywhere. @default 50 in 15 minutes */
  readonly name: AttemptLimit
  /** Of one address (IPv6: one /64), whatever the name. @default 100 in 15 minutes */
  readonly address: AttemptLimit
}

const usual: AttemptLimits = {
  pair: { points: 10, seconds: 300 },
  name: { points: 50, seconds: 900 },
  address: { points: 100, seconds: 900 },
}

/** Names that are at home somewhere, and counts that are full: about 100 bytes each. */
const rememberedMost = 50_000
const atHomeMs = 86_400_000

export function createAttempts({ pool }: Database, limits: AttemptLimits = usual): Attempts {
  const counters = new Map(
    (['pair', 'name', 'address'] as const).map((scope) => [
      scope,
      new RateLimiterPostgres({
        storeClient: pool,
        storeType: 'pool',
        tableName: 'rate_limits',
        tableCreated: true,
        keyPrefix: scope,
        points: limits[scope].points,
        duration: limits[scope].seconds,
        clearExpiredByTimeout: scope === 'pair',
      }),
    ]),
  )
  const atHome = new Map<string, number>()
  // A flood of wrong secrets is refused from here, without asking Postgres each time.
  const full = new Map<string, number>()
  let refused = 0
  const refusal = (until: number) => {
    refused += 1
    return tooMany(until)
  }

  const countsOf = (kind: AttemptKind, key: string, address: string | null) => {
    const name = digest(`${kind}\n${key}`)
    const network = address === null ? null : networkOf(address)
    return {
      pair: digest(`${name}\n${network}`),
      name,
      address: network === null ? null : digest(`${kind}\n${network}`),
    }
  }

  return {
    get refused() {
      return refused
    },

    async check(kind, key, address) {
      const counts = countsOf(kind, key, address)
      const isAtHome = (atHome.get(counts.pair) ?? 0) > Date.now()
      const asked = isAtHome
        ? [`pair:${counts.pair}`]
        : Object.entries(counts).flatMap(([scope, count]) => (count === null ? [] : [`${scope}:${count}`]))
      const known = Math.max(...asked.map((count) => full.get(count) ?? 0))
      if (known > Date.now()) throw refusal(known)
      const most = Object.fromEntries([...counters].map(([scope, { points }]) => [scope, points]))
      for (const { key: count, points, expire } of await readCounts(pool, asked)) {
        if (points < (most[count.slice(0, count.indexOf(':'))] ?? 0)) continue
        remember(full, count, Number(expire))
        throw refusal(Number(expire))
      }
    },

    async failed(kind, key, address) {
      const counts = countsOf(kind, key, address)
      for (const [scope, counter] of counters) {
        const count = counts[scope]
        if (count === null) continue
        try {
          await counter.consume(count)
        } catch (over) {
          // Over the limit is an answer like any other here; check() is what refuses.
          if (!(over instanceof RateLimiterRes)) throw over
          remember(full, `${scope}:${count}`, Date.now() + over.msBeforeNext)
        }
      }
    },

    succeeded(kind, key, address) {
      remember(atHome, countsOf(kind, key, address).pair, Date.now() + atHomeMs)
    },
  }
}

/** What is counted now under these keys. One index scan; the table is small, since only failures write. */
async function readCounts(
  pool: Database['pool'],
  keys: readonly string[],
): Promise<{ key: string; points: number; expire: string }[]> {
  const { rows } = await pool.query({
    name: 'read-attempts',
    text: 'select key, points, expire from rate_limits where key = any($1) and expire > $2 order by expire desc',
    values: [keys, Date.now()],
  })
  return rows
}

function remember(map: Map<string, number>, key: string, until: number): void {
  if (map.size >= rememberedMost) map.delete(map.keys().next().value as string)
  map.delete(key)
  map.set(key, until)
}

/** Names may be of any length and are personal; a digest is neither. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function tooMany(until: number): SluiceError {
  const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000))
  return new SluiceError(
    'RATE_LIMITED',
    `Too many failed attempts. Check the key or address and its secret, and try again in ${seconds} seconds.`,
    { details: { limit: 'failed_attempts', retry_after_seconds: seconds } },
  )
}
