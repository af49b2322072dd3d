/** Gives connectors that convert the settings that each of them has (`minimal-settings.ts`). */
import type { ConnectorKind, Manifest, SettingItem } from './manifest.ts'
import { minimalConverterSettings } from './minimal-settings.ts'

const convertingKinds: readonly ConnectorKind[] = ['producer', 'two-phase-producer', 'webhook']

/** Adds those that are missing, behind the connector's own. */
export function withMinimalSettings(manifest: Manifest): Manifest {
  if (!convertingKinds.some((kind) => manifest.kinds.includes(kind))) return manifest
  const own = new Set(manifest.settings.map(({ key }) => key))
  const missing = minimalConverterSettings.filter(({ key }) => !own.has(key))
  if (missing.length === 0) return manifest
  return {
    ...manifest,
    settings: [...manifest.settings, ...missing.map((item): SettingItem => ({ ...item, mandatory: false }))],
  }
}
