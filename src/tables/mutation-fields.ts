/** The mutation root fields of a role, by Hasura's names. */
import type { RoleView, VisibleTable } from './role-view.ts'

export type MutationKind =
  | 'insert'
  | 'insert_one'
  | 'update'
  | 'update_by_pk'
  | 'update_many'
  | 'delete'
  | 'delete_by_pk'

export interface MutationField {
  readonly name: string
  readonly kind: MutationKind
  readonly table: VisibleTable
}

const made = new WeakMap<RoleView, ReadonlyMap<string, MutationField>>()

/** Empty for a role that writes nothing. */
export function mutationFields(view: RoleView): ReadonlyMap<string, MutationField> {
  const known = made.get(view)
  if (known) return known
  const fields = [...view.tables.values()].flatMap((table) => fieldsOf(table))
  const byName = new Map(fields.map((field) => [field.name, field]))
  made.set(view, byName)
  return byName
}

function fieldsOf(visible: VisibleTable): MutationField[] {
  const { table, writes } = visible
  const field = (kind: MutationKind, name: string): MutationField => ({ kind, name, table: visible })
  // What is named by its key must show its key.
  const keyed = table.primaryKey.every((key) => visible.columns.has(key))
  return [
    ...(writes.insert
      ? [field('insert', `insert_${table.name}`), field('insert_one', `insert_${table.name}_one`)]
      : []),
    ...(writes.update
      ? [field('update', `update_${table.name}`), field('update_many', `update_${table.name}_many`)]
      : []),
    ...(writes.update && keyed ? [field('update_by_pk', `update_${table.name}_by_pk`)] : []),
    ...(writes.delete ? [field('delete', `delete_${table.name}`)] : []),
    ...(writes.delete && keyed ? [field('delete_by_pk', `delete_${table.name}_by_pk`)] : []),
  ]
}
