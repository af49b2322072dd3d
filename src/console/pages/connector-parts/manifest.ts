/** What the pages of connectors and connections read of a manifest, in the person's language. Pure. */
import type { Language } from '../../i18n/texts.ts'

export type SettingType = 'STRING' | 'LONG_STRING' | 'PASSWORD' | 'DATE' | 'INT' | 'BOOLEAN' | 'INTERNAL'
export type SettingValue = string | number | boolean

export interface SettingItem {
  readonly key: string
  readonly type: SettingType
  readonly mandatory: boolean
  readonly default?: SettingValue
  readonly options?: readonly { readonly value: string; readonly label: string }[]
  readonly group?: string
  readonly label: string
  readonly description?: string
}

export type Permission = string | { readonly socket: string } | { readonly setting: string }
export type ConnectorKind = 'consumer' | 'producer' | 'two-phase-producer' | 'modifier' | 'webhook'
export type ConnectorStatus = 'submitted' | 'approved' | 'rejected' | 'withdrawn'

export interface Manifest {
  readonly url?: string
  readonly privacyPolicyUrl: string
  readonly bookingSource?: string
  readonly customerSystem?: string
  readonly permissions: readonly Permission[]
  readonly settings: readonly SettingItem[]
  readonly accepts?: { readonly kinds?: readonly string[]; readonly schemas?: readonly string[] }
  readonly inbound?: { readonly authentication?: string; readonly reply?: string }
}

/** The connector's own texts in one language: of `connectors.locales`. */
export interface LocaleTexts {
  readonly name?: string
  readonly description?: string
  readonly settings?: Readonly<
    Record<
      string,
      {
        readonly label?: string
        readonly description?: string
        readonly group?: string
        readonly options?: Readonly<Record<string, string>>
      }
    >
  >
}

/** A version of a connector, as `connectorFields` asks for it. */
export interface ConnectorRow {
  readonly id: string
  readonly implementation: string
  readonly version: string
  readonly name: string
  readonly author: string
  readonly description: string
  readonly kinds: readonly ConnectorKind[]
  readonly status: ConnectorStatus
  readonly license: string | null
  readonly logo: string | null
  readonly functions: readonly string[]
  readonly manifest: Manifest
  readonly en: LocaleTexts | null
  readonly de: LocaleTexts | null
}

export const connectorFields = `
  id implementation version name author description kinds status license logo functions manifest
  en: locales(path: "$.en") de: locales(path: "$.de")
`

/** Name and description as the connector says them in this language, else in its own. */
export function titleOf(connector: ConnectorRow, language: Language): { readonly name: string; readonly text: string } {
  const texts = connector[language]
  return { name: texts?.name ?? connector.name, text: texts?.description ?? connector.description }
}

/** Settings that are there on every connector that takes data over: all are off until somebody wants them. */
export const privacyKeys: readonly string[] = [
  'include_travel_preferences',
  'include_passport_data',
  'include_non_travel_data',
]

/**
 * The settings that people may see, with their texts in this language. INTERNAL ones are the connector's own.
 *
 * @param labels what the connector itself calls them, where it has been asked.
 */
export function settingsOf(
  connector: Pick<ConnectorRow, 'manifest' | Language>,
  language: Language,
  labels: Readonly<Record<string, string>> = {},
): readonly SettingItem[] {
  const texts = connector[language]?.settings ?? {}
  return connector.manifest.settings
    .filter(({ type }) => type !== 'INTERNAL')
    .map((item) => {
      const own = texts[item.key]
      const description = own?.description ?? item.description
      const group = own?.group ?? item.group
      return {
        ...item,
        label: labels[item.key] ?? own?.label ?? item.label,
        ...(description ? { description } : {}),
        ...(group ? { group } : {}),
        ...(item.options
          ? { options: item.options.map(({ value, label }) => ({ value, label: own?.options?.[value] ?? label })) }
          : {}),
      }
    })
}

export interface SettingGroup {
  /** Undefined for those without a heading. */
  readonly heading: string | undefined
  readonly items: readonly SettingItem[]
}

/** In the manifest's order, under their headings; the choices about privacy stand apart. */
export function groupsOf(items: readonly SettingItem[]): {
  readonly groups: readonly SettingGroup[]
  readonly privacy: readonly SettingItem[]
} {
  const groups = new Map<string | undefined, SettingItem[]>()
  for (const item of items) {
    if (privacyKeys.includes(item.key)) continue
    groups.set(item.group, [...(groups.get(item.group) ?? []), item])
  }
  return {
    groups: [...groups].map(([heading, items]) => ({ heading, items })),
    privacy: items.filter(({ key }) => privacyKeys.includes(key)),
  }
}

/**
 * Hosts that runs may call with these settings: those of the manifest, and those that values name. The API says the last
 * word (`connections.hosts`); this is for before anything is saved.
 */
export function hostsWith(manifest: Manifest, values: Readonly<Record<string, unknown>>): readonly string[] {
  const hosts = manifest.permissions.flatMap((permission) => {
    if (typeof permission === 'string') return []
    if ('socket' in permission) return [permission.socket]
    const item = manifest.settings.find(({ key }) => key === permission.setting)
    return hostIn(values[permission.setting] ?? item?.default)
  })
  return [...new Set(hosts)]
}

function hostIn(value: unknown): string[] {
  if (typeof value !== 'string' || value.trim() === '') return []
  const url = URL.parse(value.includes('://') ? value.trim() : `https://${value.trim()}`)
  return url?.hostname.includes('.') || url?.port ? [url.host] : []
}

/** Kinds that make sessions, run by the clock, take payloads, or hear events. */
export const makesSessions = (kinds: readonly string[]) => has(kinds, 'producer', 'two-phase-producer', 'webhook')
export const runsByClock = (kinds: readonly string[]) => has(kinds, 'producer', 'two-phase-producer', 'modifier')
export const takesPayloads = (kinds: readonly string[]) => has(kinds, 'producer', 'two-phase-producer', 'webhook')
export const hearsEvents = (kinds: readonly string[]) => has(kinds, 'consumer', 'modifier')
/** The platform's connections have no flow to make sessions of. */
export const servesAll = (kinds: readonly string[]) => has(kinds, 'consumer', 'modifier')
export const fetches = (kinds: readonly string[]) => has(kinds, 'producer', 'two-phase-producer')

function has(kinds: readonly string[], ...wanted: readonly ConnectorKind[]): boolean {
  return wanted.some((kind) => kinds.includes(kind))
}

/** Newer versions first, by the rules of numbers: 1.10.0 before 1.9.0, and a release before its own pre-releases. */
export function newerFirst(a: string, b: string): number {
  const [[coreA = '', preA], [coreB = '', preB]] = [split(a), split(b)]
  const byCore = coreB.localeCompare(coreA, 'en', { numeric: true })
  if (byCore !== 0) return byCore
  if (preA === undefined || preB === undefined) return preA === preB ? 0 : preA === undefined ? -1 : 1
  return preB.localeCompare(preA, 'en', { numeric: true })
}

function split(version: string): [string?, string?] {
  const [plain = ''] = version.split('+')
  const at = plain.indexOf('-')
  return at < 0 ? [plain] : [plain.slice(0, at), plain.slice(at + 1)]
}
