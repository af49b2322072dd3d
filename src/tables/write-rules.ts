/**
 * Rules of the domain on rows that callers write. The engine knows tables; who
 * knows what a webhook's URL may be gives it these when the gateway is built.
 */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'

export type WrittenRow = Readonly<Record<string, unknown>>

export interface RuleContext {
  readonly principal: Principal
}

export interface TransactionContext extends RuleContext {
  /** The connection of the transaction that wrote the rows. */
  readonly client: pg.ClientBase
}

/**
 * Each may refuse with a SluiceError; its `path` is relative to the row, `url`,
 * and is completed to the place in the operation.
 */
export interface TableRules {
  /** Before the transaction: the values of one new row, as they are to be written. */
  readonly beforeInsert?: (values: WrittenRow, context: RuleContext) => WrittenRow | Promise<WrittenRow>
  /**
   * Before the transaction: what `_set` sets, as it is to be written. It may set
   * columns that the caller cannot.
   */
  readonly beforeUpdate?: (changes: WrittenRow, context: RuleContext) => WrittenRow | Promise<WrittenRow>
  /** In the transaction, with the new rows as they stand in the table. */
  readonly afterInsert?: (rows: readonly WrittenRow[], context: TransactionContext) => void | Promise<void>
  /** In the transaction, with the changed rows as they stand in the table. */
  readonly afterUpdate?: (rows: readonly WrittenRow[], context: TransactionContext) => void | Promise<void>
}

/** By table. */
export type WriteRules = Readonly<Record<string, TableRules | undefined>>
