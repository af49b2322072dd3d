/**
 * What the guard costs: signed-size POSTs through `egress/` beside the same through
 * a bare undici agent, to a receiver on loopback in another process, in turns.
 *
 *   npm run bench -- egress [--count 5000] [--rounds 20]
 *
 * What the figure is not: there is no TLS and no distance. Both only make the
 * guard's share smaller.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { Agent } from 'undici'
import { createEgress } from '../src/egress/egress.ts'

if (process.send) await receive()
else await measure()

/** The other process: answers 204 to everything. */
async function receive(): Promise<void> {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(204).end())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.send?.((server.address() as AddressInfo).port)
  process.on('disconnect', () => process.exit())
}

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: { count: { type: 'string', default: '5000' }, rounds: { type: 'string', default: '20' } },
  })
  const count = Number(values.count)
  await using stack = new AsyncDisposableStack()
  const receiver = fork(import.meta.filename)
  stack.defer(() => receiver.disconnect())
  const [port] = await once(receiver, 'message')
  const url = `http://127.0.0.1:${port}/hooks/sluice?team=camden`
  const { origin, pathname, search } = new URL(url)
  const path = `${pathname}${search}`
  const headers = {
    'content-type': 'application/json',
    'webhook-id': 'dlv_01jd8h2v7k9m3n5p7r9t1v3x5z',
    'webhook-timestamp': '1795315200',
    'webhook-signature': 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  }
  const body = JSON.stringify({ type: 'session.submitted', data: { id: 'x'.repeat(400) } })

  const agent = new Agent()
  stack.defer(() => agent.close())
  const egress = createEgress({ allow: ['127.0.0.1'] })
  stack.defer(() => egress.close())
  const { signal } = new AbortController()
  const ways = {
    'bare undici': async () => {
      const answer = await agent.request({ origin, path, method: 'POST', headers, body })
      await answer.body.dump()
    },
    egress: async () => {
      await egress.request({ method: 'POST', url, headers, body, overflow: 'truncate', signal })
    },
  }

  const rates: Record<string, number[]> = {}
  const cpus: Record<string, number[]> = {}
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const [name, call] of Object.entries(ways)) {
      const { rate, cpu } = await many(count, call)
      // The first round warms up.
      if (round === 0) continue
      rates[name] = [...(rates[name] ?? []), rate]
      cpus[name] = [...(cpus[name] ?? []), cpu]
    }
  }
  const bare = median(rates['bare undici'])
  console.table(
    Object.fromEntries(
      Object.keys(ways).map((name) => [
        name,
        {
          'calls per second': Math.round(median(rates[name])),
          'CPU microseconds a call': Math.round(median(cpus[name]) * 10) / 10,
          'of bare': `${Math.round((median(rates[name]) / bare) * 100)} %`,
        },
      ]),
    ),
  )
}

/** 64 at once, like a worker. */
async function many(
  count: number,
  call: () => Promise<void>,
): Promise<{ readonly rate: number; readonly cpu: number }> {
  let left = count
  const before = process.cpuUsage()
  const start = performance.now()
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (left-- > 0) await call()
    }),
  )
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  return { rate: count / seconds, cpu: (user + system) / count }
}

function median(values: readonly number[] = []): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}
