/**
 * More connections than places for sandboxes: what a run costs when its connection's process has to make room for others.
 * No database is needed.
 *
 * So many runs are asked for at once, as the delivery engine does; connections take turns, each with a few runs one after
 * the other. A run makes one call, which takes the host so long; what it returns tells whether it was the first of its process.
 *
 *   npm run bench -- sandbox-places --connections 200 --places 32 --atOnce 64 --each 4 --callMs 5 --runs 2000
 */
import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createSandboxPool } from '../src/connectors/sandbox/pool.ts'
import { percentiles } from './ground/figures.ts'

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '200' },
    places: { type: 'string', default: '32' },
    atOnce: { type: 'string', default: '64' },
    /** Runs of one connection that follow each other in line. */
    each: { type: 'string', default: '4' },
    callMs: { type: 'string', default: '5' },
    runs: { type: 'string', default: '2000' },
  },
})
const [connections, atOnce, each, callMs, runs] = [
  values.connections,
  values.atOnce,
  values.each,
  values.callMs,
  values.runs,
].map(Number) as [number, number, number, number, number]

const bundle = `let runs = 0; export default async ({ request }) => { await request.post('http://office'); return runs++ === 0 ? 'first' : 'warm' }`
const host = {
  call: () => pause(callMs, { statusCode: 204, headers: {}, body: '', encoding: 'text' }),
  log: () => undefined,
}
const pool = createSandboxPool({ maxProcesses: Number(values.places) })
const times: number[] = []
let next = 0
let starts = 0
const begun = performance.now()
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    while (next < runs) {
      const key = `connection ${Math.floor(next++ / each) % connections}`
      const asked = performance.now()
      const outcome = await pool.run({ key, bundle, input: { settings: {} }, host, timeoutMs: 120_000 })
      times.push(performance.now() - asked)
      if (!outcome.ok) throw new Error(outcome.message)
      if (outcome.value === 'first') starts++
    }
  }),
)
const seconds = (performance.now() - begun) / 1000
const figures = {
  ...values,
  runs_per_second: Math.round(times.length / seconds),
  starts,
  runs_per_start: Math.round((times.length / starts) * 10) / 10,
  run_ms: percentiles(times),
  load: loadavg()[0],
  cores: availableParallelism(),
}
process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
await pool.close()
