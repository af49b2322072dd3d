import { once } from 'node:events'
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createConsoleFace } from './console-files.ts'
import { requestPath } from './request-path.ts'

const script = `console.log(${JSON.stringify('x'.repeat(2_000))})`
let folder: string
let server: Server
let port: number

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-console-'))
  const face = createConsoleFace('https://sluice.example:8443/', path.join(folder, 'console'))
  server = createServer(async (request, response) => {
    response.setHeader('vary', 'origin')
    if (!(await face(request, response, requestPath(request)))) response.writeHead(418).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  server.closeAllConnections()
  await once(server.close(), 'close')
  await rm(folder, { recursive: true })
})

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** With `node:http`, which sends a path as it is; `fetch` would tidy it up. */
async function ask(at: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const request = httpRequest({ host: '127.0.0.1', port, path: at, method, headers }).end()
  const [response] = await once(request, 'response')
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

test('without a build it says what to do, and other paths are not its own', async () => {
  const page = await ask('/console/webhooks/1')
  expect(page).toMatchObject({ status: 503, headers: { 'retry-after': '5', 'cache-control': 'no-store' } })
  expect(page.body).toContain('npm run build')
  expect((await ask('/consoles')).status).toBe(418)
})

test('a build that appears while it serves is found', async () => {
  const assets = path.join(folder, 'console/assets')
  await mkdir(assets, { recursive: true })
  await mkdir(path.join(folder, 'console/.vite'))
  const files = {
    'assets/index-1a.js': script,
    'assets/index-1a.js.gz': gzipSync(script),
    'assets/index-1a.js.br': brotliCompressSync(script),
    'assets/dot-1b.png': 'not really',
    '.vite/manifest.json': '{}',
    'icon.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
    'index.html': '<!doctype html><title>Console</title>',
    '../secret.txt': 'nobody may read this',
  }
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, 'console', name), content)
  expect(await ask('/console')).toMatchObject({ status: 200, body: files['index.html'] })
})

test.each(['/console', '/console/', '/console/webhooks/7?tab=attempts', '/console/a.b/c', '/console/index.html'])(
  '%s is the page, checked for news at each load',
  async (at) => {
    const { status, headers, body } = await ask(at)
    expect(status).toBe(200)
    expect(body).toContain('<title>Console</title>')
    expect(headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' })
    const again = await ask(at, { 'if-none-match': headers.etag as string })
    expect(again).toMatchObject({ status: 304, body: '' })
  },
)

test('the policy lets only its own scripts run, and calls go to this gateway only', async () => {
  const policy = (await ask('/console')).headers['content-security-policy'] as string
  const parts = new Map(policy.split('; ').map((part) => [part.split(' ')[0], part.split(' ').slice(1).join(' ')]))
  expect(parts.get('default-src')).toBe("'none'")
  expect(parts.get('script-src')).toBe("'self'")
  expect(parts.get('connect-src')).toBe("'self' wss://sluice.example:8443")
  expect(parts.get('frame-ancestors')).toBe("'none'")
  expect(policy).not.toContain('unsafe-eval')
})

test.each([
  ['br, gzip', 'br'],
  ['gzip', 'gzip'],
  ['br;q=0, gzip;q=0.5', 'gzip'],
  ['', undefined],
])('an asset for "%s" comes as %s, to be kept for ever', async (accept, encoding) => {
  const { status, headers } = await ask('/console/assets/index-1a.js', accept ? { 'accept-encoding': accept } : {})
  expect(status).toBe(200)
  expect(headers['content-encoding']).toBe(encoding)
  expect(headers).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=31536000, immutable',
    vary: 'origin, accept-encoding',
  })
  const sizes = { br: brotliCompressSync(script).length, gzip: gzipSync(script).length }
  expect(Number(headers['content-length'])).toBe(encoding ? sizes[encoding as keyof typeof sizes] : script.length)
})

test('what the build does not compress comes as it is, and other files are checked at each load', async () => {
  const image = await ask('/console/assets/dot-1b.png', { 'accept-encoding': 'br' })
  expect(image).toMatchObject({ status: 200, body: 'not really', headers: { 'content-type': 'image/png' } })
  expect(image.headers['content-encoding']).toBeUndefined()
  expect((await ask('/console/icon.svg')).headers).toMatchObject({
    'content-type': 'image/svg+xml',
    'cache-control': 'no-cache',
  })
})

test('HEAD has the headers only, and nothing but GET and HEAD is answered', async () => {
  const head = await ask('/console/assets/index-1a.js', {}, 'HEAD')
  expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-length': String(script.length) } })
  expect(await ask('/console', {}, 'HEAD')).toMatchObject({ status: 200, body: '' })
  expect(await ask('/console', {}, 'POST')).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
})

test.each(['/console/assets/index-0f.js', '/console/assets/', '/console/assets', '/console/assets/index-1a.js/x'])(
  '%s is no asset',
  async (at) => {
    const { status, body, headers } = await ask(at)
    // `assets` alone could be a page.
    expect(status).toBe(at === '/console/assets' ? 200 : 404)
    if (status === 404) {
      expect(body).toContain('Load the page again')
      expect(headers['cache-control']).toBe('no-store')
    }
  },
)

test.each([
  '/console/assets/../../secret.txt',
  '/console/assets/..%2f..%2fsecret.txt',
  '/console/assets/%2e%2e/%2e%2e/secret.txt',
  '/console/..%5csecret.txt',
  '/console//../secret.txt',
  '/console/.vite/manifest.json',
  '/console/assets/../.vite/manifest.json',
  '/console/assets/%00',
])('%s leads to no file of ours', async (at) => {
  const { status, body } = await ask(at)
  expect(body).not.toContain('nobody may read this')
  expect(body).not.toBe('{}')
  expect([200, 404, 418]).toContain(status)
  if (status === 200) expect(body).toContain('<title>Console</title>')
})

test('an asset that a new build has just taken away is a 404, and a range beyond it a 416', async () => {
  expect(await ask('/console/assets/dot-1b.png', { range: 'bytes=999-' })).toMatchObject({ status: 416 })
  expect(await ask('/console/assets/dot-1b.png', { range: 'bytes=0-2' })).toMatchObject({ status: 206, body: 'not' })
  await rm(path.join(folder, 'console/assets/dot-1b.png'))
  expect(await ask('/console/assets/dot-1b.png')).toMatchObject({
    status: 404,
    headers: { 'cache-control': 'no-store', 'content-type': 'text/plain; charset=utf-8' },
  })
  const index = path.join(folder, 'console/index.html')
  await writeFile(path.join(folder, 'console/assets/new-2c.css'), 'a{}')
  await utimes(index, new Date(), new Date(Date.now() + 5_000))
  expect(await ask('/console/assets/new-2c.css')).toMatchObject({ status: 200, body: 'a{}' })
})
