/**
 * What a process shows of itself: metrics in Prometheus's text format on a port of their own, beside whether it lives
 * and is ready. Nothing in them names a team, a person, a session or an operation of a client.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Pool } from 'pg'
import { Counter, Gauge, type Metric, type Registry } from 'prom-client'
import { messageOf, SluiceError } from './errors.ts'
import type { Log } from './log.ts'

/** Upper bounds, in seconds, for what lasts from a read of one row to a connector's run. */
export const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const

/**
 * How long things took, counted by `seconds`. Observing costs some 20 ns; a histogram of prom-client hashes its labels
 * each time, which costs 1.5 µs and would show in a read of 100 µs.
 */
export class Durations {
  readonly counts = new Float64Array(seconds.length + 1)
  sum = 0

  observe(took: number): void {
    let bucket = 0
    while (bucket < seconds.length && took > (seconds[bucket] as number)) bucket += 1
    this.counts[bucket] = (this.counts[bucket] as number) + 1
    this.sum += took
  }
}

interface Named {
  readonly name: string
  readonly help: string
}

/** Shows durations as one histogram, with a series for each value of its label. */
export function showDurations(
  registry: Registry,
  { name, help, label }: Named & { readonly label: string },
  byValue: Readonly<Record<string, Durations>>,
): void {
  showHistogram(registry, { name, help }, () =>
    Object.entries(byValue).map(([value, one]) => [{ [label]: value }, one]),
  )
}

/** Shows durations as a histogram without labels. */
export function showDuration(registry: Registry, named: Named, durations: Durations): void {
  showHistogram(registry, named, () => [[{}, durations]])
}

type Labels = Readonly<Record<string, string>>

function showHistogram(
  registry: Registry,
  { name, help }: Named,
  read: () => readonly (readonly [Labels, Durations])[],
): void {
  const get = async () => {
    const values = read().flatMap(([labels, { counts, sum }]) => {
      let count = 0
      const buckets = [...seconds, '+Inf'].map((le, index) => {
        count += counts[index] as number
        return { metricName: `${name}_bucket`, labels: { ...labels, le: String(le) }, value: count }
      })
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ]
    })
    return { name, help, type: 'histogram', values, aggregator: 'sum' }
  }
  // The registry asks no more of a metric than these.
  registry.registerMetric({ name, help, get, reset: () => undefined } as unknown as Metric)
}

/** Shows counts that are kept elsewhere, by the values of one label, as a counter. */
export function showCounts(
  registry: Registry,
  { name, help, label }: Named & { readonly label: string },
  read: () => Readonly<Record<string, number>>,
): void {
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset()
      for (const [value, count] of Object.entries(read())) this.inc({ [label]: value }, count)
    },
  })
}

/** Shows one count that is kept elsewhere as a counter. */
export function showCount(registry: Registry, named: Named, read: () => number): void {
  new Counter({
    ...named,
    registers: [registry],
    collect() {
      this.reset()
      this.inc(read())
    },
  })
}

/** Shows what is so at this moment. */
export function showNow(registry: Registry, named: Named, read: () => number): void {
  new Gauge({
    ...named,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}

/** Shows what is so at this moment, by the values of one label. */
export function showNowBy(
  registry: Registry,
  { name, help, label }: Named & { readonly label: string },
  read: () => Readonly<Record<string, number>>,
): void {
  new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      for (const [value, count] of Object.entries(read())) this.set({ [label]: value }, count)
    },
  })
}

/** How the process's database connections are used. */
export function showPool(registry: Registry, pool: Pool): void {
  showNowBy(
    registry,
    { name: 'sluice_database_connections', help: 'Open connections of this process, used and idle.', label: 'state' },
    () => ({ used: pool.totalCount - pool.idleCount, idle: pool.idleCount }),
  )
  showNow(
    registry,
    { name: 'sluice_database_connections_max', help: 'As many as there may be (DATABASE_POOL_SIZE).' },
    () => pool.options.max,
  )
  showNow(
    registry,
    { name: 'sluice_database_waiting', help: 'Statements that wait for a connection.' },
    () => pool.waitingCount,
  )
}

/** Whether a process may be given work: each thing that it needs, by name, and whether it is there. */
export interface ReadinessReport {
  readonly ready: boolean
  readonly checks: Readonly<Record<string, 'ok' | 'failed'>>
}

export interface MetricsServerOptions {
  readonly registry: Registry
  readonly ready: () => Promise<ReadinessReport>
  readonly host: string
  readonly port: number
  /** The variable that chooses the port. */
  readonly variable: string
  readonly log: Log
}

/**
 * Answers `GET /metrics`, `/healthz` with 204, and `/readyz` with 200 or 503.
 *
 * @throws SluiceError CONFIGURATION when it cannot listen there.
 */
export async function serveMetrics({ registry, ready, host, port, variable, log }: MetricsServerOptions) {
  const server = createServer((request, response) => {
    const reply = (status: number, type: string, text: string) =>
      void response.writeHead(status, { 'content-type': type }).end(text)
    const failed = (error: unknown) => {
      log.warn({ error: messageOf(error) }, 'metrics could not be read')
      response.writeHead(503).end()
    }
    const path = request.url?.replace(/\?.*$/s, '')
    if (request.method !== 'GET') return void response.writeHead(405, { allow: 'GET' }).end()
    if (path === '/healthz') return void response.writeHead(204).end()
    if (path === '/readyz') {
      ready().then(
        (report) => reply(readyStatus(report), 'application/json', JSON.stringify(readyBody(report))),
        failed,
      )
    } else if (path === '/metrics') {
      registry.metrics().then((text) => reply(200, registry.contentType, text), failed)
    } else {
      response.writeHead(404).end()
    }
  })
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new SluiceError(
      'CONFIGURATION',
      `Metrics cannot be served on ${host} port ${port} (${variable}): ${messageOf(error)}.`,
      {
        cause: error,
      },
    )
  }
  const { port: listening } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${listening}/metrics`,
    async close(): Promise<void> {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export const readyStatus = ({ ready }: ReadinessReport): number => (ready ? 200 : 503)

/** What `/readyz` answers, in gateways and workers. */
export const readyBody = ({ ready, checks }: ReadinessReport) => ({ status: ready ? 'ready' : 'not ready', checks })
