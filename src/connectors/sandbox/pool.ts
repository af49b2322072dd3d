/** Warm sandboxes, one run at a time in each, never shared by two connections. */
import { denoBinary, prepareSandbox, type SandboxFiles } from './deno.ts'
import {
  type ConnectorExports,
  defaultLimits,
  type RunLimits,
  type RunOutcome,
  type RunRequest,
  SandboxError,
  SandboxProcess,
} from './process.ts'

export interface SandboxPoolOptions {
  /** Processes at the same time, about 40 MB each. @default 32 */
  readonly maxProcesses?: number
  /** An idle process is ended after so many milliseconds; a parked connection costs nothing. @default 15 000 */
  readonly idleMs?: number
  readonly limits?: Partial<RunLimits>
}

export interface PooledRun extends Omit<RunRequest, 'startedAt'> {
  /** Processes are shared only by runs of the same key: the connection and the bundle. */
  readonly key: string
  readonly bundle: string
}

export interface SandboxPool {
  /**
   * Runs a bundle in a process of its key, warm if there is one. `timeoutMs`
   * includes the wait for a free process and its start. Never throws for what
   * a connector does.
   *
   * @example A consumer's run:
   * await pool.run({ key, bundle, input, host, timeoutMs })
   * @example Any function that the connector exports, called as `validateSettings(values, locale, context)`:
   * const outcome = await pool.run({ key, bundle, method: 'validateSettings', parameters: [values, locale], input: { settings }, host, timeoutMs })
   * if (!outcome.ok && outcome.failure === 'absent') return // the connector has no such function
   */
  run(run: PooledRun): Promise<RunOutcome>
  /** Loads a bundle, as `run` does, and says what it has. */
  inspect(
    bundle: Pick<PooledRun, 'key' | 'bundle' | 'timeoutMs' | 'signal'>,
  ): Promise<(ConnectorExports & { readonly ok: true }) | Extract<RunOutcome, { ok: false }>>
  /** Processes that live now. */
  readonly size: number
  /** Kills every process; runs under way end as `aborted`. */
  close(): Promise<void>
}

interface Idle {
  readonly key: string
  readonly process: SandboxProcess
  readonly parking: NodeJS.Timeout
}

/** @throws SluiceError CONFIGURATION when Deno is not installed. */
export function createSandboxPool(options: SandboxPoolOptions = {}): SandboxPool {
  return new Pool(denoBinary(), options)
}

/**
 * A place is one process that may exist. It is free, or taken by a process
 * that loads, runs or idles. Whoever needs a place takes in this order: an idle
 * process of the same key; a free place; the place of the process that has
 * idled longest, which is ended; else it waits its turn.
 */
class Pool implements SandboxPool {
  readonly #deno: string
  /** Made at the first run. */
  #files: Promise<SandboxFiles> | undefined
  readonly #limits: RunLimits
  readonly #maxProcesses: number
  readonly #idleMs: number
  /** Oldest first. */
  readonly #idle: Idle[] = []
  readonly #processes = new Set<SandboxProcess>()
  readonly #waiting: (() => void)[] = []
  readonly #starting = new Set<Promise<unknown>>()
  #taken = 0
  #closed = false

  constructor(deno: string, { maxProcesses = 32, idleMs = 15_000, limits }: SandboxPoolOptions) {
    this.#deno = deno
    this.#limits = { ...defaultLimits, ...limits }
    this.#maxProcesses = maxProcesses
    this.#idleMs = idleMs
  }

  get size(): number {
    return this.#processes.size
  }

  async run({ key, bundle, ...run }: PooledRun): Promise<RunOutcome> {
    const startedAt = performance.now()
    const process = await this.#obtain(key, bundle, startedAt + run.timeoutMs, run.signal)
    if (!(process instanceof SandboxProcess)) return process
    try {
      return await process.run({ ...run, startedAt })
    } finally {
      this.#giveBack(key, process)
    }
  }

  async inspect({ key, bundle, timeoutMs, signal }: Parameters<SandboxPool['inspect']>[0]) {
    const process = await this.#obtain(key, bundle, performance.now() + timeoutMs, signal)
    if (!(process instanceof SandboxProcess)) return process as Extract<RunOutcome, { ok: false }>
    this.#giveBack(key, process)
    return { ok: true as const, ...process.exports }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { parking } of this.#idle.splice(0)) clearTimeout(parking)
    for (const wake of this.#waiting.splice(0)) wake()
    await Promise.allSettled(this.#starting)
    await Promise.all([...this.#processes].map((process) => process.kill()))
    await (await this.#files)?.remove()
  }

  async #obtain(
    key: string,
    bundle: string,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<SandboxProcess | RunOutcome> {
    for (;;) {
      if (this.#closed || signal?.aborted) return failed('aborted', 'The run was stopped.')
      const warm = this.#takeIdle(this.#idle.findLastIndex((idle) => idle.key === key))
      if (warm) {
        if (!warm.isDead) return warm
        this.#release(warm)
        continue
      }
      if (this.#taken < this.#maxProcesses) return this.#start(bundle)
      const parked = this.#takeIdle(0)
      if (parked) {
        await parked.kill()
        this.#release(parked)
        continue
      }
      if (!(await this.#turn(deadline, signal))) {
        return signal?.aborted
          ? failed('aborted', 'The run was stopped.')
          : failed('timeout', 'No sandbox became free in time: all are busy with other runs.')
      }
    }
  }

  async #start(bundle: string): Promise<SandboxProcess | RunOutcome> {
    this.#taken++
    this.#files ??= prepareSandbox(this.#deno)
    const starting = this.#files
      .then((files) => files.command(this.#limits.memoryMb))
      .then((command) => SandboxProcess.start(command, bundle, this.#limits))
    this.#starting.add(starting)
    try {
      const process = await starting
      this.#processes.add(process)
      return process
    } catch (error) {
      this.#taken--
      this.#waiting.shift()?.()
      if (error instanceof SandboxError) return failed(error.failure, error.message)
      throw error
    } finally {
      this.#starting.delete(starting)
    }
  }

  #giveBack(key: string, process: SandboxProcess): void {
    if (process.isDead || this.#closed) {
      this.#release(process)
      return
    }
    const parking = setTimeout(() => {
      this.#takeIdle(this.#idle.findIndex((idle) => idle.process === process))
      void process.kill().then(() => this.#release(process))
    }, this.#idleMs)
    parking.unref()
    this.#idle.push({ key, process, parking })
    this.#waiting.shift()?.()
  }

  #takeIdle(index: number): SandboxProcess | undefined {
    if (index < 0) return undefined
    const [idle] = this.#idle.splice(index, 1)
    clearTimeout(idle?.parking)
    return idle?.process
  }

  #release(process: SandboxProcess): void {
    if (this.#closed || !this.#processes.delete(process)) return
    this.#taken--
    this.#waiting.shift()?.()
  }

  /** Whether the turn came before the deadline. */
  #turn(deadline: number, signal: AbortSignal | undefined): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const wake = () => resolve(true)
    const giveUp = () => {
      const index = this.#waiting.indexOf(wake)
      if (index !== -1) this.#waiting.splice(index, 1)
      resolve(false)
    }
    const timer = setTimeout(giveUp, Math.max(0, deadline - performance.now()))
    signal?.addEventListener('abort', giveUp)
    this.#waiting.push(wake)
    return promise.finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
    })
  }
}

function failed(failure: SandboxError['failure'], message: string): RunOutcome {
  return { ok: false, failure, message }
}
