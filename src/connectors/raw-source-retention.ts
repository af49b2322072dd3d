/**
 * The end of raw sources that became no session: they stay as long as a session of their team would. Those of a session
 * are purged with it (`sessions/purge.ts`). And the end of what says that they, and runs, were here.
 */
import type pg from 'pg'
import type { Schedule } from '../delivery/jobs.ts'
import type { Log } from '../log.ts'
import { pruneConnectors } from './prune-connectors.ts'

export interface RawSourceRetention {
  readonly pool: pg.Pool
  /** Days, where the team has not set its own. */
  readonly retentionDays: number
  /** Days that runs and purged raw sources are listed; and that the digest of a source is kept, by which it is known again. */
  readonly historyDays: number
  readonly recordDays: number
  readonly log: Log
}

/** Of one statement. */
const batch = 500

/** May run on several workers at once without harm. */
export function rawSourceSchedules(parts: RawSourceRetention): readonly Schedule[] {
  return [
    {
      name: 'purge_raw_sources',
      cron: '23 * * * *',
      async run() {
        const purged = await purgeRawSources(parts)
        if (purged > 0) parts.log.info({ purged }, 'purged raw sources whose retention has ended')
      },
    },
    {
      name: 'prune_connectors',
      cron: '7 2 * * *',
      async run() {
        const ago = (days: number) => new Date(Date.now() - days * 86_400_000)
        const { pool, historyDays, recordDays } = parts
        const removed = await pruneConnectors(pool, { before: ago(historyDays), forget: ago(recordDays) })
        if (removed > 0) parts.log.info({ removed }, 'pruned runs, raw sources and labels')
      },
    },
  ]
}

/**
 * Also what its session left behind, because it was linked when that was purged already, and what producers logged
 * while they fetched.
 *
 * @returns how many sources were purged.
 */
export async function purgeRawSources({
  pool,
  retentionDays,
}: Pick<RawSourceRetention, 'pool' | 'retentionDays'>): Promise<number> {
  let all = 0
  for (;;) {
    const { rows } = await pool.query<{ purged: number }>({
      name: 'raw sources: purge',
      text: `
        with due as (
          select r.id from raw_sources r
            join teams t on t.id = r.team_id
            left join sessions s on s.id = r.session_id
           where r.purged_at is null and r.status <> 'pending'
             and case when r.session_id is null
                   then r.created_at < now() - make_interval(secs => 86400 * coalesce(t.retention_days, $1))
                   else s.purged_at is not null end
           limit ${batch} for update of r skip locked
        )
        select purge_raw_sources(array(select id from due)) as purged`,
      values: [retentionDays],
    })
    const purged = rows[0]?.purged ?? 0
    all += purged
    if (purged < batch) break
  }
  await pool.query({
    name: 'runs: blank those of fetches',
    text: `
      update connector_runs r set message = null, log = '[]', calls = '[]'
        from connections c left join teams t on t.id = c.team_id
       where c.id = r.connection_id and r.session_id is null and r.raw_source_id is null
         and r.started_at < now() - make_interval(secs => 86400 * coalesce(t.retention_days, $1))
         and (r.message is not null or r.log <> '[]' or r.calls <> '[]')`,
    values: [retentionDays],
  })
  return all
}
