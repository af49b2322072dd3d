/** What a run leaves behind. */
import type pg from 'pg'
import { storableJson, storableText } from '../database/storable.ts'
import { dataTooLarge, type ExtensionChange, tooLarge } from './extension-data.ts'
import type { StateChange } from './settings.ts'

export interface RunLine {
  /** ISO 8601. */
  readonly at: string
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
}

/** One thing that a run asked of the host. Holds no body, no query and no header. */
export interface RunCall {
  readonly kind: string
  /** `POST https://host/path`, or for a mail the number of its recipients. */
  readonly target: string
  /** HTTP status, `sent`, or the class of the failure. */
  readonly status: number | string
  readonly ms: number
  /** Of the answer, or of the mail's text. */
  readonly bytes: number
}

export interface RunRecord {
  readonly connection_id: string
  /** null for a dry run. */
  readonly delivery_id: string | null
  /** null when it is of no session, or of none yet. */
  readonly session_id: string | null
  /** Name of the function that ran. @default 'consume' */
  readonly method?: string
  /** That it converted. */
  readonly raw_source_id?: string | null
  /** `implementation@version` that ran. */
  readonly connector: string
  /** Of the session that it was given; null when it was given none. */
  readonly revision: number | null
  /** Nothing left, and no state is kept. @default false */
  readonly isDry?: boolean
  readonly attempt: number
  readonly succeeded: boolean
  readonly message: string | null
  readonly log: readonly RunLine[]
  readonly calls: readonly RunCall[]
  readonly started_at: Date
  readonly duration_ms: number
  readonly stateChange: StateChange | undefined
  /** What it changed of its session's extension data. */
  readonly extensionChange?: ExtensionChange | undefined
}

export const stateConflict =
  'The state of this connection was changed by another run at the same time, so this run was not counted.'

/** What came of recording it. */
export interface RecordedRun {
  readonly id: string
  /** What it changed was saved, or there was nothing to save. */
  readonly saved: boolean
  /** Why not; the message of the stored run. */
  readonly fault: string | undefined
}

/**
 * Stores the run and what it changed of the connection's state and of the
 * session's extension data, all or nothing. Of the state, only the changed keys
 * are written, and only if they still hold what the run was given; extension
 * data is merged with what others wrote. What cannot be saved is stored as a
 * failed run.
 *
 * The connection's `last_run_*` go with it where the row is written anyway, when
 * the status changes, and else once a minute: runs of one connection would wait for
 * each other at its row. Conversions are not counted; their raw sources tell.
 */
export async function recordRun(pool: pg.Pool, run: RunRecord): Promise<RecordedRun> {
  try {
    const { id, saved } = await insertRun(pool, run)
    return { id, saved, fault: saved ? undefined : stateConflict }
  } catch (error) {
    const { code, detail = '' } = error as Partial<pg.DatabaseError>
    if (code !== dataTooLarge) throw error
    const fault = tooLarge(detail)
    const failed = { ...run, succeeded: false, message: fault, stateChange: undefined, extensionChange: undefined }
    const { id } = await insertRun(pool, failed)
    return { id, saved: false, fault }
  }
}

async function insertRun(pool: pg.Pool, run: RunRecord): Promise<{ readonly id: string; readonly saved: boolean }> {
  const { rows } = await pool.query<{ id: string; saved: boolean }>({
    name: 'connectors: record run',
    text: recordSql,
    values: [
      run.connection_id,
      run.delivery_id,
      run.session_id,
      run.attempt,
      run.succeeded ? 'succeeded' : 'failed',
      run.message === null ? null : storableText(run.message),
      storableJson(run.log),
      storableJson(run.calls),
      run.started_at,
      run.duration_ms,
      run.stateChange ? storableJson(run.stateChange.after) : null,
      run.stateChange ? storableJson(run.stateChange.before) : null,
      stateConflict,
      run.connector,
      run.revision,
      run.isDry ?? false,
      run.method ?? 'consume',
      run.raw_source_id ?? null,
      run.extensionChange ? storableJson(run.extensionChange) : null,
    ],
  })
  const [stored] = rows
  if (!stored) throw new Error('the run was not stored')
  return stored
}

const recordSql = `
with saved as (
  update connections c
     set state = c.state || coalesce($11::jsonb, '{}'),
         last_run_at = $9, last_run_status = $5::run_status, last_run_message = left($6, 500)
   where c.id = $1 and not $16::boolean
     and case when $11::jsonb is not null
           then not exists (
             select from jsonb_each($12::jsonb) as given(key, value)
              where coalesce(c.state -> given.key, 'null') is distinct from given.value)
           else $18::uuid is null
                and (c.last_run_status is distinct from $5::run_status or c.last_run_at < $9::timestamptz - interval '1 minute')
         end
  returning c.id
), judged as (
  select $11::jsonb is null or exists (select from saved) as saved
), extended as (
  update sessions s
     set connector_data = merge_extension_data(s.connector_data, $19::jsonb)
    from judged
   where s.id = $3 and $19::jsonb is not null and judged.saved and not $16::boolean and s.purged_at is null
), stored as (
  insert into connector_runs
    (connection_id, delivery_id, session_id, attempt, status, message, log, calls, started_at, duration_ms, connector,
     revision, dry_run, method, raw_source_id)
  select $1, $2, $3, $4, (case when saved then $5 else 'failed' end)::run_status, case when saved then $6 else $13 end,
         $7, $8, $9, $10, $14, $15, $16, $17, $18
    from judged
  returning id
)
select saved, (select id from stored) as id from judged`
