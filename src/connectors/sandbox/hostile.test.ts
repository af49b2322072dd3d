/** Connectors that try to get out, to lie, or to use everything up; one sandbox pool for all of them. */
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSandboxPool, type SandboxPool } from './pool.ts'
import type { RunLimits, RunOutcome } from './process.ts'
import { type RunInput, readGuestLine } from './protocol.ts'

const limits: Partial<RunLimits> = {
  memoryMb: 64,
  outputBytes: 4 * 1024 * 1024,
  messageBytes: 1024 * 1024,
  calls: 50,
  logLines: 20,
  // A busy machine may take long to fill memory; the processor's own limit has a test of its own.
  cpuMs: 30_000,
}

let pool: SandboxPool
let folder: string
let secretFile: string
let server: Server
let reached = 0
beforeAll(async () => {
  pool = createSandboxPool({ limits, maxProcesses: 4 })
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-hostile-'))
  secretFile = path.join(folder, 'secret.json')
  await writeFile(secretFile, '{"secret":"do not read"}')
  server = createServer((_request, response) => {
    reached++
    response.end('reached')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  process.env.SLUICE_HOSTILE_TEST = 'an environment secret'
})
afterAll(async () => {
  delete process.env.SLUICE_HOSTILE_TEST
  await pool.close()
  server.close()
  await rm(folder, { recursive: true })
})

interface Tried {
  readonly outcome: RunOutcome
  readonly log: readonly string[]
  readonly calls: readonly string[]
}

const emptyInput: RunInput = {
  session: { applicant: 'Ada' },
  event: { id: 'e' },
  trip: null,
  config: {},
  settings: { secretFile: '', url: '' },
  state: { count: null },
  delivery: { id: 'd', attempt: 1 },
}

let keys = 0
/** Runs the body of a connector; a key of its own is a process of its own. */
async function attempt(
  body: string,
  { key = `hostile ${++keys}`, timeoutMs = 5000, top = '' }: { key?: string; timeoutMs?: number; top?: string } = {},
): Promise<Tried> {
  const log: string[] = []
  const calls: string[] = []
  const outcome = await pool.run({
    key,
    bundle: `${top}\nexport default async ({ session, settings, state, request, mail, log }) => { ${body} }`,
    timeoutMs,
    input: {
      ...emptyInput,
      settings: { secretFile, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` },
    },
    host: {
      log: (_level, message) => log.push(message),
      async call(kind, argument) {
        calls.push(`${kind} ${JSON.stringify(argument)}`)
        return { statusCode: 200, headers: {}, body: '', encoding: 'text' }
      },
    },
  })
  return { outcome, log, calls }
}

const failure = (message: string | RegExp) => ({ ok: false, message: expect.stringMatching(message) })
const returned = (status: unknown) => ({ ok: true, value: status, state: { count: null } })

describe('nothing outside can be reached', () => {
  test('no global leads out', async () => {
    const names = [
      ...[
        'Deno',
        'process',
        'Buffer',
        'global',
        'require',
        'fetch',
        'WebSocket',
        'EventSource',
        'Worker',
        'XMLHttpRequest',
      ],
      ...['caches', 'localStorage', 'sessionStorage', 'navigator', 'location', 'BroadcastChannel', 'MessageChannel'],
      ...[
        'WebAssembly',
        'SharedArrayBuffer',
        'Atomics',
        'ShadowRealm',
        'setImmediate',
        'prompt',
        'close',
        'eval',
        'window',
      ],
      ...[
        'Request',
        'Response',
        'Blob',
        'File',
        'GPU',
        'OffscreenCanvas',
        'performance',
        'PerformanceObserver',
        'reportError',
      ],
    ]
    const { outcome } = await attempt(
      `return JSON.stringify(${JSON.stringify(names)}.filter((name) => name in globalThis).concat(URL.createObjectURL ? ['blob'] : []))`,
    )
    expect(outcome).toEqual(returned('[]'))
  })

  test('code cannot be made from text', async () => {
    const { outcome } = await attempt(`
      const makers = [Function, (async () => {}).constructor, (function* () {}).constructor, (async function* () {}).constructor]
      const tries = makers.map((make) => () => make('return import("node:fs")')())
      tries.push(() => setTimeout('1', 0), () => (0, Object.getPrototypeOf(makers[0]).constructor)('return this')())
      return String(tries.map((attempt) => { try { return attempt() } catch (error) { return 'refused' } }))`)
    expect(outcome).toEqual(returned('refused,refused,refused,refused,refused,refused'))
  })

  // The bundler refuses these; here it is passed by, to see what the sandbox does alone.
  test.each([
    [
      'a file by a computed name',
      `const name = settings.secretFile; return JSON.stringify(await import(name, { with: { type: 'json' } }))`,
    ],
    [
      'a file by its address',
      `return JSON.stringify(await import('file://' + settings.secretFile, { with: { type: 'json' } }))`,
    ],
    ['the network by import', `await import(settings.url + 'x.js'); return 'reached'`],
    ['a package', `await import('npm:' + 'left-pad'); return 'reached'`],
  ])('import of %s', async (_case, body) => {
    const before = reached
    const { outcome } = await attempt(body)
    expect(outcome.ok).toBe(false)
    expect(JSON.stringify(outcome)).not.toContain('do not read')
    expect(reached).toBe(before)
  })

  // The modules of Node exist in Deno; to have them at hand is not to be allowed anything.
  test.each([
    ['read a file', `(await import(node + 'fs')).readFileSync(settings.secretFile)`],
    ['list a folder', `(await import(node + 'fs')).readdirSync('/')`],
    ['write a file', `(await import(node + 'fs')).writeFileSync(settings.secretFile + '.written', 'x')`],
    ['write to standard output', `(await import(node + 'fs')).writeSync(1, '{"type":"ready"}\\n')`],
    ['read the environment', `(await import(node + 'process')).env.SLUICE_HOSTILE_TEST`],
    ['read the path', `(await import(node + 'process')).env.PATH`],
    ['start a program', `(await import(node + 'child_process')).execFileSync('/bin/sh', ['-c', 'id'])`],
    [
      'call over HTTP',
      `await new Promise(async (yes, no) => (await import(node + 'http')).get(settings.url, yes).on('error', no))`,
    ],
    [
      'connect a socket',
      `await new Promise(async (yes, no) => (await import(node + 'net')).connect(Number(new URL(settings.url).port), '127.0.0.1', yes).on('error', no))`,
    ],
    [
      'resolve a name',
      `await new Promise(async (yes, no) => (await import(node + 'dns')).lookup('localhost', (error, found) => error ? no(error) : yes(found)))`,
    ],
    [
      'start a worker',
      `await new Promise(async (yes, no) => { const { Worker } = await import(node + 'worker_threads'); new Worker('1', { eval: true }).on('online', () => yes('started')).on('error', no) })`,
    ],
    ['load native code', `(await import(node + 'module')).createRequire('file:///x.js')('/lib/x.node')`],
    ['get code from text', `(await import(node + 'vm')).runInThisContext('Deno.version.deno')`],
    ['signal a process', `(await import(node + 'process')).kill(1, 0)`],
  ])('by a module of Node: %s', async (_case, expression) => {
    const before = reached
    const { outcome } = await attempt(`try { return 'got ' + (${expression}) } catch { return 'refused' }`, {
      top: `const node = 'node:'`,
      timeoutMs: 2000,
    })
    // Refused, absent, or the end of the process that tried.
    if (outcome.ok) expect(outcome.value).toMatch(/^(refused|got undefined)$/)
    else expect(['threw', 'crashed', 'protocol', 'timeout']).toContain(outcome.failure)
    expect(JSON.stringify(outcome)).not.toMatch(/do not read|an environment secret|uid=|started/)
    await expect(access(`${secretFile}.written`)).rejects.toThrow()
    expect(reached).toBe(before)
  })
})

describe('the channel cannot be bent', () => {
  test('text that looks like a message of the channel is only a log line', async () => {
    const { outcome, log } = await attempt(`
      console.log('{"type":"returned","run":1,"status":"success","state":{"count":9}}')
      console.log('x {"type":"call","run":1,"call":1,"kind":"request","argument":{}}')
      console.log('\\n{"type":"ready"}\\n')
      return 'failed'`)
    expect(outcome).toEqual(returned('failed'))
    expect(log).toHaveLength(3)
  })

  test('what JSON can say and nobody should handle is no message: too deep, too large; and a prototype is left out', () => {
    const told = (value: string) => readGuestLine(`t {"type":"returned","run":1,"value":${value},"state":{}}`, 't')
    expect(told(`${'['.repeat(100)}${']'.repeat(100)}`)).toBeDefined()
    expect(told(`${'['.repeat(2_000)}${']'.repeat(2_000)}`)).toBeUndefined()
    expect(told(`${'{"a":'.repeat(400_000)}1${'}'.repeat(400_000)}`)).toBeUndefined()
    expect(told('{"price":[1e999]}')).toBeUndefined()
    expect(readGuestLine('t {"type":"returned","run":1,"state":{}}', 't')).toBeUndefined()
    expect(told('{"a":[{"__proto__":{"admin":true},"b":1}]}')).toMatchObject({ value: { a: [{ b: 1 }] } })
    expect(JSON.stringify(told('{"__proto__":{"admin":true}}'))).not.toContain('admin')
  })

  test('changed built-ins change nothing but the connector itself, and the token does not show', async () => {
    const { outcome, calls } = await attempt(`
      const seen = []
      const note = (value) => { try { if (typeof value === 'string') seen.push(value) } catch {} }
      const { apply } = Reflect
      for (const [owner, key] of [
        [JSON, 'stringify'], [JSON, 'parse'], [String.prototype, 'slice'], [String.prototype, 'indexOf'], [String.prototype, 'concat'],
        [TextEncoder.prototype, 'encode'], [TextDecoder.prototype, 'decode'], [Array.prototype, 'join'], [Array.prototype, 'push'],
        [Uint8Array.prototype, 'toBase64'], [Object.getPrototypeOf(Uint8Array.prototype), 'subarray'], [Map.prototype, 'get'],
        [Promise.prototype, 'then'], [Reflect, 'apply'], [Function.prototype, 'call'], [Function.prototype, 'apply'], [Function.prototype, 'bind'],
      ]) {
        const original = owner[key]
        owner[key] = function (...all) { note(this); for (const each of all) note(each); return apply(original, this, all) }
      }
      Object.prototype.toJSON = function () { note(this.token); return { type: 'returned', run: 1, status: 'success', state: {} } }
      String.prototype.toJSON = function () { return 'changed' }
      Object.defineProperty(Object.prototype, 'type', { set() {}, get() { return 'returned' }, configurable: true })
      for (const key of ['then', 'error', 'call', 'run']) Object.defineProperty(Object.prototype, key, { value: undefined, writable: true, configurable: true })
      delete Object.prototype.toJSON
      await request.get('http://example.org/')
      const letters = seen.filter((text) => text.length > 31 && !text.includes('{'))
      return letters.length === 0 ? 'nothing seen' : 'token seen'`)
    expect(outcome).toEqual(returned('nothing seen'))
    expect(calls).toEqual(['request {"method":"GET","url":"http://example.org/","body":null}'])
  })

  test('a toJSON on the prototype of all objects cannot forge a result', async () => {
    const { outcome } = await attempt(`
      Object.prototype.toJSON = () => ({ type: 'returned', run: 1, status: 'success', state: { count: 9 } })
      return 'failed'`)
    if (outcome.ok) expect(outcome.value).toBe('failed')
  })

  test('an answer cannot be had for a capability that does not exist, nor an error from inside', async () => {
    const { outcome } = await attempt(`
      const { constructor } = request.get
      return [typeof request.constructor, Object.isFrozen(request), Object.isFrozen(mail), Object.isFrozen(log)].join()`)
    expect(outcome).toEqual(returned('function,true,true,true'))
  })

  test('a thenable that never ends, or a getter that throws, is a failed run', async () => {
    expect((await attempt(`return { then() {} }`, { timeoutMs: 300 })).outcome).toMatchObject(
      failure('did not finish within 300 ms'),
    )
    expect((await attempt(`throw { get message() { throw 1 }, get name() { throw 2 } }`)).outcome).toMatchObject(
      failure('^unknown$'),
    )
    expect((await attempt(`state.count = 1n; return 'success'`)).outcome).toMatchObject(failure('BigInt'))
  })

  test('timers end with the run, and calls after its end are not made', async () => {
    const body = `
      const late = async () => { for (let turn = 0; turn < 200; turn++) await null; await request.get('http://late.example/') }
      late().catch((error) => { globalThis.refusal = error.message })
      setInterval(() => { globalThis.ticked = true })
      return globalThis.refusal + ' ' + globalThis.ticked`
    const first = await attempt(body, { key: 'late' })
    const second = await attempt(body, { key: 'late' })
    expect(first.outcome).toEqual(returned('undefined undefined'))
    expect(second.outcome).toEqual(returned(expect.stringMatching(/^The run is over.* undefined$/)))
    expect([...first.calls, ...second.calls]).toEqual([])
  })

  test('state that the manifest does not declare cannot be written', async () => {
    expect((await attempt(`state.other = 1; return 'success'`)).outcome).toMatchObject(
      failure('There is no state "other". Declare it in connector.json'),
    )
    expect(
      (await attempt(`Object.defineProperty(state, '__proto__', { value: 1 }); return 'success'`)).outcome.ok,
    ).toBe(false)
  })
})

describe('what it uses up is bounded, and only it pays', () => {
  test.each<[string, string, string | RegExp, object?]>([
    ['an endless loop', `for (;;);`, 'did not finish within 400 ms', { timeoutMs: 400 }],
    [
      'an endless chain of microtasks',
      `const again = () => queueMicrotask(again); again(); await new Promise(() => {})`,
      'did not finish within 400 ms',
      { timeoutMs: 400 },
    ],
    ['an endless wait', `await new Promise(() => {})`, 'did not finish within 400 ms', { timeoutMs: 400 }],
    [
      'a regular expression that backtracks',
      `/^(a+)+$/.test('a'.repeat(60) + 'b')`,
      'did not finish within 400 ms',
      { timeoutMs: 400 },
    ],
    [
      'a heap that grows',
      `const all = []; for (;;) all.push(new Array(100000).fill({}))`,
      'more memory than the 64 MB',
      { timeoutMs: 15_000 },
    ],
    [
      'array buffers that grow',
      `const all = []; for (;;) { all.push(new Uint8Array(8e6).fill(1)); await new Promise((resolve) => setTimeout(resolve)) }`,
      'more memory than the 64 MB',
      { timeoutMs: 15_000 },
    ],
    ['a string that doubles', `let text = 'x'; for (;;) text += text`, /Invalid string length|more memory/],
    ['too many calls', `for (;;) await request.get('http://example.org/')`, 'more than 50 calls'],
    ['calls without waiting', `for (;;) request.get('http://example.org/').catch(() => {})`, 'more than 50 calls'],
    [
      'one huge message',
      `await request.post('http://example.org/', 'x'.repeat(3e6)); return 'success'`,
      'more than 1048576 bytes at once',
    ],
    ['a huge status', `return 'x'.repeat(3e6)`, 'more than 1048576 bytes at once'],
    ['a deep stack', `const down = () => down() + 1; down()`, 'RangeError: Maximum call stack size exceeded'],
    [
      'an error that nobody handles',
      `setTimeout(() => { throw new Error('late') }); await new Promise(() => {})`,
      'An error was thrown and nobody handled it: late',
    ],
    [
      'a rejection that nobody handles',
      `Promise.reject(new Error('lost')); await new Promise(() => {})`,
      'A promise was rejected and nobody handled it: lost',
    ],
  ])('%s', async (_case, body, message, options = {}) => {
    const { outcome } = await attempt(body, options)
    expect(outcome).toMatchObject(failure(message))
  })

  test.runIf(process.platform === 'linux')(
    'a loop ends with its processor time, long before its run would',
    async () => {
      const strict = createSandboxPool({ maxProcesses: 1, limits: { cpuMs: 700 } })
      const run = (bundle: string) =>
        strict.run({
          key: bundle,
          bundle,
          input: {},
          timeoutMs: 60_000,
          host: { log: () => undefined, call: async () => null },
        })
      const loops = run('export default () => { for (;;); }')
      expect(await loops).toEqual({
        ok: false,
        failure: 'cpu',
        message: 'The connector used more than 700 ms of processor time.',
      })
      // Waiting costs none.
      const waits = `export default async () => { await new Promise((resolve) => setTimeout(resolve, 1500)); return 'success' }`
      expect(await run(waits)).toMatchObject({ ok: true, value: 'success' })
      await strict.close()
    },
  )

  test.runIf(process.platform === 'linux')(
    'what goes on computing after its run is ended, and the next run is as new',
    async () => {
      const body = `
      if (globalThis.mark) return 'old process'
      globalThis.mark = 1
      ;(async () => { for (;;) await null })()
      return 'success'`
      expect((await attempt(body, { key: 'restless' })).outcome).toEqual(returned('success'))
      const size = pool.size
      await expect
        .poll(
          async () => (await attempt(`return String(globalThis.mark)`, { key: 'restless', timeoutMs: 700 })).outcome,
          { timeout: 10_000 },
        )
        .toEqual(returned('undefined'))
      expect(pool.size).toBeLessThanOrEqual(size)
    },
  )

  test('what one run waited for when it ended is not answered in the next', async () => {
    const body = `
      if (globalThis.answered) return 'answered'
      request.get('http://example.org/').then(() => { globalThis.answered = true }, () => {})
      return 'success'`
    for (let count = 0; count < 3; count++) {
      expect((await attempt(body, { key: 'unanswered' })).outcome).toEqual(returned('success'))
    }
  })

  test('a log flood is cut, and said to be', async () => {
    const { outcome, log } = await attempt(
      `for (let line = 0; line < 100000; line++) console.log('line ' + line, 'x'.repeat(100)); return 'success'`,
    )
    expect(outcome).toEqual(returned('success'))
    expect(log).toHaveLength(21)
    expect(log.at(-1)).toBe('The log is full; later lines were dropped.')
  })

  test('a bundle that cannot be loaded says why', async () => {
    expect((await attempt(`return 'success'`, { top: `throw new Error('at the top')` })).outcome).toMatchObject({
      failure: 'unloadable',
      message: 'The connector cannot be loaded: at the top',
    })
    const noFunction = await pool.run({
      key: 'x',
      bundle: 'export default 1',
      timeoutMs: 5000,
      input: emptyInput,
      host: { log() {}, call: async () => null },
    })
    expect(noFunction).toMatchObject(failure('neither a function nor defineConnector'))
  })

  test('while one connection loops, another answers; and the first gets a fresh process', async () => {
    const body = `if (globalThis.mark) return 'old process'; globalThis.mark = 1; for (;;);`
    const looping = attempt(body, { key: 'looper', timeoutMs: 700 })
    const others = await Promise.all([1, 2, 3].map(() => attempt(`return 'success'`, { key: 'neighbour' })))
    for (const { outcome } of others) expect(outcome).toEqual(returned('success'))
    expect((await looping).outcome).toMatchObject(failure('did not finish'))
    expect((await attempt(body, { key: 'looper', timeoutMs: 300 })).outcome).toMatchObject(failure('did not finish'))
  })

  test('what one connection leaves behind, another does not find', async () => {
    const body = `const found = globalThis.left; globalThis.left = session.applicant; return String(found)`
    expect((await attempt(body, { key: 'one' })).outcome).toEqual(returned('undefined'))
    expect((await attempt(body, { key: 'one' })).outcome).toEqual(returned('Ada'))
    expect((await attempt(body, { key: 'two' })).outcome).toEqual(returned('undefined'))
  })
})
