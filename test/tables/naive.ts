/** Plain graphql-js resolvers over rows in memory: what the compiled path must agree with. */
import { buildSchema, type GraphQLFieldResolver, type GraphQLSchema, printSchema } from 'graphql'
import type { SessionVariables } from '../../src/access/principal.ts'
import { parseJsonPath } from '../../src/tables/json-path.ts'
import type { Relation, Table } from '../../src/tables/model.ts'
import { parsePredicate } from '../../src/tables/predicate.ts'
import { countRows, matches, order, type Row } from '../../src/tables/predicate-memory.ts'
import type { RoleView, VisibleTable } from '../../src/tables/role-view.ts'
import type { Rows } from './rows.ts'

export interface NaiveOptions {
  readonly schema: GraphQLSchema
  readonly view: RoleView
  readonly rows: Rows
  readonly variables: SessionVariables
}

export interface NaiveContext {
  /** An `order_by` with its keys as they were written, which coercion forgets. */
  readonly asWritten: (orderBy: unknown) => unknown
}

type Arguments = Readonly<Record<string, unknown>>

export function naiveExecution({ schema, view, rows, variables }: NaiveOptions): {
  readonly schema: GraphQLSchema
  readonly fieldResolver: GraphQLFieldResolver<unknown, NaiveContext>
} {
  const tableOf = new WeakMap<Row, Table>()
  for (const [name, list] of rows) for (const row of list) tableOf.set(row, view.model.get(name) as Table)

  const indexes = new Map<string, Map<unknown, Row[]>>()
  const joined = (relation: Relation, row: Row): readonly Row[] => {
    const [[here, there]] = relation.on as [readonly [string, string]]
    const key = `${relation.table}.${there}`
    const index = indexes.get(key) ?? Map.groupBy(rows.get(relation.table) ?? [], (other) => other[there])
    indexes.set(key, index)
    return row[here] === null ? [] : (index.get(row[here]) ?? [])
  }
  const anyRelated = (name: string, row: Row): readonly Row[] =>
    joined(tableOf.get(row)?.relations.get(name) as Relation, row)
  const known = new WeakMap<Row, boolean>()
  const mayRead = (table: VisibleTable, row: Row): boolean => {
    const may = known.get(row) ?? matches(table.filter, row, { variables, related: anyRelated })
    known.set(row, may)
    return may
  }
  const readable = (relation: Relation, row: Row): Row[] => {
    const table = view.tables.get(relation.table)
    return table ? joined(relation, row).filter((other) => mayRead(table, other)) : []
  }
  const related = (name: string, row: Row): Row[] => readable(tableOf.get(row)?.relations.get(name) as Relation, row)

  const select = (
    table: VisibleTable,
    from: readonly Row[],
    args: Arguments,
    { asWritten }: NaiveContext,
    limit: number,
  ): Row[] => {
    const where = args.where ? parsePredicate(args.where, view.shape(table.table.name)) : null
    const found = from.filter((row) => mayRead(table, row) && (!where || matches(where, row, { variables, related })))
    const distinctOn = listOf<string>(args.distinct_on)
    const orderBy = listOf<Arguments>(asWritten(args.order_by))
    const keys = orderBy.flatMap((entry) => sortKeys(table, entry))
    const leading = keys.length > 0 ? [] : distinctOn.flatMap((column) => sortKeys(table, { [column]: 'asc' }))
    const all = [...leading, ...keys]
    if (all.length > 0) all.push(...table.table.primaryKey.flatMap((column) => sortKeys(table, { [column]: 'asc' })))
    const sorted = found.toSorted((a, b) => all.reduce((result, key) => result || key(a, b), 0))
    const kept =
      distinctOn.length === 0
        ? sorted
        : firstOfEach(sorted, (a, b) => distinctOn.every((column) => same(table, column, a, b)))
    const offset = (args.offset as number | null | undefined) ?? 0
    return kept.slice(offset, offset + Math.min((args.limit as number | null | undefined) ?? limit, limit))
  }

  const sortKeys = (table: VisibleTable, entry: Arguments): ((a: Row, b: Row) => number)[] =>
    Object.entries(entry).flatMap(([key, direction]) => {
      if (direction === null || direction === undefined) return []
      const column = table.columns.get(key) ?? table.table.columns.get(key)
      if (column) return [byValue((row) => row[key], column.type, String(direction))]
      const object = table.relations.get(key)
      if (object) {
        const to = view.tables.get(object.table) as VisibleTable
        return sortKeys(to, direction as Arguments).map(
          (inner) => (a: Row, b: Row) => inner(readable(object, a)[0] ?? nothing, readable(object, b)[0] ?? nothing),
        )
      }
      const relation = table.relations.get(key.slice(0, -'_aggregate'.length)) as Relation
      const to = view.tables.get(relation.table) as VisibleTable
      return Object.entries(direction as Arguments).flatMap(([operation, columns]) => {
        if (operation === 'count') {
          // A row that is not there has no related rows, but no count of them either.
          const count = (row: Row) => (row === nothing ? null : readable(relation, row).length)
          return [byValue(count, 'int8', String(columns))]
        }
        return Object.entries((columns ?? {}) as Arguments)
          .filter(([, way]) => way !== null && way !== undefined)
          .map(([name, way]) => {
            const { type } = to.columns.get(name) ?? { type: 'text' }
            const value = (row: Row) => (row === nothing ? null : compute(operation, readable(relation, row), to, name))
            return byValue(value, operation === 'min' || operation === 'max' ? type : 'float8', String(way))
          })
      })
    })

  const aggregate = (table: VisibleTable, list: readonly Row[]) => ({ table, list })

  const fieldResolver: GraphQLFieldResolver<unknown, NaiveContext> = (source, args, context, info) => {
    const name = info.fieldName
    if (source === undefined) {
      const table = view.tables.get(name)
      if (table) return select(table, rows.get(name) ?? [], args, context, table.limit)
      const base = view.tables.get(name.replace(/_(by_pk|aggregate)$/, '')) as VisibleTable
      const all = rows.get(base.table.name) ?? []
      if (name.endsWith('_aggregate'))
        return aggregate(base, select(base, all, args, context, Number.POSITIVE_INFINITY))
      const keys = Object.entries(args as Arguments)
      return all.find((row) => mayRead(base, row) && keys.every(([key, value]) => row[key] === value)) ?? null
    }
    const parent = info.parentType.name
    const group =
      /_(aggregate|aggregate_fields|(avg|sum|min|max|stddev|stddev_pop|stddev_samp|var_pop|var_samp|variance)_fields)$/.exec(
        parent,
      )
    if (group && !view.tables.has(parent)) {
      const { table, list } = source as ReturnType<typeof aggregate>
      if (group[2]) return compute(group[2], list, table, name)
      if (name === 'nodes') return list.slice(0, table.limit)
      if (name !== 'count') return source
      const columns = listOf<string>((args as Arguments).columns).map((one) => ({
        name: one,
        type: table.columns.get(one)?.type ?? 'text',
      }))
      return countRows(list, { columns, distinct: (args as Arguments).distinct === true })
    }
    const row = source as Row
    const table = view.tables.get(parent) as VisibleTable
    const relation = table.relations.get(name)
    if (relation) {
      const to = view.tables.get(relation.table) as VisibleTable
      return relation.list
        ? select(to, joined(relation, row), args, context, to.limit)
        : (readable(relation, row)[0] ?? null)
    }
    if (table.columns.has(name)) {
      const { path } = args as { path?: string | null }
      return typeof path === 'string' ? part(row[name], parseJsonPath(path, 'path')) : row[name]
    }
    const counted = table.relations.get(name.slice(0, -'_aggregate'.length)) as Relation
    const to = view.tables.get(counted.table) as VisibleTable
    return aggregate(to, select(to, joined(counted, row), args, context, Number.POSITIVE_INFINITY))
  }
  return { schema: buildSchema(printSchema(schema)), fieldResolver }
}

/** A related row that does not exist or may not be read. */
const nothing: Row = {}

function byValue(value: (row: Row) => unknown, type: string, direction: string): (a: Row, b: Row) => number {
  const descending = direction.startsWith('desc')
  const nullsFirst = direction.endsWith('nulls_first') || direction === 'desc'
  const values = new Map<Row, unknown>()
  const valueOnce = (row: Row) => {
    if (!values.has(row)) values.set(row, value(row) ?? null)
    return values.get(row)
  }
  return (a, b) => {
    const [x, y] = [valueOnce(a), valueOnce(b)]
    if (x === null || y === null) return x === y ? 0 : (x === null) === nullsFirst ? -1 : 1
    return descending ? order(y, x, type) : order(x, y, type)
  }
}

function same(table: VisibleTable, column: string, a: Row, b: Row): boolean {
  const [x, y] = [a[column] ?? null, b[column] ?? null]
  const { type = 'text', list } = table.table.columns.get(column) ?? {}
  if (x === null || y === null) return x === y
  return list ? JSON.stringify(x) === JSON.stringify(y) : order(x, y, type) === 0
}

function firstOfEach(rows: readonly Row[], equal: (a: Row, b: Row) => boolean): Row[] {
  return rows.filter((row, index) => rows.findIndex((other) => equal(row, other)) === index)
}

function compute(operation: string, rows: readonly Row[], table: VisibleTable, column: string): unknown {
  const { type = 'text' } = table.table.columns.get(column) ?? {}
  const values = rows.map((row) => row[column] ?? null).filter((value) => value !== null)
  if (operation === 'min' || operation === 'max') {
    const sorted = values.toSorted((a, b) => order(a, b, type))
    return (operation === 'min' ? sorted.at(0) : sorted.at(-1)) ?? null
  }
  const numbers = values.map(Number)
  const count = numbers.length
  if (count === 0) return null
  const sum = numbers.reduce((a, b) => a + b, 0)
  if (operation === 'sum') return sum
  const mean = sum / count
  if (operation === 'avg') return mean
  const population = operation.endsWith('_pop')
  if (!population && count === 1) return null
  const variance = numbers.reduce((total, number) => total + (number - mean) ** 2, 0) / (population ? count : count - 1)
  return operation.startsWith('stddev') ? Math.sqrt(variance) : variance
}

/** `#>`: what is not there is null. */
function part(value: unknown, path: readonly string[]): unknown {
  let found: unknown = value
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return null
    found = (found as Record<string, unknown>)[key]
  }
  return found
}

function listOf<T>(value: unknown): T[] {
  if (value === null || value === undefined) return []
  return Array.isArray(value) ? value : [value as T]
}
