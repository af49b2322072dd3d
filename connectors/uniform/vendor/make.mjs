/**
 * Makes fflate.js: `zipSync` of the package fflate and what it needs, unminified. A connector's bundle takes files of
 * its own folder only, so the library lies here. Run it after an update: `node connectors/uniform/vendor/make.mjs`.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { build } from 'esbuild'

/** @returns the text of fflate.js. */
export async function makeVendored() {
  const root = path.dirname(createRequire(import.meta.url).resolve('fflate/package.json'))
  const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'))
  const { outputFiles } = await build({
    stdin: { contents: "export { zipSync } from './esm/browser.js'", resolveDir: root },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    charset: 'utf8',
  })
  return [
    '// biome-ignore-all lint: not ours',
    '// biome-ignore-all format: not ours',
    '// biome-ignore-all assist: not ours',
    `// fflate ${version}, MIT, see LICENSE; https://github.com/101arrowz/fflate. Made by make.mjs.`,
    outputFiles[0].text,
  ].join('\n')
}

if (process.argv[1] === import.meta.filename) {
  await writeFile(path.join(import.meta.dirname, 'fflate.js'), await makeVendored())
}
