/** Table writes to SQL: one operation, one function. Values are parameters, always. */
import type { Preset } from '../access/permissions.ts'
import type { SessionVariables } from '../access/principal.ts'
import type { Column, Table } from './model.ts'
import type { Change, DeleteWrite, InsertWrite, Update, UpdateWrite } from './mutation.ts'
import type { Predicate } from './predicate.ts'
import { predicateToSql } from './predicate-sql.ts'
import type { RoleView } from './role-view.ts'
import { name, SqlWriter } from './sql-writer.ts'
import type { WrittenRow } from './write-rules.ts'
import { type Agreement, isAlways, keyOf, type RelatedColumn } from './write-view.ts'

export interface WriteStatement {
  readonly text: string
  readonly values: readonly unknown[]
}

export interface WriteSqlContext {
  readonly view: RoleView
  readonly variables: SessionVariables
}

/** Inserts; returns `key` and `inserted`, which is false for a row that was there and was updated. */
export function insertStatement(write: InsertWrite, context: WriteSqlContext): WriteStatement {
  const sql = new WriteSql(context)
  const { table } = write.table
  const alias = sql.writer.alias()
  const key = keyOf(table)
  const columns = sql.insertColumns(write)
  const rows = write.rows.map((row) => {
    const cells = columns.map((column) => sql.insertCell(write, row, column) ?? 'default')
    return `(${cells.join(', ')})`
  })
  const text = [
    `insert into ${name(table.name)} as ${alias} (${columns.map((column) => name(column.name)).join(', ')})`,
    ` values ${rows.join(', ')}`,
    sql.onConflict(write, alias),
    ` returning ${alias}.${name(key.name)} as key, ${alias}.xmax = 0 as inserted`,
  ].join('')
  return { text, values: sql.writer.values }
}

/**
 * Which new rows the role may not write, before anything is written: `row` is
 * its number, `allowed` is false when the permission's check fails and true when
 * its related rows do not agree. Null when every row may be written. It is
 * asked first so that whether a row of somebody else exists cannot be told from
 * the conflict with it.
 */
export function newRowsCheck(write: InsertWrite, context: WriteSqlContext): WriteStatement | null {
  const { permission, table: visible } = write
  const { table, writes } = visible
  if (isAlways(permission.check) && writes.agree.length === 0) return null
  const sql = new WriteSql(context)
  const alias = sql.writer.alias()
  const columns = [...permission.columns.values(), ...presetColumns(table, permission.presets)]
  const rows = write.rows.map((row, index) => {
    const cells = columns.map((column) => sql.insertCell(write, row, column) ?? `null::${typeName(column)}`)
    return `(${[index, ...cells].join(', ')})`
  })
  const check = predicateToSql(permission.check, table, alias, sql.predicates)
  const agree = sql.agreement(writes.agree, table, alias)
  return {
    text:
      `select ${alias}.n as row, (${check}) is true as allowed` +
      ` from (values ${rows.join(', ')}) ${alias}(n, ${columns.map((column) => name(column.name)).join(', ')})` +
      ` where (${check} and ${agree}) is not true order by 1 limit 1`,
    values: sql.writer.values,
  }
}

/** Updates; returns `key`. Null when there is nothing to change. */
export function updateStatement(write: UpdateWrite, update: Update, context: WriteSqlContext): WriteStatement | null {
  const sql = new WriteSql(context)
  const { table } = write.table
  const alias = sql.writer.alias()
  const assignments = [
    ...Object.entries(update.set).map(([column, value]) => {
      return `${name(column)} = ${sql.cell(table.columns.get(column) as Column, value)}`
    }),
    ...update.changes.map((change) => `${name(change.column.name)} = ${sql.changed(change, alias)}`),
  ]
  if (assignments.length === 0) return null
  assignments.push(...sql.presetAssignments(write.permission.presets, table))
  const text = [
    `update ${name(table.name)} as ${alias} set ${assignments.join(', ')}`,
    ` where ${sql.permission(write.permission.rows, table, alias)} and ${sql.fromCaller(update.where, table, alias)}`,
    ` returning ${alias}.${name(keyOf(table).name)} as key`,
  ].join('')
  return { text, values: sql.writer.values }
}

/** Finds the rows that will be deleted, and holds them; returns `key`. */
export function lockStatement(write: DeleteWrite, context: WriteSqlContext): WriteStatement {
  const sql = new WriteSql(context)
  const { table } = write.table
  const alias = sql.writer.alias()
  const text = `select ${alias}.${name(keyOf(table).name)} as key from ${name(table.name)} ${alias} where ${sql.deletable(write, alias)} for update of ${alias}`
  return { text, values: sql.writer.values }
}

/** Deletes; returns `key`. */
export function deleteStatement(write: DeleteWrite, context: WriteSqlContext): WriteStatement {
  const sql = new WriteSql(context)
  const { table } = write.table
  const alias = sql.writer.alias()
  const text = `delete from ${name(table.name)} as ${alias} where ${sql.deletable(write, alias)} returning ${alias}.${name(keyOf(table).name)} as key`
  return { text, values: sql.writer.values }
}

/** Deletes the rows with these keys; returns `key`. */
export function deleteByKeys(table: Table, keys: readonly unknown[]): WriteStatement {
  const writer = new SqlWriter()
  const key = keyOf(table)
  return {
    text: `delete from ${name(table.name)} where ${name(key.name)} = any(${writer.value(keys, `${key.type}[]`)}) returning ${name(key.name)} as key`,
    values: writer.values,
  }
}

export interface WrittenCheck {
  readonly table: Table
  readonly keys: readonly unknown[]
  readonly checks: readonly Predicate[]
  readonly agree: readonly Agreement[]
}

/** One written row that the role may not have written, as `key` and `allowed` (see `newRowsCheck`). Null when there can be none. */
export function writtenRowsCheck(
  { table, keys, checks, agree }: WrittenCheck,
  context: WriteSqlContext,
): WriteStatement | null {
  const asked = checks.filter((check) => !isAlways(check))
  if (keys.length === 0 || (asked.length === 0 && agree.length === 0)) return null
  const sql = new WriteSql(context)
  const alias = sql.writer.alias()
  const key = keyOf(table)
  const check = sql.permission({ kind: 'and', of: asked }, table, alias)
  return {
    text:
      `select ${alias}.${name(key.name)} as key, (${check}) is true as allowed from ${name(table.name)} ${alias}` +
      ` where ${alias}.${name(key.name)} = any(${sql.writer.value(keys, `${key.type}[]`)})` +
      ` and (${check} and ${sql.agreement(agree, table, alias)}) is not true limit 1`,
    values: sql.writer.values,
  }
}

/** Whole rows, for the rules of the domain. */
export function rowsByKeys(table: Table, keys: readonly unknown[]): WriteStatement {
  const writer = new SqlWriter()
  const key = keyOf(table)
  return {
    text: `select * from ${name(table.name)} where ${name(key.name)} = any(${writer.value(keys, `${key.type}[]`)})`,
    values: writer.values,
  }
}

class WriteSql {
  readonly writer = new SqlWriter()
  readonly #view: RoleView
  readonly #variables: SessionVariables

  constructor({ view, variables }: WriteSqlContext) {
    this.#view = view
    this.#variables = variables
  }

  get predicates() {
    return { writer: this.writer, model: this.#view.model, variables: this.#variables }
  }

  /** An expression of the declaration, which sees everything. */
  permission(predicate: Predicate, table: Table, alias: string): string {
    return predicateToSql(predicate, table, alias, this.predicates)
  }

  /** An expression of the caller, which sees only related rows that the caller may see. */
  fromCaller(predicate: Predicate, table: Table, alias: string): string {
    const visible = (other: Table) => this.#view.tables.get(other.name)?.filter ?? { kind: 'or', of: [] }
    return predicateToSql(predicate, table, alias, { ...this.predicates, visible } as Parameters<
      typeof predicateToSql
    >[3])
  }

  deletable({ table: { table }, rows, where }: DeleteWrite, alias: string): string {
    return `${this.permission(rows, table, alias)} and ${this.fromCaller(where, table, alias)}`
  }

  /** Columns that some row gives or a preset sets; the key when there is none, for its default. */
  insertColumns({ table: { table }, permission, rows }: InsertWrite): readonly Column[] {
    const given = new Set(rows.flatMap((row) => Object.keys(row)))
    const columns = [...table.columns.values()].filter(
      (column) => given.has(column.name) || permission.presets.has(column.name),
    )
    return columns.length > 0 ? columns : [keyOf(table)]
  }

  /** Null where the column's default is to stand. */
  insertCell({ table: { table }, permission }: InsertWrite, row: WrittenRow, column: Column): string | null {
    const preset = permission.presets.get(column.name)
    if (preset !== undefined) return this.#preset(preset, table, column, row)
    return row[column.name] === undefined ? null : this.cell(column, row[column.name])
  }

  presetAssignments(presets: ReadonlyMap<string, Preset>, table: Table): string[] {
    return [...presets].map(
      ([column, preset]) => `${name(column)} = ${this.#preset(preset, table, table.columns.get(column) as Column, {})}`,
    )
  }

  #preset(preset: Preset, table: Table, column: Column, row: WrittenRow): string {
    if (preset === 'now()') return 'now()'
    if (typeof preset === 'string') {
      return this.cell(column, preset.startsWith('x-hasura-') ? this.#variables[preset] : preset)
    }
    return this.#related(preset, table, (here) => this.cell(table.columns.get(here) as Column, row[here]))
  }

  /** Both columns of each pair are equal, or the second is null where that agrees. */
  agreement(agree: readonly Agreement[], table: Table, alias: string): string {
    if (agree.length === 0) return 'true'
    const side = (related: RelatedColumn) => this.#related(related, table, (here) => `${alias}.${name(here)}`)
    return agree
      .map(([left, right, orNull]) => {
        const same = `${side(left)} = ${side(right)}`
        return orNull ? `(${same} or ${side(right)} is null)` : same
      })
      .join(' and ')
  }

  #related({ relation, column }: RelatedColumn, table: Table, here: (column: string) => string): string {
    const found = table.relations.get(relation)
    if (!found) throw new Error(`${table.name} has no relation ${relation}`)
    const other = this.writer.alias()
    const join = found.on.map(([mine, theirs]) => `${other}.${name(theirs)} = ${here(mine)}`)
    return `(select ${other}.${name(column)} from ${name(found.table)} ${other} where ${join.join(' and ')})`
  }

  onConflict({ onConflict, table: { table } }: InsertWrite, alias: string): string {
    if (!onConflict) return ''
    const target = ` on conflict (${onConflict.key.map(name).join(', ')})`
    if (onConflict.update.length === 0) return `${target} do nothing`
    const { permission, update, where } = onConflict
    const assignments = [
      ...update.map((column) => `${name(column)} = excluded.${name(column)}`),
      ...this.presetAssignments(permission.presets, table),
    ]
    return (
      `${target} do update set ${assignments.join(', ')}` +
      ` where ${this.permission(permission.rows, table, alias)} and ${this.fromCaller(where, table, alias)}`
    )
  }

  changed({ operator, column, value }: Change, alias: string): string {
    const current = `${alias}.${name(column.name)}`
    switch (operator) {
      case '_inc':
        return `${current} + ${this.cell(column, value)}`
      case '_append':
        return `${current} || ${this.cell(column, value)}`
      case '_prepend':
        return `${this.cell(column, value)} || ${current}`
      case '_delete_key':
        return `${current} - ${this.writer.value(value, 'text')}`
      case '_delete_elem':
        return `${current} - ${this.writer.value(value, 'int4')}`
      case '_delete_at_path':
        return `${current} #- ${this.writer.value(value, 'text[]')}`
    }
  }

  cell(column: Column, value: unknown): string {
    return this.writer.value(column.list ? listItems(value, column) : encode(value, column), typeName(column))
  }
}

function presetColumns(table: Table, presets: ReadonlyMap<string, Preset>): Column[] {
  return [...presets.keys()].map((column) => table.columns.get(column) as Column)
}

function typeName({ type, enum: isEnum, list }: Column): string {
  return `${isEnum ? name(type) : type}${list ? '[]' : ''}`
}

function listItems(value: unknown, column: Column): unknown {
  return Array.isArray(value) ? value.map((item) => encode(item, column)) : null
}

/** pg sends objects as JSON but strings as they are; a JSON value must always be JSON. */
function encode(value: unknown, { type }: Column): unknown {
  if (value === null || value === undefined) return null
  if (type === 'jsonb') return JSON.stringify(value)
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value
}
