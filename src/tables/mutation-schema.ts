/**
 * The mutations of the tables, with Hasura v2's default names: `insert_t`,
 * `insert_t_one`, `update_t`, `update_t_by_pk`, `update_t_many`, `delete_t` and
 * `delete_t_by_pk`, for the tables and columns that the role may write.
 */
import type { GraphQLResolveInfo } from 'graphql'
import type { Builder } from './builder.ts'
import type { Column } from './model.ts'
import { constraintsOf, mayConflict } from './mutation-constraints.ts'
import { type MutationField, mutationFields } from './mutation-fields.ts'
import type { RequestContext } from './request-context.ts'
import type { RoleView, VisibleTable } from './role-view.ts'

// Types and fields are named at run time, so Pothos cannot check them at compile time.
// biome-ignore lint/suspicious/noExplicitAny: see above.
type Dynamic = any

/** The types of `schema.ts` that mutations share with queries. */
export interface SharedTypes {
  object(table: string): Dynamic
  boolExp(visible: VisibleTable): Dynamic
  scalar(column: Column): string
  input(name: string, fields: (t: Dynamic) => Record<string, unknown>): Dynamic
  enum(name: string, values: readonly string[]): Dynamic
}

/** Adds the mutations of `view` to `builder`. */
export function addMutations(builder: Builder, view: RoleView, types: SharedTypes): void {
  const mutations = new MutationTypes(builder, types)
  for (const field of mutationFields(view).values()) mutations.add(field)
}

const root = (_: unknown, __: unknown, context: RequestContext, info: GraphQLResolveInfo) => context.resolveRoot(info)
const fromJson = (source: Record<string, unknown>, _: unknown, __: unknown, info: GraphQLResolveInfo) =>
  source[info.path.key]

/** Operators of updates on jsonb columns: what stands on their right. */
const jsonOperators = {
  _append: { type: 'jsonb', description: 'Adds these to the end of the jsonb value, or over its keys.' },
  _prepend: { type: 'jsonb', description: 'Adds these to the beginning of the jsonb value, or under its keys.' },
  _delete_key: { type: 'String', description: 'Removes this key, or this string from an array.' },
  _delete_elem: { type: 'Int', description: 'Removes the array element at this index; from the end if negative.' },
  _delete_at_path: { type: ['String'], description: 'Removes what is at this path of keys and indexes.' },
} as const

const numeric = ['int4', 'int8', 'float8', 'numeric']

class MutationTypes {
  readonly #builder: Dynamic
  readonly #types: SharedTypes
  readonly #responses = new Map<string, Dynamic>()

  constructor(builder: Builder, types: SharedTypes) {
    this.#builder = builder
    this.#types = types
  }

  add({ name, kind, table: visible }: MutationField): void {
    const { table } = visible
    const row = this.#types.object(table.name)
    const made: Record<typeof kind, () => { type: Dynamic; description: string; args: (t: Dynamic) => object }> = {
      insert: () => ({
        type: this.#response(visible),
        description: `Inserts rows into ${table.name}.`,
        args: (t) => ({
          objects: t.arg({ type: [this.#insertInput(visible)], required: true, description: 'At most 1,000 rows.' }),
          ...this.#onConflictArgument(t, visible),
        }),
      }),
      insert_one: () => ({
        type: row,
        description: `Inserts a row into ${table.name}.`,
        args: (t) => ({
          object: t.arg({ type: this.#insertInput(visible), required: true }),
          ...this.#onConflictArgument(t, visible),
        }),
      }),
      update: () => ({
        type: this.#response(visible),
        description: `Changes rows of ${table.name}.`,
        args: (t) => ({
          ...this.#operators(t, visible, 'arg'),
          where: t.arg({
            type: this.#types.boolExp(visible),
            required: true,
            description: 'Rows for which this is true; {} is every row.',
          }),
        }),
      }),
      update_by_pk: () => ({
        type: row,
        description: `Changes the row of ${table.name} with this primary key.`,
        args: (t) => ({
          ...this.#operators(t, visible, 'arg'),
          pk_columns: t.arg({ type: this.#keyInput(visible), required: true }),
        }),
      }),
      update_many: () => ({
        type: [this.#response(visible)],
        description: `Changes rows of ${table.name}, one update after the other.`,
        args: (t) => ({
          updates: t.arg({ type: [this.#updatesInput(visible)], required: true, description: 'At most 100 updates.' }),
        }),
      }),
      delete: () => ({
        type: this.#response(visible),
        description: `Deletes rows of ${table.name}.`,
        args: (t) => ({
          where: t.arg({
            type: this.#types.boolExp(visible),
            required: true,
            description: 'Rows for which this is true; {} is every row.',
          }),
        }),
      }),
      delete_by_pk: () => ({
        type: row,
        description: `Deletes the row of ${table.name} with this primary key.`,
        args: (t) => this.#keyArguments(t, visible, 'arg'),
      }),
    }
    const { type, description, args } = made[kind]()
    this.#builder.mutationField(name, (t: Dynamic) =>
      t.field({ type, nullable: true, description, args: args(t), resolve: root }),
    )
  }

  #response(visible: VisibleTable): Dynamic {
    const name = `${visible.table.name}_mutation_response`
    const known = this.#responses.get(name)
    if (known) return known
    const ref = this.#builder.objectRef(name)
    this.#responses.set(name, ref)
    ref.implement({
      description: `What became of a mutation of ${visible.table.name}.`,
      fields: (t: Dynamic) => ({
        affected_rows: t.field({ type: 'Int', nullable: false, resolve: fromJson }),
        returning: t.field({
          type: [this.#types.object(visible.table.name)],
          nullable: false,
          description: 'The rows that were written, as they are now; deleted ones as they were.',
          resolve: fromJson,
        }),
      }),
    })
    return ref
  }

  #insertInput(visible: VisibleTable): Dynamic {
    const columns = visible.writes.insert?.columns ?? new Map()
    return this.#types.input(`${visible.table.name}_insert_input`, (t) => this.#columnFields(t, columns))
  }

  #onConflictArgument(t: Dynamic, visible: VisibleTable): object {
    if (!visible.writes.update || !mayConflict(visible)) return {}
    const base = visible.table.name
    const input = this.#types.input(`${base}_on_conflict`, (inner) => ({
      constraint: inner.field({
        type: this.#types.enum(`${base}_constraint`, [...constraintsOf(visible).keys()]),
        required: true,
      }),
      update_columns: inner.field({
        type: [this.#updateColumn(visible)],
        required: true,
        defaultValue: [],
        description: 'Columns to set from the new row; none leaves the row that is there as it is.',
      }),
      where: inner.field({ type: this.#types.boolExp(visible) }),
    }))
    return { on_conflict: t.arg({ type: input, description: 'What to do when such a row is there already.' }) }
  }

  #updateColumn(visible: VisibleTable): Dynamic {
    const columns = [...(visible.writes.update?.columns.keys() ?? [])]
    return this.#types.enum(`${visible.table.name}_update_column`, columns)
  }

  #updatesInput(visible: VisibleTable): Dynamic {
    return this.#types.input(`${visible.table.name}_updates`, (t) => ({
      ...this.#operators(t, visible, 'field'),
      where: t.field({ type: this.#types.boolExp(visible), required: true }),
    }))
  }

  #operators(t: Dynamic, visible: VisibleTable, make: 'arg' | 'field'): object {
    const columns = [...(visible.writes.update?.columns ?? [])]
    const base = visible.table.name
    const entry = (operator: string, description: string, fields: (inner: Dynamic) => Record<string, unknown>) => [
      operator,
      t[make]({ type: this.#types.input(`${base}${operator}_input`, fields), description }),
    ]
    const counted = columns.filter(([, column]) => numeric.includes(column.type) && !column.list)
    const json = columns.filter(([, column]) => column.type === 'jsonb' && !column.list)
    return Object.fromEntries([
      entry('_set', 'Sets columns to these values.', (inner) => this.#columnFields(inner, new Map(columns))),
      ...(counted.length > 0
        ? [entry('_inc', 'Adds these to numeric columns.', (inner) => this.#columnFields(inner, new Map(counted)))]
        : []),
      ...(json.length > 0
        ? Object.entries(jsonOperators).map(([operator, { type, description }]) =>
            entry(operator, description, (inner) =>
              Object.fromEntries(json.map(([key]) => [key, inner.field({ type })])),
            ),
          )
        : []),
    ])
  }

  #keyInput(visible: VisibleTable): Dynamic {
    return this.#types.input(`${visible.table.name}_pk_columns_input`, (t) => this.#keyArguments(t, visible, 'field'))
  }

  #keyArguments(t: Dynamic, visible: VisibleTable, make: 'arg' | 'field'): Record<string, unknown> {
    return Object.fromEntries(
      visible.table.primaryKey.map((key) => [
        key,
        t[make]({ type: this.#types.scalar(visible.columns.get(key) as Column), required: true }),
      ]),
    )
  }

  #columnFields(t: Dynamic, columns: ReadonlyMap<string, Column>): Record<string, unknown> {
    return Object.fromEntries(
      [...columns].map(([key, column]) => {
        const type = this.#types.scalar(column)
        return [key, t.field({ type: column.list ? [type] : type, description: column.description })]
      }),
    )
  }
}
