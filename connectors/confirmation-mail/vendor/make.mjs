/**
 * Makes the files beside it out of npm packages, unminified. A connector's bundle takes files of its own
 * folder only, so they lie here. Run it after an update: `node connectors/confirmation-mail/vendor/make.mjs`.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { build } from 'esbuild'

const here = import.meta.dirname
const root = path.resolve(here, '../../..')
const { resolve } = createRequire(import.meta.url)

/** @returns the text of each file, by its name. */
export async function makeVendored() {
  return {
    // The sandbox has no Blob.
    'postal-mime.js': await made(
      `postal-mime ${await versionOf('postal-mime')}, MIT-0; https://github.com/postalsys/postal-mime.`,
      { contents: "export { default } from 'postal-mime'", resolveDir: root },
      [path.join(here, 'blob.js')],
    ),
    'htmlparser2.js': await made(
      `htmlparser2 ${await versionOf('htmlparser2')}, MIT, with entities ${await versionOf('entities')}, BSD-2-Clause; https://github.com/fb55/htmlparser2.`,
      { contents: "export { Parser } from './Parser.js'", resolveDir: path.dirname(resolve('htmlparser2')) },
    ),
  }
}

async function made(title, stdin, inject = []) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin,
    inject,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    charset: 'utf8',
    tsconfigRaw: '{}',
  })
  return [
    '// biome-ignore-all lint: not ours',
    '// biome-ignore-all format: not ours',
    '// biome-ignore-all assist: not ours',
    `// ${title} See LICENSES. Made by make.mjs.`,
    outputFiles[0].text.replaceAll(/^ *\/\/ biome-ignore .*\n/gm, ''),
  ].join('\n')
}

async function versionOf(name) {
  let folder = path.dirname(resolve(name))
  for (;;) {
    const text = await readFile(path.join(folder, 'package.json'), 'utf8').catch(() => '{}')
    const { name: found, version } = JSON.parse(text)
    if (found === name) return version
    folder = path.dirname(folder)
  }
}

if (process.argv[1] === import.meta.filename) {
  for (const [name, text] of Object.entries(await makeVendored())) await writeFile(path.join(here, name), text)
}
