/** What the benchmark tells its process of subscribers to do. */

export type Command =
  | {
      readonly type: 'open'
      readonly url: string
      readonly token: string
      readonly query: string
      readonly variables: readonly { readonly flow: string }[]
      readonly perSocket: number
    }
  | { readonly type: 'measure'; readonly writes: readonly Write[] }
  | {
      readonly type: 'drain'
      readonly url: string
      readonly token: string
      readonly query: string
      readonly rows: number
    }
  | { readonly type: 'close' }

/** Milliseconds of the machine's monotonic clock. */
export const now = () => Number(process.hrtime.bigint()) / 1e6

export interface Write {
  /** Rises from write to write. */
  readonly mark: number
  /** When its commit was sent. */
  readonly at: number
  /** Whose subscriptions must see it. */
  readonly flow: string
}
