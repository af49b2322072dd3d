import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { commandOf } from '../database/embedded-process.ts'
import type { SluiceError } from '../errors.ts'
import { type KeepRunningOptions, type KeptProcess, keepRunning } from './keep-running.ts'

let folder: string
let kept: KeptProcess | undefined
const lines: string[] = []
const restarts: string[] = []
let failed: PromiseWithResolvers<SluiceError>

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-test-keep-'))
  lines.length = 0
  restarts.length = 0
  failed = Promise.withResolvers()
})
afterEach(async () => {
  await kept?.stop()
  await rm(folder, { recursive: true })
})

function keep(script: string, options: Partial<KeepRunningOptions> = {}): KeptProcess {
  kept = keepRunning({
    name: 'gateway',
    args: ['-e', script],
    env: { ...process.env, COUNT: path.join(folder, 'count') },
    logFile: path.join(folder, 'gateway.log'),
    onLine: (line) => lines.push(line),
    onRestart: (reason) => restarts.push(reason),
    onFailed: failed.resolve,
    pauseMs: 1,
    ...options,
  })
  return kept
}

const serve = `process.send({ type: 'ready', url: 'http://127.0.0.1:1' }); setInterval(() => {}, 1000);`

test('is ready when the process says so, and keeps all that it writes', async () => {
  const process = keep(`console.log('hello'); console.error('world'); ${serve}`)
  expect(await process.ready).toEqual({ type: 'ready', url: 'http://127.0.0.1:1' })
  await process.stop()
  expect(lines.toSorted()).toEqual(['hello', 'world'])
  expect((await readFile(path.join(folder, 'gateway.log'), 'utf8')).split('\n').toSorted()).toEqual([
    '',
    'hello',
    'world',
  ])
})

test('starts a process again that was killed', async () => {
  const process_ = keep(serve)
  await process_.ready
  const first = process_.pid ?? 0
  process.kill(first, 'SIGKILL')
  const deadline = Date.now() + 30_000
  while (process_.pid === first && Date.now() < deadline) await new Promise(setImmediate)
  expect(restarts).toEqual([expect.stringContaining('ended by SIGKILL')])
  expect(await commandOf(process_.pid ?? 0)).toContain('process.send')
})

test('fails at once, with its last words, when it never becomes ready', async () => {
  const process = keep(`console.error('DATABASE_URL is missing'); process.exit(1)`)
  await expect(process.ready).rejects.toThrow(/ended with code 1[\s\S]*DATABASE_URL is missing/)
  expect((await failed.promise).code).toBe('UNAVAILABLE')
  expect(restarts).toEqual([])
  expect(lines).toEqual([])
})

test('gives up after five quick ends in a row', async () => {
  keep(
    `process.send({ type: 'ready' }); require('fs').appendFileSync(process.env.COUNT, 'x'); setImmediate(() => process.exit(7))`,
  )
  expect((await failed.promise).message).toContain('ended with code 7 5 times in a row')
  expect(restarts).toHaveLength(4)
  expect(await readFile(path.join(folder, 'count'), 'utf8')).toBe('xxxxx')
})

test('kills a process that ignores the request to end', async () => {
  const process = keep(`process.on('SIGTERM', () => console.log('no')); ${serve}`, { killMs: 200 })
  await process.ready
  const { pid = 0 } = process
  await process.stop()
  expect(lines).toEqual(['no'])
  expect(await commandOf(pid)).toBeUndefined()
})

test('stopping while it waits for a new start means no new start', async () => {
  const restarted = Promise.withResolvers<string>()
  const process_ = keep(`require('fs').appendFileSync(process.env.COUNT, 'x'); ${serve}`, {
    pauseMs: 60_000,
    onRestart: restarted.resolve,
  })
  await process_.ready
  process.kill(process_.pid ?? 0, 'SIGKILL')
  await restarted.promise
  await process_.stop()
  expect(await readFile(path.join(folder, 'count'), 'utf8')).toBe('x')
})
