/** A GraphQL mutation to table writes. */
import type { FieldNode, GraphQLObjectType } from 'graphql'
import { SluiceError } from '../errors.ts'
import { type Column, enumValues } from './model.ts'
import {
  type Change,
  type ChangeOperator,
  MutationFailure,
  type OnConflict,
  type Output,
  type Update,
  type Write,
} from './mutation.ts'
import { constraintsOf } from './mutation-constraints.ts'
import { type MutationField, mutationFields } from './mutation-fields.ts'
import { type PlanInput, Planner } from './plan.ts'
import { type Predicate, parsePredicate } from './predicate.ts'
import type { RoleView, VisibleTable } from './role-view.ts'
import type { WrittenRow } from './write-rules.ts'
import { type InsertView, keyOf, type UpdateView } from './write-view.ts'

export const mutationLimits = { objects: 1_000, updates: 100 } as const

export interface MutationPlan {
  /** In the order of the document. */
  readonly writes: readonly Write[]
  /** `__typename` at the root, by response key. */
  readonly typenames: ReadonlyMap<string, string>
  /** Response keys in the order of the document. */
  readonly keys: readonly string[]
  /** False when the operation also has actions, which graphql-js runs. */
  readonly onlyTables: boolean
}

/** @throws MutationFailure by a SluiceError VALIDATION_FAILED or TOO_LARGE, with the place in the operation. */
export function planMutation(input: PlanInput): MutationPlan {
  const type = input.schema.getMutationType() as GraphQLObjectType
  const planner = new Planner(input)
  const known = mutationFields(input.view)
  const writes: Write[] = []
  const typenames = new Map<string, string>()
  const fields = planner.fields(type, [input.operation.selectionSet])
  for (const [key, nodes] of fields) {
    const name = nodes[0]?.name.value ?? ''
    const field = known.get(name)
    if (field) writes.push(planned(new WritePlanner(planner, input.view, field, type, nodes, key)))
    else if (name === '__typename') typenames.set(key, type.name)
  }
  const keys = [...fields.keys()]
  return { writes, typenames, keys, onlyTables: writes.length + typenames.size === keys.length }
}

function planned(planner: WritePlanner): Write {
  try {
    return planner.write()
  } catch (error) {
    throw error instanceof SluiceError ? new MutationFailure(planner.key, error) : error
  }
}

const operators = ['_inc', '_append', '_prepend', '_delete_key', '_delete_elem', '_delete_at_path'] as const

type Given = Readonly<Record<string, unknown>>

class WritePlanner {
  readonly #planner: Planner
  readonly #view: RoleView
  readonly #field: MutationField
  readonly #type: GraphQLObjectType
  readonly #nodes: readonly FieldNode[]
  readonly key: string

  constructor(
    planner: Planner,
    view: RoleView,
    field: MutationField,
    type: GraphQLObjectType,
    nodes: readonly FieldNode[],
    key: string,
  ) {
    this.#planner = planner
    this.#view = view
    this.#field = field
    this.#type = type
    this.#nodes = nodes
    this.key = key
  }

  write(): Write {
    const { kind, table } = this.#field
    const args = this.#planner.arguments(this.#type, this.#nodes)
    const { key } = this
    switch (kind) {
      case 'insert':
      case 'insert_one': {
        const one = kind === 'insert_one'
        const objects = one ? [args.object as Given] : (args.objects as readonly Given[])
        if (objects.length > mutationLimits.objects) throw tooMany(`${key}.objects`, objects.length, 'objects')
        const paths = objects.map((_, index) => (one ? `${key}.object` : `${key}.objects[${index}]`))
        const permission = table.writes.insert as InsertView
        const rows = objects.map((object, index) => newRow(object, permission, table, paths[index] as string))
        const onConflict = this.#onConflict(args.on_conflict as Given | null | undefined)
        return { kind: 'insert', key, table, permission, rows, paths, onConflict, output: this.#output(one) }
      }
      case 'update':
        return this.#update([this.#oneUpdate(args, this.#where(args.where, key), key)], false, false)
      case 'update_by_pk':
        return this.#update([this.#oneUpdate(args, this.#byKey(args.pk_columns as Given), key)], false, true)
      case 'update_many': {
        const updates = args.updates as readonly Given[]
        if (updates.length > mutationLimits.updates) throw tooMany(`${key}.updates`, updates.length, 'updates')
        const planned = updates.map((update, index) => {
          const path = `${key}.updates[${index}]`
          return this.#oneUpdate(update, this.#where(update.where, path), path)
        })
        return this.#update(planned, true, false)
      }
      case 'delete':
      case 'delete_by_pk': {
        const one = kind === 'delete_by_pk'
        const where = one ? this.#byKey(args) : this.#where(args.where, key)
        const rows = table.writes.delete?.rows as Predicate
        return { kind: 'delete', key, table, rows, where, output: this.#output(one) }
      }
    }
  }

  #update(updates: readonly Update[], many: boolean, one: boolean): Write {
    const { table } = this.#field
    const permission = table.writes.update as UpdateView
    return { kind: 'update', key: this.key, table, permission, updates, many, output: this.#output(one) }
  }

  #oneUpdate(given: Given, where: Predicate, path: string): Update {
    const { columns } = this.#field.table.writes.update as UpdateView
    const set: Record<string, unknown> = {}
    for (const [name, value] of Object.entries((given._set ?? {}) as Given)) {
      if (value === undefined) continue
      set[name] = checkedCell(columns.get(name) as Column, value, `${path}._set.${name}`)
    }
    const changes: Change[] = []
    const taken = new Set(Object.keys(set))
    for (const operator of operators) {
      for (const [name, value] of Object.entries((given[operator] ?? {}) as Given)) {
        if (value === undefined) continue
        const here = `${path}.${operator}.${name}`
        if (taken.has(name)) throw invalid(here, 'is changed by another operator too; name each column once')
        taken.add(name)
        changes.push({ operator, column: columns.get(name) as Column, value: checkedOperand(operator, value, here) })
      }
    }
    return { path, where, set, changes }
  }

  #onConflict(given: Given | null | undefined): OnConflict | null {
    if (!given) return null
    const { table } = this.#field
    return {
      key: constraintsOf(table).get(given.constraint as string) as readonly string[],
      update: [...new Set(given.update_columns as string[])],
      where: this.#where(given.where ?? {}, `${this.key}.on_conflict`),
      permission: table.writes.update as UpdateView,
    }
  }

  #where(given: unknown, path: string): Predicate {
    return parsePredicate(given, this.#view.shape(this.#field.table.table.name), { path: `${path}.where` })
  }

  #byKey(given: Given): Predicate {
    const { name, type } = keyOf(this.#field.table.table)
    const operand = { kind: 'value', value: given[name] } as const
    return { kind: 'compare', column: name, type, list: false, operator: '_eq', operand }
  }

  #output(one: boolean): Output {
    const { table } = this.#field
    if (one) return { kind: 'row', fields: this.#planner.selected(table, this.#type, this.#nodes) }
    const [type, fields] = this.#planner.children(this.#type, this.#nodes)
    return {
      kind: 'response',
      fields: [...fields].map(([key, nodes]) => {
        const name = nodes[0]?.name.value
        if (name === '__typename') return { kind: 'typename', key, value: type.name }
        if (name === 'affected_rows') return { kind: 'affected_rows', key }
        return { kind: 'returning', key, fields: this.#planner.selected(table, type, nodes) }
      }),
    }
  }
}

/** What a row lacks is said here, with its place; Postgres would only name the column. */
function newRow(object: Given, { columns }: InsertView, { table }: VisibleTable, path: string): WrittenRow {
  const row: Record<string, unknown> = {}
  for (const [name, column] of columns) {
    const value = object[name]
    if (value !== undefined) row[name] = checkedCell(column, value, `${path}.${name}`)
    else if (column.required && !column.hasDefault) throw invalid(`${path}.${name}`, `is required in ${table.name}`)
  }
  return row
}

function checkedCell(column: Column, value: unknown, path: string): unknown {
  if (value === null) {
    if (column.required) throw invalid(path, 'must not be null')
    return null
  }
  const values = column.enum ? enumValues[column.type] : undefined
  if (values && !values.includes(value as string)) throw invalid(path, `must be one of: ${values.join(', ')}`)
  return value
}

function checkedOperand(operator: ChangeOperator, value: unknown, path: string): unknown {
  if (value === null) throw invalid(path, 'must not be null')
  if (operator === '_delete_at_path' && (value as unknown[]).includes(null)) throw invalid(path, 'must not hold null')
  return value
}

function tooMany(path: string, count: number, what: keyof typeof mutationLimits): SluiceError {
  return new SluiceError(
    'TOO_LARGE',
    `${path} holds ${count} ${what}; at most ${mutationLimits[what]} are allowed in one mutation. Send them in parts.`,
    { path },
  )
}

function invalid(path: string, problem: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `${path} ${problem}.`, { path })
}
