import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createSandboxPool, type SandboxPool, type SandboxPoolOptions } from './pool.ts'
import type { RunHost, RunOutcome } from './process.ts'

let pool: SandboxPool
afterEach(() => pool.close())

const input = { session: null, event: {}, trip: null, config: {}, settings: {}, state: {}, delivery: {} }
const silent: RunHost = { call: async () => null, log: () => undefined }
const bundle = `let runs = 0; export default async ({ mail }) => { await mail.send({}); return String(++runs) }`
/** Each run waits at its call until it is let go. */
function held(): { readonly host: RunHost; readonly started: Promise<void>; letGo(): void } {
  const started = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<null>()
  return {
    host: {
      log: () => undefined,
      call() {
        started.resolve()
        return gate.promise
      },
    },
    started: started.promise,
    letGo: () => gate.resolve(null),
  }
}
const open = (options: SandboxPoolOptions = {}) => {
  pool = createSandboxPool(options)
}
const run = (
  key: string,
  { host = silent, timeoutMs = 30_000, signal }: { host?: RunHost; timeoutMs?: number; signal?: AbortSignal } = {},
) => pool.run({ key, bundle, input, host, timeoutMs, signal })
const said = (outcome: RunOutcome) => (outcome.ok ? outcome.value : outcome.message)

test('runs of one key share a warm process one after the other, and have one each when they overlap', async () => {
  open()
  expect([said(await run('a')), said(await run('a')), said(await run('b'))]).toEqual(['1', '2', '1'])
  expect(pool.size).toBe(2)
  const first = held()
  const running = run('a', { host: first.host })
  await first.started
  expect(said(await run('a'))).toBe('1')
  first.letGo()
  expect(said(await running)).toBe('3')
  expect(pool.size).toBe(3)
})

test('an idle process is parked, and the next run starts a new one', async () => {
  open({ idleMs: 20 })
  expect(said(await run('a'))).toBe('1')
  await expect.poll(() => pool.size).toBe(0)
  expect(said(await run('a'))).toBe('1')
})

test('40 keys pass through four places', async () => {
  open({ maxProcesses: 4 })
  let most = 0
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const outcome = await run(`key ${index}`, { timeoutMs: 60_000 })
      most = Math.max(most, pool.size)
      return said(outcome)
    }),
  )
  expect(new Set(outcomes)).toEqual(new Set(['1']))
  expect(most).toBeLessThanOrEqual(4)
})

test('runs of one key that wait share its process before others get its place', async () => {
  open({ maxProcesses: 1, turnMs: 60_000 })
  const ended: string[] = []
  const one = async (key: string, host?: RunHost) => ended.push(`${key}${said(await run(key, host ? { host } : {}))}`)
  const first = held()
  const begun = one('a', first.host)
  await first.started
  const others = [one('b'), one('a'), one('b'), one('a')]
  first.letGo()
  await Promise.all([begun, ...others])
  expect(ended).toEqual(['a1', 'a2', 'a3', 'b1', 'b2'])
})

test('a key with always more to do makes room for others', async () => {
  open({ maxProcesses: 1 })
  let isOver = false
  const busy = Promise.all(
    [0, 1].map(async () => {
      while (!isOver) await run('c')
    }),
  )
  expect(said(await run('d'))).toBe('1')
  isOver = true
  await busy
})

test('a run that finds no free place in time says so, and the place still works', async () => {
  open({ maxProcesses: 1 })
  const first = held()
  const running = run('a', { host: first.host })
  await first.started
  expect(await run('b', { timeoutMs: 50 })).toMatchObject({
    failure: 'timeout',
    message: 'No sandbox became free in time: all are busy with other runs.',
  })
  const waiting = run('b')
  first.letGo()
  expect(said(await running)).toBe('1')
  expect(said(await waiting)).toBe('1')
})

test('a run that is aborted ends its process; one that waits only leaves the line', async () => {
  open({ maxProcesses: 1 })
  const first = held()
  const stop = new AbortController()
  const running = run('a', { host: first.host, signal: stop.signal })
  await first.started
  const leave = new AbortController()
  const waiting = run('b', { signal: leave.signal })
  leave.abort()
  expect(await waiting).toMatchObject({ failure: 'aborted' })
  stop.abort()
  expect(await running).toMatchObject({ failure: 'aborted' })
  expect(said(await run('a'))).toBe('1')
})

test('closing ends what runs', async () => {
  open()
  const first = held()
  const running = run('a', { host: first.host })
  await first.started
  await pool.close()
  expect(await running).toMatchObject({ ok: false, failure: 'aborted' })
  expect(await run('a')).toMatchObject({ failure: 'aborted' })
})

test('timers work as on the web: in order, with parameters, repeated, cleared', async () => {
  open()
  const bundle = `export default async () => {
    const seen = []
    const cleared = setTimeout(() => seen.push('cleared'), 1)
    clearTimeout(cleared)
    setTimeout((...all) => seen.push(all.join('+')), 5, 'a', 'b')
    setTimeout(() => seen.push('first'))
    await new Promise((resolve) => {
      const ticking = setInterval(() => { if (seen.push('tick') > 4) { clearInterval(ticking); resolve() } }, 8)
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    return seen.join(' ')
  }`
  const outcome = await pool.run({ key: 'a', bundle, input, host: silent, timeoutMs: 30_000 })
  expect(said(outcome)).toBe('first a+b tick tick tick')
})

test.runIf(process.platform === 'linux' && existsSync('/usr/bin/setpriv'))(
  'a connector that loops ends with its worker, also when that is killed',
  async () => {
    open()
    const TMPDIR = await mkdtemp(path.join(tmpdir(), 'sluice-orphan-'))
    const fixture = path.join(import.meta.dirname, 'orphan.fixture.ts')
    const worker = spawn(process.execPath, [fixture], { env: { ...process.env, TMPDIR } })
    await once(worker.stdout, 'data')
    const guest = execFileSync('pgrep', ['-f', '-P', String(worker.pid), 'guest.mjs'], { encoding: 'utf8' }).trim()
    expect(existsSync(`/proc/${guest}`)).toBe(true)
    worker.kill('SIGKILL')
    await expect.poll(() => existsSync(`/proc/${guest}`)).toBe(false)
    await rm(TMPDIR, { recursive: true })
  },
)

test('a temporary folder that was emptied by a cleaner is put back', async () => {
  const TMPDIR = await mkdtemp(path.join(tmpdir(), 'sluice-cleaned-'))
  const before = process.env.TMPDIR
  process.env.TMPDIR = TMPDIR
  open()
  expect(said(await run('a'))).toBe('1')
  if (before === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = before
  await rm(TMPDIR, { recursive: true })
  await mkdir(TMPDIR)
  expect(said(await run('b'))).toBe('1')
  await pool.close()
  expect(await readdir(TMPDIR)).toEqual([])
  await rm(TMPDIR, { recursive: true })
})

const answering: RunHost = { log: () => undefined, call: async () => ({ done: true }) }

test('any exported function can be called, with parameters, bytes among them, and a context behind', async () => {
  open()
  const bundle = `
    export const settings = 'not a function'
    export const getLabelForKey = (key, locale) => key + ' in ' + locale
    export default {
      settings: [{ key: 'url', type: 'STRING' }],
      prefix: 'this',
      validateSettings(values, locale, { settings }) { if (!values.url) throw new Error(this.prefix + ' needs a url in ' + settings.office) },
      async getRawSources({ mail }) { await mail.send({}); return [{ source: new Uint8Array([1, 2, 255]), uniqueSourceId: 'a' }] },
      convert(raw) { return raw.nested.bytes instanceof Uint8Array && raw.nested.bytes.length },
    }`
  const call = (method: string, parameters: unknown[] = []) =>
    pool.run({
      key: 'a',
      bundle,
      method,
      parameters,
      input: { settings: { office: 'North' } },
      host: answering,
      timeoutMs: 30_000,
    })
  expect(await pool.inspect({ key: 'a', bundle, timeoutMs: 30_000 })).toEqual({
    ok: true,
    functions: ['getLabelForKey', 'validateSettings', 'getRawSources', 'convert'],
    settings: [{ key: 'url', type: 'STRING' }],
  })
  expect(await call('getLabelForKey', ['url', 'de-CH'])).toEqual({ ok: true, value: 'url in de-CH', state: {} })
  expect(await call('validateSettings', [{ url: 'x' }, 'en'])).toEqual({ ok: true, value: null, state: {} })
  expect(await call('validateSettings', [{}, 'en'])).toEqual({
    ok: false,
    failure: 'threw',
    message: 'this needs a url in North',
  })
  expect(await call('getRawSources')).toMatchObject({
    ok: true,
    value: [{ source: new Uint8Array([1, 2, 255]), uniqueSourceId: 'a' }],
  })
  expect(await call('convert', [{ nested: { bytes: new Uint8Array(7) } }])).toMatchObject({ value: 7 })
  for (const absent of ['modify', 'constructor', '__proto__', 'settings', 'consume']) {
    expect(await call(absent)).toMatchObject({ ok: false, failure: 'absent' })
  }
  expect(pool.size).toBe(1)
})
