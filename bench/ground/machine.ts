/** What a figure was measured on; without it no figure means anything. */
import { statfs } from 'node:fs/promises'
import os from 'node:os'
import type pg from 'pg'
import { percentiles } from './figures.ts'

export interface Machine {
  readonly cpus: number
  readonly cpu: string
  readonly memoryGb: number
  readonly platform: string
  readonly node: string
  readonly postgres: string
  readonly fsync: string
  readonly synchronousCommit: string
  /** The data lies in memory, so that a commit costs no disk: such figures are not comparable. */
  readonly dataInMemory: boolean
  /** Of small transactions on one connection, one after the other: what this disk takes for a commit. */
  readonly commitMs: { readonly p50: number; readonly p99: number }
  /** Over the last minute, before the benchmark began: other work on this machine. */
  readonly loadBefore: number
}

/** Linux's TMPFS_MAGIC. */
const tmpfs = 0x01_02_19_94

export async function machineFacts(pool: pg.Pool, dataFolder: string): Promise<Machine> {
  const { rows } = await pool.query<{ version: string; fsync: string; synchronous_commit: string }>(
    `select current_setting('server_version') as version, current_setting('fsync') as fsync,
            current_setting('synchronous_commit') as synchronous_commit`,
  )
  const [cpu] = os.cpus()
  return {
    cpus: os.availableParallelism(),
    cpu: cpu?.model.trim() ?? 'unknown',
    memoryGb: Math.round(os.totalmem() / 2 ** 30),
    platform: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.versions.node,
    postgres: rows[0]?.version ?? 'unknown',
    fsync: rows[0]?.fsync ?? 'unknown',
    synchronousCommit: rows[0]?.synchronous_commit ?? 'unknown',
    dataInMemory: (await statfs(dataFolder)).type === tmpfs,
    commitMs: await commitTimes(pool),
    loadBefore: os.loadavg()[0] ?? Number.NaN,
  }
}

async function commitTimes(pool: pg.Pool, commits = 200): Promise<{ p50: number; p99: number }> {
  const client = await pool.connect()
  try {
    await client.query('create table commit_times (n int)')
    const times: number[] = []
    for (let n = 0; n < commits; n++) {
      const before = performance.now()
      await client.query({ name: 'commit-time', text: 'insert into commit_times values ($1)', values: [n] })
      times.push(performance.now() - before)
    }
    await client.query('drop table commit_times')
    const { p50, p99 } = percentiles(times)
    return { p50, p99 }
  } finally {
    client.release()
  }
}
