/** What a run leaves behind. */
import type pg from 'pg'
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
}

export const stateConflict =
  'The state of this connection was changed by another run at the same time, so this run was not counted.'

/**
 * Stores the run and what it changed of the connection's state, both or
 * neither. Only the changed keys are written, and only if they still hold what
 * the run was given; else the run is stored as failed.
 *
 * @returns its id, and whether the state was saved, or there was none to save.
 */
export async function recordRun(
  pool: pg.Pool,
  run: RunRecord,
): Promise<{ readonly id: string; readonly saved: boolean }> {
  const { rows } = await pool.query<{ id: string; saved: boolean }>({
    name: 'connectors: record run',
    text: recordSql,
    values: [
      run.connection_id,
      run.delivery_id,
      run.session_id,
      run.attempt,
      run.succeeded ? 'succeeded' : 'failed',
      run.message === null ? null : plainText(run.message),
      storable(run.log),
      storable(run.calls),
      run.started_at,
      run.duration_ms,
      run.stateChange ? storable(run.stateChange.after) : null,
      run.stateChange ? storable(run.stateChange.before) : null,
      stateConflict,
      run.connector,
      run.revision,
      run.isDry ?? false,
      run.method ?? 'consume',
      run.raw_source_id ?? null,
    ],
  })
  const [stored] = rows
  if (!stored) throw new Error('the run was not stored')
  return stored
}

const recordSql = `
with saved as (
  update connections c
     set state = c.state || $11::jsonb
   where c.id = $1 and $11::jsonb is not null
     and not exists (
       select from jsonb_each($12::jsonb) as given(key, value)
        where coalesce(c.state -> given.key, 'null') is distinct from given.value)
  returning c.id
), judged as (
  select $11::jsonb is null or exists (select from saved) as saved
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

/** Postgres keeps neither NUL nor half a surrogate pair. */
function storable(value: unknown): string {
  return JSON.stringify(value, (_key, each) => (typeof each === 'string' ? plainText(each) : each))
}

function plainText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}
