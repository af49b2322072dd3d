import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { now, type Write } from './command.ts'
import type { Seeded } from './seed.ts'

export interface Scenario {
  readonly name: string
  readonly cohorts: 'one' | 'each its own'
  readonly subscribers: number
  readonly perSecond: number
  /** Others are told of the commit, as Sluice's own processes do; without, a write by plain SQL. */
  readonly announced: boolean
}

/** Changes one session of a flow at a time, at a steady rate. */
export class Writer {
  readonly #pool: pg.Pool
  readonly #sessions: ReadonlyMap<string, string>
  #mark = 0

  constructor(pool: pg.Pool, { flows }: Seeded) {
    this.#pool = pool
    this.#sessions = new Map(flows.map(({ id, session }) => [id, session]))
  }

  async write({ perSecond, announced }: Scenario, flows: Seeded['flows'], seconds: number): Promise<Write[]> {
    const writes: Write[] = []
    const client = await this.#pool.connect()
    try {
      const start = now()
      for (let number = 0; number < Math.max(1, perSecond * seconds); number += 1) {
        // Not in step with anybody's polling.
        const due = start + ((number + Math.random() * 0.5) * 1000) / perSecond
        await pause(Math.max(0, due - now()))
        this.#mark += 1
        const mark = this.#mark
        const flow = flows[(this.#mark * 7919) % flows.length]?.id ?? ''
        const session = this.#sessions.get(flow)
        await client.query('begin')
        await client.query('update sessions set payment_id = $2, revision = revision + 1 where id = $1', [
          session,
          `w${mark}`,
        ])
        writes.push({ mark, at: now(), flow })
        await client.query('commit')
        if (announced) await client.query(`select pg_notify('sluice_changes', '')`)
      }
    } finally {
      client.release()
    }
    return writes
  }

  async transactionsPerSecond(seconds: number): Promise<number> {
    const [before, began] = [await this.transactions(), now()]
    await pause(seconds * 1000)
    return ((await this.transactions()) - before) / ((now() - began) / 1000)
  }

  /** Postgres's own count. Busy backends report to it once a second, which is waited for; ours does so at once. */
  async transactions(): Promise<number> {
    await this.#pool.query('select pg_stat_force_next_flush()')
    await pause(1_100)
    const { rows } = await this.#pool.query<{ count: number }>(
      'select (xact_commit + xact_rollback)::float8 as count from pg_stat_database where datname = current_database()',
    )
    return rows[0]?.count ?? Number.NaN
  }
}
