/** `sluice start` as a person runs it: one command, real processes, real signals. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { removeEmbeddedPostgres, stopLeftoverPostgres } from '../src/database/embedded.ts'
import { commandOf } from '../src/database/embedded-process.ts'
import { silentLog } from '../src/log.ts'

// Each test starts three to six processes, on a machine that may be busy: two seconds can become a hundred.
vi.setConfig({ testTimeout: 500_000, hookTimeout: 120_000 })

const main = path.join(import.meta.dirname, '../src/main.ts')
let folder: string
let env: Record<string, string>
const started: Sluice[] = []

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-test-start-'))
  const [gateway, postgres, s3, smtp] = await freePorts(4)
  env = {
    PATH: process.env.PATH ?? '',
    NODE_ENV: 'production',
    NO_COLOR: '1',
    GATEWAY_PORT: `${gateway}`,
    EMBEDDED_POSTGRES_PORT: `${postgres}`,
    EMBEDDED_S3_PORT: `${s3}`,
    EMBEDDED_SMTP_PORT: `${smtp}`,
  }
})
afterEach(() => Promise.all(started.splice(0).map((sluice) => sluice.end('SIGTERM'))))
afterAll(async () => {
  const postgres = path.join(folder, '.sluice/postgres')
  await stopLeftoverPostgres({ folder: postgres, log: silentLog })
  await removeEmbeddedPostgres(postgres)
  await rm(folder, { recursive: true })
})

test('starts everything, keeps out a second start, and Ctrl-C leaves nothing behind', async () => {
  const sluice = run('start')
  await sluice.says('is ready in')
  expect(await answers()).toBe(true)
  const pids = [...(await sluice.pids()), sluice.child.pid ?? 0]
  expect(pids).toHaveLength(4)
  await query('create table kept as select 42 as value')

  const second = run('start')
  expect(await second.ended).toBe(1)
  expect(second.output()).toMatch(
    `Sluice already runs in ${await realpath(folder)}/.sluice (process ${sluice.child.pid})`,
  )
  const reset = run('reset', '--yes')
  expect(await reset.ended).toBe(1)

  expect(await sluice.end('SIGINT')).toBe(0)
  expect(sluice.output()).toContain('Everything is stopped')
  expect(await Promise.all(pids.map(commandOf))).toEqual([undefined, undefined, undefined, undefined])
})

test('starts again with its data, and brings back a gateway that dies', async () => {
  const sluice = run('start')
  await sluice.says('is ready in')
  expect(await query('select value from kept')).toEqual([{ value: 42 }])

  const gateway = (await sluice.pids())[0] ?? 0
  process.kill(gateway, 'SIGKILL')
  await sluice.says('gateway: ended by SIGKILL')
  await until(answers)
})

test('leaves nothing behind even when it is killed, and starts again', async () => {
  const killed = run('start')
  await killed.says('is ready in')
  const pids = await killed.pids()
  await killed.end('SIGKILL')
  await until(async () => (await Promise.all(pids.map(commandOf))).every((command) => command === undefined))

  const again = run('start')
  await again.says('is ready in')
  expect(await again.end('SIGTERM')).toBe(0)
})

test('names the variable of a taken port, and starts nothing', async () => {
  const other = createServer().listen(Number(env.EMBEDDED_S3_PORT), '127.0.0.1')
  await once(other, 'listening')
  const sluice = run('start')
  expect(await sluice.ended).toBe(1)
  expect(sluice.output()).toContain('set EMBEDDED_S3_PORT')
  expect(sluice.output()).not.toContain('    at ')
  other.close()
})

test('reset deletes what start keeps', async () => {
  expect(await run('reset').ended).toBe(1)
  const reset = run('reset', '--yes')
  expect(await reset.ended).toBe(0)
  expect(reset.output()).toContain('Deleted')
})

interface Sluice {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  output(): string
  says(text: string): Promise<void>
  /** Of the gateway, the worker and Postgres. */
  pids(): Promise<number[]>
  end(signal: NodeJS.Signals): Promise<number | null>
}

function run(...args: string[]): Sluice {
  const child = spawn(process.execPath, [main, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const sluice: Sluice = {
    child,
    ended,
    output: () => output,
    says: (text) =>
      until(
        async () => {
          if (child.exitCode !== null && !output.includes(text)) throw new Error(`It ended, having said:\n${output}`)
          return output.includes(text)
        },
        () => `It never said "${text}", but:\n${output}`,
      ),
    async pids() {
      const roles = ['gateway', 'worker'].map(async (name) => {
        const lines = (await readFile(path.join(folder, `.sluice/logs/${name}.log`), 'utf8')).trim().split('\n')
        return (JSON.parse(lines.findLast((line) => line.startsWith('{')) ?? '{}') as { pid: number }).pid
      })
      const home = await readFile(path.join(folder, '.sluice/postgres/location'), 'utf8').catch(() => undefined)
      const data = path.join(home?.trim() ?? path.join(folder, '.sluice/postgres'), 'data')
      const postmaster = readFile(path.join(data, 'postmaster.pid'), 'utf8').then((text) => Number(text.split('\n')[0]))
      return Promise.all([...roles, postmaster])
    },
    end(signal) {
      child.kill(signal)
      return ended
    },
  }
  started.push(sluice)
  return sluice
}

async function answers(): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${env.GATEWAY_PORT}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"query":"{ __typename }"}',
  }).catch(() => undefined)
  await response?.arrayBuffer()
  return response !== undefined && response.status < 500
}

async function query(sql: string): Promise<unknown[]> {
  const password = await readFile(path.join(folder, '.sluice/postgres/password'), 'utf8')
  const url = `postgres://sluice:${password}@127.0.0.1:${env.EMBEDDED_POSTGRES_PORT}/sluice`
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

async function until(holds: () => Promise<boolean>, otherwise = () => 'It did not come true.'): Promise<void> {
  const deadline = Date.now() + 200_000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(otherwise())
    await pause(20)
  }
}
