/** `connector new --kind`, `check` and `run` for each kind. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectorCommand } from '../../src/cli/connector.ts'
import { type Receiver, startReceiver } from '../ground/receiver.ts'

let folder: string
let api: Receiver
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-kinds-'))
  const booking = { referenceNumber: 'R1', travelservices: [] }
  api = await startReceiver({
    handler({ path: place }, response) {
      const isExport = place === '/exports'
      response.writeHead(isExport ? 202 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(isExport ? [{ id: 'R4711' }] : [booking, { ...booking, referenceNumber: 'R2' }]))
    },
  })
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await api.close()
})

async function command(...words: string[]): Promise<{ readonly text: string; readonly failed: boolean }> {
  const lines: string[] = []
  let failed = false
  const fail = () => {
    failed = true
  }
  await connectorCommand({}, { print: (line) => lines.push(line), fail }).parseAsync(['node', 'connector', ...words])
  return { text: stripVTControlCharacters(lines.join('\n')), failed }
}

async function made(kind: string): Promise<string> {
  const root = path.join(folder, kind)
  await command('new', root, '--kind', kind)
  return root
}

/** The API of the template, here. */
async function pointToApi(root: string): Promise<void> {
  for (const file of ['index.ts', 'connector.json']) {
    const text = await readFile(path.join(root, file), 'utf8')
    await writeFile(
      path.join(root, file),
      text.replaceAll('https://api.example.org', api.url).replaceAll('"api.example.org"', `"${new URL(api.url).host}"`),
    )
  }
}

describe.each(['producer', 'two-phase-producer', 'webhook', 'modifier'])('a new %s', (kind) => {
  test('passes check, runs, and says what it made', async () => {
    const root = await made(kind)
    const check = await command('check', root)
    expect(check.failed, check.text).toBe(false)
    await pointToApi(root)
    const run = await command('run', root, '--allow', '127.0.0.0/8')
    expect(run.failed, run.text).toBe(false)
    for (const line of expected[kind] ?? []) expect(run.text).toContain(line)
    expect(run.text).not.toContain('a-token-of-the-staging-system')
  }, 60_000)
})

const expected: Readonly<Record<string, readonly string[]>> = {
  producer: ['getRawSources: 2 sources', 'source 2 R2 ', 'booking R1: {"referenceNumber":"R1"'],
  'two-phase-producer': ['getRawSources: 1 source', 'source 1: R4711', 'getExternalId: "R4711"', 'booking R4711: {'],
  webhook: ['validatePayload: accepted', 'extractMetadata: {', 'booking R4711: {'],
  modifier: ['+ /comment: "1 segments"', 'extensionData org.example.modifier {"set":{"ui":'],
}

test('only consumers are recorded and replayed, and nothing is written for others', async () => {
  const root = path.join(folder, 'recorded')
  await command('new', root, '--kind', 'webhook')
  for (const words of [
    ['record', root],
    ['test', root],
  ]) {
    await expect(command(...words)).rejects.toThrow(/Only consumers are recorded and replayed, and this is a webhook/)
  }
  await expect(readdir(path.join(root, 'fixtures'))).rejects.toThrow('ENOENT')
})

test('a modifier that changes its own result again, and one without modify, are found', async () => {
  const root = path.join(folder, 'restless')
  await command('new', root, '--kind', 'modifier')
  await rm(path.join(root, 'samples/settings.json'))
  const write = (code: string) => writeFile(path.join(root, 'index.ts'), code)
  await write(
    'export default { modify: (session: { n?: number }) => ({ session: { ...session, n: (session.n ?? 0) + 1 } }) }',
  )
  expect((await command('check', root)).text).toContain('Called with its own result, it changed it again (~ /n: 1 → 2)')
  await write(`export default { consume: () => 'success' }`)
  const check = await command('check', root)
  expect(check.failed).toBe(true)
  expect(check.text).toContain('The manifest says that it is a modifier, but its code has no modify.')
}, 60_000)
