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
  /** A process takes runs of its key that wait for so long, in milliseconds, before others get its place: ten times what a start costs. @default 500 */
  readonly turnMs?: number
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

/** A place whose process is gone when `freed` resolves; nobody else gets it. */
interface Place {
  readonly freed: Promise<void>
}

interface Waiting {
  readonly key: string
  /** When it came, by `performance.now()`. */
  readonly since: number
  /** Nothing: it shall look again. */
  give(offer: SandboxProcess | Place | undefined): void
}

/** Processes of a key; and when one of them ended a run last, or the first began its own, by `performance.now()`. */
interface Busy {
  loading: number
  running: number
  movedAt: number
}

/** A key gets a further process when those that it has have not ended a run for so long: longer than a start takes. */
const patienceMs = 100

/** @throws SluiceError CONFIGURATION when Deno is not installed. */
export function createSandboxPool(options: SandboxPoolOptions = {}): SandboxPool {
  return new Pool(denoBinary(), options)
}

/**
 * A place is one process that may exist. It is free, or taken by a process that loads, runs or idles, or promised to one
 * who waited. A run takes in this order: an idle process of its key; one that is busy, if those of its key load or end a
 * run within `patienceMs`; a free place; the place of the process that has idled longest, which is ended. Else it waits.
 *
 * A process that is given back goes to the next run of its key that waits, for `turnMs` since it started; from then on,
 * and when no such run waits, its place goes to the run that has waited longest. With nobody waiting it idles. So a
 * connection with much to do has its process for a while and then makes room, and no start is paid for one run where
 * several wait.
 *
 * Of idle processes the one that ended its run first goes: a connection's next delivery mostly follows at once. Where far
 * more connections than places take turns, no choice would find its process again.
 */
class Pool implements SandboxPool {
  readonly #deno: string
  /** Made at the first run. */
  #files: Promise<SandboxFiles> | undefined
  readonly #limits: RunLimits
  readonly #maxProcesses: number
  readonly #idleMs: number
  readonly #turnMs: number
  /** Oldest first. */
  readonly #idle: Idle[] = []
  readonly #processes = new Set<SandboxProcess>()
  readonly #startedAt = new WeakMap<SandboxProcess, number>()
  /** Of each key that has processes which load or run. */
  readonly #busy = new Map<string, Busy>()
  /** Who came first, first. */
  readonly #waiting: Waiting[] = []
  readonly #starting = new Set<Promise<unknown>>()
  #taken = 0
  #closed = false

  constructor(deno: string, { maxProcesses = 32, idleMs = 15_000, turnMs = 500, limits }: SandboxPoolOptions) {
    this.#deno = deno
    this.#limits = { ...defaultLimits, ...limits }
    this.#maxProcesses = maxProcesses
    this.#idleMs = idleMs
    this.#turnMs = turnMs
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
    for (const { give } of this.#waiting.splice(0)) give(undefined)
    await Promise.allSettled(this.#starting)
    await Promise.all([...this.#processes].map((process) => process.kill()))
    await (await this.#files)?.remove()
  }

  /** The process counts as busy. */
  async #obtain(
    key: string,
    bundle: string,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<SandboxProcess | RunOutcome> {
    const since = performance.now()
    for (;;) {
      if (this.#closed || signal?.aborted) return failed('aborted', 'The run was stopped.')
      const warm = this.#takeIdle(this.#idle.findLastIndex((idle) => idle.key === key))
      if (warm?.isDead) {
        this.#release(warm)
        continue
      }
      if (warm) {
        this.#count(key, 'running', 1)
        return warm
      }
      const offer =
        (this.#mayStart(key) ? this.#freePlace() : undefined) ??
        (await this.#turn({ key, since }, Math.min(performance.now() + patienceMs, deadline), signal))
      if (offer instanceof SandboxProcess) return offer
      if (offer) return this.#start(key, bundle, offer, signal)
      if (performance.now() >= deadline) {
        return failed('timeout', 'No sandbox became free in time: all are busy with other runs.')
      }
    }
  }

  async #start(
    key: string,
    bundle: string,
    { freed }: Place,
    signal: AbortSignal | undefined,
  ): Promise<SandboxProcess | RunOutcome> {
    this.#count(key, 'loading', 1)
    this.#files ??= prepareSandbox(this.#deno)
    const starting = Promise.all([this.#files.then((files) => files.command(this.#limits.memoryMb)), freed]).then(
      ([command]) => {
        if (this.#closed || signal?.aborted) throw new SandboxError('aborted', 'The run was stopped.')
        return SandboxProcess.start(command, bundle, this.#limits)
      },
    )
    this.#starting.add(starting)
    try {
      const process = await starting
      this.#processes.add(process)
      this.#startedAt.set(process, performance.now())
      this.#count(key, 'running', 1)
      return process
    } catch (error) {
      this.#passPlace()
      if (error instanceof SandboxError) return failed(error.failure, error.message)
      throw error
    } finally {
      this.#starting.delete(starting)
      this.#count(key, 'loading', -1)
    }
  }

  #giveBack(key: string, process: SandboxProcess): void {
    this.#count(key, 'running', -1)
    if (process.isDead || this.#closed) {
      this.#release(process)
      return
    }
    const own = this.#waiting.findIndex((each) => each.key === key)
    const other = this.#waiting.findIndex((each) => each.key !== key && this.#mayStart(each.key))
    const hasTurn = performance.now() - (this.#startedAt.get(process) ?? 0) < this.#turnMs
    if (own !== -1 && (hasTurn || other === -1)) {
      this.#count(key, 'running', 1)
      this.#waiting.splice(own, 1)[0]?.give(process)
      return
    }
    if (other !== -1) {
      this.#waiting.splice(other, 1)[0]?.give(this.#placeOf(process))
      return
    }
    const parking = setTimeout(() => {
      this.#takeIdle(this.#idle.findIndex((idle) => idle.process === process))
      void process.kill().then(() => this.#release(process))
    }, this.#idleMs)
    parking.unref()
    this.#idle.push({ key, process, parking })
  }

  #takeIdle(index: number): SandboxProcess | undefined {
    if (index < 0) return undefined
    const [idle] = this.#idle.splice(index, 1)
    clearTimeout(idle?.parking)
    return idle?.process
  }

  /** A free place, or that of an idle process. */
  #freePlace(): Place | undefined {
    if (this.#taken < this.#maxProcesses) {
      this.#taken++
      return { freed: Promise.resolve() }
    }
    const parked = this.#takeIdle(0)
    return parked && this.#placeOf(parked)
  }

  /** The process ends. */
  #placeOf(process: SandboxProcess): Place {
    return { freed: process.kill().then(() => void this.#processes.delete(process)) }
  }

  /** The process has ended. */
  #release(process: SandboxProcess): void {
    if (!this.#closed && this.#processes.delete(process)) this.#passPlace()
  }

  /** A place has become free. Who may not have it now looks again soon. */
  #passPlace(): void {
    const next = this.#waiting.findIndex(({ key }) => this.#mayStart(key))
    if (next === -1) this.#taken--
    else this.#waiting.splice(next, 1)[0]?.give({ freed: Promise.resolve() })
  }

  /** Whether the processes of this key, if it has any, are too slow to wait for. */
  #mayStart(key: string): boolean {
    const busy = this.#busy.get(key)
    return !busy || (busy.loading === 0 && performance.now() - busy.movedAt >= patienceMs)
  }

  #count(key: string, what: 'loading' | 'running', by: 1 | -1): void {
    const busy = this.#busy.get(key) ?? { loading: 0, running: 0, movedAt: 0 }
    busy[what] += by
    if (what === 'running' && (by === -1 || busy.running === 1)) busy.movedAt = performance.now()
    if (busy.loading + busy.running > 0) this.#busy.set(key, busy)
    else this.#busy.delete(key)
  }

  /** What it is given; undefined when it shall look again: something changed, or its time is up. */
  #turn(
    { key, since }: Omit<Waiting, 'give'>,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<SandboxProcess | Place | undefined> {
    const { promise, resolve } = Promise.withResolvers<SandboxProcess | Place | undefined>()
    const waiting: Waiting = { key, since, give: resolve }
    const giveUp = () => {
      const index = this.#waiting.indexOf(waiting)
      if (index === -1) return
      this.#waiting.splice(index, 1)
      resolve(undefined)
    }
    const timer = setTimeout(giveUp, Math.max(0, Math.ceil(deadline - performance.now())))
    signal?.addEventListener('abort', giveUp)
    const behind = this.#waiting.findIndex((each) => each.since > since)
    this.#waiting.splice(behind === -1 ? this.#waiting.length : behind, 0, waiting)
    return promise.finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
    })
  }
}

function failed(failure: SandboxError['failure'], message: string): RunOutcome {
  return { ok: false, failure, message }
}
