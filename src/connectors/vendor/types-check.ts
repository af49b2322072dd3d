/** Compiles an author's code with the types of the SDK and of what the sandbox has, and nothing else: `fetch` is an error. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { sandboxGlobals } from './globals.ts'

const sdk = path.join(import.meta.dirname, '../sdk.ts')

/**
 * @param root the package's folder.
 * @param entry its entry file, relative to it.
 * @returns the compiler's messages; undefined where TypeScript is not installed (`npm ci --omit=dev`).
 */
export async function checkTypes(root: string, entry: string): Promise<readonly string[] | undefined> {
  const compiler = findCompiler()
  if (!compiler) return undefined
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-types-'))
  try {
    await writeFile(path.join(folder, 'sandbox.d.ts'), sandboxGlobals)
    const config = {
      compilerOptions: {
        strict: true,
        noEmit: true,
        target: 'es2024',
        lib: ['esnext'],
        module: 'esnext',
        moduleResolution: 'bundler',
        allowImportingTsExtensions: true,
        allowJs: true,
        resolveJsonModule: true,
        skipLibCheck: true,
        types: [],
        paths: { 'sluice/connector': [sdk] },
      },
      files: [path.join(folder, 'sandbox.d.ts'), path.join(root, entry)],
    }
    await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify(config))
    // Four checkers each infer zod's types anew: 2.3 s of CPU for a connector, 0.6 s on one thread, 0.4 s hardly collecting.
    const child = spawn(process.execPath, [compiler, '-p', folder, '--pretty', 'false', '--singleThreaded'], {
      cwd: root,
      env: { ...process.env, GOGC: '400' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const output = await text(child.stdout)
    return output.split('\n').filter((line) => line.trim() !== '')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function findCompiler(): string | undefined {
  try {
    const require = createRequire(import.meta.url)
    const file = require.resolve('typescript/package.json')
    const { bin } = require(file) as { bin: { tsc: string } }
    return path.join(path.dirname(file), bin.tsc)
  } catch {
    return undefined
  }
}
