/** What a connector's folder holds beside its code: manifest, texts, logo, licence. Each file is read with a bound. */
import { lstat, open, readdir } from 'node:fs/promises'
import path from 'node:path'
import { imageSize } from 'image-size'
import { SluiceError } from '../errors.ts'
import { type Catalogue, type LocaleTexts, localise } from './locales.ts'
import { localeTag, type Manifest, parseManifest } from './manifest.ts'

export interface PackageFiles {
  readonly manifest: Manifest
  readonly locales: Readonly<Record<string, LocaleTexts>>
  /** A data URL. */
  readonly logo: string | null
  /** SPDX expression, of the manifest or else of package.json. */
  readonly license: string | null
}

/** The guide shows a logo in a box of 70 by 70 pixels. */
export const logoBox = 70
export const maxLogoBytes = 32 * 1024
const maxManifestBytes = 256 * 1024
const maxCatalogueBytes = 128 * 1024
const maxLocales = 50

const manifestFiles = ['connector.json', 'funnel-extension.json']
const media: Readonly<Record<string, string>> = { png: 'image/png', jpg: 'image/jpeg', gif: 'image/gif' }

/**
 * @param root the folder, without symbolic links in its own path.
 * @throws SluiceError VALIDATION_FAILED with one line a fault.
 */
export async function readPackageFiles(root: string): Promise<PackageFiles> {
  const { file, content } = await readManifestFile(root)
  const catalogues = await readCatalogues(root)
  const { manifest: localised, locales, faults } = localise(content, catalogues)
  if (faults.length > 0) {
    throw new SluiceError('VALIDATION_FAILED', faults.map((fault) => `${file}: ${fault}`).join('\n'), {
      details: { faults },
    })
  }
  const manifest = parseManifest(localised, file)
  return {
    manifest,
    locales,
    logo: manifest.logo === undefined ? null : await readLogo(root, manifest.logo),
    license: manifest.license ?? (await readPackageLicense(root)),
  }
}

async function readManifestFile(root: string): Promise<{ readonly file: string; readonly content: unknown }> {
  for (const file of manifestFiles) {
    const bytes = await readBounded(root, file, maxManifestBytes)
    if (bytes !== undefined) return { file, content: parseJson(bytes, file) }
  }
  throw refused(`There is no connector.json in ${root}. Every connector has one beside its code.`)
}

async function readCatalogues(root: string): Promise<Map<string, Catalogue>> {
  const folder = await lstat(path.join(root, 'locales')).catch(() => undefined)
  const names = folder?.isDirectory() ? (await readdir(path.join(root, 'locales'))).sort() : []
  const files = names.filter((name) => name.endsWith('.json'))
  if (files.length > maxLocales) throw refused(`locales holds more than ${maxLocales} languages. Leave some out.`)
  const catalogues = new Map<string, Catalogue>()
  for (const name of files) {
    const tag = name.slice(0, -'.json'.length)
    if (!localeTag.test(tag)) {
      throw refused(`locales/${name}: name the file by a language, such as de.json or de-CH.json.`)
    }
    const content = parseJson((await readBounded(root, `locales/${name}`, maxCatalogueBytes)) ?? '', `locales/${name}`)
    const isFlat =
      typeof content === 'object' &&
      content !== null &&
      !Array.isArray(content) &&
      Object.values(content).every((value) => typeof value === 'string')
    if (!isFlat) throw refused(`locales/${name}: must be one object of keys and texts, such as {"name": "Post"}.`)
    catalogues.set(tag, content as Catalogue)
  }
  return catalogues
}

/** PNG, JPEG or GIF; SVG is no picture but a document that may hold scripts, so it is refused. */
async function readLogo(root: string, file: string): Promise<string> {
  const bytes = await readBounded(root, file, maxLogoBytes)
  if (bytes === undefined) throw refused(`There is no ${file} in ${root}. Correct "logo" in the manifest.`)
  const { width, height, type = '' } = sizeOf(bytes, file)
  const mime = media[type]
  if (mime === undefined) throw refused(`${file} is not a PNG, JPEG or GIF picture. Save it as one of these.`)
  if (width > logoBox || height > logoBox) {
    throw refused(`${file} has ${width} by ${height} pixels. A logo has ${logoBox} by ${logoBox} at most.`)
  }
  return `data:${mime};base64,${bytes.toString('base64')}`
}

function sizeOf(bytes: Buffer, file: string): { width: number; height: number; type?: string } {
  try {
    return imageSize(bytes)
  } catch (cause) {
    throw refused(`${file} is not a PNG, JPEG or GIF picture. Save it as one of these.`, cause)
  }
}

async function readPackageLicense(root: string): Promise<string | null> {
  const bytes = await readBounded(root, 'package.json', maxManifestBytes)
  if (bytes === undefined) return null
  const content = parseJson(bytes, 'package.json') as { license?: unknown } | null
  const license = content?.license
  return typeof license === 'string' && license !== '' && license.length <= 100 ? license : null
}

/** undefined when there is no such file. A link is not followed. */
async function readBounded(root: string, file: string, maxBytes: number): Promise<Buffer | undefined> {
  const name = path.join(root, file)
  const found = await lstat(name).catch(() => undefined)
  if (!found) return undefined
  if (!found.isFile()) throw refused(`${file} in ${root} is not a file. Put a plain file there.`)
  if (found.size > maxBytes) throw refused(`${file} has ${found.size} bytes. It may have ${maxBytes} at most.`)
  try {
    const handle = await open(name, 'r')
    try {
      return await handle.readFile()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw refused(`${file} in ${root} cannot be read: ${(cause as Error).message}`, cause)
  }
}

function parseJson(bytes: Buffer | string, file: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw refused(`${file}: is not JSON: ${(cause as Error).message}.`, cause)
  }
}

function refused(message: string, cause?: unknown): SluiceError {
  return new SluiceError('VALIDATION_FAILED', message, { cause })
}
