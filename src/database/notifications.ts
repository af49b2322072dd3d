/**
 * LISTEN and NOTIFY as a wake-up and nothing more: what there is to do stands in
 * tables, and whoever waits for it also polls, so a notification that is lost
 * costs a moment and never a row.
 */
import pg from 'pg'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

/** Deliveries became due. */
export const deliveriesChannel = 'sluice_deliveries'
/** Something was committed that live queries and streams may show. */
export const changesChannel = 'sluice_changes'

/** A gateway asks a worker for something. */
export const tasksChannel = 'sluice_tasks'

/** A connection is to run, or a raw source to be converted. */
export const productionChannel = 'sluice_production'

/** Sessions wait for their modifiers. */
export const settlingsChannel = 'sluice_settlings'

type Channel =
  | typeof deliveriesChannel
  | typeof changesChannel
  | typeof tasksChannel
  | typeof productionChannel
  | typeof settlingsChannel

export interface Notifier {
  /** Call it right after a commit; it returns at once. */
  notify(): void
  /** Waits for what is under way. */
  close(): Promise<void>
}

export interface NotifierOptions {
  readonly pool: pg.Pool
  readonly channels: readonly Channel[]
  readonly log: Log
  /** At most one notification in so many milliseconds. @default 3 */
  readonly everyMs?: number
}

/**
 * Notifies outside the writing transaction, and once for many commits: a NOTIFY
 * inside each would make commits wait for each other, which cost three to five
 * times of the commit rate when it was measured.
 */
export function createNotifier({ pool, channels, log, everyMs = 3 }: NotifierOptions): Notifier {
  const text = `select ${channels.map((channel) => `pg_notify('${channel}', '')`).join(', ')}`
  let sending: Promise<void> | null = null
  let again = false

  const send = async () => {
    do {
      again = false
      await pool
        .query(text)
        .catch((error) => log.warn({ error: messageOf(error) }, 'others could not be told of a commit'))
      if (again) await new Promise((resolve) => setTimeout(resolve, everyMs))
    } while (again)
    sending = null
  }

  return {
    notify() {
      if (sending) again = true
      else sending = send()
    },
    async close() {
      await sending
    },
  }
}

export interface Listener {
  close(): Promise<void>
}

export interface ListenOptions {
  readonly pool: pg.Pool
  readonly channel: Channel
  readonly log: Log
  /** Called for each notification, and after each new connection, because some may have been missed. */
  readonly onNotify: () => void
  /** Between attempts to connect again, in milliseconds. @default 500 */
  readonly reconnectMs?: number
}

/** Listens on a connection of its own, beside the pool, and opens it again whenever it is lost. */
export function listen({ pool, channel, log, onNotify, reconnectMs = 500 }: ListenOptions): Listener {
  let client: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  async function connect(): Promise<void> {
    const next = new pg.Client({ ...pool.options, keepAlive: true })
    client = next
    let lost = false
    const onLost = (error?: Error) => {
      if (lost || closed) return
      lost = true
      log.warn({ channel, error: error?.message }, 'the connection that listens was lost; polling until it is back')
      next.end().catch(() => undefined)
      timer = setTimeout(() => void connect(), reconnectMs)
    }
    next.on('error', onLost)
    next.on('end', () => onLost())
    next.on('notification', onNotify)
    try {
      await next.connect()
      await next.query(`listen ${channel}`)
      onNotify()
    } catch (error) {
      onLost(error as Error)
    }
  }
  const first = connect()

  return {
    async close() {
      closed = true
      clearTimeout(timer)
      await first
      await client?.end().catch(() => undefined)
    },
  }
}
