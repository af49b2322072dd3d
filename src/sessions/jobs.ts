/** Housekeeping of sessions: who is told that one ends, and its end. */
import type { Schedule } from '../delivery/jobs.ts'
import { announceExpiring } from './expiring.ts'
import { pruneRecords } from './prune-records.ts'
import { blankLateTraces, type PurgeParts, purgeDue, removeLateUploads } from './purge.ts'

/** Each may run on several workers at once without harm; a run that fails is made up for by the next. */
export function sessionSchedules(
  parts: PurgeParts & {
    /** Days that a session's record stays after its purge. */
    readonly recordDays: number
  },
): readonly Schedule[] {
  const { pool, recordDays, log } = parts
  return [
    {
      name: 'purge_sessions',
      cron: '*/5 * * * *',
      async run() {
        await purgeDue(parts)
      },
    },
    {
      name: 'sweep_purged_sessions',
      cron: '*/15 * * * *',
      async run() {
        await blankLateTraces(parts)
        await removeLateUploads(parts)
      },
    },
    {
      name: 'prune_records',
      cron: '37 2 * * *',
      async run() {
        const removed = await pruneRecords(pool, { before: new Date(Date.now() - recordDays * 86_400_000) })
        if (removed > 0) log.info({ removed }, 'removed records of sessions that were purged long ago')
      },
    },
    {
      name: 'announce_expiring_sessions',
      cron: '*/10 * * * *',
      async run() {
        const announced = await announceExpiring(pool)
        if (announced > 0) log.info({ announced }, 'announced sessions that end within three days')
      },
    },
  ]
}
