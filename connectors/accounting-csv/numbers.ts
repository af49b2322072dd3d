/**
 * Numbers without a gap. A session's number is noted in the connection's store before anything is written, which is kept
 * at once, and in the state, which is kept together with the run: so whatever attempt dies wherever, the next one has
 * the same number, and no other session gets it. Ids and numbers only; nothing of a session.
 *
 * Runs of a connection with state take turns, so nobody else counts meanwhile.
 */
import type { Json, Store } from 'sluice/connector'

export interface Numbered {
  readonly number: number
  /** An earlier attempt may have written it. */
  readonly isRepeated: boolean
  /** Nothing was written under it, for sure: the next session gets it. Only for one that is not repeated. */
  release(): Promise<void>
}

/** Sessions whose number is remembered; each takes some 50 bytes of the state's 64 KiB. */
const remembered = 1000
const file = 'numbers.json'

type Entry = readonly [key: string, number: number]

/** @param key of the session and its revision: whoever sends it again writes the same file again. */
export async function numberFor(
  key: string,
  first: number,
  state: { sequence?: Json; numbers?: Json },
  store: Store,
): Promise<Numbered> {
  const before = { sequence: state.sequence ?? null, numbers: state.numbers ?? null }
  const stored = entriesOf(state.numbers)
  const notes = entriesOf(JSON.parse((await store.text(file)) ?? '[]'))
  // What a run before this one noted and then stored.
  const pending = notes.filter(([each]) => !stored.some(([known]) => known === each)).slice(-remembered)
  const found = [...stored, ...pending].find(([each]) => each === key)?.[1]
  const last = Math.max(first - 1, Number(state.sequence ?? 0), ...pending.map(([, number]) => number))
  const number = found ?? last + 1
  if (found === undefined) await store.put(file, JSON.stringify([...pending, [key, number]]), { keep: true })
  state.sequence = Math.max(number, last)
  state.numbers = [...stored.filter(([each]) => each !== key), [key, number] as const].slice(-remembered)
  return {
    number,
    isRepeated: found !== undefined,
    async release() {
      await store.put(file, JSON.stringify(pending), { keep: true })
      state.sequence = before.sequence
      state.numbers = before.numbers
    },
  }
}

function entriesOf(value: unknown): readonly Entry[] {
  return Array.isArray(value) ? (value as readonly Entry[]) : []
}
