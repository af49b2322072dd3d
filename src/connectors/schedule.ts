/** Cron expressions of connections: whether one can be kept, and when it is next. Pure. */
import { Cron } from 'croner'
import { SluiceError } from '../errors.ts'

/** Of a connection, in the database's words. */
export interface Schedule {
  /** Minute, hour, day of month, month, day of week; null for a connection that runs on demand only. */
  readonly schedule: string | null
  /** IANA name; the schedule is meant in its local time. */
  readonly time_zone: string
}

/** Characters of an expression. */
const longest = 200

/**
 * Five fields, as in crontab(5): names of days and months, lists, ranges and steps, `L` for the last day of a month, `#`
 * for the nth weekday, and the nicknames `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
 *
 * @throws SluiceError VALIDATION_FAILED that names the column.
 * @example checkSchedule({ schedule: '15 6 * * 1-5', time_zone: 'Europe/Zurich' })
 */
export function checkSchedule({ schedule, time_zone }: Schedule): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: time_zone })
  } catch {
    throw wrong(
      'time_zone',
      `"${time_zone.slice(0, 100)}" is no time zone. Write an IANA name such as Europe/London, or UTC.`,
    )
  }
  if (schedule === null) return
  const fields = schedule.trim().split(/\s+/)
  if (
    schedule.length > longest ||
    (fields.length !== 5 && !/^@(hourly|daily|weekly|monthly|yearly)$/.test(schedule.trim()))
  ) {
    throw wrong(
      'schedule',
      'write five fields: minute, hour, day of month, month, day of week. "15 6 * * 1-5" is 06:15 on working days, "*/10 * * * *" every ten minutes.',
    )
  }
  let next: Date | null
  try {
    next = cronOf(schedule, time_zone).nextRun()
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : 'it cannot be read'
    throw wrong(
      'schedule',
      `"${schedule}" is no cron expression: ${reason.replace(/\.$/, '')}. "15 6 * * 1-5" is 06:15 on working days.`,
    )
  }
  if (!next) throw wrong('schedule', `"${schedule}" names no time that will ever come. Check day and month.`)
}

/**
 * The first time after `after`. Whatever was missed before it is not made up for. Where clocks go forward, a time that
 * does not exist is taken as the moment after the gap; where they go back, a daily time comes once.
 *
 * @returns null without a schedule, and for one that cannot be read: `checkSchedule` tells people why.
 */
export function nextRun({ schedule, time_zone }: Schedule, after: Date): Date | null {
  if (schedule === null) return null
  try {
    return cronOf(schedule, time_zone).nextRun(after)
  } catch {
    return null
  }
}

/** After so many failures one after the other, in seconds. Whoever keeps failing waits for its next time. */
const retrySeconds = [60, 300, 1800, 7200]

/**
 * When a run that failed is made again: before its next time, so that a daily one need not wait for tomorrow because a
 * server was away for a minute.
 *
 * @param failures one after the other, this one included.
 * @returns null when there is nothing to wait for but `next`.
 */
export function retryRun(failures: number, next: Date | null, now: Date): Date | null {
  const seconds = retrySeconds[failures - 1]
  if (next === null || seconds === undefined) return null
  const again = new Date(now.getTime() + seconds * 1000)
  return again < next ? again : null
}

/** Paused: it is asked for times and never starts a timer. */
function cronOf(schedule: string, timezone: string): Cron {
  return new Cron(schedule.trim(), {
    timezone,
    paused: true,
    mode: schedule.trim().startsWith('@') ? 'auto' : '5-part',
  })
}

function wrong(path: string, message: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `${path}: ${message}`, { path })
}
