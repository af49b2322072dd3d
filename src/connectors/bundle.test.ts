import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleConnector, requireNoImport } from './bundle.ts'

const manifest = JSON.stringify({
  implementation: 'org.example.notify',
  name: 'Notify',
  author: 'Example Ltd',
  version: '1.0.0',
  description: 'Notifies.',
  privacyPolicyUrl: 'https://example.org/privacy',
})

let base: string
let count = 0
beforeAll(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'sluice-bundle-'))
})
afterAll(() => rm(base, { recursive: true }))

async function folder(files: Record<string, string>): Promise<string> {
  const root = path.join(base, String(count++))
  for (const [name, content] of Object.entries({ 'connector.json': manifest, ...files })) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true })
    await writeFile(path.join(root, name), content)
  }
  return root
}

test('code, its own files, its packages and the SDK become one file, the same every time', async () => {
  const root = await folder({
    'index.ts': `import { defineConnector } from 'sluice/connector'
      import { word } from './word.ts'
      import { shout } from 'shout'
      export default defineConnector({ consume: async ({ log }) => { log.info(shout(word)); return 'success' } })`,
    'word.ts': `export const word: string = 'inlined word'`,
    'node_modules/shout/package.json': '{"name":"shout","main":"main.js"}',
    'node_modules/shout/main.js': 'exports.shout = (word) => word + "!"',
  })
  const first = await bundleConnector(root)
  const second = await bundleConnector(root)
  expect(first.bundle).toContain('inlined word')
  expect(first.sha256).toMatch(/^[0-9a-f]{64}$/)
  expect(second).toEqual(first)
  expect(() => requireNoImport(first.bundle, 'bundle')).not.toThrow()
})

describe('refused', () => {
  test.each<[string, Record<string, string>, string | RegExp]>([
    [
      'a module of Node',
      { 'index.js': `import fs from 'node:fs'; export default () => fs` },
      /index\.js:1: Could not resolve "node:fs"[\s\S]*Modules of Node are not there/,
    ],
    ['require of a module of Node', { 'index.js': `export default () => require('fs')` }, 'Could not resolve "fs"'],
    [
      'a package that is not there',
      { 'index.js': `import 'left-pad'; export default 1` },
      'Could not resolve "left-pad"',
    ],
    [
      'a computed import',
      { 'index.js': `export default (name) => import(name)` },
      'would import something when it runs: import(name)',
    ],
    [
      'an import from the web',
      { 'index.js': `export default () => import('https://example.org/x.js')` },
      /would import something/,
    ],
    [
      'a file outside of the folder',
      { 'index.js': `import x from '../../../../../../../../../../etc/hostname.json'; export default x` },
      /Could not resolve|outside of its folder/,
    ],
    [
      'no default export',
      { 'index.js': `export const consume = () => 'success'` },
      'index.js has no default export. Export a function, or defineConnector({ consume }), as default.',
    ],
    ['a syntax error', { 'index.ts': `export default (` }, 'index.ts:1: Unexpected end of file'],
    ['no code', {}, /There is no index\.ts or index\.js in .*Add one, or name the file in "entry"/],
    ['a manifest that is not JSON', { 'connector.json': '{' }, 'connector.json: is not JSON'],
    ['a manifest with a fault', { 'connector.json': '{"name": 1}' }, 'connector.json: "implementation" is missing.'],
  ])('%s', async (_case, files, message) => {
    await expect(bundleConnector(await folder(files))).rejects.toThrow(message)
  })

  test('a file beside the folder, also through a link', async () => {
    await writeFile(path.join(base, 'secret.json'), '{"key": "beside"}')
    const direct = await folder({ 'index.js': `import secret from '../secret.json'; export default () => secret.key` })
    await expect(bundleConnector(direct)).rejects.toThrow('outside of its folder')
    const linked = await folder({ 'index.js': `import secret from './mine.json'; export default () => secret.key` })
    await symlink(path.join(base, 'secret.json'), path.join(linked, 'mine.json'))
    await expect(bundleConnector(linked)).rejects.toThrow('outside of its folder')
  })

  test('a folder that is not there', async () => {
    await expect(bundleConnector(path.join(base, 'nowhere'))).rejects.toThrow(
      'Name the folder that holds connector.json.',
    )
  })
})

describe('an import is found wherever it hides', () => {
  test.each([
    `import 'x'`,
    `import x from "x"`,
    `import * as x from 'x'`,
    `export { x } from 'x'`,
    `export * from 'x'`,
    `import('x')`,
    `import("data:text/javascript,export default 1")`,
    `import/**/('x')`,
    `const f = async () => { for (;;) { await (import)('x') } }`.replace('(import)', 'import'),
    `class A { static { import('x') } }`,
    `const t = \`\${import('x')}\``,
    `const a = /[/]/.test('') ? import(\`x\`) : 0`,
    `({ [import('x')]: 1 })`,
    `(a = import('x')) => a`,
    `import('x', { with: { type: 'json' } })`,
  ])('%s', (source) => {
    expect(() => requireNoImport(source, 'bundle')).toThrow('would import something')
  })

  test.each([`import source x from 'x'`, `import defer * as x from 'x'`, `import.source('x')`, `import.defer('x')`])(
    'syntax that the parser does not know is refused: %s',
    (source) => expect(() => requireNoImport(source, 'bundle')).toThrow(/cannot be read|would import/),
  )

  test.each([
    `'import("x")'`,
    `// import('x')`,
    `const x = { import: 1 }.import`,
    `/import('x')/`,
    `export { x }; const x = 1`,
  ])('what only looks like one is not: %s', (source) => expect(() => requireNoImport(source, 'bundle')).not.toThrow())
})
