/** When secrets were last used, written in one statement for many, at most once a minute for each, and never in a request. */
import type { Database } from '../database/database.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

export interface LastUsed {
  touch(secretId: string): void
  /** Writes what is left. */
  close(): Promise<void>
}

const onceInMs = 60_000
/** What comes together is written together. */
const gatherMs = 500

export function createLastUsed({ pool }: Database, log: Log): LastUsed {
  const written = new Map<string, number>()
  let used = new Map<string, Date>()
  let timer: NodeJS.Timeout | undefined
  let writing = Promise.resolve()

  function flush(): void {
    timer = undefined
    const batch = used
    used = new Map()
    for (const [id, at] of written) if (at < Date.now() - onceInMs) written.delete(id)
    if (batch.size === 0) return
    writing = writing.then(() =>
      writeLastUsed(pool, batch).catch((error) =>
        log.warn({ error: messageOf(error) }, 'when secrets were last used could not be written'),
      ),
    )
  }

  return {
    touch(secretId) {
      if ((written.get(secretId) ?? 0) > Date.now() - onceInMs) return
      written.set(secretId, Date.now())
      used.set(secretId, new Date())
      timer ??= setTimeout(flush, gatherMs).unref()
    },
    async close() {
      clearTimeout(timer)
      flush()
      await writing
    },
  }
}

/** Another process may have written a later time already. */
async function writeLastUsed(pool: Database['pool'], used: ReadonlyMap<string, Date>): Promise<void> {
  await pool.query(
    `update api_secrets s set last_used_at = u.at
       from unnest($1::uuid[], $2::timestamptz[]) as u(id, at)
      where s.id = u.id and (s.last_used_at is null or s.last_used_at < u.at - interval '55 seconds')`,
    [[...used.keys()], [...used.values()]],
  )
}
