import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../log.ts'
import { type EmbeddedPostgres, removeEmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { pickAccount } from './embedded-account.ts'

let base: string
let folder: string
const running: EmbeddedPostgres[] = []

/** A stopped server's folder; copying it is ten times faster than another first start. */
let prepared: string
beforeAll(async () => {
  prepared = path.join(await enterable(), 'postgres')
  await (await startEmbeddedPostgres({ folder: prepared, port: 0, log: silentLog, durable: true })).stop()
  await rm(path.join(prepared, 'location'), { force: true })
})
afterAll(() => rm(path.dirname(prepared), { recursive: true }))

beforeEach(async () => {
  base = await enterable()
  folder = path.join(base, 'postgres')
  await promisify(execFile)('cp', ['-a', prepared, folder])
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()))
  await removeEmbeddedPostgres(folder)
  await rm(base, { recursive: true })
})

/** A folder that the server's account can pass through. */
async function enterable(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'sluice-test-postgres-'))
  await chmod(made, 0o711)
  return made
}

async function start(port = 0): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ folder, port, log: silentLog, durable: true })
  running.push(server)
  return server
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

test('keeps its data from one start to the next, and asks for its password', async () => {
  const first = await start()
  await query(first.url, 'create table kept as select 42 as value')
  await first.stop()
  await expect(query(first.url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })

  const second = await start(first.port)
  expect(second.url).toBe(first.url)
  expect(await query(second.url, 'select value from kept')).toEqual([{ value: 42 }])
  expect((await stat(path.join(folder, 'password'))).mode & 0o777).toBe(0o600)

  const stranger = new URL(second.url)
  stranger.password = 'guess'
  await expect(query(stranger.href, 'select 1')).rejects.toMatchObject({ code: '28P01' })
})

test('speaks UTF-8 with upper and lower case beyond ASCII, in UTC, on the loopback only', async () => {
  const { url } = await start()
  const [facts] = await query(
    url,
    `select upper('straßenø') as upper, current_setting('TimeZone') as zone, current_setting('listen_addresses') as host`,
  )
  expect(facts).toEqual({ upper: 'STRAßENØ', zone: 'UTC', host: '127.0.0.1' })
})

test('comes back after its server was killed, with everything that was committed', async () => {
  const first = await start()
  await query(first.url, 'create table kept as select 1 as value')
  process.kill(await postmaster(first), 'SIGKILL')
  await first.ended
  const second = await start(first.port)
  expect(await query(second.url, 'select value from kept')).toEqual([{ value: 1 }])
})

test('stops a server of its folder that was left behind, and starts again', async () => {
  const first = await start()
  const leftBehind = await postmaster(first)
  const second = await start(first.port)
  await first.ended
  expect(await postmaster(second)).not.toBe(leftBehind)
})

test('ends with the process that started it, even if that is killed', async () => {
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(path.join(import.meta.dirname, 'embedded.ts'))}
    import { silentLog } from ${JSON.stringify(path.join(import.meta.dirname, '../log.ts'))}
    const { data } = await startEmbeddedPostgres({ folder: ${JSON.stringify(folder)}, port: 0, log: silentLog, durable: false })
    console.log(data)
    setInterval(() => undefined, 1000)`
  const parent = execFile(process.execPath, ['--input-type=module', '-e', script])
  const [data] = (await once(parent.stdout as NodeJS.ReadableStream, 'data')) as [string]
  const lock = path.join(data.trim(), 'postmaster.pid')
  expect(existsSync(lock)).toBe(true)
  parent.kill('SIGKILL')
  await until(() => !existsSync(lock))
})

test('does not mistake another process that has the number of its old server for it', async () => {
  const first = await start()
  await first.stop()
  const lock = path.join(first.data, 'postmaster.pid')
  await writeFile(lock, `${process.pid}\n${first.data}\n1700000000\n${first.port}\n\n127.0.0.1\n`)
  const second = await start()
  expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }])
})

describe('says what to do when', () => {
  test('its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    await expect(start(port)).rejects.toThrow(new RegExp(`Port ${port} .*EMBEDDED_POSTGRES_PORT`))
    other.close()
  })

  test('its data is damaged', async () => {
    const { data, stop } = await start()
    await stop()
    await truncate(path.join(data, 'global/pg_control'))
    await expect(start()).rejects.toThrow(/pg_control[\s\S]*postgres\.log[\s\S]*npm run reset/)
    await rm(path.join(data, 'PG_VERSION'))
    await expect(start()).rejects.toThrow(/PG_VERSION is missing[\s\S]*npm run reset/)
  })

  test('its password is lost', async () => {
    const { stop } = await start()
    await stop()
    await rm(path.join(folder, 'password'))
    await expect(start()).rejects.toThrow('npm run reset')
  })
})

test.runIf(process.getuid?.() === 0)(
  'as root, in a folder that only root can enter, keeps its data elsewhere',
  async () => {
    await rm(folder, { recursive: true })
    await chmod(base, 0o700)
    const first = await start()
    expect(first.data.startsWith(base)).toBe(false)
    expect(await readFile(path.join(folder, 'location'), 'utf8')).toBe(`${path.dirname(first.data)}\n`)
    await query(first.url, 'create table kept as select 1 as value')
    await first.stop()

    const second = await start()
    expect(second.data).toBe(first.data)
    expect(await query(second.url, 'select value from kept')).toEqual([{ value: 1 }])
    await second.stop()
    expect(await removeEmbeddedPostgres(folder)).toEqual([path.dirname(first.data), folder])
    expect(existsSync(first.data)).toBe(false)
  },
)

test('as root, the server runs as postgres, else as nobody', () => {
  const passwd = ['root:x:0:0:root:/root:/bin/sh', 'nobody:*:-2:-2:Nobody:/var/empty:/bin/false']
  expect(pickAccount(passwd.join('\n'))).toEqual({ name: 'nobody', uid: 4294967294, gid: 4294967294 })
  passwd.push('postgres:x:101:104:admin:/var/lib/postgresql:/bin/bash', '')
  expect(pickAccount(passwd.join('\n'))).toEqual({ name: 'postgres', uid: 101, gid: 104 })
  expect(pickAccount('root:x:0:0:root:/root:/bin/sh\n')).toBeUndefined()
})

async function postmaster({ data }: EmbeddedPostgres): Promise<number> {
  return Number((await readFile(path.join(data, 'postmaster.pid'), 'utf8')).split('\n')[0])
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('It did not come true within 60 s')
    await pause(20)
  }
}
