/**
 * BOPS makes a new application of every request and knows no idempotency key,
 * so what was sent is remembered here: before a request in the connection's
 * store, which is kept at once, and after its answer in the state, which is
 * kept together with the run. A note without an answer is a session that may
 * have arrived. Ids only; nothing of a session.
 */
import type { Json, Store } from 'sluice/connector'

/** Sessions that are remembered as sent; each takes some 90 bytes of the state's 64 KiB. */
const remembered = 500
const file = 'sending.json'

export interface Ledger {
  /** The application's id at BOPS. */
  readonly sent: string | undefined
  /** When an attempt began of which the answer is not known; ISO 8601. */
  readonly unsure: string | undefined
  /** Call it right before sending. */
  begin(now: string): Promise<void>
  /** BOPS has it. */
  succeed(id: string): void
  /** BOPS has refused it, so it did not arrive. */
  refuse(): Promise<void>
}

/** @param key of the session and its revision. */
export async function openLedger(key: string, state: { sent?: Json }, store: Store): Promise<Ledger> {
  const sent = Array.isArray(state.sent) ? (state.sent as readonly (readonly [string, string])[]) : []
  const notes = await readNotes(store)
  // What a run before this one noted and then stored as sent.
  const open = Object.entries(notes).filter(([each]) => !sent.some(([known]) => known === each))
  const write = (entries: readonly (readonly [string, string])[]) =>
    store.put(file, JSON.stringify(Object.fromEntries(entries)), { keep: true })
  return {
    sent: sent.find(([known]) => known === key)?.[1],
    unsure: open.find(([known]) => known === key)?.[1],
    begin: (now) => write([...open.filter(([known]) => known !== key), [key, now]]),
    succeed(id) {
      state.sent = [...sent, [key, id]].slice(-remembered)
    },
    refuse: () => write(open.filter(([known]) => known !== key)),
  }
}

async function readNotes(store: Store): Promise<Record<string, string>> {
  const text = await store.text(file)
  return text === undefined ? {} : JSON.parse(text)
}
