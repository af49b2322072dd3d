import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const source = path.join(import.meta.dirname, '..')

/** What can open a connection to somewhere else. Types open none, nor does a server. */
const waysOut = [
  /import (?!type\b)[^;'"]*?from ['"]undici['"]/,
  /import (?!type\b)(?:\w+|\{[^}]*\b(?:get|request|Agent|connect)\b[^}]*\}) from ['"]node:(?:https?|http2|net|tls)['"]/,
  /import\(['"](?:undici|node:https?|node:http2|node:net|node:tls)['"]\)(?![.][A-Z])/,
  /(?<![.\w])fetch\(/,
  /\bnew (?:WebSocket|EventSource)\(/,
  /import (?!type\b)[^;'"]*?from ['"](?:axios|got|node-fetch|ky|openid-client|nodemailer|imapflow|ssh2|minio|ws|@aws-sdk\/[^'"]+)['"]/,
  // Key sets that jose fetches by itself, unless it is given a fetch.
  /\bcreateRemoteJWKSet\b(?![\s\S]*\[customFetch\])/,
]

/** These talk to parts that are the operator's own, or to the gateway itself. */
const others: Readonly<Record<string, string>> = {
  'files/store.ts': 'the storage of S3_ENDPOINT',
  'files/clamav.ts': 'the scanner of CLAMAV_URL',
  'cli/demo.ts': 'a client of the demo gateway on this machine',
  'connectors/vendor/install.ts': "a command of a connector's author, who asks the gateway that they name",
  'gateway/graphql-socket.ts': 'takes in WebSockets, opens none',
}

test('nothing but egress/ opens connections to third parties', () => {
  const found = readdirSync(source, { recursive: true })
    .map((file) => String(file).split(path.sep).join('/'))
    .filter((file) => /\.m?tsx?$/.test(file) && !/\.(test|fixture)\.tsx?$/.test(file))
    .filter((file) => !/^(egress|console)\/|\/generated\//.test(file))
    .filter((file) => opensConnections(readFileSync(path.join(source, file), 'utf8')))
  expect(found.filter((file) => !(file in others))).toEqual([])
})

function opensConnections(text: string): boolean {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, '')
  return waysOut.some((way) => way.test(code))
}

test.each([
  "import { fetch } from 'undici'",
  "import { Agent, type Dispatcher } from 'undici'",
  "import http from 'node:http'",
  "import { request } from 'node:https'",
  "import {\n  connect,\n  type Socket,\n} from 'node:net'",
  "const { request } = await import('node:http')",
  'const answer = await fetch(url)',
  "import { createRemoteJWKSet } from 'jose'\ncreateRemoteJWKSet(new URL(url))",
])('such a way is found: %s', (text) => expect(opensConnections(text)).toBe(true))

test.each([
  "import type { IncomingMessage } from 'node:http'",
  "import { createServer, type IncomingMessage } from 'node:http'",
  "server: import('node:http').Server,",
  "import { isIP } from 'node:net'",
  'const answer = await yoga.fetch(request)',
  '// fetch(url) would go around it',
  'createRemoteJWKSet(new URL(url), { [customFetch]: get })',
])('what opens none is not: %s', (text) => expect(opensConnections(text)).toBe(false))
