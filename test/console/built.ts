/** The console as `npm start` serves it. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { buildConsole } from '../../src/cli/console.ts'
import { consoleFolder } from '../../src/gateway/console-files.ts'

/** Builds it if its sources have changed; throws what the build complains of. */
export async function requireBuild(): Promise<void> {
  const said: string[] = []
  if (!(await buildConsole((line) => said.push(line)).done)) throw new Error(said.join('\n'))
}

interface Chunk {
  readonly file: string
  readonly css?: readonly string[]
  readonly imports?: readonly string[]
}

/** Vite's manifest: what each module became, and what it loads at once. */
export async function readManifest(): Promise<Readonly<Record<string, Chunk>>> {
  return JSON.parse(await readFile(path.join(consoleFolder, '.vite/manifest.json'), 'utf8'))
}

/** The files that these modules load before they run. */
export function filesOf(manifest: Readonly<Record<string, Chunk>>, modules: readonly string[]): readonly string[] {
  const seen = new Set<string>()
  const files = new Set<string>()
  const visit = (name: string) => {
    if (seen.has(name)) return
    seen.add(name)
    const chunk = manifest[name]
    if (!chunk) throw new Error(`The manifest has no ${name}. It has:\n${Object.keys(manifest).join('\n')}`)
    for (const file of [chunk.file, ...(chunk.css ?? [])]) files.add(file)
    for (const imported of chunk.imports ?? []) visit(imported)
  }
  for (const name of modules) visit(name)
  return [...files]
}

/** In bytes, as `gzip -9` would send them. */
export async function zippedBytes(files: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const sizes = files.map(
    async (file) => [file, gzipSync(await readFile(path.join(consoleFolder, file)), { level: 9 }).length] as const,
  )
  return new Map(await Promise.all(sizes))
}
