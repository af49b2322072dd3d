/** A connection's settings against its connector's manifest. Pure. */
import { SluiceError } from '../errors.ts'
import { hostIn, settingsThatNameHosts } from './hosts.ts'
import { type Manifest, misfit, type SettingItem } from './manifest.ts'

export type SettingValue = string | number | boolean

export interface SplitSettings {
  /** Kept in the open. */
  readonly settings: Readonly<Record<string, SettingValue>>
  /** PASSWORD settings, to be sealed. */
  readonly secrets: Readonly<Record<string, string>>
}

/**
 * Checks every value and parts the open ones from the secret ones. Defaults are
 * not filled in here but when a run begins (`completeSettings`).
 *
 * @throws SluiceError VALIDATION_FAILED with one line a fault; each names the setting's label and key. `details.fields`
 *   has them by key, for a form to show at its fields.
 */
export function checkSettings(manifest: Manifest, given: unknown): SplitSettings {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new SluiceError('VALIDATION_FAILED', 'settings: must be an object of keys and values.', { path: 'settings' })
  }
  const values = new Map(Object.entries(given).filter(([, value]) => value !== null && value !== undefined))
  const shown = manifest.settings.filter((item) => item.type !== 'INTERNAL')
  const faults = [...values.keys()].flatMap((key) => unknownKey(manifest, key))
  const fields: Record<string, string> = {}
  const blame = ({ key }: SettingItem, fault: string) => {
    faults.push(fault)
    fields[key] = fault
  }
  const namesHost = new Set(settingsThatNameHosts(manifest))
  for (const item of shown) {
    const value = values.get(item.key)
    const isEmpty = value === undefined || value === ''
    if (isEmpty && item.mandatory && item.default === undefined)
      blame(item, `${named(item)} is mandatory. Give it a value.`)
    const wrong = isEmpty ? undefined : (misfit(item, value) ?? (namesHost.has(item) ? noHost(value) : undefined))
    if (wrong) blame(item, `${named(item)} ${wrong}.`)
  }
  if (faults.length > 0) {
    throw new SluiceError('VALIDATION_FAILED', faults.join('\n'), { path: 'settings', details: { faults, fields } })
  }
  const pick = (isSecret: boolean) =>
    Object.fromEntries(
      shown
        .filter((item) => (item.type === 'PASSWORD') === isSecret && values.has(item.key))
        .map(({ key }) => [key, values.get(key)]),
    )
  return {
    settings: pick(false) as Record<string, SettingValue>,
    secrets: pick(true) as Record<string, string>,
  }
}

/** What a run is given: open and secret values, and the defaults of what has none. */
export function completeSettings(
  { settings: items }: Manifest,
  settings: Readonly<Record<string, unknown>>,
  secrets: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const given: Record<string, unknown> = { ...settings, ...secrets }
  return Object.fromEntries(
    items
      .filter(({ type }) => type !== 'INTERNAL')
      .map((item) => [item.key, given[item.key] ?? item.default])
      .filter(([, value]) => value !== undefined),
  )
}

/** Every INTERNAL setting with its kept value, its default, or null. */
export function completeState(
  { settings: items }: Manifest,
  state: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    items.filter(({ type }) => type === 'INTERNAL').map((item) => [item.key, state[item.key] ?? item.default ?? null]),
  )
}

export interface StateChange {
  /** New values of the keys that a run changed. */
  readonly after: Readonly<Record<string, unknown>>
  /** What these keys held in the database when it began; null for a key without a value. */
  readonly before: Readonly<Record<string, unknown>>
}

/** Which of the declared keys a run changed; undefined if none. Keys that are not declared are left out. */
export function changedState(
  kept: Readonly<Record<string, unknown>>,
  began: Readonly<Record<string, unknown>>,
  ended: Readonly<Record<string, unknown>>,
): StateChange | undefined {
  const keys = Object.keys(began).filter((key) => JSON.stringify(began[key]) !== JSON.stringify(ended[key] ?? null))
  if (keys.length === 0) return undefined
  return {
    after: Object.fromEntries(keys.map((key) => [key, ended[key] ?? null])),
    before: Object.fromEntries(keys.map((key) => [key, kept[key] ?? null])),
  }
}

function unknownKey({ settings, name }: Manifest, key: string): string[] {
  const item = settings.find((each) => each.key === key)
  if (item?.type === 'INTERNAL') return [`"${key}" is kept by ${name} itself and cannot be set.`]
  if (item) return []
  const known = settings.filter(({ type }) => type !== 'INTERNAL').map((each) => each.key)
  return [`"${key}" is not a setting of ${name}. It has ${known.length ? known.join(', ') : 'none'}.`]
}

function noHost(value: unknown): string | undefined {
  const found = hostIn(value)
  return 'fault' in found ? found.fault : undefined
}

/** How messages call a setting: `"Address" (url)`. */
export function named({ key, label }: SettingItem): string {
  return label === key ? `"${key}"` : `"${label}" (${key})`
}
