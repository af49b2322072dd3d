/**
 * How far a session has come, in the connection's store: kept at once, so that
 * a run that is repeated goes on with the submission that an earlier one made.
 * Ids only; nothing of a session.
 */
import type { Store } from 'sluice/connector'

export interface Progress {
  /** Uniform's id of the submission. */
  readonly submission: string
  readonly uploaded: boolean
  readonly done: boolean
}

const file = 'submissions.json'
/** Some 130 bytes each; every run reads and writes them all. */
const remembered = 2000

export interface Ledger {
  readonly progress: Progress | undefined
  note(progress: Progress | undefined): Promise<void>
}

/** @param key of the session and its revision. */
export async function openLedger(key: string, store: Store): Promise<Ledger> {
  const text = await store.text(file)
  const others: Map<string, Progress> = new Map(text === undefined ? [] : Object.entries(JSON.parse(text)))
  const progress = others.get(key)
  others.delete(key)
  return {
    progress,
    note(next) {
      const all = [...others, ...(next ? [[key, next] as const] : [])].slice(-remembered)
      return store.put(file, JSON.stringify(Object.fromEntries(all)), { keep: true })
    },
  }
}
