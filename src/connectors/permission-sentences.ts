/** A manifest's permissions in words, for whoever installs and connects; and what a new version adds to them. Pure. */
import { hostIn } from './hosts.ts'
import type { CapabilityName, Manifest, Permission, SettingItem } from './manifest.ts'

const capabilities: Readonly<Record<CapabilityName, string>> = {
  mail: 'Sends mail',
  files: "Reads the session's files",
  store: 'Keeps files of its own',
  mailbox: 'Reads and files mail in mailboxes that it has the password of',
  sftp: 'Reads and writes files over SFTP',
}

/** @returns one sentence a permission, such as `Calls api.example.org`, or `Calls the host that the setting "Address" names`. */
export function permissionSentences(manifest: Pick<Manifest, 'permissions' | 'settings'>): readonly string[] {
  return manifest.permissions.map((permission) => sentenceOf(permission, manifest))
}

function sentenceOf(permission: Permission, manifest: Pick<Manifest, 'settings'>): string {
  if (typeof permission === 'string') return capabilities[permission]
  if ('socket' in permission) return `Calls ${permission.socket}`
  const label = manifest.settings.find(({ key }) => key === permission.setting)?.label ?? permission.setting
  const host = defaultHost(permission.setting, manifest)
  return `Calls the host that the setting "${label}" names${host === undefined ? '' : `, by default ${host}`}`
}

/** By what may be done, whatever the words. A default is a host that the manifest chooses. */
function sentencesByGrant(manifest: Manifest): ReadonlyMap<string, string> {
  return new Map(
    manifest.permissions.map((permission) => {
      const host =
        typeof permission === 'object' && 'setting' in permission
          ? defaultHost(permission.setting, manifest)
          : undefined
      return [JSON.stringify([permission, host ?? null]), sentenceOf(permission, manifest)]
    }),
  )
}

function defaultHost(key: string, { settings }: Pick<Manifest, 'settings'>): string | undefined {
  const found = hostIn(settings.find((item) => item.key === key)?.default)
  return 'host' in found ? found.host : undefined
}

/** What changes for a connection when another version takes its place. */
export interface UpgradeDifference {
  readonly permissions_added: readonly string[]
  readonly permissions_removed: readonly string[]
  readonly kinds_added: readonly string[]
  readonly kinds_removed: readonly string[]
  readonly settings_added: readonly string[]
  readonly settings_removed: readonly string[]
  /** Same key, other type, options, default or obligation. */
  readonly settings_changed: readonly string[]
  /** New obligations without a default: they need values before the upgrade. */
  readonly settings_missing: readonly string[]
  /** It may do more than before, so an admin must agree. */
  readonly widens: boolean
}

/**
 * @param given keys of settings that have values, secret ones included.
 * @example
 * differenceOf(oldManifest, newManifest, ['recipient']).widens // true when a host is new
 */
export function differenceOf(from: Manifest, to: Manifest, given: readonly string[]): UpgradeDifference {
  const [before, after] = [sentencesByGrant(from), sentencesByGrant(to)]
  const permissions_added = [...after].flatMap(([grant, sentence]) => (before.has(grant) ? [] : [sentence]))
  const kinds_added = without(to.kinds, from.kinds)
  const [old, young] = [byKey(from), byKey(to)]
  return {
    permissions_added,
    permissions_removed: [...before].flatMap(([grant, sentence]) => (after.has(grant) ? [] : [sentence])),
    kinds_added,
    kinds_removed: without(from.kinds, to.kinds),
    settings_added: without([...young.keys()], [...old.keys()]),
    settings_removed: without([...old.keys()], [...young.keys()]),
    settings_changed: [...young].flatMap(([key, item]) => {
      const was = old.get(key)
      return was && contract(was) !== contract(item) ? [key] : []
    }),
    settings_missing: [...young.values()]
      .filter(
        ({ key, type, mandatory, default: value }) =>
          mandatory && type !== 'INTERNAL' && value === undefined && !given.includes(key),
      )
      .map(({ key }) => key),
    widens: permissions_added.length > 0 || kinds_added.length > 0,
  }
}

function without(values: readonly string[], others: readonly string[]): readonly string[] {
  return values.filter((value) => !others.includes(value))
}

function byKey({ settings }: Manifest): ReadonlyMap<string, SettingItem> {
  return new Map(settings.map((item) => [item.key, item]))
}

/** What a value must keep to; labels and help may change freely. */
function contract({ type, mandatory, default: value, options }: SettingItem): string {
  return JSON.stringify([type, mandatory, value ?? null, options?.map((option) => option.value) ?? null])
}
