/**
 * One run at a time for a connection that keeps state, over all workers: a run
 * begins with the state that the run before it left. In this process they
 * queue; between processes an advisory lock of Postgres decides, which ends with
 * its database connection, so a killed worker blocks nobody. All turns of one
 * process share one database connection, taken from the pool while any is held.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'

export interface Turns {
  /**
   * Waits until it is the caller's turn.
   *
   * @returns what ends the turn, or undefined when it did not come before `deadline` (`performance.now()`) or abort.
   */
  take(connectionId: string, deadline: number, signal: AbortSignal): Promise<(() => Promise<void>) | undefined>
}

/** Between two looks at a lock that another process holds, doubling from the first to the second. */
const pauseMs = { first: 2, longest: 50 }

export function createTurns(pool: pg.Pool): Turns {
  /** The end of the last run in line, for each connection that has one. */
  const lines = new Map<string, Promise<void>>()
  const locks = new SharedLocks(pool)
  return {
    async take(connectionId, deadline, signal) {
      const before = lines.get(connectionId)
      const { promise: ended, resolve: end } = Promise.withResolvers<void>()
      const line = Promise.all([before, ended]).then(() => {
        if (lines.get(connectionId) === line) lines.delete(connectionId)
      })
      lines.set(connectionId, line)
      try {
        const isFirst = !before || (await within(before, deadline, signal))
        const unlock = isFirst ? await locks.lock(connectionId, deadline, signal) : undefined
        if (!unlock) {
          end()
          return undefined
        }
        return () => unlock().finally(end)
      } catch (error) {
        end()
        throw error
      }
    },
  }
}

interface Session {
  readonly client: pg.PoolClient
  /** The statement under way: a client takes one at a time. */
  busy: Promise<unknown>
  users: number
  isClosed: boolean
}

/** Advisory locks on one database connection, which goes back to the pool when none is held. */
class SharedLocks {
  readonly #pool: pg.Pool
  #session: Promise<Session> | undefined

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async lock(key: string, deadline: number, signal: AbortSignal): Promise<(() => Promise<void>) | undefined> {
    const session = await this.#enter()
    try {
      for (let wait = pauseMs.first; ; wait = Math.min(wait * 2, pauseMs.longest)) {
        if (await this.#tryLock(session, key)) return () => this.#unlock(session, key)
        if (signal.aborted || performance.now() + wait > deadline) break
        await pause(wait * (0.5 + Math.random()))
      }
      this.#leave(session)
      return undefined
    } catch (error) {
      this.#close(session, true)
      throw error
    }
  }

  async #tryLock(session: Session, key: string): Promise<boolean> {
    const { rows } = await this.#query(session, 'select pg_try_advisory_lock(hashtextextended($1, 7)) as done', key)
    return rows[0]?.done ?? false
  }

  #query(session: Session, text: string, key: string): Promise<pg.QueryResult<{ done: boolean }>> {
    const answer = session.busy.then(() => session.client.query<{ done: boolean }>({ text, values: [key] }))
    session.busy = answer.catch(() => undefined)
    return answer
  }

  async #unlock(session: Session, key: string): Promise<void> {
    try {
      await this.#query(session, 'select pg_advisory_unlock(hashtextextended($1, 7)) as done', key)
      this.#leave(session)
    } catch {
      // The database connection is gone, and the lock with it.
      this.#close(session, true)
    }
  }

  async #enter(): Promise<Session> {
    for (;;) {
      this.#session ??= this.#open()
      const session = await this.#session
      if (session.isClosed) continue
      session.users++
      return session
    }
  }

  async #open(): Promise<Session> {
    try {
      const session: Session = {
        client: await this.#pool.connect(),
        busy: Promise.resolve(),
        users: 0,
        isClosed: false,
      }
      session.client.once('error', () => this.#close(session, true))
      return session
    } catch (error) {
      this.#session = undefined
      throw error
    }
  }

  #leave(session: Session): void {
    session.users--
    if (session.users === 0) this.#close(session, false)
  }

  #close(session: Session, isBroken: boolean): void {
    if (session.isClosed) return
    session.isClosed = true
    this.#session = undefined
    session.client.removeAllListeners('error')
    session.client.on('error', () => undefined)
    session.client.release(isBroken)
  }
}

/** Whether `promise` came before the deadline and the abort. */
async function within(promise: Promise<void>, deadline: number, signal: AbortSignal): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const giveUp = () => resolve(false)
  const timer = setTimeout(giveUp, Math.max(0, deadline - performance.now()))
  signal.addEventListener('abort', giveUp)
  if (signal.aborted) giveUp()
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', giveUp)
  }
}
