/**
 * The model as one role may see it: which tables, which of their columns and
 * relations, the filter that every row must pass, and what may be written.
 */
import { type Exposure, exposures } from '../access/permissions.ts'
import type { Role } from '../access/principal.ts'
import type { Column, Model, Relation, Table } from './model.ts'
import { type Predicate, parsePredicate, type Shape } from './predicate.ts'
import { type TableWrites, tableWrites } from './write-view.ts'

export interface VisibleTable {
  readonly table: Table
  readonly columns: ReadonlyMap<string, Column>
  readonly relations: ReadonlyMap<string, Relation>
  readonly filter: Predicate
  readonly aggregate: boolean
  /** The most rows one list returns. */
  readonly limit: number
  /** Columns whose reading is audited, whoever reads. */
  readonly audited: ReadonlySet<string>
  /** Columns whose reading is a retrieval for this role, which starts a clock; empty for people. */
  readonly retrieval: ReadonlySet<string>
  /** The column with the session's id, where `audited` has any. */
  readonly sessionColumn: string
  readonly writes: TableWrites
}

export interface RoleView {
  readonly role: Role
  readonly model: Model
  readonly tables: ReadonlyMap<string, VisibleTable>
  /** What a caller's boolean expression over this table may speak of. */
  shape(table: string): Shape
}

/** Rows of one list where a permission sets no limit of its own. */
export const defaultRowLimit = 1_000

/** Builds what `role` sees; pure, done once per role and process. */
export function roleView(model: Model, role: Role): RoleView {
  const trustedShape = shapes(
    model,
    (table) => ({ columns: table.columns, relations: table.relations }),
    () => true,
  )
  const tables = new Map<string, VisibleTable>()
  for (const [name, exposure] of Object.entries(exposures)) {
    const table = model.get(name)
    if (!table) throw new Error(`permissions.ts exposes ${name}, which schema.prisma does not have.`)
    const permission = exposure.read[role]
    if (!permission) continue
    tables.set(name, {
      table,
      columns: visibleColumns(table, exposure, permission.columns),
      relations: new Map([...table.relations].filter(([, relation]) => exposures[relation.table]?.read[role])),
      filter: parsePredicate(permission.rows, trustedShape(name), {
        trusted: true,
        path: `permissions.${name}.${role}`,
      }),
      aggregate: permission.aggregate ?? true,
      limit: permission.limit ?? defaultRowLimit,
      audited: new Set(exposure.retrieval?.columns),
      retrieval: new Set(role === 'consumer' ? exposure.retrieval?.columns : []),
      sessionColumn: exposure.retrieval?.session ?? 'id',
      writes: tableWrites({
        table,
        permission: exposure.write?.[role],
        agree: exposure.agree ?? [],
        parse: (rows) =>
          parsePredicate(rows, trustedShape(name), { trusted: true, path: `permissions.${name}.${role}.write` }),
      }),
    })
  }
  const callerShape = shapes(
    model,
    (table) => {
      const visible = tables.get(table.name)
      return { columns: comparable(visible), relations: visible?.relations ?? new Map() }
    },
    (table) => tables.get(table)?.aggregate === true,
  )
  return { role, model, tables, shape: callerShape }
}

/**
 * Columns that may be filtered, sorted and counted by. What is a retrieval to
 * read is not among them: whether a filter matches would tell of the data
 * without an audit entry.
 */
export function comparable(visible: VisibleTable | undefined): ReadonlyMap<string, Column> {
  return new Map([...(visible?.columns ?? [])].filter(([name]) => !visible?.retrieval.has(name)))
}

function visibleColumns(table: Table, exposure: Exposure, wanted: '*' | readonly string[]): Map<string, Column> {
  const hidden = new Set(exposure.hidden)
  const names = wanted === '*' ? [...table.columns.keys()].filter((name) => !hidden.has(name)) : wanted
  return new Map(
    names.map((name) => {
      const column = table.columns.get(name)
      if (!column || hidden.has(name))
        throw new Error(`permissions.ts names ${table.name}.${name}, which cannot be shown.`)
      return [name, column]
    }),
  )
}

function shapes(
  model: Model,
  see: (table: Table) => { columns: ReadonlyMap<string, Column>; relations: ReadonlyMap<string, Relation> },
  mayCount: (table: string) => boolean,
): (name: string) => Shape {
  const made = new Map<string, Shape>()
  const shape = (name: string): Shape => {
    const existing = made.get(name)
    if (existing) return existing
    const { columns, relations } = see(model.get(name) as Table)
    const created: Shape = {
      name,
      columns: new Map([...columns].filter(([, column]) => column.type !== 'bytea')),
      relations: new Map([...relations].map(([key, relation]) => [key, () => shape(relation.table)])),
      counted: new Set([...relations].filter(([, { list, table }]) => list && mayCount(table)).map(([key]) => key)),
    }
    made.set(name, created)
    return created
  }
  return shape
}
