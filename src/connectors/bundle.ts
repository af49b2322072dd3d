/**
 * Turns a connector's folder into the one file that the sandbox runs. The file
 * imports nothing. That is checked on the result and not left to the sandbox's
 * permissions: Deno follows an import of a literal path without asking for any.
 */
import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { type Node, parse } from 'acorn'
import { type BuildFailure, build, type Metafile } from 'esbuild'
import { SluiceError } from '../errors.ts'
import type { Manifest } from './manifest.ts'
import { type PackageFiles, readPackageFiles } from './package-files.ts'

export interface ConnectorPackage extends PackageFiles {
  /** One ES module without any import. */
  readonly bundle: string
  /** SHA-256 of the bundle, hex. */
  readonly sha256: string
}

/** 2 MiB: a bundle is kept in a database row and handed to each new sandbox. */
export const maxBundleBytes = 2 * 1024 * 1024

const entryFiles = ['index.ts', 'index.js']
const sdk = path.join(import.meta.dirname, 'sdk.ts')
/** What the SDK re-exports: pure functions over travel data, settings, and signing for S3. */
const ofSdk = path.join(import.meta.dirname, '../travel') + path.sep
const filesOfSdk = new Set([
  sdk,
  ...['minimal-settings.ts', 's3.ts'].map((file) => path.join(import.meta.dirname, file)),
])

/**
 * Reads the manifest of a folder and bundles its code.
 *
 * @throws SluiceError VALIDATION_FAILED when the manifest is not right, the code does not bundle,
 *   reaches out of its folder, or would still import something when it runs.
 */
export async function bundleConnector(folder: string): Promise<ConnectorPackage> {
  const root = await realpath(folder).catch(() => {
    throw refused(`There is no folder ${folder}. Name the folder that holds connector.json.`)
  })
  const files = await readPackageFiles(root)
  const { manifest } = files
  const entry = await findEntry(root, manifest)
  const { text, metafile } = await compile(root, entry)
  await requireOwnFiles(root, metafile)
  if (Buffer.byteLength(text) > maxBundleBytes) {
    throw refused(
      `The bundle of ${entry} has more than ${maxBundleBytes} bytes. Leave out what the connector does not need.`,
    )
  }
  requireNoImport(text, entry)
  if (!metafile.outputs[Object.keys(metafile.outputs)[0] ?? '']?.exports.includes('default')) {
    throw refused(`${entry} has no default export. Export a function, or defineConnector({ consume }), as default.`)
  }
  return { ...files, bundle: text, sha256: createHash('sha256').update(text).digest('hex') }
}

/**
 * Parses a bundle and refuses any kind of import in it: declarations, re-exports
 * and `import()` with whatever argument. What cannot be parsed is refused too.
 *
 * @param name shown in the message.
 * @throws SluiceError VALIDATION_FAILED
 */
export function requireNoImport(source: string, name: string): void {
  let program: Node
  try {
    program = parse(source, { ecmaVersion: 'latest', sourceType: 'module', locations: true })
  } catch (cause) {
    throw refused(`${name} cannot be read as a JavaScript module: ${(cause as Error).message}.`, cause)
  }
  walk(program, (node) => {
    if (!importing.has(node.type) || (node.type.startsWith('Export') && !('source' in node && node.source))) return
    const written = source.slice(node.start, Math.min(node.end, node.start + 80)).replaceAll(/\s+/g, ' ')
    throw refused(
      `${name} would import something when it runs: ${written}. A connector is one self-contained file; import with literal names only, so that the code can be bundled.`,
    )
  })
}

const importing = new Set(['ImportDeclaration', 'ImportExpression', 'ExportNamedDeclaration', 'ExportAllDeclaration'])

/** Visits every node without recursion, so that a deep expression cannot exhaust the stack. */
function walk(program: Node, visit: (node: Node) => void): void {
  const waiting: unknown[] = [program]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (typeof value !== 'object' || value === null || value instanceof RegExp) continue
    if (!Array.isArray(value) && 'type' in value && typeof value.type === 'string') visit(value as Node)
    for (const child of Object.values(value)) if (typeof child === 'object') waiting.push(child)
  }
}

async function findEntry(root: string, { entry }: Manifest): Promise<string> {
  const candidates = entry === undefined ? entryFiles : [entry]
  for (const file of candidates) {
    const found = await stat(path.join(root, file)).catch(() => undefined)
    if (found?.isFile()) return file
  }
  throw refused(
    `There is no ${candidates.join(' or ')} in ${root}. ${entry ? 'Correct "entry" in the manifest.' : 'Add one, or name the file in "entry" of the manifest.'}`,
  )
}

async function compile(root: string, entry: string): Promise<{ text: string; metafile: Metafile }> {
  try {
    const { outputFiles, metafile } = await build({
      absWorkingDir: root,
      entryPoints: [path.join(root, entry)],
      outfile: 'bundle.mjs',
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      // Packages written for browsers need no part of Node, of which the sandbox has nothing.
      platform: 'browser',
      target: 'es2024',
      charset: 'utf8',
      legalComments: 'inline',
      alias: { 'sluice/connector': sdk },
      // The folder's own tsconfig could point anywhere.
      tsconfigRaw: '{}',
      logLevel: 'silent',
    })
    return { text: outputFiles[0]?.text ?? '', metafile }
  } catch (cause) {
    const { errors } = cause as Partial<BuildFailure>
    if (!errors) throw cause
    const lines = errors.map(({ text, location }) => `${location ? `${location.file}:${location.line}: ` : ''}${text}`)
    throw refused(
      `${entry} cannot be bundled:\n${lines.join('\n')}\nA connector may import its own files, packages in its own node_modules, and sluice/connector. Modules of Node are not there.`,
      cause,
    )
  }
}

/** A package must not carry off what lies beside it: `import key from '../../secrets.json'` would be inlined. */
async function requireOwnFiles(root: string, { inputs }: Metafile): Promise<void> {
  for (const input of Object.keys(inputs)) {
    const file = await realpath(path.resolve(root, input)).catch(() => undefined)
    // Not a file: a module that esbuild emptied, as a package's "browser" field asks.
    if (file === undefined || filesOfSdk.has(file) || file.startsWith(ofSdk)) continue
    if (file.startsWith(root + path.sep)) continue
    throw refused(`The code imports ${input}, which is outside of its folder. Copy what it needs into ${root}.`)
  }
}

function refused(message: string, cause?: unknown): SluiceError {
  return new SluiceError('VALIDATION_FAILED', message, { cause })
}
