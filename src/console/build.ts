/**
 * Builds the console into `dist/console`, unless what is there was made from these very sources: after every install,
 * and when `sluice start` or a gateway finds it absent or old. A build is made beside the last one and then put in its
 * place file by file, index.html last, so that a gateway that is serving it never sends a page without its assets.
 *
 * `node src/console/build.ts [--force] [--optional]`; with `--optional` it ends well even if nothing could be built.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const sources = import.meta.dirname
const lockFile = path.join(sources, '../../package-lock.json')
const dist = path.join(sources, '../../dist')
const place = path.join(dist, 'console')
const fresh = path.join(dist, 'console.new')
const lock = path.join(dist, 'console.lock')
/** Names the sources that a build was made from; its name begins with a dot, so it is not served. */
const stampIn = (folder: string) => path.join(folder, '.sources')
/** Names the files of a build. */
const namesIn = (folder: string) => path.join(folder, '.files')

/** Who builds touches the lock this often; one that was not touched for so long is of a process that was killed. */
const touchMs = 2_000
const staleMs = 30_000

export interface BuildOptions {
  /** Build although nothing has changed. @default false */
  readonly force?: boolean
  /** Told what happens, in a sentence. @default nobody */
  readonly tell?: (sentence: string) => void
}

/**
 * Makes `dist/console` what the sources say. Several processes may ask at once: one builds, the others wait for it.
 *
 * @throws when it cannot be written or does not compile; an earlier build is left as it is.
 */
export async function buildConsole({ force = false, tell = () => undefined }: BuildOptions = {}): Promise<void> {
  const wanted = await digestOfSources()
  if (!force && isBuilt(wanted)) return
  await mkdir(dist, { recursive: true })
  await takeLock()
  const touching = setInterval(() => utimes(lock, new Date(), new Date()).catch(() => undefined), touchMs)
  try {
    if (!force && isBuilt(wanted)) return
    const startedAt = performance.now()
    tell('Building the console, once…')
    await rm(fresh, { recursive: true, force: true })
    await bundle()
    await compressAll(path.join(fresh, 'assets'))
    await writeFile(stampIn(fresh), wanted)
    await publish()
    tell(`Built the console in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`)
  } finally {
    clearInterval(touching)
    await rm(fresh, { recursive: true, force: true })
    await rm(lock, { force: true })
  }
}

function isBuilt(digest: string): boolean {
  return existsSync(path.join(place, 'index.html')) && readOr(stampIn(place)) === digest
}

/** Of all that a build is made from: our files and the exact versions of the packages. */
async function digestOfSources(): Promise<string> {
  const names = (await readdir(sources, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !/\.(test|fixture)\.tsx?$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
  const hash = createHash('sha256')
  for (const file of [...names, lockFile].filter(existsSync)) {
    const content = await readFile(file)
    hash.update(`${path.relative(sources, file)}\n${content.length}\n`).update(content)
  }
  return hash.digest('hex')
}

async function takeLock(): Promise<void> {
  for (;;) {
    try {
      return await writeFile(lock, `${process.pid}`, { flag: 'wx' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const touchedAt = await stat(lock).then(
      ({ mtimeMs }) => mtimeMs,
      () => Date.now(),
    )
    if (isGone(Number(readOr(lock))) || Date.now() - touchedAt > staleMs) await rm(lock, { force: true })
    else await pause(100)
  }
}

/** A process of the same number may be another one by now, in a container above all; hence also the touching. */
function isGone(pid: number): boolean {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

async function bundle(): Promise<void> {
  // React and others bundle what is meant for development otherwise, as in a test run.
  process.env.NODE_ENV = 'production'
  // Loaded here: most of the time there is nothing to build.
  const [{ build }, { default: config }] = await Promise.all([import('vite'), import('./vite.config.ts')])
  await build({
    ...config,
    configFile: false,
    mode: 'production',
    logLevel: 'warn',
    clearScreen: false,
    build: { ...config.build, outDir: fresh },
  })
}

const compressible = /\.(js|css|svg|json|txt)$/
/** What is smaller fits into one packet either way. */
const worthBytes = 1_000

/** Once here and densely, instead of at each request. */
async function compressAll(folder: string): Promise<void> {
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY }
  const compressOne = async (name: string) => {
    const file = path.join(folder, name)
    const content = await readFile(file)
    if (content.length < worthBytes) return
    const [zipped, brotli] = await Promise.all([
      promisify(gzip)(content, { level: constants.Z_BEST_COMPRESSION }),
      promisify(brotliCompress)(content, { params }),
    ])
    await Promise.all([writeFile(`${file}.gz`, zipped), writeFile(`${file}.br`, brotli)])
  }
  await Promise.all((await readdir(folder)).filter((name) => compressible.test(name)).map(compressOne))
}

/** A page that is open in a browser may load more of the build that it came from, so that one stays until the next but one. */
async function publish(): Promise<void> {
  const [made, there, before] = await Promise.all([
    filesIn(fresh),
    filesIn(place).catch(() => []),
    readFile(namesIn(place), 'utf8').then(
      (text) => text.split('\n'),
      () => [],
    ),
  ])
  await writeFile(namesIn(fresh), made.join('\n'))
  const last = ['index.html', path.basename(namesIn(fresh)), path.basename(stampIn(fresh))]
  for (const name of [...made.filter((one) => !last.includes(one)), ...last]) {
    await mkdir(path.dirname(path.join(place, name)), { recursive: true })
    await rename(path.join(fresh, name), path.join(place, name))
  }
  const kept = new Set([...made, ...before, ...last])
  await Promise.all(there.filter((name) => !kept.has(name)).map((name) => rm(path.join(place, name), { force: true })))
}

/** Names of all files below a folder, relative to it. */
async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true })
  const facts = await Promise.all(names.map((name) => stat(path.join(folder, name))))
  return names.filter((_, index) => facts[index]?.isFile())
}

function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

if (import.meta.main) {
  try {
    await buildConsole({
      force: process.argv.includes('--force'),
      tell: (sentence) => process.stdout.write(`${sentence}\n`),
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    process.stderr.write(
      `The console could not be built: ${reason}\nAll else works without it. Once that is mended, "npm run build" builds it.\n`,
    )
    if (!process.argv.includes('--optional')) process.exitCode = 1
  }
}
