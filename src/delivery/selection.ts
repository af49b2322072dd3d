/** Which deliveries or events somebody means: the caller's own boolean expression, over what the caller may see. */
import type { Principal, Role } from '../access/principal.ts'
import { readModel, type Table } from '../tables/model.ts'
import { never, type Predicate, parsePredicate } from '../tables/predicate.ts'
import { predicateToSql } from '../tables/predicate-sql.ts'
import { type RoleView, roleView, type VisibleTable } from '../tables/role-view.ts'
import type { SqlWriter } from '../tables/sql-writer.ts'

export interface SelectionOptions {
  readonly table: 'deliveries' | 'session_events'
  /** In the form of the table's `where`. */
  readonly where: unknown
  readonly principal: Principal
  readonly writer: SqlWriter
  /** Of the table in the statement. */
  readonly alias: string
}

/**
 * A condition in SQL. It holds for no row that the caller could not read; for who
 * is no admin, for no delivery of an integration that is the platform's either,
 * because what is sent there is the platform's matter.
 *
 * @throws SluiceError VALIDATION_FAILED that names the place in `where`.
 * @example
 * const condition = selectionToSql({ table: 'deliveries', where: { status: { _eq: 'exhausted' } }, principal, writer, alias: 'd' })
 */
export function selectionToSql({ table, where, principal, writer, alias }: SelectionOptions): string {
  const view = viewOf(principal.role)
  const { table: facts, filter } = view.tables.get(table) as VisibleTable
  const visible = ({ name }: Table): Predicate => view.tables.get(name)?.filter ?? never
  const context = { writer, model: view.model, variables: principal.variables }
  const asked = predicateToSql(parsePredicate(where, view.shape(table), { path: 'where' }), facts, alias, {
    ...context,
    visible,
  })
  const may = predicateToSql(filter, facts, alias, context)
  if (principal.role === 'admin' || table !== 'deliveries') return `(${asked} and ${may})`
  const own = predicateToSql({ kind: 'exists', relation: 'integration', of: ownTeams }, facts, alias, context)
  return `(${asked} and ${may} and ${own})`
}

const ownTeams: Predicate = {
  kind: 'compare',
  column: 'team_id',
  type: 'uuid',
  list: false,
  operator: '_in',
  operand: { kind: 'variable', name: 'x-hasura-team-ids' },
}

/** The same for the life of the process: it follows from the code alone. */
const views = new Map<Role, RoleView>()

function viewOf(role: Role): RoleView {
  const known = views.get(role)
  if (known) return known
  const made = roleView(readModel(), role)
  views.set(role, made)
  return made
}
