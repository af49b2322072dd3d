/** What one role may write in one table: its permissions, read and checked once. */
import type { Preset, WritePermission } from '../access/permissions.ts'
import type { Column, Table } from './model.ts'
import type { Predicate } from './predicate.ts'

export interface InsertView {
  readonly columns: ReadonlyMap<string, Column>
  readonly check: Predicate
  readonly presets: ReadonlyMap<string, Preset>
}

export interface UpdateView {
  readonly rows: Predicate
  readonly columns: ReadonlyMap<string, Column>
  readonly check: Predicate
  readonly presets: ReadonlyMap<string, Preset>
}

export interface TableWrites {
  readonly insert?: InsertView
  readonly update?: UpdateView
  readonly delete?: { readonly rows: Predicate }
  /** Columns of related rows that must be equal in every row that is written. */
  readonly agree: readonly Agreement[]
}

export interface RelatedColumn {
  readonly relation: string
  readonly column: string
}
/** Null in the second agrees with everything where it says so. */
export type Agreement = readonly [RelatedColumn, RelatedColumn, 'or null'?]

export interface WriteViewInput {
  readonly table: Table
  readonly permission: WritePermission | undefined
  readonly agree: readonly (readonly [string, string, 'or null'?])[]
  /** Reads a boolean expression of the declaration. */
  readonly parse: (rows: object) => Predicate
}

/** @throws Error when the declaration speaks of what is not there; at start, never for a request. */
export function tableWrites({ table, permission = {}, agree, parse }: WriteViewInput): TableWrites {
  const writable = (names: readonly string[]) => new Map(names.map((name) => [name, columnOf(table, name)]))
  const presetsOf = (presets: Readonly<Record<string, Preset>> = {}) => {
    for (const name of Object.keys(presets)) columnOf(table, name)
    return new Map(Object.entries(presets))
  }
  if (Object.keys(permission).length > 0) keyOf(table)
  const { insert, update } = permission
  const writes: TableWrites = {
    agree: agree.map(([left, right, orNull]): Agreement => [relatedColumn(left), relatedColumn(right), orNull]),
    ...(insert && {
      insert: {
        columns: writable(insert.columns),
        check: parse(insert.check),
        presets: presetsOf(insert.presets),
      },
    }),
    ...(update && {
      update: {
        rows: parse(update.rows),
        columns: writable(update.columns),
        check: parse(update.check ?? update.rows),
        presets: presetsOf(update.presets),
      },
    }),
    ...(permission.delete && { delete: { rows: parse(permission.delete.rows) } }),
  }
  if (writes.insert) requireKnownColumns(table, writes.insert, writes.agree)
  return writes
}

/** The column of the primary key; a table that can be written has one. */
export function keyOf(table: Table): Column {
  const [key, ...more] = table.primaryKey
  if (key === undefined || more.length > 0) throw new Error(`${table.name} can be written only with one key column.`)
  return columnOf(table, key)
}

/** Whether the permission asks nothing of a row. */
export function isAlways(predicate: Predicate): boolean {
  return predicate.kind === 'and' && predicate.of.length === 0
}

/** A new row is checked before it is written, so the check may not depend on what only Postgres fills in. */
function requireKnownColumns(table: Table, { check, columns, presets }: InsertView, agree: readonly Agreement[]): void {
  const named = new Set<string>()
  const visit = (predicate: Predicate): void => {
    if (predicate.kind === 'compare') named.add(predicate.column)
    else if (predicate.kind === 'not') visit(predicate.of)
    else if (predicate.kind === 'exists') addRelation(predicate.relation)
    else for (const part of predicate.of) visit(part)
  }
  const addRelation = (relation: string) => {
    for (const [here] of table.relations.get(relation)?.on ?? []) named.add(here)
  }
  visit(check)
  for (const [left, right] of agree) for (const { relation } of [left, right]) addRelation(relation)
  for (const name of named) {
    if (!columns.has(name) && !presets.has(name)) {
      throw new Error(`permissions.ts checks ${table.name}.${name} of new rows, which its inserter cannot set.`)
    }
  }
}

function columnOf(table: Table, name: string): Column {
  const column = table.columns.get(name)
  if (!column) throw new Error(`permissions.ts names ${table.name}.${name}, which does not exist.`)
  return column
}

function relatedColumn(path: string): RelatedColumn {
  const [relation = '', column = ''] = path.split('.')
  return { relation, column }
}
