// The measurement itself, the same for every side: bench/sandbox.ts imports it too.
import { readFileSync } from 'node:fs'

/**
 * @param open makes one connection's sandbox: { run(name, input), close(), children() }.
 * @param options read from the first argument of the command line, as JSON, unless they are given.
 */
export async function measure(open, given) {
  const isPeer = given === undefined
  const options = given ?? JSON.parse(process.argv[2] ?? '{}')
  const { url, cold = 20, warm = 2000, runs = 2000 } = options
  const input = { url, session: options.session }
  const need = async (promise) => {
    const status = await promise
    if (status !== 'success') throw new Error(`a run returned ${JSON.stringify(status)}`)
  }

  const first = await open()
  await need(first.run('plain', input))
  const coldMs = await timed(cold, async () => {
    const fresh = await open()
    await need(fresh.run('plain', input))
    return () => fresh.close()
  })
  for (let count = 0; count < 300; count++) await need(first.run('asking', input))
  const warmMs = await timed(warm, () => need(first.run('plain', input)))
  const askingMs = await timed(warm, () => need(first.run('asking', input)))
  await first.close()

  // Four connections at once, one request a run, over kept connections to a server in a process of its own.
  const four = await Promise.all([open(), open(), open(), open()])
  for (const each of four) for (let count = 0; count < 100; count++) await need(each.run('calling', input))
  const pids = [...new Set([process.pid, ...four.flatMap((each) => each.children())])]
  const cpuBefore = cpuSeconds(pids)
  const begun = performance.now()
  await Promise.all(
    four.map(async (each) => {
      for (let count = 0; count < runs; count++) await need(each.run('calling', input))
    }),
  )
  const seconds = (performance.now() - begun) / 1000
  const cpu = cpuSeconds(pids) - cpuBefore
  await Promise.all(four.map((each) => each.close()))
  const result = {
    cold_ms: coldMs,
    warm_ms: warmMs,
    warm_one_call_ms: askingMs,
    runs_per_second: Math.round((4 * runs) / seconds),
    runs_per_cpu_second: Math.round((4 * runs) / cpu),
  }
  if (isPeer) console.log(JSON.stringify(result))
  return result
}

async function timed(count, once) {
  const all = []
  for (let index = 0; index < count; index++) {
    const begun = performance.now()
    const after = await once()
    all.push(performance.now() - begun)
    await after?.()
  }
  all.sort((a, b) => a - b)
  const at = (share) => Math.round(all[Math.min(all.length - 1, Math.floor(all.length * share))] * 1000) / 1000
  return { p50: at(0.5), p99: at(0.99) }
}

/** User and system time of processes so far. Linux; elsewhere only this process counts. */
export function cpuSeconds(pids) {
  try {
    return pids.reduce((sum, pid) => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return sum + (Number(fields[11]) + Number(fields[12])) / 100
    }, 0)
  } catch {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  }
}
