/**
 * CPU time of processes. On a machine that others use too, it says more than
 * elapsed time: being made to wait does not count. Linux only.
 */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

/** Of one process since it began, user and system, in milliseconds; NaN where it cannot be known. */
export async function cpuOf(pid: number): Promise<number> {
  return (await statOf(pid))?.cpuMs ?? Number.NaN
}

/** Of each process that this Postgres runs now, by pid: connections, writers, autovacuum. */
export async function cpuOfPostgres(dataFolder: string): Promise<ReadonlyMap<number, number>> {
  const postmaster = Number((await readFile(path.join(dataFolder, 'postmaster.pid'), 'utf8')).split('\n')[0])
  const entries = await readdir('/proc').catch(() => [])
  const pids = entries.map(Number).filter((pid) => pid > 0)
  const stats = await Promise.all(pids.map(async (pid) => ({ pid, ...(await statOf(pid)) })))
  return new Map(stats.flatMap(({ pid, parent, cpuMs }) => (parent === postmaster ? [[pid, cpuMs ?? 0]] : [])))
}

/** What was used between two readings, NaN where that cannot be known. What has ended in between is left out: connections that were idle. */
export function cpuBetween(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  if (after.size === 0) return Number.NaN
  return [...after].reduce((sum, [pid, cpuMs]) => sum + cpuMs - (before.get(pid) ?? 0), 0)
}

/** Linux counts in hundredths of a second (proc(5), USER_HZ). */
const tickMs = 10

async function statOf(pid: number): Promise<{ parent: number; cpuMs: number } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The second field, the name in brackets, may hold anything.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields && { parent: Number(fields[1]), cpuMs: (Number(fields[11]) + Number(fields[12])) * tickMs }
}
