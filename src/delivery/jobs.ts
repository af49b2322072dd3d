/** Housekeeping of deliveries and of what they leave behind. */
import type pg from 'pg'
import type { Log } from '../log.ts'
import { pruneAttempts } from './prune-attempts.ts'
import { createChangeLogPruner } from './prune-change-log.ts'
import { pruneHistory } from './prune-history.ts'
import { pruneLeases } from './renew.ts'

/** A job that one worker of an installation runs at its time. */
export interface Schedule {
  /** `prune_change_log`; unique. */
  readonly name: string
  /** Minute, hour, day of month, month, day of week; UTC. */
  readonly cron: string
  run(): Promise<void>
}

const minute = 60_000
const day = 24 * 60 * minute

/** Live queries follow the change log within milliseconds; this is what a gateway that was held up has time for. */
const changeLogMs = 5 * minute
const attemptsMs = 30 * day

export interface DeliveryKeeping {
  readonly pool: pg.Pool
  /** Days that records of what was done are kept. */
  readonly historyDays: number
  readonly log: Log
}

export function deliverySchedules({ pool, historyDays, log }: DeliveryKeeping): readonly Schedule[] {
  const changeLog = createChangeLogPruner(pool, { keepMs: changeLogMs })
  return [
    {
      name: 'prune_change_log',
      cron: '* * * * *',
      async run() {
        const removed = await changeLog.prune()
        if (removed > 0) log.debug({ removed }, 'pruned the change log')
      },
    },
    {
      name: 'prune_leases',
      cron: '*/5 * * * *',
      async run() {
        const removed = await pruneLeases(pool)
        if (removed > 0) log.debug({ removed }, 'pruned leases of deliveries that are no more')
      },
    },
    {
      name: 'prune_attempts',
      cron: '17 * * * *',
      async run() {
        const removed = await pruneAttempts(pool, {
          olderThanMs: Math.min(attemptsMs, historyDays * day),
          failedOlderThanMs: historyDays * day,
        })
        if (removed > 0) log.info({ removed }, 'pruned attempts of deliveries that are final')
      },
    },
    {
      name: 'prune_history',
      cron: '47 1 * * *',
      async run() {
        const removed = await pruneHistory(pool, { before: new Date(Date.now() - historyDays * day) })
        if (Object.values(removed).some((count) => count > 0)) log.info(removed, 'pruned what was delivered and told')
      },
    },
  ]
}
