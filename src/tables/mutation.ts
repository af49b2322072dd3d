/** What is asked to be written, free of GraphQL: the input of `mutation-run.ts`. */
import type { Column } from './model.ts'
import type { Predicate } from './predicate.ts'
import type { Selected } from './query.ts'
import type { VisibleTable } from './role-view.ts'
import type { WrittenRow } from './write-rules.ts'
import type { InsertView, UpdateView } from './write-view.ts'

/** One root field. `path` is its place in error messages. */
export type Write = InsertWrite | UpdateWrite | DeleteWrite

interface WriteBase {
  /** Response key. */
  readonly key: string
  readonly table: VisibleTable
}

export interface InsertWrite extends WriteBase {
  readonly kind: 'insert'
  readonly permission: InsertView
  readonly rows: readonly WrittenRow[]
  /** Places of the rows: `insert_flows.objects[0]`. */
  readonly paths: readonly string[]
  readonly onConflict: OnConflict | null
  readonly output: Output
}

export interface OnConflict {
  /** Columns of the unique key. */
  readonly key: readonly string[]
  readonly update: readonly string[]
  readonly where: Predicate
  readonly permission: UpdateView
}

export interface UpdateWrite extends WriteBase {
  readonly kind: 'update'
  readonly permission: UpdateView
  readonly updates: readonly Update[]
  /** Answered as a list, one response an update. */
  readonly many: boolean
  readonly output: Output
}

export interface Update {
  readonly path: string
  readonly where: Predicate
  readonly set: WrittenRow
  /** By the other operators. */
  readonly changes: readonly Change[]
}

export type ChangeOperator = '_inc' | '_append' | '_prepend' | '_delete_key' | '_delete_elem' | '_delete_at_path'

export interface Change {
  readonly operator: ChangeOperator
  readonly column: Column
  readonly value: unknown
}

export interface DeleteWrite extends WriteBase {
  readonly kind: 'delete'
  readonly rows: Predicate
  readonly where: Predicate
  readonly output: Output
}

/** `{affected_rows, returning}`, or the one row itself. */
export type Output =
  | { readonly kind: 'response'; readonly fields: readonly ResponseField[] }
  | { readonly kind: 'row'; readonly fields: readonly Selected[] }

export type ResponseField =
  | { readonly kind: 'affected_rows'; readonly key: string }
  | { readonly kind: 'returning'; readonly key: string; readonly fields: readonly Selected[] }
  | { readonly kind: 'typename'; readonly key: string; readonly value: string }

/** Says which root field failed; nothing was written. */
export class MutationFailure extends Error {
  readonly key: string

  constructor(key: string, cause: unknown) {
    super(`${key} failed`, { cause })
    this.key = key
  }
}
