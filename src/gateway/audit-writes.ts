/**
 * The audit entry of a write of tables: which rows, in the transaction that writes them. One entry a team, so that the
 * editors of each see theirs and no other's.
 */
import type pg from 'pg'
import type { Audit } from '../access/audit.ts'
import type { Table } from '../tables/model.ts'
import type { WrittenRows } from '../tables/mutation-run.ts'
import type { SelectContext } from '../tables/select.ts'
import { name } from '../tables/sql-writer.ts'
import { keyOf } from '../tables/write-view.ts'

/** Ids in one entry; beyond them it has only their number. */
const mostIds = 1_000

export async function auditWrite(
  audit: Audit,
  client: pg.ClientBase,
  { table, kind, keys }: WrittenRows,
  { principal, request }: Pick<SelectContext, 'principal' | 'request'>,
): Promise<void> {
  const { text, values } = teamsStatement(table, keys)
  const { rows } = await client.query<{ team_id: string | null; keys: readonly string[] }>(text, values)
  const entries = rows.map(({ team_id, keys: written }) => ({
    principal,
    operation: `${kind} ${table.name}`,
    outcome: 'granted' as const,
    team_id,
    session_ids: table.name === 'sessions' ? written.slice(0, mostIds) : [],
    address: request.address,
    request_id: request.id,
    detail: { keys: written.slice(0, mostIds), rows: written.length },
  }))
  await audit.recordIn(client, ...entries)
}

/** The keys by the team of their rows. */
function teamsStatement(table: Table, keys: readonly unknown[]): { text: string; values: unknown[] } {
  const { name: key, type } = keyOf(table)
  const text = `select ${teamOf(table)} as team_id, array_agg(r.${name(key)}::text) as keys
  from ${name(table.name)} r where r.${name(key)} = any($1::${type}[]) group by 1`
  return { text, values: [keys] }
}

/** Of the row, or of the row that it belongs to. */
function teamOf(table: Table): string {
  if (table.name === 'teams') return 'r.id'
  if (table.columns.has('team_id')) return 'r.team_id'
  const flow = table.relations.get('flow')
  const [here, there] = flow?.on[0] ?? []
  if (!flow || flow.list || !here || !there) return 'null::uuid'
  return `(select o.team_id from ${name(flow.table)} o where o.${name(there)} = r.${name(here)})`
}
