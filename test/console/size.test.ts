/** How much the console loads before somebody can work with it. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { consoleFolder } from '../../src/gateway/console-files.ts'
import { filesOf, readManifest, requireBuild, zippedBytes } from './built.ts'

const limit = 250 * 1024

beforeAll(requireBuild, 120_000)

it('the way from the sign-in to the overview loads less than 250 KB, zipped', async () => {
  const manifest = await readManifest()
  const modules = ['index.html', 'pages/sign-in/index.tsx', 'pages/overview/index.tsx'].filter(
    (name) => name in manifest,
  )
  const sizes = await zippedBytes(filesOf(manifest, modules))
  const total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
  const largest = [...sizes]
    .sort(([, a], [, b]) => b - a)
    .map(([file, bytes]) => `${(bytes / 1024).toFixed(1)} KB ${file}`)
  expect(total, `zipped bytes of the first page:\n${largest.join('\n')}\n`).toBeLessThan(limit)
})

it('the page has no script and no style of its own, which its policy would not let run', async () => {
  const html = await readFile(path.join(consoleFolder, 'index.html'), 'utf8')
  const scripts = [...html.matchAll(/<script\b([^>]*)>([^<]*)/g)]
  expect(scripts.length).toBeGreaterThan(0)
  for (const [, attributes, content] of scripts) {
    expect(attributes).toMatch(/src="\/console\/assets\/[^"]+\.js"/)
    expect(content?.trim()).toBe('')
  }
  expect(html).not.toMatch(/<style|\son\w+=|javascript:/i)
})

it('only hashed files are below assets, each text of some size compressed in both forms', async () => {
  const manifest = await readManifest()
  for (const { file, css = [] } of Object.values(manifest)) {
    for (const name of [file, ...css]) expect(name).toMatch(/^assets\/.+-[\w-]{8}\.\w+$/)
  }
  const { file } = manifest['index.html'] ?? { file: '' }
  const [plain, zipped, brotli] = await Promise.all(
    ['', '.gz', '.br'].map((ending) => readFile(path.join(consoleFolder, `${file}${ending}`))),
  )
  expect(zipped?.length).toBeLessThan(plain?.length ?? 0)
  expect(brotli?.length).toBeLessThan(zipped?.length ?? 0)
})
