/**
 * The web console's files at `/console`, as `src/console/build.ts` has made them in `dist/console`. Paths that are no
 * file are pages of the console, and its router finds them in `index.html`; below `/console/assets/` there are only files.
 */
import { readdir, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import path from 'node:path'
import { finished } from 'node:stream/promises'
import send from 'send'
import { chosenEncoding } from './rest/negotiation.ts'

/** Where the build is in this repository. */
export const consoleFolder = path.join(import.meta.dirname, '../../dist/console')

/** Answers a request to `/console` or below it; false for any other path. */
export type ConsoleFace = (request: IncomingMessage, response: ServerResponse, path: string) => Promise<boolean>

/**
 * @param publicUrl browsers that do not count sockets as `'self'` may open them there.
 * @param folder what is served; it may appear and change while the gateway runs.
 */
export function createConsoleFace(publicUrl: string, folder: string = consoleFolder): ConsoleFace {
  const policy = consolePolicy(publicUrl)
  const listing = createListing(folder)

  return async (request, response, at) => {
    if (at !== '/console' && !at.startsWith('/console/')) return false
    response.setHeader('content-security-policy', policy)
    response.setHeader('cross-origin-opener-policy', 'same-origin')
    response.setHeader('permissions-policy', 'camera=(), geolocation=(), microphone=()')
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0 }).end()
      return true
    }
    const files = await listing()
    const name = at.slice('/console/'.length)
    if (name.startsWith('assets/') || (name !== '' && files.has(name))) {
      if (files.has(name)) await sendAsset({ request, response, folder, name, files })
      else
        replyText(request, response, 404, `The console has no file ${at}. Load the page again to get its present ones.`)
    } else if (files.has('index.html')) {
      response.setHeader('cache-control', 'no-cache')
      await sendFile({ request, response, folder, name: 'index.html' })
    } else {
      replyNotBuilt(request, response)
    }
    return true
  }
}

/**
 * Only the console's own scripts run. The component kit (Mantine) writes style elements and attributes, hence
 * 'unsafe-inline' for styles; connectors' logos are data URLs.
 */
function consolePolicy(publicUrl: string): string {
  const sockets = new URL(publicUrl).origin.replace(/^http/, 'ws')
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    `connect-src 'self' ${sockets}`,
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/**
 * The names of what is there, read again when index.html is another one. What is not in the list is not looked for on
 * the disk, so no path leads out of the folder. Names that begin with a dot are the build's own.
 */
function createListing(folder: string): () => Promise<ReadonlySet<string>> {
  let known: { readonly version: number; readonly names: ReadonlySet<string> } | undefined
  return async () => {
    const version = await stat(path.join(folder, 'index.html')).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    )
    if (version === undefined) return none
    if (known?.version !== version) {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true })
      const names = entries
        .filter((entry) => entry.isFile())
        .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
        .filter((name) => !/(^|\/)\./.test(name))
      known = { version, names: new Set(names) }
    }
    return known.names
  }
}

const none: ReadonlySet<string> = new Set()

interface Sending {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly folder: string
  readonly name: string
}

/** Of what the build compresses; the ending of the compressed file says nothing of it. */
const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
}

/** In the densest form that the client takes and the build has made; what carries a hash in its name never changes. */
async function sendAsset({ files, ...sending }: Sending & { readonly files: ReadonlySet<string> }): Promise<void> {
  const { request, response, name } = sending
  const isHashed = name.startsWith('assets/')
  response.setHeader('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
  const type = types[path.extname(name)]
  if (type) response.setHeader('content-type', type)
  if (!files.has(`${name}.br`)) return sendFile(sending)
  response.appendHeader('vary', 'accept-encoding')
  const encoding = chosenEncoding(request.headers['accept-encoding']?.toString())
  if (!encoding) return sendFile(sending)
  response.setHeader('content-encoding', encoding)
  await sendFile({ ...sending, name: `${name}.${encoding === 'br' ? 'br' : 'gz'}` })
}

/** With ETag, conditions, ranges and HEAD as `send` does them. */
async function sendFile({ request, response, folder, name }: Sending): Promise<void> {
  send(request, name, { root: folder, cacheControl: false, index: false })
    .on('error', ({ status }: { readonly status: number }) => {
      // A build has just taken it away, or the range or condition cannot be met.
      for (const header of ['content-encoding', 'content-type', 'cache-control', 'etag']) response.removeHeader(header)
      if (response.headersSent) response.destroy()
      else replyText(request, response, status, 'This cannot be answered as it was asked. Load the page again.')
    })
    .pipe(response)
  // Ends with an error when the browser goes away, which concerns nobody.
  await finished(response).catch(() => undefined)
}

function replyText(request: IncomingMessage, response: ServerResponse, status: number, text: string): void {
  reply({ request, response, status, type: 'text/plain; charset=utf-8', text })
}

function replyNotBuilt(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('retry-after', '5')
  reply({ request, response, status: 503, type: 'text/html; charset=utf-8', text: notBuiltPage })
}

function reply(options: {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly status: number
  readonly type: string
  readonly text: string
}): void {
  const { request, response, status, type, text } = options
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  })
  response.end(request.method === 'HEAD' ? undefined : text)
}

/** Comes back by itself, since a build may be on its way. */
const notBuiltPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>Sluice: the console is not built yet</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }
</style>
</head>
<body>
<main>
<h1>The console is not built yet</h1>
<p>If Sluice has just been installed or started, it is being built now, which takes some seconds. This page looks again by itself.</p>
<p>If it stays like this, run <code>npm run build</code> in Sluice’s folder, as a user who may write there. It says what is wrong.</p>
<p>Everything else works meanwhile: <a href="/graphql">GraphQL</a>, <a href="/docs">REST</a>.</p>
</main>
</body>
</html>
`
