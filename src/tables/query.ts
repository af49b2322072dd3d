/** What is asked of the tables, free of GraphQL: the input of `select.ts`. */
import type { Relation } from './model.ts'
import type { Predicate } from './predicate.ts'
import type { VisibleTable } from './role-view.ts'

export interface Rows {
  readonly from: VisibleTable
  readonly where: Predicate
  readonly orderBy: readonly Ordering[]
  readonly distinctOn: readonly string[]
  readonly limit: number | null
  readonly offset: number
}

export interface Ordering {
  /** Object relations to follow from the table, then the column there; with `aggregate`, the last is an array relation. */
  readonly through: readonly { readonly relation: Relation; readonly to: VisibleTable }[]
  readonly column: string
  readonly direction: string
  /** `count`, or what is computed of the column over the related rows. */
  readonly aggregate?: string
  /** Orders by the place of the column's value among these, instead of by the value. */
  readonly among?: readonly unknown[]
}

export type Selected =
  | { readonly kind: 'column'; readonly key: string; readonly column: string; readonly path: readonly string[] | null }
  | { readonly kind: 'typename'; readonly key: string; readonly value: string }
  | {
      readonly kind: 'related'
      readonly key: string
      readonly relation: Relation
      readonly rows: Rows
      readonly fields: readonly Selected[]
    }
  | {
      readonly kind: 'aggregate'
      readonly key: string
      readonly relation: Relation
      readonly rows: Rows
      readonly parts: readonly AggregatePart[]
    }

export type AggregatePart =
  | { readonly kind: 'typename'; readonly key: string; readonly value: string }
  | { readonly kind: 'nodes'; readonly key: string; readonly fields: readonly Selected[] }
  | { readonly kind: 'aggregate'; readonly key: string; readonly functions: readonly AggregateFunction[] }

export type AggregateFunction =
  | { readonly kind: 'typename'; readonly key: string; readonly value: string }
  | { readonly kind: 'count'; readonly key: string; readonly columns: readonly string[]; readonly distinct: boolean }
  | {
      readonly kind: 'columns'
      readonly key: string
      readonly operation: string
      readonly columns: readonly (
        | { readonly key: string; readonly column: string }
        | { readonly key: string; readonly typename: string }
      )[]
    }

/** One root field. */
export type Root =
  /** Rows after a cursor, in its order; see `live/streams.ts`. */
  | {
      readonly kind: 'stream'
      readonly key: string
      readonly rows: Rows
      readonly fields: readonly Selected[]
      readonly cursor: StreamCursor
      readonly batchSize: number
    }
  | { readonly kind: 'list' | 'one'; readonly key: string; readonly rows: Rows; readonly fields: readonly Selected[] }
  | { readonly kind: 'aggregate'; readonly key: string; readonly rows: Rows; readonly parts: readonly AggregatePart[] }
  | { readonly kind: 'typename'; readonly key: string; readonly value: string }

export interface StreamCursor {
  /** The column that the caller orders by. */
  readonly column: string
  /** Where to begin: rows beyond this value. */
  readonly from: unknown
  readonly ascending: boolean
}

/**
 * Which rows of a stream come next. First those that were complete when it
 * opened, in the caller's order; then, as they become complete, in the order of
 * their positions, which loses none.
 */
export type StreamStep =
  | {
      readonly phase: 'backlog'
      /** The last row that was sent; null at the beginning. */
      readonly after: { readonly value: string; readonly position: string } | null
      /** Positions from here on are for the second phase. */
      readonly horizon: string
    }
  | { readonly phase: 'follow'; readonly after: string }
