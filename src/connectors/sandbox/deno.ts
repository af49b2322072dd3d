/** Where Deno is, and how it is started so that it may do nothing. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { transformSync } from 'esbuild'
import { SluiceError } from '../../errors.ts'

/** How to start one sandboxed process. */
export interface SandboxCommand {
  readonly file: string
  readonly parameters: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** An empty folder. */
  readonly cwd: string
}

export interface SandboxFiles {
  /** Also puts the folder back if somebody emptied the temporary folder meanwhile. */
  command(memoryMb: number): Promise<SandboxCommand>
  /** Deletes the folder. */
  remove(): Promise<void>
}

/** Writes the guest's program into a temporary folder of its own. */
export async function prepareSandbox(deno: string): Promise<SandboxFiles> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-sandbox-'))
  const cwd = path.join(folder, 'empty')
  const program = path.join(folder, 'guest.mjs')
  const source = await guestProgram()
  const setpriv = process.platform === 'linux' ? ['/usr/bin/setpriv', '/bin/setpriv'].find(existsSync) : undefined
  // Ends an endless loop too when the worker is killed and can no longer do so.
  const dieWithParent = setpriv ? [setpriv, '--pdeathsig', 'KILL', '--no-new-privs'] : []
  // Moved into place whole: of a file that is still being written Deno runs what is there, and an empty program ends
  // with code 0 and without a word.
  const write = async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await mkdir(cwd, { recursive: true })
    await writeFile(`${program}.new`, source)
    await rename(`${program}.new`, program)
  }
  let writing: Promise<void> | undefined
  return {
    async command(memoryMb) {
      if (!existsSync(program) || !existsSync(cwd)) {
        writing ??= write().finally(() => {
          writing = undefined
        })
        await writing
      }
      return {
        file: '/bin/sh',
        parameters: ['-c', `${limits(memoryMb)}; exec "$@"`, 'sh', ...dieWithParent, deno, ...flags(memoryMb), program],
        // Nothing of the worker's environment. DENO_DIR cannot be made there, so Deno keeps no cache at all.
        env: { DENO_DIR: '/dev/null/none', DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' },
        cwd,
      }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The real binary: the package's own entry is a script that starts it as a child. */
export function denoBinary(): string {
  const family = process.platform === 'linux' ? '-glibc' : ''
  const name = `@deno/${process.platform}-${process.arch}${family}`
  const require = createRequire(createRequire(import.meta.url).resolve('deno/package.json'))
  try {
    return path.join(path.dirname(require.resolve(`${name}/package.json`)), 'deno')
  } catch (cause) {
    throw new SluiceError(
      'CONFIGURATION',
      `The connector sandbox needs the npm package ${name}, which is not installed. Run npm ci again without --omit=optional; musl systems such as Alpine are not supported by Deno.`,
      { cause },
    )
  }
}

/** No permission is granted, so all are refused; the rest keeps Deno from looking around before it starts. */
function flags(memoryMb: number): string[] {
  return [
    'run',
    '--no-prompt',
    '--no-remote',
    '--no-npm',
    '--no-config',
    '--no-lock',
    '--no-code-cache',
    '--cached-only',
    `--v8-flags=--max-old-space-size=${memoryMb},--disallow-code-generation-from-strings,--no-harmony-shadow-realm`,
  ]
}

/**
 * Limits of the operating system, where it has them: no file can be written, no
 * core dumped, few descriptors opened. Deno reserves some 560 MB of writable
 * address space when it starts, and stacks for a thread per core; what is over
 * that bounds array buffers, which V8's own limit does not count.
 */
function limits(memoryMb: number): string {
  const dataKb = (768 + 2 * memoryMb + 16 * availableParallelism()) * 1024
  return `ulimit -f 0 2>/dev/null; ulimit -c 0 2>/dev/null; ulimit -n 64 2>/dev/null; ulimit -d ${dataKb} 2>/dev/null`
}

async function guestProgram(): Promise<string> {
  const source = await readFile(path.join(import.meta.dirname, 'guest.ts'), 'utf8')
  // The synchronous call, once a process, leaves no esbuild running beside the worker.
  return transformSync(source, { loader: 'ts', format: 'esm', target: 'esnext' }).code
}
