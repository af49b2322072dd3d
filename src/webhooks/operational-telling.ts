/** The job of every worker that tells teams how their targets fare, by webhook and by mail. */
import type pg from 'pg'
import { changesChannel, createNotifier, deliveriesChannel } from '../database/notifications.ts'
import { type Repeating, repeat } from '../delivery/repeat.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { announceOperational } from './operational-announce.ts'
import { mailOperational, type OperationalMailOptions } from './operational-mail.ts'

export interface TellingOptions extends OperationalMailOptions {
  readonly pool: pg.Pool
  readonly log: Log
  /** How often it looks for news, in an index that is empty mostly. @default 1000 */
  readonly pollMs?: number
}

/** After the mail server was away. */
const mailPauseMs = 30_000

/**
 * @example
 * const telling = startTelling({ pool, mailer, publicUrl: 'https://sluice.example', log })
 * await telling.close()
 */
export function startTelling({ pollMs = 1000, ...options }: TellingOptions): Repeating {
  const { pool, log } = options
  const notifier = createNotifier({ pool, channels: [deliveriesChannel, changesChannel], log })
  const onError = (error: unknown) =>
    log.error({ error: messageOf(error) }, 'teams could not be told how their targets fare; trying again')
  // Side by side, so that a slow mail server holds up no webhook.
  const jobs = [
    repeat({
      everyMs: pollMs,
      onError,
      async job() {
        const { bound, more } = await announceOperational(pool)
        if (bound > 0) notifier.notify()
        return more ? 0 : undefined
      },
    }),
    repeat({
      everyMs: pollMs * 2,
      onError,
      async job() {
        const { failed } = await mailOperational(options)
        return failed > 0 ? mailPauseMs : undefined
      },
    }),
  ]
  return {
    async close() {
      await Promise.all(jobs.map((job) => job.close()))
      await notifier.close()
    },
  }
}
