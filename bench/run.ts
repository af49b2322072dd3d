/**
 * `npm run bench -- <name> [options]` runs `bench/<name>.ts` as a process of its
 * own; without a name it lists what there is.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { generate } from '../prisma/generate.mjs'

const [name = '', ...options] = process.argv.slice(2)
const file = path.join(import.meta.dirname, `${name}.ts`)

if (/^[a-z][a-z0-9-]*$/.test(name) && name !== 'run' && existsSync(file)) run()
else list()

function run(): void {
  // A fresh clone may not have the Prisma client yet, which every benchmark imports.
  generate()
  const child = spawn(process.execPath, [file, ...options], { stdio: 'inherit' })
  // Ctrl-C reaches the benchmark by itself; both wait for it to stop what it started.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('exit', (code) => process.exit(code ?? 1))
}

function list(): void {
  if (name) console.error(`There is no benchmark "${name}".`)
  console.log('Run one with: npm run bench -- NAME [options]\n')
  for (const entry of readdirSync(import.meta.dirname).sort()) {
    if (entry.endsWith('.ts') && entry !== 'run.ts') console.log(`  ${entry.slice(0, -3).padEnd(12)} ${summary(entry)}`)
  }
  process.exit(name ? 1 : 0)
}

/** The first sentence of the file's opening comment. */
function summary(entry: string): string {
  const text = readFileSync(path.join(import.meta.dirname, entry), 'utf8')
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? ''
  const prose = comment.replaceAll(/\s*\n\s*\*\s*/g, ' ').trim()
  return /^.*?\.(?=\s|$)/.exec(prose)?.[0] ?? prose
}
