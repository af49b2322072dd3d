/**
 * One child process that is kept running.
 *
 * States: starting → ready → (ends) → waiting → starting …, until stopped or failed.
 * - starting: spawned, has not sent `{ type: 'ready' }` yet. If it ends here in its
 *   first life, it fails at once: what it complains about will not pass by itself.
 * - waiting: ended unasked; started again after a pause that doubles (200 ms to 5 s).
 * - failed: it ended within `quickMs` of its start five times in a row.
 * - stopped: asked to end with SIGTERM, and after `killMs` with SIGKILL.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, existsSync, renameSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { SluiceError } from '../errors.ts'

export interface KeepRunningOptions {
  /** For people: `gateway`, `worker`. */
  readonly name: string
  /** Arguments to this Node. */
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Gets every line that it writes. */
  readonly logFile: string
  /** Gets every line from the time it is ready; what came before is passed on then. */
  readonly onLine: (line: string) => void
  /** Told after each unasked end that leads to a new start. */
  readonly onRestart: (reason: string) => void
  /** Told once, when it is given up, with its last lines. */
  readonly onFailed: (error: SluiceError) => void
  /** @default 10000 */
  readonly quickMs?: number
  /** @default 10000 */
  readonly killMs?: number
  /** First pause before a new start. @default 200 */
  readonly pauseMs?: number
}

export interface KeptProcess {
  readonly pid: number | undefined
  /** What it sent when it became ready for the first time. Rejects when it fails before. */
  readonly ready: Promise<ReadyMessage>
  /** Resolves when it has ended. */
  stop(): Promise<void>
  /** SIGKILL, now. */
  kill(): void
}

export interface ReadyMessage {
  readonly type: 'ready'
  readonly url?: string
}

const quickDeaths = 5
const keptLines = 20
const maxLogBytes = 20 * 1024 * 1024

export function keepRunning(options: KeepRunningOptions): KeptProcess {
  const { name, args, env, logFile, onLine, onRestart, onFailed } = options
  const { quickMs = 10_000, killMs = 10_000, pauseMs = 200 } = options
  if (existsSync(logFile) && statSync(logFile).size > maxLogBytes) renameSync(logFile, `${logFile}.1`)
  const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 })
  const lastLines: string[] = []
  const ready = Promise.withResolvers<ReadyMessage>()
  // Whoever only stops it needs no handler.
  ready.promise.catch(() => undefined)

  let child: ChildProcess
  let ended: Promise<unknown>
  let wasReady = false
  let stopping = false
  let quick = 0
  let restart: NodeJS.Timeout | undefined

  function run(): void {
    const startedAt = Date.now()
    // In a session of its own: Ctrl-C reaches only us, and we stop things in order.
    child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true })
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface(stream).on('line', take)
    }
    child.on('message', (message: Partial<ReadyMessage>) => {
      if (message.type !== 'ready') return
      if (!wasReady) for (const line of lastLines) onLine(line)
      wasReady = true
      ready.resolve({ type: 'ready', url: message.url })
    })
    // `close` comes when its output is read to the end, `exit` might be too early to quote it.
    ended = new Promise((resolve) => child.once('close', resolve))
    child.once('error', (error) => take(error.message))
    child.once('close', (code, signal) => {
      if (!stopping) onEnd(Date.now() - startedAt, signal ? `by ${signal}` : `with code ${code}`)
    })
  }

  function onEnd(livedMs: number, how: string): void {
    quick = livedMs < quickMs ? quick + 1 : 0
    if (!wasReady || quick >= quickDeaths) {
      const quoted = lastLines.map((line) => `  ${line}`).join('\n')
      const often = wasReady ? ` ${quick} times in a row` : ''
      const error = new SluiceError('UNAVAILABLE', `The ${name} ended ${how}${often}. It said last:\n${quoted}`)
      stopping = true
      ready.reject(error)
      onFailed(error)
      return
    }
    const pause = Math.min(pauseMs * 2 ** quick, 5000)
    onRestart(`ended ${how}, starting it again in ${pause / 1000} s`)
    restart = setTimeout(run, pause)
  }

  function take(line: string): void {
    log.write(`${line}\n`)
    lastLines.push(line)
    if (lastLines.length > keptLines) lastLines.shift()
    if (wasReady) onLine(line)
  }

  run()
  return {
    get pid() {
      return child.pid
    },
    ready: ready.promise,
    async stop() {
      stopping = true
      clearTimeout(restart)
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), killMs)
      await ended
      clearTimeout(force)
      await new Promise((resolve) => log.end(resolve))
    },
    kill() {
      stopping = true
      child.kill('SIGKILL')
    },
  }
}
