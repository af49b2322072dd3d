/**
 * Tells workers that deliveries were committed, so that they need not poll for
 * them. A NOTIFY inside the submitting transaction would make all commits wait
 * for each other (3-5x of commit throughput); sent after it, and once for many,
 * it costs next to nothing. One that is lost costs a second: workers also poll.
 */
import pg from 'pg'
import type { Log } from '../log.ts'

export const deliveriesChannel = 'sluice_deliveries'

const coalesceMs = 3
const wakers = new WeakMap<pg.Pool, { again: boolean }>()

/**
 * Call it right after a commit that made deliveries due. It returns at once: the
 * first call sends at once, those of the next 3 ms become one more.
 */
export function wakeDeliveries(pool: pg.Pool): void {
  const waker = wakers.get(pool)
  if (waker) {
    waker.again = true
    return
  }
  const current = { again: false }
  wakers.set(pool, current)
  // Whoever submitted has committed; if this fails, the workers' poll finds the rows.
  pool.query(`select pg_notify('${deliveriesChannel}', '')`).catch(() => undefined)
  setTimeout(() => {
    wakers.delete(pool)
    if (current.again && !pool.ending) wakeDeliveries(pool)
  }, coalesceMs)
}

export interface Listener {
  close(): Promise<void>
}

export interface ListenOptions {
  readonly pool: pg.Pool
  readonly log: Log
  /** Called for each notification, and after each new connection, because some may have been missed. */
  readonly onWake: () => void
  /** Between attempts to connect again, in milliseconds. @default 500 */
  readonly reconnectMs?: number
}

/** Listens on a connection of its own, beside the pool, and opens it again whenever it is lost. */
export function listenForDeliveries({ pool, log, onWake, reconnectMs = 500 }: ListenOptions): Listener {
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
      log.warn(
        { error: error?.message },
        'the connection that listens for deliveries was lost; polling until it is back',
      )
      next.end().catch(() => undefined)
      timer = setTimeout(() => void connect(), reconnectMs)
    }
    next.on('error', onLost)
    next.on('end', () => onLost())
    next.on('notification', onWake)
    try {
      await next.connect()
      await next.query(`listen ${deliveriesChannel}`)
      onWake()
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
