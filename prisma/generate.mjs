// Generates the Prisma client and the model facts into src/database/generated,
// after every install and whenever schema.prisma has changed since. Plain
// JavaScript, so that any Node can run it. `prisma generate` needs no schema
// engine, yet wants one to exist: naming any file keeps it from downloading one.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = path.dirname(fileURLToPath(import.meta.url))
const stamp = path.join(folder, '../src/database/generated/.stamp')
const sources = ['schema.prisma', 'model-generator.ts', '../package-lock.json'].map((name) => path.join(folder, name))

export function generate({ force = false } = {}) {
  const hash = createHash('sha256')
  for (const file of sources) if (existsSync(file)) hash.update(readFileSync(file))
  const digest = hash.digest('hex')
  if (!force && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  const require = createRequire(import.meta.url)
  const prisma = path.join(path.dirname(require.resolve('prisma/package.json')), 'build/index.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [prisma, 'generate'], {
    cwd: path.join(folder, '..'),
    encoding: 'utf8',
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: fileURLToPath(import.meta.url),
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
    },
  })
  if (status !== 0) throw new Error(`prisma generate failed:\n${stdout}\n${stderr}`)
  writeFileSync(stamp, digest)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) generate()
