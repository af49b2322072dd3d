/**
 * The GraphQL face of the tables, with Hasura v2's default names: for each
 * visible table `t` its object type, `t_bool_exp`, `t_order_by`,
 * `t_select_column`, the aggregate types and the root fields `t`, `t_by_pk` and
 * `t_aggregate`, as queries and as live queries.
 */
import type { GraphQLResolveInfo } from 'graphql'
import type { Builder } from './builder.ts'
import type { Column, ColumnType } from './model.ts'
import { addMutations, type SharedTypes } from './mutation-schema.ts'
import { operators, operatorsOf } from './predicate.ts'
import type { RequestContext } from './request-context.ts'
import { comparable, type RoleView, type VisibleTable } from './role-view.ts'
import { scalarOf } from './scalars.ts'

// Types and fields are named at run time, so Pothos cannot check them at compile time.
// biome-ignore lint/suspicious/noExplicitAny: see above.
type Dynamic = any

/** Adds the tables of `view` to `builder`, below Query and Subscription. */
export function addTables(builder: Builder, view: RoleView): void {
  const types = new TableTypes(builder, view)
  for (const table of view.tables.values()) types.add(table)
  addMutations(builder, view, types.shared)
}

/** A selected field's value stands in its parent's JSON under the response key. */
const fromJson = (source: Record<string, unknown>, _: unknown, __: unknown, info: GraphQLResolveInfo) =>
  source[info.path.key]
const root = (_: unknown, __: unknown, context: RequestContext, info: GraphQLResolveInfo) => context.resolveRoot(info)
const notHere = () => {
  throw new Error('Live queries are run by live/, not by resolvers.')
}

const numericTypes: readonly ColumnType[] = ['int4', 'int8', 'float8', 'numeric']

/** Hasura's aggregate functions, and which of the columns each is offered for; `count` stands for itself. */
function aggregatesOf(columns: readonly Column[]): Map<string, readonly Column[]> {
  const numeric = columns.filter(({ type }) => numericTypes.includes(type))
  const ordered = columns.filter(
    (column) => column.enum || [...numericTypes, 'text', 'timestamptz', 'uuid'].includes(column.type),
  )
  const spread = ['stddev', 'stddev_pop', 'stddev_samp', 'var_pop', 'var_samp', 'variance']
  return new Map(
    [
      ...['avg', 'sum', ...spread].map((operation): [string, readonly Column[]] => [operation, numeric]),
      ...['max', 'min'].map((operation): [string, readonly Column[]] => [operation, ordered]),
    ].filter(([, over]) => over.length > 0),
  )
}

class TableTypes {
  readonly #builder: Dynamic
  readonly #view: RoleView
  readonly #objects = new Map<string, Dynamic>()
  readonly #inputs = new Map<string, Dynamic>()
  readonly #enums = new Map<string, Dynamic>()

  constructor(builder: Builder, view: RoleView) {
    this.#builder = builder
    this.#view = view
  }

  add(visible: VisibleTable): void {
    const { table } = visible
    const list = (operation: string) => (t: Dynamic) =>
      t.field({
        type: [this.#object(table.name)],
        nullable: false,
        description: `Rows of ${table.name}.`,
        args: this.#listArguments(t, visible),
        ...(operation === 'query' ? { resolve: root } : { subscribe: notHere, resolve: root }),
      })
    const byPk = (operation: string) => (t: Dynamic) =>
      t.field({
        type: this.#object(table.name),
        nullable: true,
        description: `The row of ${table.name} with this primary key.`,
        args: Object.fromEntries(
          table.primaryKey.map((key) => [
            key,
            t.arg({ type: this.#scalar(visible.columns.get(key) as Column), required: true }),
          ]),
        ),
        ...(operation === 'query' ? { resolve: root } : { subscribe: notHere, resolve: root }),
      })
    const aggregate = (operation: string) => (t: Dynamic) =>
      t.field({
        type: this.#aggregateObject(visible),
        nullable: false,
        description: `Aggregates over rows of ${table.name}.`,
        args: this.#listArguments(t, visible),
        ...(operation === 'query' ? { resolve: root } : { subscribe: notHere, resolve: root }),
      })
    this.#builder.queryField(table.name, list('query'))
    this.#builder.subscriptionField(table.name, list('subscription'))
    if (table.primaryKey.every((key) => visible.columns.has(key))) {
      this.#builder.queryField(`${table.name}_by_pk`, byPk('query'))
      this.#builder.subscriptionField(`${table.name}_by_pk`, byPk('subscription'))
    }
    if (visible.columns.has('position')) {
      this.#builder.subscriptionField(`${table.name}_stream`, (t: Dynamic) =>
        t.field({
          type: [this.#object(table.name)],
          nullable: false,
          description: `Rows of ${table.name} beyond a cursor, in batches, each row once. With the cursor \`position\` none is lost or repeated across connections.`,
          args: {
            batch_size: t.arg({ type: 'Int', required: true, description: 'The most rows in one result.' }),
            cursor: t.arg({ type: [this.#streamCursor(visible)], required: { list: true, items: false } }),
            where: t.arg({ type: this.#boolExp(visible), description: 'Only rows for which this is true.' }),
          },
          subscribe: notHere,
          resolve: root,
        }),
      )
    }
    if (visible.aggregate) {
      this.#builder.queryField(`${table.name}_aggregate`, aggregate('query'))
      this.#builder.subscriptionField(`${table.name}_aggregate`, aggregate('subscription'))
    }
  }

  #listArguments(t: Dynamic, visible: VisibleTable): Record<string, unknown> {
    return {
      distinct_on: t.arg({
        type: [this.#selectColumn(visible)],
        description: 'One row per distinct value of these columns.',
      }),
      limit: t.arg({ type: 'Int', description: `At most this many rows; never more than ${visible.limit}.` }),
      offset: t.arg({ type: 'Int', description: 'Rows to skip. Use with order_by.' }),
      order_by: t.arg({ type: [this.#orderBy(visible)], description: 'Sort by one or more columns.' }),
      where: t.arg({ type: this.#boolExp(visible), description: 'Only rows for which this is true.' }),
    }
  }

  #object(name: string): Dynamic {
    const made = this.#objects.get(name)
    if (made) return made
    const visible = this.#view.tables.get(name) as VisibleTable
    const ref = this.#builder.objectRef(name)
    this.#objects.set(name, ref)
    ref.implement({
      description: visible.table.description,
      fields: (t: Dynamic) => ({
        ...Object.fromEntries([...visible.columns].map(([key, column]) => [key, this.#columnField(t, column)])),
        ...Object.fromEntries([...visible.relations].flatMap(([key]) => this.#relationFields(t, visible, key))),
      }),
    })
    return ref
  }

  #columnField(t: Dynamic, column: Column): Dynamic {
    const type = this.#scalar(column)
    return t.field({
      type: column.list ? [type] : type,
      // A path may lead to nothing.
      nullable: !column.required || column.type === 'jsonb',
      description: column.description,
      ...(column.type === 'jsonb'
        ? {
            args: {
              path: t.arg({
                type: 'String',
                description: 'A part of the value, such as $.passport.data["user.role"][0].',
              }),
            },
          }
        : {}),
      resolve: fromJson,
    })
  }

  #relationFields(t: Dynamic, visible: VisibleTable, key: string): [string, Dynamic][] {
    const relation = visible.relations.get(key)
    const other = relation && this.#view.tables.get(relation.table)
    if (!relation || !other) return []
    const type = this.#object(relation.table)
    if (!relation.list) return [[key, t.field({ type, nullable: true, resolve: fromJson })]]
    const args = this.#listArguments(t, other)
    const fields: [string, Dynamic][] = [[key, t.field({ type: [type], nullable: false, args, resolve: fromJson })]]
    if (other.aggregate) {
      const aggregate = this.#aggregateObject(other)
      fields.push([`${key}_aggregate`, t.field({ type: aggregate, nullable: false, args, resolve: fromJson })])
    }
    return fields
  }

  #aggregateObject(visible: VisibleTable): Dynamic {
    const name = `${visible.table.name}_aggregate`
    const made = this.#objects.get(name)
    if (made) return made
    const ref = this.#builder.objectRef(name)
    this.#objects.set(name, ref)
    ref.implement({
      fields: (t: Dynamic) => ({
        aggregate: t.field({ type: this.#aggregateFields(visible), nullable: true, resolve: fromJson }),
        nodes: t.field({ type: [this.#object(visible.table.name)], nullable: false, resolve: fromJson }),
      }),
    })
    return ref
  }

  #aggregateFields(visible: VisibleTable): Dynamic {
    const base = visible.table.name
    const group = (operation: string, columns: readonly Column[], type: (column: Column) => string) => {
      const ref = this.#builder.objectRef(`${base}_${operation}_fields`)
      ref.implement({
        fields: (t: Dynamic) =>
          Object.fromEntries(
            columns.map((column) => [column.name, t.field({ type: type(column), nullable: true, resolve: fromJson })]),
          ),
      })
      return ref
    }
    const columns = [...visible.columns.values()].filter((column) => !column.list)
    const groups = [...aggregatesOf(columns)].map(([operation, over]): [string, Dynamic] => {
      const type = (column: Column) => {
        if (operation === 'min' || operation === 'max') return this.#scalar(column)
        if (operation !== 'sum') return 'Float'
        return column.type === 'int4' ? 'bigint' : this.#scalar(column)
      }
      return [operation, group(operation, over, type)]
    })
    const ref = this.#builder.objectRef(`${base}_aggregate_fields`)
    ref.implement({
      fields: (t: Dynamic) => ({
        count: t.field({
          type: 'Int',
          nullable: false,
          args: { columns: t.arg({ type: [this.#selectColumn(visible)] }), distinct: t.arg({ type: 'Boolean' }) },
          resolve: fromJson,
        }),
        ...Object.fromEntries(groups.map(([key, type]) => [key, t.field({ type, nullable: true, resolve: fromJson })])),
      }),
    })
    return ref
  }

  #selectColumn(visible: VisibleTable): Dynamic {
    const name = `${visible.table.name}_select_column`
    return this.#once(this.#enums, name, () =>
      this.#builder.enumType(name, { values: [...comparable(visible).keys()] }),
    )
  }

  #orderByEnum(): Dynamic {
    const values = ['asc', 'asc_nulls_first', 'asc_nulls_last', 'desc', 'desc_nulls_first', 'desc_nulls_last']
    return this.#once(this.#enums, 'order_by', () => this.#builder.enumType('order_by', { values }))
  }

  #aggregateOrderBy(visible: VisibleTable): Dynamic {
    const base = visible.table.name
    return this.#input(`${base}_aggregate_order_by`, (t) => ({
      count: t.field({ type: this.#orderByEnum() }),
      ...Object.fromEntries(
        [...aggregatesOf([...visible.columns.values()].filter((column) => !column.list))].map(
          ([operation, columns]) => {
            const type = this.#input(`${base}_${operation}_order_by`, (inner) =>
              Object.fromEntries(columns.map(({ name }) => [name, inner.field({ type: this.#orderByEnum() })])),
            )
            return [operation, t.field({ type })]
          },
        ),
      ),
    }))
  }

  #orderBy(visible: VisibleTable): Dynamic {
    return this.#input(`${visible.table.name}_order_by`, (t) => ({
      ...Object.fromEntries(
        [...comparable(visible).keys()].map((key) => [key, t.field({ type: this.#orderByEnum() })]),
      ),
      ...Object.fromEntries(
        [...visible.relations]
          .filter(([, relation]) => !relation.list)
          .map(([key, relation]) => [
            key,
            t.field({ type: this.#orderBy(this.#view.tables.get(relation.table) as VisibleTable) }),
          ]),
      ),
      ...Object.fromEntries(
        [...visible.relations].flatMap(([key, relation]) => {
          const other = this.#view.tables.get(relation.table)
          if (!relation.list || !other?.aggregate) return []
          return [[`${key}_aggregate`, t.field({ type: this.#aggregateOrderBy(other) })]]
        }),
      ),
    }))
  }

  #aggregateBoolExp(visible: VisibleTable): Dynamic {
    const base = `${visible.table.name}_aggregate_bool_exp`
    const count = this.#input(`${base}_count`, (t) => ({
      arguments: t.field({ type: [this.#selectColumn(visible)] }),
      distinct: t.field({ type: 'Boolean' }),
      filter: t.field({ type: this.#boolExp(visible) }),
      predicate: t.field({ type: this.#comparisonOf('int4'), required: true }),
    }))
    return this.#input(base, (t) => ({ count: t.field({ type: count }) }))
  }

  /** Columns that order rows: text and times; `position` orders them as they were committed. */
  #streamCursor(visible: VisibleTable): Dynamic {
    const base = `${visible.table.name}_stream_cursor`
    const columns = [...visible.columns.values()].filter(
      (column) => column.required && !column.list && (column.name === 'position' || column.type === 'timestamptz'),
    )
    const value = this.#input(`${base}_value_input`, (t) =>
      Object.fromEntries(columns.map((column) => [column.name, t.field({ type: this.#scalar(column) })])),
    )
    const ordering = this.#once(this.#enums, 'cursor_ordering', () =>
      this.#builder.enumType('cursor_ordering', { values: ['ASC', 'DESC'] }),
    )
    return this.#input(`${base}_input`, (t) => ({
      initial_value: t.field({ type: value, required: true }),
      ordering: t.field({ type: ordering }),
    }))
  }

  #boolExp(visible: VisibleTable): Dynamic {
    const shape = this.#view.shape(visible.table.name)
    return this.#input(`${visible.table.name}_bool_exp`, (t) => {
      const self = this.#boolExp(visible)
      return {
        _and: t.field({ type: [self] }),
        _not: t.field({ type: self }),
        _or: t.field({ type: [self] }),
        ...Object.fromEntries(
          [...shape.columns.keys()].map((key) => [
            key,
            t.field({ type: this.#comparison(visible.columns.get(key) as Column) }),
          ]),
        ),
        ...Object.fromEntries(
          [...shape.relations.keys()].map((key) => {
            const relation = visible.relations.get(key)
            return [key, t.field({ type: this.#boolExp(this.#view.tables.get(relation?.table ?? '') as VisibleTable) })]
          }),
        ),
        ...Object.fromEntries(
          [...(shape.counted ?? [])].map((key) => {
            const other = this.#view.tables.get(visible.relations.get(key)?.table ?? '') as VisibleTable
            return [`${key}_aggregate`, t.field({ type: this.#aggregateBoolExp(other) })]
          }),
        ),
      }
    })
  }

  #comparison(column: Column): Dynamic {
    this.#scalar(column)
    return this.#comparisonOf(column.type, column.list)
  }

  #comparisonOf(pgType: ColumnType, list = false): Dynamic {
    const scalar = scalarOf(pgType)
    return this.#input(`${scalar}_${list ? 'array_' : ''}comparison_exp`, (t) => {
      const fields = operatorsOf({ type: pgType, list }).map((operator) => {
        const right = list && operator !== '_is_null' ? 'list' : operators[operator].right
        const type = { scalar, list: [scalar], boolean: 'Boolean', text: 'String', texts: ['String'], json: 'jsonb' }[
          right
        ]
        return [operator, t.field({ type })]
      })
      if (pgType === 'jsonb' && !list) fields.push(['_cast', t.field({ type: this.#jsonbCast() })])
      return Object.fromEntries(fields)
    })
  }

  #jsonbCast(): Dynamic {
    return this.#input('jsonb_cast_exp', (t) => ({ String: t.field({ type: this.#comparisonOf('text') }) }))
  }

  #scalar(column: Column): string {
    const name = scalarOf(column.type)
    if (column.enum) {
      this.#once(this.#enums, name, () => this.#builder.scalarType(name, { serialize: (value: unknown) => value }))
    }
    return name
  }

  #input(name: string, fields: (t: Dynamic) => Record<string, unknown>): Dynamic {
    const made = this.#inputs.get(name)
    if (made) return made
    const ref = this.#builder.inputRef(name)
    this.#inputs.set(name, ref)
    ref.implement({ fields })
    return ref
  }

  get shared(): SharedTypes {
    return {
      object: (name) => this.#object(name),
      boolExp: (visible) => this.#boolExp(visible),
      scalar: (column) => this.#scalar(column),
      input: (name, fields) => this.#input(name, fields),
      enum: (name, values) => this.#once(this.#enums, name, () => this.#builder.enumType(name, { values })),
    }
  }

  #once(map: Map<string, Dynamic>, name: string, make: () => Dynamic): Dynamic {
    if (!map.has(name)) map.set(name, make())
    return map.get(name)
  }
}
