/** Unpacks a package that somebody else made: plain files and folders only, each within bounds, none outside of its folder. */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { SluiceError } from '../errors.ts'

/** Bytes as sent, bytes unpacked, number of files and length of a path. */
export const tarballLimits = {
  packed: 4 * 1024 * 1024,
  unpacked: 16 * 1024 * 1024,
  files: 2000,
  path: 200,
} as const

const manifests = ['connector.json', 'funnel-extension.json']

/**
 * @param tarball a `.tgz`, such as `npm pack` makes, or a plain `.tar`.
 * @param folder an empty folder.
 * @returns the folder that holds the manifest: `folder` itself, or the one folder in it, as npm packs `package/`.
 * @throws SluiceError VALIDATION_FAILED, TOO_LARGE
 */
export async function unpackTarball(tarball: Buffer, folder: string): Promise<string> {
  const unpacked = await inflate(tarball)
  const entries = extract()
  Readable.from([unpacked]).pipe(entries)
  let files = 0
  try {
    for await (const entry of entries) {
      const { name, type } = entry.header
      if (type === 'directory') {
        entry.resume()
        continue
      }
      if (type !== 'file') {
        throw refused(`The package holds ${shown(name)}, a ${type}. Only plain files can be installed.`)
      }
      if (++files > tarballLimits.files) {
        throw tooLarge(`The package holds more than ${tarballLimits.files} files.`)
      }
      const target = path.join(folder, ...ownPath(name))
      const content = await buffer(entry)
      await mkdir(path.dirname(target), { recursive: true })
      // A name that is there already is refused, in whatever case the file system takes it.
      await writeFile(target, content, { flag: 'wx', mode: 0o600 })
    }
  } catch (error) {
    if (error instanceof SluiceError) throw error
    const code = (error as NodeJS.ErrnoException).code
    const reason =
      code === 'EEXIST' || code === 'EISDIR' || code === 'ENOTDIR'
        ? 'It holds one name twice.'
        : 'It is damaged, or not a tar archive.'
    throw refused(`The package cannot be unpacked. ${reason} Make it with npm pack.`, error)
  }
  return findRoot(folder)
}

async function inflate(tarball: Buffer): Promise<Buffer> {
  if (tarball.length > tarballLimits.packed) {
    throw tooLarge(`The package has ${tarball.length} bytes. It may have ${tarballLimits.packed} at most.`)
  }
  if (tarball[0] !== 0x1f || tarball[1] !== 0x8b) return tarball
  try {
    return await promisify(gunzip)(tarball, { maxOutputLength: tarballLimits.unpacked })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge(`The package has more than ${tarballLimits.unpacked} bytes when it is unpacked.`)
    }
    throw refused('The package cannot be unpacked: its compressed data is damaged. Make it with npm pack.', cause)
  }
}

/** The parts of a path that stays inside; whatever would not is refused and not mended. */
function ownPath(name: string): string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  const isOutside = name.startsWith('/') || /[\\\0:]/.test(name) || parts.includes('..')
  if (isOutside || parts.length === 0 || name.length > tarballLimits.path) {
    throw refused(
      `The package holds a file named ${shown(name)}. Names are relative, stay inside of the package, and have ${tarballLimits.path} characters at most.`,
    )
  }
  return parts
}

async function findRoot(folder: string): Promise<string> {
  const names = await readdir(folder, { withFileTypes: true })
  if (names.some(({ name }) => manifests.includes(name))) return folder
  const [only, ...others] = names.filter((each) => each.isDirectory())
  return only && others.length === 0 ? path.join(folder, only.name) : folder
}

function shown(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name)
}

function refused(message: string, cause?: unknown): SluiceError {
  return new SluiceError('VALIDATION_FAILED', message, { cause })
}

function tooLarge(message: string): SluiceError {
  return new SluiceError('TOO_LARGE', `${message} Leave out what the connector does not need.`)
}
