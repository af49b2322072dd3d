/** Boolean expressions to SQL. */
import { everyTeam } from '../access/every-team.ts'
import type { SessionVariables } from '../access/principal.ts'
import { SluiceError } from '../errors.ts'
import type { Column, ColumnType, Model, Table } from './model.ts'
import type { Operand, Operator, Predicate } from './predicate.ts'
import { mapped } from './slots.ts'
import { name, type SqlWriter } from './sql-writer.ts'

export interface PredicateSqlContext {
  readonly writer: SqlWriter
  readonly model: Model
  readonly variables: SessionVariables
  /** The filter that a related table's rows must also pass, when the predicate came from a caller. */
  readonly visible?: (table: Table) => Predicate
}

/** A condition over the rows of `table` under `alias`; three-valued, as SQL is. */
export function predicateToSql(
  predicate: Predicate,
  table: Table,
  alias: string,
  context: PredicateSqlContext,
): string {
  switch (predicate.kind) {
    case 'and':
    case 'or': {
      if (predicate.of.length === 0) return predicate.kind === 'and' ? 'true' : 'false'
      const parts = predicate.of.map((part) => predicateToSql(part, table, alias, context))
      return `(${parts.join(predicate.kind === 'and' ? ' and ' : ' or ')})`
    }
    case 'not':
      return `(not ${predicateToSql(predicate.of, table, alias, context)})`
    case 'compare':
      return compareToSql(
        predicate,
        table.columns.get(predicate.column) as Column,
        `${alias}.${name(predicate.column)}`,
        context,
      )
    case 'exists': {
      const relation = table.relations.get(predicate.relation)
      const other = relation && context.model.get(relation.table)
      if (!relation || !other) throw new Error(`${table.name} has no relation ${predicate.relation}`)
      const inner = context.writer.alias()
      const join = relation.on.map(([here, there]) => `${inner}.${name(there)} = ${alias}.${name(here)}`)
      const conditions = [...join]
      if (context.visible)
        conditions.push(predicateToSql(context.visible(other), other, inner, { ...context, visible: undefined }))
      conditions.push(predicateToSql(predicate.of, other, inner, context))
      const rows = `from ${name(other.name)} ${inner} where ${conditions.join(' and ')}`
      if (!predicate.count) return `exists (select 1 ${rows})`
      const { columns, distinct, tests } = predicate.count
      const counted = context.writer.alias()
      const parts = tests.map((test) => compareToSql(test, test, `${counted}.n`, context))
      const number = countOf(
        columns.map((column) => column.name),
        distinct,
        inner,
      )
      return `(select ${parts.join(' and ') || 'true'} from (select ${number} as n ${rows}) ${counted})`
    }
  }
}

/** SQL's count of rows; several columns count as one row value. */
export function countOf(columns: readonly string[], distinct: boolean, alias: string): string {
  if (columns.length === 0) return 'count(*)'
  const values = columns.map((column) => `${alias}.${name(column)}`)
  return `count(${distinct ? 'distinct ' : ''}${values.length === 1 ? values[0] : `(${values.join(', ')})`})`
}

/**
 * Text is ordered by code point in every database, whatever its locale, so that
 * SQL and memory agree and pages by `_gt` follow `order_by`. A column that is
 * declared `collate "C"` keeps the use of its index.
 */
export function ordered(value: string, { type, list }: { readonly type: ColumnType; readonly list: boolean }): string {
  return type === 'text' && !list ? `${value} collate "C"` : value
}

const byOrder = new Set<Operator>(['_gt', '_lt', '_gte', '_lte'])

const infix: Partial<Record<Operator, string>> = {
  _eq: '=',
  _neq: '<>',
  _gt: '>',
  _lt: '<',
  _gte: '>=',
  _lte: '<=',
  _like: 'like',
  _nlike: 'not like',
  _ilike: 'ilike',
  _nilike: 'not ilike',
  _similar: 'similar to',
  _nsimilar: 'not similar to',
  _regex: '~',
  _nregex: '!~',
  _iregex: '~*',
  _niregex: '!~*',
  _contains: '@>',
  _contained_in: '<@',
  _has_key: '?',
  _has_keys_any: '?|',
  _has_keys_all: '?&',
}

function compareToSql(
  { operator, operand, type, cast }: Predicate & { kind: 'compare' },
  column: Pick<Column, 'type' | 'list'> & { readonly enum?: boolean },
  value: string,
  context: PredicateSqlContext,
): string {
  const left = cast ? `(${value})::text` : value
  const pgType = column.enum && !cast ? name(type) : type
  if (operator === '_is_null')
    return operandValue(operand, context) === true ? `${left} is null` : `${left} is not null`
  if (operand.kind === 'now') return `${left} ${infix[operator]} now()`
  const right = operandValue(operand, context)
  // The caller's list stands for all that there are, also those that come later.
  if (operator === '_in' && operand.kind === 'variable' && right === everyTeam) return `${left} is not null`
  // A session variable the caller does not have opens nothing, under NOT neither.
  if (right === null || right === undefined) return 'null::boolean'
  if (column.list) {
    const items = mapped(right, (value) => listOf(value).map((item) => encode(item, type)))
    return `${left} ${infix[operator]} ${context.writer.value(items, `${pgType}[]`)}`
  }
  // The caller's only team: equality keeps the order of an index behind the column, which "= any" does not.
  if (operator === '_in' && operand.kind === 'variable' && Array.isArray(right) && right.length === 1) {
    return `${left} = ${context.writer.value(
      mapped(right[0], (value) => encode(value, type)),
      pgType,
    )}`
  }
  if (operator === '_in' || operator === '_nin') {
    const items = context.writer.value(
      mapped(right, (value) => listOf(value).map((item) => encode(item, type))),
      `${pgType}[]`,
    )
    return operator === '_in' ? `${left} = any(${items})` : `${left} <> all(${items})`
  }
  if (operator === '_has_keys_any' || operator === '_has_keys_all') {
    return `${left} ${infix[operator]} ${context.writer.value(right, 'text[]')}`
  }
  const rightType = rightTypeOf(operator, pgType)
  const compared = byOrder.has(operator) ? ordered(left, { type, list: false }) : left
  return `${compared} ${infix[operator]} ${context.writer.value(
    mapped(right, (value) => encode(value, rightType)),
    rightType,
  )}`
}

function rightTypeOf(operator: Operator, type: string): string {
  if (
    operator === '_has_key' ||
    operator.includes('like') ||
    operator.includes('similar') ||
    operator.includes('regex')
  )
    return 'text'
  return type
}

/** pg sends objects as JSON but strings as they are; a JSON value must always be JSON. */
function encode(value: unknown, type: ColumnType): unknown {
  if (type === 'jsonb') return JSON.stringify(value)
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value
}

function operandValue(operand: Operand, { variables }: PredicateSqlContext): unknown {
  if (operand.kind === 'value') return operand.value
  if (operand.kind === 'variable') {
    const value = variables[operand.name]
    if (value === undefined) {
      throw new SluiceError(
        'FORBIDDEN',
        `Your credential carries no ${operand.name}, which this table's permission needs.`,
      )
    }
    return value
  }
  throw new Error('now() stands for a time and cannot be used here')
}

function listOf(value: unknown): readonly unknown[] {
  if (value === null || value === undefined) return []
  return Array.isArray(value) ? value : [value]
}
