/** GraphiQL, whole in one page: it loads nothing from elsewhere, and its policy says so to the browser. */
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { renderGraphiQL } from '@graphql-yoga/render-graphiql'
import { pagePolicy } from './security-headers.ts'

/** The page is put together when somebody first asks for it: 9 MB. */
export function createGraphiQLPage(): (response: ServerResponse) => void {
  let parts: readonly [before: Buffer, after: Buffer] | undefined
  return (response) => {
    parts ??= pageParts()
    const [before, after] = parts
    const nonce = Buffer.from(randomBytes(18).toString('base64'))
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-length': before.length + nonce.length + after.length,
      'content-security-policy': pagePolicy(String(nonce)),
      'cache-control': 'no-store',
    })
    response.write(before)
    response.write(nonce)
    response.end(after)
  }
}

const scriptStart = '<script>\n        function prepareBlob'

function pageParts(): readonly [Buffer, Buffer] {
  const html = renderGraphiQL({
    title: 'Sluice',
    endpoint: '/graphql',
    defaultQuery: firstQuery,
    shouldPersistHeaders: true,
  })
  const at = html.indexOf(scriptStart)
  if (at === -1) throw new Error('The page of GraphiQL has changed: its script was not found.')
  const opened = '<script nonce="'
  return [Buffer.from(html.slice(0, at).trimStart() + opened), Buffer.from(`">${html.slice(at + '<script>'.length)}`)]
}

/** What GraphiQL shows to somebody who opens it for the first time. */
const firstQuery = `# Who are you? Open "Headers" below and enter
# {"authorization": "Basic …"}   key:secret, base64
# {"authorization": "Bearer …"}  a token, by
#   mutation { sign_in(email: "", password: "") {
#     token } }   which itself needs no header.
# The demo's are in .sluice/demo.json. Press play.
{
  sessions(
    limit: 5
    order_by: { submitted_at: desc }
  ) {
    id
    status
    submitted_at
    flow {
      slug
    }
  }
}
`
