/** `connector pack`: the same folder gives the same bytes, on every machine. */
import { createHash } from 'node:crypto'
import { lstat, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { pack as createPack } from 'tar-stream'
import { SluiceError } from '../../errors.ts'

export interface PackedConnector {
  /** A gzipped tar, with everything under `package/`, as npm packs. */
  readonly tarball: Buffer
  readonly sha256: string
  /** In order, relative to the folder. */
  readonly files: readonly string[]
}

/** Not part of a package: what only its author needs, and samples, which may hold what should stay at home. */
const leftOut = new Set(['.git', 'fixtures', 'samples', 'test', 'tests', 'tsconfig.json'])
const maxBytes = 16 * 1024 * 1024

/**
 * @param root a folder that `check` has passed.
 * @throws SluiceError VALIDATION_FAILED for links and for more than 16 MiB.
 */
export async function packConnector(root: string): Promise<PackedConnector> {
  const files = (await filesUnder(root, '')).sort()
  const tar = createPack()
  const packing = buffer(tar)
  let bytes = 0
  for (const file of files) {
    const content = await readFile(path.join(root, file))
    bytes += content.length
    if (bytes > maxBytes) {
      throw new SluiceError('VALIDATION_FAILED', `The package has more than ${maxBytes} bytes. Leave something out.`)
    }
    tar.entry({ name: `package/${file}`, mtime: new Date(0), mode: 0o644, uid: 0, gid: 0 }, content)
  }
  tar.finalize()
  const tarball = await promisify(gzip)(await packing, { level: 9 })
  // The system that packed it is the tenth byte.
  tarball[9] = 255
  return { tarball, sha256: createHash('sha256').update(tarball).digest('hex'), files }
}

async function filesUnder(root: string, folder: string): Promise<string[]> {
  const found: string[] = []
  for (const name of await readdir(path.join(root, folder))) {
    const file = folder ? `${folder}/${name}` : name
    if (leftOut.has(file) || name.startsWith('.') || name.endsWith('.tgz')) continue
    const info = await lstat(path.join(root, file))
    if (info.isDirectory()) found.push(...(await filesUnder(root, file)))
    else if (info.isFile()) found.push(file)
    else
      throw new SluiceError(
        'VALIDATION_FAILED',
        `${file} is no plain file, so it cannot be packed. Copy what it stands for.`,
      )
  }
  return found
}
