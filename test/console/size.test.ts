/** How much the console loads before somebody can work with it. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { consoleFolder } from '../../src/gateway/console-files.ts'
import { filesOf, readManifest, requireBuild, zippedBytes } from './built.ts'

const limit = 250 * 1024

beforeAll(requireBuild, 120_000)

// Who signs in loads the second after the first, and most of it is there by then.
it.each([
  ['the sign-in', ['pages/sign-in/index.tsx']],
  ['the overview', ['pages/overview/index.tsx', 'app/signed-in.tsx']],
])('%s loads less than 250 KB, zipped', async (_, modules) => {
  const manifest = await readManifest()
  const sizes = await zippedBytes(filesOf(manifest, ['index.html', ...modules.filter((name) => name in manifest)]))
  const total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
  const largest = [...sizes]
    .sort(([, a], [, b]) => b - a)
    .map(([file, bytes]) => `${(bytes / 1024).toFixed(1)} KB ${file}`)
  expect(total, `zipped bytes:\n${largest.join('\n')}\n`).toBeLessThan(limit)
})

it("every file of the kit's styles settles the order of layers before it uses one", async () => {
  const styles = Object.values(await readManifest()).flatMap(({ css = [] }) => css)
  expect(styles.length).toBeGreaterThan(0)
  for (const name of new Set(styles)) {
    const [first] = (await readFile(path.join(consoleFolder, name), 'utf8')).match(/@layer mantine\.\w+/) ?? [null]
    expect([name, first ?? '@layer mantine.ground']).toEqual([name, '@layer mantine.ground'])
  }
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
