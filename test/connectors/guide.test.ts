/**
 * Runs docs/connectors.md. A fence says what becomes of it: `file=a/b.ts` is written there, and every folder with a
 * manifest has to pass `check`; `console` is run, and its lines have to come in this order; `graphql` has to fit the
 * schema; `json` has to be JSON. The office's API, api.example.org, is a server of the test.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { parse, validate } from 'graphql'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectorCommand } from '../../src/cli/connector.ts'
import { type Receiver, startReceiver } from '../ground/receiver.ts'

const guide = await readFile(path.join(import.meta.dirname, '../../docs/connectors.md'), 'utf8')
const fences = [...guide.matchAll(/^```(\S*)([^\n]*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = '', info = '', text = '']) => ({
    language,
    file: /\bfile=(\S+)/.exec(info)?.[1],
    text,
  }),
)

let folder: string
let office: Receiver
const before = process.cwd()
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-guide-'))
  office = await startReceiver({ handler: (_request, response) => void response.writeHead(201).end() })
  for (const { file, text } of fences) {
    if (!file) continue
    await mkdir(path.join(folder, path.dirname(file)), { recursive: true })
    await writeFile(path.join(folder, file), local(text))
  }
  process.chdir(folder)
})
afterAll(async () => {
  process.chdir(before)
  await Promise.all([office.close(), rm(folder, { recursive: true })])
})

/** api.example.org is here. */
function local(text: string): string {
  return text
    .replaceAll('https://api.example.org', office.url)
    .replaceAll('api.example.org', `127.0.0.1:${office.port}`)
}

async function run(line: string) {
  const lines: string[] = []
  let failed = false
  const [name = '', ...words] = line.split(/\s+/)
  const more = name === 'run' || name === 'record' ? ['--allow', '127.0.0.0/8'] : []
  const command = connectorCommand(
    {},
    {
      print: (each) => lines.push(...stripVTControlCharacters(each).split('\n')),
      fail: () => {
        failed = true
      },
    },
  )
  await command.parseAsync([name, ...words, ...more], { from: 'user' })
  return { failed, lines }
}

test('no fence is left out', () => {
  const known = ['json', 'js', 'ts', 'text', 'console', 'graphql', 'mermaid']
  expect(fences.filter(({ language }) => !known.includes(language))).toEqual([])
  expect(fences.filter(({ language, file }) => ['js', 'ts'].includes(language) && !file)).toEqual([])
  expect(fences.length).toBeGreaterThan(12)
})

const folders = new Set(fences.flatMap(({ file }) => (file?.endsWith('/connector.json') ? path.dirname(file) : [])))

test.each([...folders])('the connector %s passes check', async (name) => {
  const { failed, lines } = await run(`check ${name}`)
  expect({ failed, lines: lines.filter((line) => line.startsWith('✗')) }).toEqual({ failed: false, lines: [] })
})

test.each(fences.filter(({ language }) => language === 'console').map(({ text }) => [text.split('\n')[0], text]))(
  'the session that begins with "%s" goes like that',
  async (_first, text) => {
    for (const part of text.split(/^\$ npm run connector -- /m).filter(Boolean)) {
      const [command = '', ...expected] = part.trimEnd().split('\n')
      const { lines } = await run(command)
      let at = 0
      for (const line of expected) {
        const found = lines.findIndex((each, index) => index >= at && each.startsWith(local(line)))
        expect(found, `${command}: "${line}" is not among\n${lines.join('\n')}`).toBeGreaterThan(-1)
        at = found + 1
      }
    }
  },
)

test('the API of the guide got what its connectors say', () => {
  const full = office.requests.find(({ method, path: place }) => method === 'PUT' && place.startsWith('/applications/'))
  expect(full?.headers.authorization).toBe('Bearer a-token-of-the-test-system')
  expect(JSON.parse(full?.body.toString() ?? '')).toMatchObject({ office: 'north', number: 1 })
  const plans = office.requests.find(({ path: place }) => place === '/plans')
  expect(plans?.body.toString()).toContain('Imagine a drawing.')
})

test('JSON is JSON, and GraphQL fits the schema', async () => {
  for (const { text } of fences.filter(({ language }) => language === 'json'))
    expect(() => JSON.parse(text)).not.toThrow()
  const documents = fences.filter(({ language }) => language === 'graphql')
  if (documents.length === 0) return
  const { buildSchema } = await import('graphql')
  const schema = buildSchema(await readFile(path.join(before, 'schema.graphql'), 'utf8'))
  for (const { text } of documents) expect(validate(schema, parse(text))).toEqual([])
})
