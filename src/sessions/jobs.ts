/** Housekeeping of sessions: who is told that one ends, and its end. */
import type { Schedule } from '../delivery/jobs.ts'
import { announceExpiring } from './expiring.ts'
import { blankLateTraces, type PurgeParts, purgeDue, removeLateUploads } from './purge.ts'

/** Each may run on several workers at once without harm; a run that fails is made up for by the next. */
export function sessionSchedules(parts: PurgeParts): readonly Schedule[] {
  const { pool, log } = parts
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
      name: 'announce_expiring_sessions',
      cron: '*/10 * * * *',
      async run() {
        const announced = await announceExpiring(pool)
        if (announced > 0) log.info({ announced }, 'announced sessions that end within three days')
      },
    },
  ]
}
