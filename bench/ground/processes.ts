/** Child processes of a benchmark: each says over IPC when it is ready, and is stopped by its own pid. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'

export interface ProcessOptions {
  /** Names its log file. */
  readonly name: string
  readonly file: string
  readonly args?: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Becomes its working directory and holds its log. */
  readonly folder: string
  /** Options of Node itself, such as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[]
}

export interface RunningProcess {
  readonly pid: number
  /** What it said when it was ready. */
  readonly ready: { readonly url?: string }
  /** SIGTERM, and SIGKILL when it has not ended 10 s later. */
  stop(): Promise<void>
}

/**
 * Starts a program that sends `{ type: 'ready' }` over IPC, as the roles of
 * Sluice do. It sees `env` and PATH, nothing else of this process's environment.
 *
 * @throws Error with the end of its log, when it ends or 30 s pass before it is ready.
 */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const { name, file, args = [], env, folder, nodeOptions = [] } = options
  const logFile = path.join(folder, `${name}.log`)
  const log = openSync(logFile, 'a', 0o600)
  const child = fork(file, args, {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    execArgv: [...nodeOptions],
    stdio: ['ignore', log, log, 'ipc'],
    // Ctrl-C reaches only the benchmark, which stops its parts in order.
    detached: true,
  })
  const ended = once(child, 'exit')
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), 10_000)
    await ended
    clearTimeout(force)
  }
  const giveUp = new AbortController()
  const late = setTimeout(() => giveUp.abort(), 30_000)
  ended.then(() => giveUp.abort())
  try {
    for (;;) {
      const [message] = (await once(child, 'message', { signal: giveUp.signal })) as [{ type?: string; url?: string }]
      if (message.type === 'ready') return { pid: child.pid ?? 0, ready: { url: message.url }, stop }
    }
  } catch (cause) {
    await stop()
    const lines = (await readFile(logFile, 'utf8')).trim().split('\n').slice(-30).join('\n')
    throw new Error(`The ${name} did not become ready. It said last:\n${lines}`, { cause })
  } finally {
    clearTimeout(late)
  }
}
