/**
 * The audit log in pages, oldest first. A page is one short statement: a reader that is slow holds neither a connection
 * nor a snapshot, which would hold up the change feed.
 */
import type pg from 'pg'

export interface AuditRow {
  readonly at: string
  readonly id: string
  readonly team_id: string | null
  readonly integration_id: string | null
  readonly actor_kind: string
  readonly actor_id: string | null
  readonly role: string | null
  readonly operation: string
  readonly outcome: string
  readonly session_ids: readonly string[]
  readonly address: string | null
  readonly request_id: string | null
  readonly detail: unknown
  readonly position: string
}

export interface AuditRange {
  /** Null is all there are, and entries of none; for admins. */
  readonly teams: readonly string[] | null
  /** Inclusive. */
  readonly from: Date | null
  /** Exclusive. */
  readonly to: Date
}

const pageRows = 1_000

/** Each value is one page; the last may be empty. */
export async function* readAudit(
  pool: pg.Pool,
  { teams, from, to }: AuditRange,
  rowsPerPage: number = pageRows,
): AsyncGenerator<readonly AuditRow[], void, undefined> {
  let last: AuditRow | undefined
  for (;;) {
    const { rows }: { rows: AuditRow[] } = await pool.query<AuditRow>(
      teams
        ? {
            name: 'audit: page of teams',
            text: pageOfTeams,
            values: [teams, last?.at ?? from ?? '-infinity', last?.id ?? null, to, rowsPerPage],
          }
        : { name: 'audit: page', text: page, values: [last?.position ?? '', from ?? '-infinity', to, rowsPerPage] },
    )
    yield rows
    last = rows.at(-1)
    if (rows.length < rowsPerPage || !last) return
  }
}

const columns = `to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, id, team_id, integration_id, actor_kind, actor_id, role,
       operation, outcome, session_ids::text[] as session_ids, address, request_id, detail, position`

/** For each team a range of the index (team_id, at), merged. */
const pageOfTeams = `
select ${columns} from unnest($1::uuid[]) as own(team),
  lateral (
    select e.at, e.id, e.team_id, e.integration_id, e.actor_kind, e.actor_id, e.role, e.operation, e.outcome,
           e.session_ids, e.address, e.request_id, e.detail, e.position
      from audit_entries e
     where e.team_id = own.team and e.at >= $2 and e.at < $4 and ($3::uuid is null or (e.at, e.id) > ($2, $3::uuid))
     order by e.at, e.id limit $5
  ) entry
 order by entry.at, entry.id limit $5`

/** All of them are read once, in the order in which they were written. */
const page = `
select ${columns} from audit_entries
 where position > $1 and at >= $2 and at < $3 order by position limit $4`
