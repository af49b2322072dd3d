/** A connector's folder as its author has it on disk: bundled as for an installation, and loaded once. */
import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { SluiceError } from '../../errors.ts'
import { bundleConnector } from '../bundle.ts'
import { withMinimalSettings } from '../converter-settings.ts'
import { type Manifest, withSettings } from '../manifest.ts'
import type { SandboxPool } from '../sandbox/pool.ts'

export interface VendorPackage {
  /** Absolute, without symbolic links. */
  readonly root: string
  /** With the settings that the code declares, where the manifest has none. */
  readonly manifest: Manifest
  /** File of the code, relative to `root`. */
  readonly entry: string
  readonly bundle: string
  readonly sha256: string
  /** Names of the functions that the code exports. */
  readonly functions: readonly string[]
}

/** @throws SluiceError VALIDATION_FAILED that says which file is wrong, and how to mend it. */
export async function openPackage(folder: string, sandboxes: SandboxPool): Promise<VendorPackage> {
  const { manifest, bundle, sha256 } = await bundleConnector(folder)
  const found = await sandboxes.inspect({ key: sha256, bundle, timeoutMs: 15_000 })
  if (!found.ok) throw new SluiceError('VALIDATION_FAILED', found.message)
  const { functions, settings } = found
  const whole = withMinimalSettings(withSettings(manifest, settings))
  const root = await realpath(folder)
  return {
    root,
    entry: manifest.entry ?? (existsSync(path.join(root, 'index.ts')) ? 'index.ts' : 'index.js'),
    manifest: whole,
    bundle,
    sha256,
    functions,
  }
}
