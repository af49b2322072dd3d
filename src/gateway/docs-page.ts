/**
 * The contract of the REST face: `/openapi.yaml` as it is in the repository, `/openapi.json`, and `/docs`, a page that
 * shows it. The page is Swagger UI from its npm package and loads nothing from elsewhere; its policy says so to the
 * browser.
 */
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { parse } from 'yaml'
import { chosenEncoding } from './rest/negotiation.ts'

/** The file in the repository. */
export const contractFile = path.join(import.meta.dirname, '../../openapi.yaml')

/** Scripts and styles of the page are files of this gateway; Swagger UI writes styles of its own into elements. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

interface Document {
  readonly type: string
  readonly body: Buffer
  readonly zipped: Buffer
}

/** Answers a request to one of its paths; false for any other path. */
export type DocsFace = (request: IncomingMessage, response: ServerResponse, path: string) => Promise<boolean>

/** @param publicUrl the address that the contract names as its server. */
export function createDocsFace(publicUrl: string): DocsFace {
  const swagger = (file: string) => () =>
    readFile(path.join(path.dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json')), file))
  const contract = async () => withServer(await readFile(contractFile, 'utf8'), publicUrl)
  const texts: Readonly<Record<string, readonly [type: string, read: () => Promise<Buffer | string>]>> = {
    '/openapi.yaml': ['application/yaml; charset=utf-8', contract],
    '/openapi.json': ['application/json; charset=utf-8', async () => JSON.stringify(parse(await contract()))],
    '/docs': ['text/html; charset=utf-8', async () => page],
    '/docs/start.js': ['text/javascript; charset=utf-8', async () => script],
    '/docs/page.css': ['text/css; charset=utf-8', async () => style],
    '/docs/swagger-ui.css': ['text/css; charset=utf-8', swagger('swagger-ui.css')],
    '/docs/swagger-ui-bundle.js': ['text/javascript; charset=utf-8', swagger('swagger-ui-bundle.js')],
  }
  // Read when first asked for: most gateways never show it.
  const known = new Map<string, Promise<Document>>()
  const read = (at: string): Promise<Document> => {
    const found = known.get(at)
    if (found) return found
    const [type, load] = texts[at] as (typeof texts)[string]
    const document = load().then(async (content) => {
      const body = Buffer.from(content)
      return { type, body, zipped: await promisify(gzip)(body) }
    })
    known.set(at, document)
    document.catch(() => known.delete(at))
    return document
  }

  return async (request, response, at) => {
    if (!Object.hasOwn(texts, at)) return false
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0 }).end()
      return true
    }
    const { type, body, zipped } = await read(at)
    const zip = chosenEncoding(request.headers['accept-encoding']?.toString()) !== null
    const sent = zip ? zipped : body
    response.appendHeader('vary', 'accept-encoding')
    response.writeHead(200, {
      'content-type': type,
      'content-length': sent.length,
      'content-security-policy': pagePolicy,
      'cache-control': 'public, max-age=300',
      ...(zip ? { 'content-encoding': 'gzip' } : {}),
    })
    response.end(request.method === 'HEAD' ? undefined : sent)
    return true
  }
}

/** The file names a local gateway; whoever gets it from this one is told this one's address. */
function withServer(yaml: string, publicUrl: string): string {
  return yaml.replace(/^( *- url: ).*$/m, (_, start: string) => `${start}${JSON.stringify(publicUrl)}`)
}

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice: REST API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
<noscript>This page needs JavaScript. <a href="/openapi.yaml">openapi.yaml</a> has all that it shows.</noscript>
<main id="page"></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`

const script = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#page',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  displayRequestDuration: true,
  tryItOutEnabled: false,
  persistAuthorization: false,
})
`

const style = `body { margin: 0; background: #fff; }
.swagger-ui .wrapper { max-width: 1100px; padding: 0 16px; }
.swagger-ui .info { margin: 24px 0; }
.swagger-ui .info .title { overflow-wrap: anywhere; }
@media (max-width: 600px) {
  .swagger-ui .opblock .opblock-summary { flex-wrap: wrap; }
  .swagger-ui .opblock .opblock-summary-path { max-width: 100%; overflow-wrap: anywhere; }
  .swagger-ui .opblock .opblock-summary-description { width: 100%; text-align: left; padding: 0 8px 4px; }
  .swagger-ui table, .swagger-ui .responses-inner { display: block; overflow-x: auto; }
  .swagger-ui .scheme-container .schemes { flex-direction: column; }
}
`
