/**
 * Tells every process that something was committed. Sent outside the writing
 * transaction and at most once per `everyMs`: a NOTIFY inside each transaction
 * would cost three to five times of the commit rate, because Postgres
 * serialises commits that notify.
 */
import type pg from 'pg'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

export interface Poker {
  /** Call after a commit. */
  poke(): void
  close(): Promise<void>
}

export interface PokerOptions {
  readonly pool: pg.Pool
  /** Channels to notify. */
  readonly channels: readonly string[]
  readonly log: Log
  /** @default 3 */
  readonly everyMs?: number
}

export function createPoker({ pool, channels, log, everyMs = 3 }: PokerOptions): Poker {
  const text = `select ${channels.map((channel) => `pg_notify('${channel}', '')`).join(', ')}`
  let sending: Promise<void> | null = null
  let again = false

  const send = async () => {
    do {
      again = false
      await pool
        .query(text)
        .catch((error) => log.warn({ error: messageOf(error) }, 'other processes could not be told of a commit'))
      if (again) await new Promise((resolve) => setTimeout(resolve, everyMs))
    } while (again)
    sending = null
  }

  return {
    poke() {
      if (sending) again = true
      else sending = send()
    },
    async close() {
      await sending
    },
  }
}
