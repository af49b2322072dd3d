/**
 * What the sandbox costs by itself, without database and network.
 * Run: npm run bench -- sandbox
 */
import { execFileSync } from 'node:child_process'
import { createSandboxPool } from '../src/connectors/sandbox/pool.ts'
import type { RunHost } from '../src/connectors/sandbox/process.ts'

const input = { session: { a: 1 }, event: {}, trip: null, config: {}, settings: {}, state: {}, delivery: {} }
const host: RunHost = {
  log: () => undefined,
  call: async () => ({ statusCode: 200, headers: {}, body: '', encoding: 'text' }),
}
const plain = `export default () => 'success'`
const calling = `export default async ({ request }) => { await request.get('https://example.org/'); return 'success' }`

const pool = createSandboxPool()
const run = (key: string, bundle: string) => pool.run({ key, bundle, input, host, timeoutMs: 10_000 })

/** Median, 90th percentile and largest of `count` timings, in milliseconds. */
async function timed(count: number, once: (index: number) => Promise<unknown>): Promise<Record<string, number>> {
  const all: number[] = []
  for (let index = 0; index < count; index++) {
    const begun = performance.now()
    await once(index)
    all.push(performance.now() - begun)
  }
  all.sort((a, b) => a - b)
  const at = (share: number) =>
    Math.round((all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? 0) * 100) / 100
  return { p50: at(0.5), p90: at(0.9), max: at(1) }
}

await run('warm up', plain)
const cold = await timed(20, (index) => run(`cold ${index}`, plain))
const warm = await timed(3000, () => run('warm up', plain))
await run('calling', calling)
const warmWithCall = await timed(3000, () => run('calling', calling))
const begun = performance.now()
const perKey = 2000
await Promise.all(
  ['w1', 'w2', 'w3', 'w4'].map(async (key) => {
    for (let index = 0; index < perKey; index++) await run(key, calling)
  }),
)
const runsPerSecond = Math.round((4 * perKey * 1000) / (performance.now() - begun))
const residentMb = execFileSync('ps', ['-o', 'rss=', '--ppid', String(process.pid)], { encoding: 'utf8' })
  .trim()
  .split('\n')
  .map((kb) => Math.round(Number(kb) / 1024))
  .filter((mb) => mb > 8)
await pool.close()
process.stdout.write(
  `${JSON.stringify({ cold_ms: cold, warm_ms: warm, warm_with_one_call_ms: warmWithCall, runs_per_second_of_4_connections: runsPerSecond, resident_mb_p50: residentMb.sort((a, b) => a - b)[Math.floor(residentMb.length / 2)] }, null, 2)}\n`,
)
