/** Validates data against payload schemas, in threads that are ended when they take too long. */
import { Worker } from 'node:worker_threads'
import { SluiceError } from '../errors.ts'
import type { Problem, ThreadAnswer, ThreadRequest } from './schema-thread.ts'

export type { Problem } from './schema-thread.ts'

/** The JSON text of the document under `url`, or null when there is none. */
export type LoadDocument = (url: string) => Promise<string | null>

export interface ValidationRequest {
  readonly url: string
  /** Equal keys, equal schema with all that it refers to: what is compiled is kept under it. */
  readonly key: string
  /** JSON text. */
  readonly data: string
  readonly load: LoadDocument
}

export interface SchemaVerdict {
  /** What is wrong with the schema, or null. */
  readonly problem: string | null
  /** Documents that it refers to and that are not stored. */
  readonly missing: readonly string[]
}

export interface SchemaChecker {
  /**
   * Why `data` does not follow the schema, at most 51; empty when it does. Also a schema that cannot be used is a
   * problem of the session, so that it is kept and can be validated again.
   *
   * @throws SluiceError UNAVAILABLE when too many wait, or the process is closing.
   */
  validate(request: ValidationRequest): Promise<readonly Problem[]>
  /** Whether `document` may be stored under `url`. */
  check(request: {
    readonly url: string
    readonly document: string
    readonly load: LoadDocument
  }): Promise<SchemaVerdict>
  close(): Promise<void>
}

export interface SchemaCheckerOptions {
  /** @default 2; the second one starts when the first is busy */
  readonly threads?: number
  /** For one validation, in milliseconds. The largest real session takes 2. @default 1000 */
  readonly validateMs?: number
  /** For compiling a schema with what it refers to. The largest public one, 0.8 MB, takes about one second. @default 10 s */
  readonly compileMs?: number
  /** Requests that wait at most. @default 1000 */
  readonly queue?: number
}

/** Data or a schema that exhausts this ends its thread, and nothing else. */
const resourceLimits = { maxOldGenerationSizeMb: 256, stackSizeMb: 4 }
/** After so many validations in a row that took too long, a schema rests. */
const patience = 3
const restMs = 30_000

interface Job {
  readonly request: Omit<ThreadRequest & { kind: 'validate' }, 'job'> | Omit<ThreadRequest & { kind: 'check' }, 'job'>
  readonly load: LoadDocument
  readonly settle: PromiseWithResolvers<readonly Problem[] | SchemaVerdict>
}

/**
 * Threads start when they are first needed and do not keep a process alive.
 *
 * @example
 * const checker = createSchemaChecker()
 * const problems = await checker.validate({ url, key: url, data: '{}', load: async () => '{"required":["name"]}' })
 */
export function createSchemaChecker({
  threads: mostThreads = 2,
  validateMs = 1000,
  compileMs = 10_000,
  queue: mostWaiting = 1000,
}: SchemaCheckerOptions = {}): SchemaChecker {
  const threads = new Set<Thread>()
  const queue: Job[] = []
  const slow = new Map<string, { count: number; until: number }>()
  let closed = false

  function next(): void {
    while (queue.length > 0) {
      let free = [...threads].find((thread) => !thread.busy)
      if (!free && threads.size < mostThreads) {
        free = new Thread({ validateMs, compileMs, freed: next, ended: (thread) => threads.delete(thread) })
        threads.add(free)
      }
      const job = free && queue.shift()
      if (!free || !job) return
      free.run(job)
    }
  }

  function ask(request: Job['request'], load: LoadDocument): Promise<readonly Problem[] | SchemaVerdict> {
    if (closed || queue.length >= mostWaiting) {
      return Promise.reject(
        new SluiceError('UNAVAILABLE', 'Too many sessions wait to be validated. Try again shortly.'),
      )
    }
    const settle = Promise.withResolvers<readonly Problem[] | SchemaVerdict>()
    queue.push({ request, load, settle })
    next()
    return settle.promise
  }

  return {
    async validate({ url, key, data, load }) {
      const rest = slow.get(key)
      if (rest && rest.until > performance.now()) return [tooLong(url)]
      const problems = (await ask({ kind: 'validate', url, key, data }, load)) as readonly Problem[]
      if (problems.some(({ keyword }) => keyword === 'time')) {
        const count = (rest?.count ?? 0) + 1
        if (slow.size >= 1000) slow.clear()
        slow.set(key, { count, until: count >= patience ? performance.now() + restMs : 0 })
      } else slow.delete(key)
      return problems
    },
    async check({ url, document, load }) {
      return (await ask({ kind: 'check', url, document }, load)) as SchemaVerdict
    },
    async close() {
      closed = true
      for (const { settle } of queue.splice(0)) settle.reject(closing())
      await Promise.all([...threads].map((thread) => thread.end(closing())))
    },
  }
}

const closing = () => new SluiceError('UNAVAILABLE', 'This process is stopping. Try again.')

const tooLong = (url: string): Problem => ({
  path: '',
  keyword: 'time',
  message: `could not be validated in time against ${url}. Make the schema simpler, then validate again.`,
})

interface ThreadOptions {
  readonly validateMs: number
  readonly compileMs: number
  readonly freed: () => void
  readonly ended: (thread: Thread) => void
}

/** One thread, one job at a time: idle → compiling → validating → idle; ended when the time of either is up. */
class Thread {
  readonly #worker: Worker
  readonly #options: ThreadOptions
  #job: Job | undefined
  #number = 0
  #timer: NodeJS.Timeout | undefined
  /** What is known of the running validation should it be ended. */
  #first: readonly Problem[] | undefined

  constructor(options: ThreadOptions) {
    this.#options = options
    this.#worker = new Worker(new URL('./schema-thread.ts', import.meta.url), { resourceLimits, env: {}, stderr: true })
    this.#worker.unref()
    this.#worker.on('message', (answer: ThreadAnswer) => this.#hear(answer))
    this.#worker.on('error', (error: Error & { code?: string }) => this.#died(error))
  }

  get busy(): boolean {
    return this.#job !== undefined
  }

  run(job: Job): void {
    this.#job = job
    this.#first = undefined
    this.#number += 1
    // A caller waits for it, so the process stays.
    this.#worker.ref()
    this.#limit(this.#options.compileMs)
    this.#worker.postMessage({ ...job.request, job: this.#number })
  }

  async end(reason: Error): Promise<void> {
    this.#finish((job) => job.settle.reject(reason))
    this.#options.ended(this)
    await this.#worker.terminate()
  }

  #hear(answer: ThreadAnswer): void {
    const job = this.#job
    if (!job || answer.job !== this.#number) return
    switch (answer.kind) {
      case 'need':
        void this.#answer(job, answer)
        break
      case 'validating':
        this.#limit(this.#options.validateMs)
        break
      case 'first':
        this.#first = answer.problems
        this.#limit(this.#options.compileMs)
        break
      case 'validated':
        this.#finish(({ settle }) => settle.resolve(answer.problems))
        break
      case 'checked':
        this.#finish(({ settle }) => settle.resolve({ problem: answer.problem, missing: answer.missing }))
        break
      case 'unusable': {
        const problems = [{ path: '', keyword: 'schema', message: answer.message.slice(0, 1000) }]
        this.#finish(({ settle }) => settle.resolve(problems))
      }
    }
  }

  async #answer(job: Job, { url }: { readonly url: string }): Promise<void> {
    const number = this.#number
    try {
      const document = await job.load(url)
      this.#worker.postMessage({ kind: 'document', job: number, url, document } satisfies ThreadRequest)
    } catch (error) {
      if (this.#job === job) await this.end(error as Error).finally(this.#options.freed)
    }
  }

  #limit(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#giveUp(), ms)
  }

  /** The thread cannot be asked to stop, only be ended; the next job gets a new one. */
  #giveUp(): void {
    this.#options.ended(this)
    const { url } = this.#job?.request ?? { url: '' }
    this.#finish(({ settle, request }) =>
      settle.resolve(
        request.kind === 'validate'
          ? (this.#first ?? [tooLong(url)])
          : { problem: 'It takes too long to compile. Make it simpler.', missing: [] },
      ),
    )
    void this.#worker.terminate()
  }

  #died(error: Error & { readonly code?: string }): void {
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
      this.#giveUp()
      return
    }
    this.#options.ended(this)
    this.#finish(({ settle }) => settle.reject(error))
    this.#options.freed()
  }

  #finish(settle: (job: Job) => void): void {
    clearTimeout(this.#timer)
    const job = this.#job
    this.#job = undefined
    this.#worker.unref()
    if (!job) return
    settle(job)
    this.#options.freed()
  }
}
