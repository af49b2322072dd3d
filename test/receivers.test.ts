/** The receivers of docs/consuming.md, taken out of the document and run against signed deliveries. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSealer } from '../src/access/seal.ts'
import { type Planted, plantDeliveries, plantTeam, until, wakeWorkers } from '../src/delivery/deliveries.fixture.ts'
import { type DeliveryEngine, startDeliveryEngine } from '../src/delivery/engine.ts'
import { createEgress, type Egress } from '../src/egress/egress.ts'
import { silentLog } from '../src/log.ts'
import { createWebhookCarrier } from '../src/webhooks/carrier.ts'
import { newSigningSecret } from '../src/webhooks/signing.ts'
import { ensureWebhookKey, publicWebhookKeys, rotateWebhookKey } from '../src/webhooks/signing-keys.ts'
import { createWebhook } from '../src/webhooks/webhooks.ts'
import { type TestDatabase, testDatabase } from './ground/database.ts'
import { type ReceivedRequest, type Receiver, startReceiver } from './ground/receiver.ts'

const root = path.resolve(import.meta.dirname, '..')
const secret = newSigningSecret()
const sealer = createSealer(randomBytes(32).toString('base64'))
let folder: string
let ground: TestDatabase
let planted: Planted
let egress: Egress
let engine: DeliveryEngine
let keyServer: Server
let keysUrl: string
let whpks: string
/** Gets what every other receiver gets, so that it can be changed and sent again. */
let capture: Receiver
let genuine: ReceivedRequest

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-receivers-'))
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
  const text = await readFile(path.join(root, 'docs/consuming.md'), 'utf8')
  for (const [, code = ''] of text.matchAll(/^```(?:ts|python|sh)\n([\s\S]*?)^```$/gm)) {
    const name = /^(?:\/\/|#) ([\w-]+\.(?:ts|py|sh))/.exec(code)?.[1]
    if (name) await writeFile(path.join(folder, name), code)
  }
  ground = await testDatabase()
  const { pool } = ground.database
  planted = await plantTeam(pool)
  await ensureWebhookKey(ground.database, sealer)
  // Two keys sign, as while one is replaced.
  await rotateWebhookKey(ground.database, sealer, 3600)
  const published = await publicWebhookKeys(pool)
  whpks = published.keys.map(({ whpk }) => whpk).join(' ')
  keyServer = createServer((_request, response) => response.end(JSON.stringify(published)))
  keyServer.listen(0, '127.0.0.1')
  await once(keyServer, 'listening')
  keysUrl = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/.well-known/webhook-keys.json`
  egress = createEgress({ allow: ['127.0.0.1'] })
  engine = startDeliveryEngine({
    pool,
    carriers: [createWebhookCarrier({ pool, sealer, egress })],
    log: silentLog,
    retryPolicy: () => null,
  })
  capture = await startReceiver()
  await deliverTo(capture.url, ['v1', 'v1a'])
  genuine = await capture.next()
})
afterAll(async () => {
  await engine?.stop({ waitMs: 0 })
  await egress?.close()
  await capture?.close()
  keyServer?.close()
  await ground?.close()
  await rm(folder, { recursive: true, force: true })
})

/** One real delivery, signed and sent by the engine. @returns how it ended. */
async function deliverTo(url: string, signatures: ('v1' | 'v1a')[]): Promise<string> {
  const { webhook } = await createWebhook(
    {
      database: ground.database,
      sealer,
      rules: { allow: ['127.0.0.0/8'] },
      validatePattern: (pattern) => pattern,
    },
    { integration_id: planted.integration_id, name: 'hook', url, secret, signatures, config: { office: 'nörth' } },
  )
  const [id] = await plantDeliveries(ground.database.pool, planted, [
    { id: webhook.id, integration_id: planted.integration_id },
  ])
  await wakeWorkers(ground.database.pool)
  const [row] = await until(
    async () => (await ground.database.pool.query('select status from deliveries where id = $1', [id])).rows,
    ([delivery]) => ['succeeded', 'exhausted'].includes(delivery.status),
  )
  return row.status
}

const has = (command: string, ...args: string[]) => spawnSync(command, args).status === 0
const hasPython = has('python3', '--version')
const hasCryptography = hasPython && has('python3', '-c', 'import cryptography')
const hasOpenssl = has('openssl', 'version')
const hasOpenssl3 = hasOpenssl && /^OpenSSL [3-9]/.test(spawnSync('openssl', ['version']).stdout.toString())

describe.each([
  ['TypeScript, v1', process.execPath, 'receiver-v1.ts', ['v1'], true],
  ['TypeScript, v1a', process.execPath, 'receiver-v1a.ts', ['v1a'], true],
  ['Python, v1', 'python3', 'receiver.py', ['v1'], hasPython],
  ['Python, v1a', 'python3', 'receiver.py', ['v1a'], hasCryptography],
] as const)('the receiver in %s', (_label, command, file, signatures, isPossible) => {
  it.skipIf(!isPossible)(
    isPossible
      ? 'takes a signed delivery and nothing else'
      : `takes a signed delivery and nothing else (${command} or what it needs is not here)`,
    async () => {
      const wanted = signatures[0] === 'v1' ? { WEBHOOK_SECRET: secret } : { WEBHOOK_KEYS_URL: keysUrl }
      const child = spawn(command, [file], {
        cwd: folder,
        env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', ...wanted },
        stdio: ['ignore', 'pipe', process.env.TEST_LOG ? 'inherit' : 'ignore'],
      })
      try {
        const lines = linesOf(child)
        const port = /port\W+(\d+)/.exec(await lines(/port/))?.[1]
        const url = `http://127.0.0.1:${port}/`
        expect(await deliverTo(url, [...signatures])).toBe('succeeded')
        expect(await lines(/session\.submitted/)).toContain('nörth')

        const { body, headers } = genuine
        expect(await post(url, body, headers)).toBe(204)
        expect(await post(url, Buffer.concat([body, Buffer.from(' ')]), headers)).toBe(401)
        expect(await post(url, body, { ...headers, 'webhook-id': 'another' })).toBe(401)
        expect(await post(url, body, { ...headers, 'webhook-timestamp': '1614265330' })).toBe(401)
        expect(await post(url, body, { ...headers, 'webhook-signature': 'v1,AAAA v1a,AAAA' })).toBe(401)
        expect(await post(url, body, {})).toBe(401)
      } finally {
        child.kill('SIGKILL')
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      }
    },
  )
})

describe.each([
  ['v1', 'verify-v1.sh', hasOpenssl],
  ['v1a', 'verify-v1a.sh', hasOpenssl3],
] as const)('plain shell, %s', (_label, file, isPossible) => {
  it.skipIf(!isPossible)(
    isPossible ? 'accepts a signed delivery and nothing else' : 'accepts a signed delivery (no fitting openssl here)',
    async () => {
      const verify = async (body: Buffer, changes: Record<string, string> = {}): Promise<boolean> => {
        const at = path.join(folder, 'body.json')
        await writeFile(at, body)
        const { headers } = genuine
        const env = {
          PATH: process.env.PATH,
          WEBHOOK_SECRET: secret,
          WEBHOOK_KEYS: whpks,
          WEBHOOK_ID: String(headers['webhook-id']),
          WEBHOOK_TIMESTAMP: String(headers['webhook-timestamp']),
          WEBHOOK_SIGNATURE: String(headers['webhook-signature']),
          ...changes,
        }
        return spawnSync('sh', [file, at], { cwd: folder, env }).status === 0
      }
      expect(await verify(genuine.body)).toBe(true)
      expect(await verify(Buffer.from('{}'))).toBe(false)
      expect(await verify(genuine.body, { WEBHOOK_ID: 'another' })).toBe(false)
      expect(await verify(genuine.body, { WEBHOOK_TIMESTAMP: '1614265330' })).toBe(false)
      expect(await verify(genuine.body, { WEBHOOK_TIMESTAMP: 'x[$(touch hacked)]' })).toBe(false)
      expect(await verify(genuine.body, { WEBHOOK_SIGNATURE: 'v1,AAAA v1a,AAAA *' })).toBe(false)
      expect(has('test', '-e', path.join(folder, 'hacked'))).toBe(false)
    },
  )
})

async function post(url: string, body: Buffer, given: ReceivedRequest['headers']): Promise<number> {
  const headers = Object.entries(given).filter(([name]) => name.startsWith('webhook-') || name === 'content-type')
  const response = await fetch(url, {
    method: 'POST',
    body: new Uint8Array(body),
    headers: headers.map(([name, value]): [string, string] => [name, String(value)]),
  })
  return response.status
}

/** Waits for what a process writes to its standard output. */
function linesOf(child: ChildProcess): (fits: RegExp) => Promise<string> {
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  return (fits) =>
    until(
      async () => text,
      (sofar) => fits.test(sofar),
    )
}
