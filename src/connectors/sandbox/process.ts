/** One sandboxed process and the run that it is at. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import { packBytes, unpackBytes } from './bytes.ts'
import type { SandboxCommand } from './deno.ts'
import {
  type AnswerMessage,
  type GuestMessage,
  type LoadMessage,
  type LogLevel,
  type RunInput,
  type RunMessage,
  readGuestLine,
} from './protocol.ts'

/** What one run may use. A run that goes over ends, and its process with it; log lines are only dropped. */
export interface RunLimits {
  /** Largest single message of the guest. @default 8 MiB */
  readonly messageBytes: number
  /** Everything the guest writes in one run. @default 32 MiB */
  readonly outputBytes: number
  /** Everything that calls bring back in one run. @default 64 MiB */
  readonly answerBytes: number
  /** @default 1000 */
  readonly calls: number
  /** Calls that wait for their answer at the same time. @default 32 */
  readonly openCalls: number
  /** @default 1000 */
  readonly logLines: number
  /** @default 256 KiB */
  readonly logBytes: number
  /** Processor time of one run, all threads together. Needs Linux; elsewhere only `timeoutMs` ends a loop. @default 5000 */
  readonly cpuMs: number
  /** Heap of one process; the whole process may hold 2.5 times as much. @default 128 */
  readonly memoryMb: number
  /** For a new process to load its bundle. @default 10 000 */
  readonly loadMs: number
}

export const defaultLimits: RunLimits = {
  messageBytes: 8 * 1024 * 1024,
  outputBytes: 32 * 1024 * 1024,
  answerBytes: 64 * 1024 * 1024,
  calls: 1000,
  openCalls: 32,
  logLines: 1000,
  logBytes: 256 * 1024,
  cpuMs: 5000,
  memoryMb: 128,
  loadMs: 10_000,
}

/** Answers a guest's calls and takes its log. Nothing it gets can be trusted. */
export interface RunHost {
  /** Its result goes to the guest as JSON. A {@link CallRefused} is told to the guest as it is, anything else thrown only as `INTERNAL`. */
  call(kind: string, argument: unknown): Promise<unknown>
  log(level: LogLevel, message: string): void
}

/** Told to the connector, as an error that it can catch. */
export class CallRefused extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * `threw` is the connector's own fault and leaves the process usable, and so does `absent`: it has no function of
 * that name. The rest killed it.
 */
export type RunFailure =
  | 'threw'
  | 'absent'
  | 'unloadable'
  | 'timeout'
  | 'cpu'
  | 'memory'
  | 'crashed'
  | 'limit'
  | 'protocol'
  | 'aborted'

export type RunOutcome =
  | {
      readonly ok: true
      /** What the function returned, as JSON; Uint8Arrays come as such. null for undefined. Anything at all: check it. */
      readonly value: unknown
      readonly state: Readonly<Record<string, unknown>>
      /** All parts, as the function left them; undefined or null when it changed none. As little to be believed as `value`. */
      readonly extensionData?: unknown
    }
  | { readonly ok: false; readonly failure: RunFailure; readonly message: string }

export interface RunRequest {
  /** The connector's function: of its default export, or a named export. @default 'consume' */
  readonly method?: string
  /** What it is called with, before the context. JSON, and Uint8Arrays anywhere in it. @default none */
  readonly parameters?: readonly unknown[]
  /** What the context holds beside its capabilities. */
  readonly input: RunInput
  readonly host: RunHost
  /** For everything together, in milliseconds. */
  readonly timeoutMs: number
  /** When they began to count, as `performance.now()`. @default now */
  readonly startedAt?: number
  readonly signal?: AbortSignal
}

/** What a connector's code has. */
export interface ConnectorExports {
  /** Names that `method` can be. */
  readonly functions: readonly string[]
  /** `settings` of `defineConnector`; null without. */
  readonly settings: unknown
}

interface ActiveRun {
  readonly number: number
  readonly host: RunHost
  readonly settle: (outcome: RunOutcome) => void
  outputBytes: number
  answerBytes: number
  calls: number
  openCalls: number
  logLines: number
  logBytes: number
}

/** Resident memory and processor time are looked at this often while a run lasts; a process fills about 100 MB in between. */
const usageCheckMs = 50
/** What works on although its run is over is found this long after it. */
const idleCheckMs = 250
/** Linux's USER_HZ is 100 wherever Deno runs; its pages are of 4 KiB, or counted as such where they are larger. */
const clockTickMs = 10
const pageBytes = 4096
const keptErrorOutput = 16_384
const maxErrorOutput = 1024 * 1024

/**
 * A process is
 * - **loading** from `spawn` until the guest has said `ready` (or `unloadable`: then it dies);
 * - **idle**: it may be given a run;
 * - **running**: one run, which ends by `returned` or `threw` (idle again), or takes the process with it;
 * - **dead**: killed by `kill`, or ended by itself. It never comes back.
 *
 * Messages about another run than the one under way are remains of an earlier
 * one and are dropped. `#run` is set only while running, `#loaded` until loading ended.
 */
export class SandboxProcess {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #limits: RunLimits
  readonly #token = randomBytes(24).toString('base64url')
  readonly #loaded = Promise.withResolvers<void>()
  readonly #exited = Promise.withResolvers<void>()
  #exports: ConnectorExports = { functions: [], settings: null }
  #line: Buffer[] = []
  #lineBytes = 0
  #errorOutput = ''
  #errorBytes = 0
  #dead = false
  #runs = 0
  #run: ActiveRun | undefined
  #idleCheck: NodeJS.Timeout | undefined

  private constructor(command: SandboxCommand, limits: RunLimits) {
    this.#limits = limits
    this.#child = spawn(command.file, command.parameters, { cwd: command.cwd, env: command.env, stdio: 'pipe' })
    this.#child.stdout.on('data', (chunk: Buffer) => this.#onOutput(chunk))
    this.#child.stderr.on('data', (chunk: Buffer) => this.#onErrorOutput(chunk))
    // Writing to a process that has just ended; its exit says the rest.
    this.#child.stdin.on('error', () => undefined)
    this.#child.once('error', (error) => this.#onExit(`The sandbox could not be started: ${error.message}`))
    this.#child.once('close', (code, signal) => this.#onExit(this.#causeOfDeath(code, signal)))
  }

  /**
   * Starts a process and loads a bundle.
   *
   * @throws SandboxError when the bundle cannot be loaded.
   */
  static async start(command: SandboxCommand, bundle: string, limits: RunLimits): Promise<SandboxProcess> {
    const process = new SandboxProcess(command, limits)
    const timer = setTimeout(
      () => process.#end('timeout', `The connector did not load within ${limits.loadMs} ms.`),
      limits.loadMs,
    )
    const message: LoadMessage = { type: 'load', token: process.#token, bundle }
    process.#write(message)
    try {
      await process.#loaded.promise
      yieldProcessor(process.pid)
      return process
    } finally {
      clearTimeout(timer)
    }
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** What the bundle said of itself when it was loaded; believe it as little as anything else. */
  get exports(): ConnectorExports {
    return this.#exports
  }

  get isDead(): boolean {
    return this.#dead
  }

  /** Runs the connector once. Never throws: whatever happens is an outcome. Only for an idle process. */
  async run({
    method = 'consume',
    parameters = [],
    input,
    host,
    timeoutMs,
    startedAt = performance.now(),
    signal,
  }: RunRequest): Promise<RunOutcome> {
    if (this.#dead) return { ok: false, failure: 'crashed', message: 'The sandbox had ended.' }
    if (this.#run) throw new Error('This process is at another run')
    if (signal?.aborted) return { ok: false, failure: 'aborted', message: stopped }
    const number = ++this.#runs
    const settled = Promise.withResolvers<RunOutcome>()
    this.#run = {
      number,
      host,
      settle: settled.resolve,
      outputBytes: 0,
      answerBytes: 0,
      calls: 0,
      openCalls: 0,
      logLines: 0,
      logBytes: 0,
    }
    const onAbort = () => this.#end('aborted', stopped)
    const timer = setTimeout(
      () => this.#end('timeout', `The connector did not finish within ${seconds(timeoutMs)}.`),
      Math.max(1, startedAt + timeoutMs - performance.now()),
    )
    clearTimeout(this.#idleCheck)
    let began: number | undefined
    const usageCheck = setInterval(async () => {
      const usage = await this.#usage()
      if (this.#run?.number !== number || !usage) return
      // The first look comes late by at most one interval, in the connector's favour.
      began ??= usage.cpuMs
      if (usage.residentMb > this.#limits.memoryMb * 2.5) this.#end('memory', this.#tooMuchMemory())
      if (usage.cpuMs - began > this.#limits.cpuMs) this.#end('cpu', this.#tooMuchTime())
    }, usageCheckMs)
    signal?.addEventListener('abort', onAbort)
    const message: RunMessage = {
      type: 'run',
      run: number,
      maxLogLines: this.#limits.logLines,
      method,
      parameters: parameters.map(packBytes),
      input,
    }
    this.#write(message)
    try {
      return await settled.promise
    } finally {
      clearTimeout(timer)
      clearInterval(usageCheck)
      signal?.removeEventListener('abort', onAbort)
      this.#run = undefined
      if (!this.#dead) this.#watchIdle()
    }
  }

  /** Ends the process at once; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#end('aborted', stopped)
    await this.#exited.promise
  }

  /** Ends a run (or the loading) as failed, and the process with it. */
  #end(failure: RunFailure, message: string): void {
    const outcome = { ok: false, failure, message } as const
    this.#dead = true
    clearTimeout(this.#idleCheck)
    this.#child.kill('SIGKILL')
    this.#loaded.reject(new SandboxError(outcome.failure, message))
    this.#run?.settle(outcome)
  }

  #onExit(message: string): void {
    this.#end(/out of memory|heap limit|allocation failed/i.test(this.#errorOutput) ? 'memory' : 'crashed', message)
    this.#exited.resolve()
  }

  #causeOfDeath(code: number | null, signal: NodeJS.Signals | null): string {
    if (/out of memory|heap limit|allocation failed/i.test(this.#errorOutput)) return this.#tooMuchMemory()
    const said = this.#errorOutput.split('\n').find((line) => line.trim() !== '')
    return `The connector's process ended with ${signal ?? `code ${code}`}${said ? `: ${said.slice(0, 500)}` : ''}.`
  }

  #tooMuchTime(): string {
    return `The connector used more than ${seconds(this.#limits.cpuMs)} of processor time.`
  }

  #tooMuchMemory(): string {
    return `The connector used more memory than the ${this.#limits.memoryMb} MB that it may.`
  }

  #onErrorOutput(chunk: Buffer): void {
    this.#errorBytes += chunk.length
    if (this.#errorOutput.length < keptErrorOutput) this.#errorOutput += chunk.toString('utf8')
    if (this.#errorBytes > maxErrorOutput) this.#end('limit', 'The connector wrote too much to standard error.')
  }

  #onOutput(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0 && !this.#dead) {
      const end = rest.indexOf(10)
      const part = end === -1 ? rest : rest.subarray(0, end)
      this.#lineBytes += part.length
      if (this.#run) this.#run.outputBytes += part.length + 1
      if (this.#lineBytes > this.#limits.messageBytes) {
        this.#end('limit', `The connector sent more than ${this.#limits.messageBytes} bytes at once.`)
        return
      }
      if (this.#run && this.#run.outputBytes > this.#limits.outputBytes) {
        this.#end('limit', `The connector wrote more than ${this.#limits.outputBytes} bytes in one run.`)
        return
      }
      this.#line.push(part)
      if (end === -1) return
      const line = (this.#line.length === 1 ? part : Buffer.concat(this.#line, this.#lineBytes)).toString('utf8')
      this.#line = []
      this.#lineBytes = 0
      rest = rest.subarray(end + 1)
      this.#onLine(line)
    }
  }

  #onLine(line: string): void {
    const message = readGuestLine(line, this.#token)
    if (!message) {
      this.#end('protocol', 'The connector wrote something to the channel that is no message.')
    } else if (message.type === 'ready') {
      this.#exports = { functions: message.functions, settings: message.settings }
      this.#loaded.resolve()
    } else if (message.type === 'unloadable') {
      this.#end('unloadable', `The connector cannot be loaded: ${message.message}`)
    } else if (this.#run && message.run === this.#run.number) {
      this.#onRunMessage(this.#run, message)
    }
  }

  #onRunMessage(run: ActiveRun, message: Extract<GuestMessage, { run: number }>): void {
    switch (message.type) {
      case 'returned':
        run.settle({
          ok: true,
          value: unpackBytes(message.value),
          state: message.state,
          extensionData: message.extensionData,
        })
        break
      case 'absent':
        run.settle({ ok: false, failure: 'absent', message: 'The connector has no function of this name.' })
        break
      case 'threw':
        run.settle({ ok: false, failure: 'threw', message: message.message })
        break
      case 'log':
        this.#onLog(run, message.level, message.message)
        break
      case 'call':
        void this.#onCall(run, message.call, message.kind, message.argument)
    }
  }

  #onLog(run: ActiveRun, level: LogLevel, message: string): void {
    const before = run.logLines++
    if (before < this.#limits.logLines && run.logBytes + message.length <= this.#limits.logBytes) {
      run.logBytes += message.length
      run.host.log(level, message)
      return
    }
    // Said once, in place of the first line that is dropped; from then on none fits.
    if (run.logBytes !== Number.POSITIVE_INFINITY) run.host.log('warn', 'The log is full; later lines were dropped.')
    run.logBytes = Number.POSITIVE_INFINITY
  }

  async #onCall(run: ActiveRun, call: number, kind: string, argument: unknown): Promise<void> {
    if (++run.calls > this.#limits.calls) {
      this.#end('limit', `The connector made more than ${this.#limits.calls} calls in one run.`)
      return
    }
    let value: unknown = null
    let error: AnswerMessage['error'] = null
    run.openCalls++
    try {
      if (run.openCalls > this.#limits.openCalls) {
        throw new CallRefused('LIMIT', `No more than ${this.#limits.openCalls} calls may wait at the same time.`)
      }
      value = await run.host.call(kind, argument)
    } catch (thrown) {
      error =
        thrown instanceof CallRefused
          ? { message: thrown.message, code: thrown.code }
          : { message: 'The call failed inside of Sluice.', code: 'INTERNAL' }
    }
    run.openCalls--
    if (this.#run !== run || this.#dead) return
    const answer: AnswerMessage = { type: 'answer', run: run.number, call, value: value ?? null, error }
    run.answerBytes += this.#write(answer)
    if (run.answerBytes > this.#limits.answerBytes) {
      this.#end('limit', `The connector's calls brought back more than ${this.#limits.answerBytes} bytes in one run.`)
    }
  }

  /** @returns the size in bytes, about. */
  #write(message: LoadMessage | RunMessage | AnswerMessage): number {
    const line = `${JSON.stringify(message)}\n`
    this.#child.stdin.write(line)
    return line.length
  }

  /** A process that goes on computing between runs is ended: the next run gets a new one. */
  #watchIdle(): void {
    let began: number | undefined
    const look = async () => {
      const usage = await this.#usage()
      if (this.#run || this.#dead || !usage) return
      if (began === undefined) {
        began = usage.cpuMs
        this.#idleCheck = setTimeout(look, idleCheckMs).unref()
      } else if (usage.cpuMs - began > idleCheckMs / 2) {
        this.#end('cpu', 'The connector went on after its run was over.')
      }
    }
    this.#idleCheck = setTimeout(look, idleCheckMs).unref()
  }

  /**
   * V8 bounds only its own heap, and array buffers lie outside of it; nothing bounds the processor. Linux tells both
   * in one file: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html. Undefined elsewhere.
   */
  async #usage(): Promise<{ readonly cpuMs: number; readonly residentMb: number } | undefined> {
    const stat = await readFile(`/proc/${this.#child.pid}/stat`, 'utf8').catch(() => '')
    // The second field is the program's name, in parentheses, with whatever in it. utime is the 14th, rss the 24th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields.length < 22) return undefined
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * clockTickMs,
      residentMb: (Number(fields[21]) * pageBytes) / (1024 * 1024),
    }
  }
}

/** Why a bundle could not be loaded. */
export class SandboxError extends Error {
  readonly failure: RunFailure
  constructor(failure: RunFailure, message: string) {
    super(message)
    this.failure = failure
  }
}

const stopped = 'The run was stopped.'

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`
}

/** A connector that computes for long shall not slow the worker. Where the system forbids it, it runs as any process. */
function yieldProcessor(pid: number | undefined): void {
  try {
    if (pid) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // Also when it has ended already, which its exit tells.
  }
}
