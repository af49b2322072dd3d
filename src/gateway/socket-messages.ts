/**
 * What a client sends, on its way to graphql-ws. That forgets an operation a
 * moment after its client completed it; a new operation by the same id in
 * between would be ended in its place, so it waits here for that moment.
 */

export interface SocketMessages {
  /** Hands a message on. Rejects with what graphql-ws throws. */
  take(text: string): Promise<void>
}

/** Only a server sends these. */
const ofServers = new Set(['connection_ack', 'next', 'error'])

/** Messages that may wait for one id. */
const mostWaiting = 100

export function socketMessages(handle: (text: string) => Promise<void>, refuse: () => void): SocketMessages {
  /** Ids of operations that are not over. */
  const running = new Set<string>()
  /** Ids that were completed, of operations that are not over, with what came since. */
  const ending = new Map<string, string[]>()

  const take = async (text: string): Promise<void> => {
    const { type, id } = head(text)
    if (ofServers.has(type)) return refuse()
    if (!id) return handle(text)
    const waiting = ending.get(id)
    if (waiting) {
      if (waiting.length < mostWaiting) waiting.push(text)
      else refuse()
      return
    }
    if (type === 'complete' && running.has(id)) ending.set(id, [])
    if (type !== 'subscribe' || running.has(id)) return handle(text)
    running.add(id)
    try {
      await handle(text)
    } finally {
      running.delete(id)
      const since = ending.get(id) ?? []
      ending.delete(id)
      await Promise.all(since.map(take))
    }
  }
  return { take }
}

/** Type and id of a message; of one that is none, nothing. */
function head(text: string): { type: string; id: string } {
  try {
    const { type, id } = JSON.parse(text) ?? {}
    return { type: typeof type === 'string' ? type : '', id: typeof id === 'string' ? id : '' }
  } catch {
    return { type: '', id: '' }
  }
}
