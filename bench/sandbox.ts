/**
 * What the sandbox of connectors costs without a database: cold start, warm overhead, runs a second with one local
 * request each, memory of parked connections; beside isolated-vm and plain Node processes.
 *
 * Ours goes the whole way: the pool, the strict channel, the manifest's check, the guard of outbound calls. The peers
 * call undici at once, and neither checks, counts nor bounds anything. Options: `--cold 20 --warm 2000 --runs 1000
 * --parked 200`. For the peers: `npm ci --prefix bench/peers`; one that is not installed is left out, and said to be.
 */
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { createCapabilities } from '../src/connectors/capabilities.ts'
import { parseManifest } from '../src/connectors/manifest.ts'
import { createSandboxPool } from '../src/connectors/sandbox/pool.ts'
import { createEgress } from '../src/egress/egress.ts'
import { silentLog } from '../src/log.ts'
// biome-ignore lint/suspicious/noTsIgnore: the peers are plain JavaScript, outside of what the compiler looks at.
// @ts-ignore
import { measure } from './peers/sandbox-measure.mjs'

const { values } = parseArgs({
  options: {
    cold: { type: 'string', default: '20' },
    warm: { type: 'string', default: '2000' },
    runs: { type: 'string', default: '1000' },
    parked: { type: 'string', default: '200' },
  },
})
const peers = path.join(import.meta.dirname, 'peers')
const session = JSON.parse(
  JSON.stringify({
    passport: { data: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`answer.${i}`, 'x'.repeat(40)])) },
  }),
)

// A server that answers at once, in a process of its own, so that its work is nobody's.
const server = fork(path.join(import.meta.dirname, 'ground/sink.ts'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
const [{ port }] = (await once(server, 'message')) as [{ port: number }]
const url = `http://127.0.0.1:${port}/`
const options = { url, session, cold: Number(values.cold), warm: Number(values.warm), runs: Number(values.runs) }

const manifest = parseManifest({
  implementation: 'org.example.bench',
  name: 'Bench',
  author: 'Example Ltd',
  version: '1.0.0',
  description: 'Measures.',
  privacyPolicyUrl: 'https://example.org/privacy',
  permissions: [{ socket: `127.0.0.1:${port}` }],
})
const egress = createEgress({ allow: ['127.0.0.0/8'] })
const bundle = `
  export const plain = () => 'success'
  export const asking = async ({ mail }) => { await mail.send({}); return 'success' }
  export const calling = async ({ session, config, request }) =>
    (await request.post(config.url, session)).statusCode === 204 ? 'success' : 'failed'`
const pool = createSandboxPool({ maxProcesses: 64, idleMs: 60_000 })
let opened = 0

async function open() {
  const key = `bench ${++opened}`
  const started = childrenOf(process.pid)
  const run = async (method: string) => {
    const over = new AbortController()
    const call = createCapabilities({
      manifest,
      settings: {},
      egress,
      mailer: { send: () => Promise.reject(new Error('not here')) },
      log: silentLog,
      deliveryId: 'd',
      deadline: performance.now() + 10_000,
      signal: over.signal,
      scrub: (text) => text,
      note: () => undefined,
    })
    const outcome = await pool.run({
      key,
      bundle,
      method,
      timeoutMs: 10_000,
      input: { session, config: { url }, event: {}, settings: {}, state: {}, delivery: { id: 'd', attempt: 1 } },
      // `asking` measures the channel alone.
      host: {
        log: () => undefined,
        call: (kind, argument) => (kind === 'mail' ? Promise.resolve(null) : call(kind, argument)),
      },
    })
    over.abort()
    return outcome.ok ? outcome.value : outcome.message
  }
  return {
    run,
    close: async () => undefined,
    children: () => childrenOf(process.pid).filter((pid) => !started.includes(pid)),
  }
}

const results: Record<string, Awaited<ReturnType<typeof measure>> | string> = { Sluice: await measure(open, options) }
await pool.close()
const parked = await measureParked(Number(values.parked))
results['isolated-vm'] = peer('isolated-vm.mjs', ['--no-node-snapshot'], 'isolated-vm')
results['plain Node process'] = peer('node-child.mjs', [], 'undici')
server.kill()
await egress.close()

console.table(
  Object.fromEntries(
    Object.entries(results).map(([name, result]) => [
      name,
      typeof result === 'string'
        ? { skipped: result }
        : {
            'cold start p50 ms': result.cold_ms.p50,
            'warm run p50 ms': result.warm_ms.p50,
            'with one call p50 ms': result.warm_one_call_ms.p50,
            'runs/s, 4 connections': result.runs_per_second,
            'runs per second of CPU': result.runs_per_cpu_second,
          },
    ]),
  ),
)
console.log(JSON.stringify({ parked, ...results }, null, 2))

/** Each connection runs once, and is parked; what is then left is what a parked connection costs. */
async function measureParked(count: number) {
  const many = createSandboxPool({ maxProcesses: 8, idleMs: 100 })
  const run = (key: string) =>
    many.run({
      key,
      bundle,
      method: 'plain',
      input: {},
      timeoutMs: 30_000,
      host: { log: () => undefined, call: async () => null },
    })
  await run('warm up')
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  let most = 0
  for (let index = 0; index < count; index++) {
    const outcome = await run(`parked ${index}`)
    if (!outcome.ok) throw new Error(outcome.message)
    most = Math.max(most, many.size)
  }
  while (many.size > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  globalThis.gc?.()
  const kb = Math.round((process.memoryUsage().rss - before) / 1024 / count)
  await many.close()
  return { connections: count, processes_at_most: most, processes_left: 0, worker_kb_per_parked_connection: kb }
}

function peer(file: string, flags: readonly string[], needs: string) {
  if (!existsSync(path.join(peers, 'node_modules', needs))) return `not installed: npm ci --prefix bench/peers`
  const output = execFileSync(process.execPath, [...flags, path.join(peers, file), JSON.stringify(options)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(output)
}

/** Linux; elsewhere none is found, and only the worker's own time counts. */
function childrenOf(parent: number): number[] {
  if (!existsSync('/proc/self/stat')) return []
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent ? [Number(name)] : []
    } catch {
      return []
    }
  })
}
