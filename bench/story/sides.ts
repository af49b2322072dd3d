/** The two that are compared, behind one interface, so that both are measured by the same code. */
import path from 'node:path'
import pg from 'pg'
import { Pool } from 'undici'
import { databaseNamed, type Ground } from '../ground/ground.ts'
import { type RunningProcess, startProcess } from '../ground/processes.ts'
import { type Arrivals, openSubscribers, type Receiver } from './arrivals.ts'
import { bodiesOf } from './payload.ts'
import type { World } from './world.ts'

export interface Side {
  readonly name: 'sluice' | 'bare'
  /** The path at the receiver where its webhooks arrive. */
  readonly webhookPath: string
  /** Its own database. */
  readonly database: pg.Pool
  /** Process id of its gateway. */
  readonly gatewayPid: number
  /** A call that submits a new session of `bytes` bytes; for throughput. */
  submitting(bytes: number): (id: string) => Promise<void>
  /** The same, announced to webhook and subscribers. */
  announcing(bytes: number): (id: string) => Promise<void>
  subscribe(count: number, arrivals: Arrivals): Promise<{ close(): Promise<void> }>
  /** Starts what posts webhooks. */
  startWorker(): Promise<void>
}

export interface SidesOptions {
  readonly ground: Ground
  readonly world: World
  readonly receiver: Receiver
  /** Calls under way at once. */
  readonly concurrency: number
  /** Passed to Node of both roles. */
  readonly nodeOptions: readonly string[]
}

/** Where each side's webhooks arrive at the receiver. */
export const webhookPaths = { sluice: '/sluice', bare: '/bare' } as const

const liveQuery = `subscription {
  sessions(where: { flow: { slug: { _eq: "apply" } } }, order_by: { submitted_at: desc }, limit: 10) {
    id status kind submitted_at flow { slug }
  }
}`

/** The real processes, `sluice gateway` and `sluice worker`. */
export async function startSluice(stack: AsyncDisposableStack, options: SidesOptions): Promise<Side> {
  const { ground, world, concurrency, nodeOptions } = options
  const role = (name: string) =>
    startProcess({
      name,
      file: path.join(import.meta.dirname, '../../src/main.ts'),
      args: [name],
      env: ground.env,
      folder: ground.folder,
      nodeOptions,
    })
  const gateway = keep(stack, await role('gateway'))
  const url = gateway.ready.url ?? ''
  const [sourceToken, consumerToken] = await Promise.all([tokenOf(url, world.source), tokenOf(url, world.consumer)])
  const client = clientOf(stack, url, concurrency)
  const query = `mutation ($object: submit_session_input!) {
    submit_session(object: $object) { id created event_id deliveries }
  }`
  const submitting = (bytes: number) => {
    const body = bodiesOf((object) => ({ query, variables: { object } }), bytes)
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${sourceToken}` }
    return (id: string) => post(client, { path: '/graphql', headers, body: body(id) })
  }
  return {
    name: 'sluice',
    webhookPath: webhookPaths.sluice,
    database: databaseOf(stack, ground.databaseUrl),
    gatewayPid: gateway.pid,
    submitting,
    announcing: submitting,
    subscribe: (count, arrivals) =>
      openSubscribers({
        url: `${url}/graphql`,
        count,
        arrivals,
        subscription: { query: liveQuery, token: consumerToken },
      }),
    async startWorker() {
      keep(stack, await role('worker'))
    },
  }
}

/** `bare-gateway.ts` and `bare-worker.ts` over a copy of the database. */
export async function startBare(stack: AsyncDisposableStack, options: SidesOptions): Promise<Side> {
  const { ground, world, receiver, concurrency } = options
  const databaseUrl = databaseNamed(ground.databaseUrl, 'bare')
  const role = (name: string) =>
    startProcess({
      name,
      file: path.join(import.meta.dirname, `${name}.ts`),
      env: {
        DATABASE_URL: databaseUrl,
        STATEMENTS: JSON.stringify(world.statements),
        WEBHOOK_URL: `${receiver.url}${webhookPaths.bare}`,
      },
      folder: ground.folder,
    })
  const gateway = keep(stack, await role('bare-gateway'))
  const url = gateway.ready.url ?? ''
  const client = clientOf(stack, url, concurrency)
  const at = (to: string) => (bytes: number) => {
    const body = bodiesOf((session) => session, bytes)
    const headers = { 'content-type': 'application/json' }
    return (id: string) => post(client, { path: to, headers, body: body(id) })
  }
  return {
    name: 'bare',
    webhookPath: webhookPaths.bare,
    database: databaseOf(stack, databaseUrl),
    gatewayPid: gateway.pid,
    submitting: at('/accept'),
    announcing: at('/announce'),
    subscribe: (count, arrivals) => openSubscribers({ url, count, arrivals }),
    async startWorker() {
      keep(stack, await role('bare-worker'))
    },
  }
}

function keep(stack: AsyncDisposableStack, started: RunningProcess): RunningProcess {
  stack.defer(() => started.stop())
  return started
}

function clientOf(stack: AsyncDisposableStack, url: string, connections: number): Pool {
  const client = new Pool(url, { connections, headersTimeout: 30_000 })
  stack.defer(() => client.destroy())
  return client
}

function databaseOf(stack: AsyncDisposableStack, connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 2 })
  pool.on('error', () => undefined)
  stack.defer(() => pool.end())
  return pool
}

async function tokenOf(url: string, { key, secret }: { readonly key: string; readonly secret: string }) {
  const response = await fetch(`${url}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: key, client_secret: secret }),
  })
  const { access_token: token } = (await response.json()) as { access_token?: string }
  if (!token) throw new Error(`The gateway gave no token (${response.status}).`)
  return token
}

/** An answer that does not say that the session is bound for its webhooks ends the benchmark. */
async function post(
  client: Pool,
  options: { readonly path: string; readonly headers: Record<string, string>; readonly body: string },
): Promise<void> {
  const { statusCode, body } = await client.request({ method: 'POST', ...options })
  const text = await body.text()
  if (statusCode !== 200 || !/"deliveries":[1-9]/.test(text)) throw new Error(`${statusCode}: ${text.slice(0, 500)}`)
}
