/** The values of a form that was made from a manifest's settings. Pure. */
import type { SettingItem, SettingValue } from './manifest.ts'

/** By place: keys of settings may hold dots, which forms take for paths. */
export type SettingsValues = Record<string, SettingValue>
/** Keys of secrets whose value is to be taken away. */
export type Cleared = ReadonlySet<string>

/** Of a connection that is there. */
export interface Given {
  readonly settings: Readonly<Record<string, SettingValue>>
  /** Keys of secrets that have a value. */
  readonly secrets: readonly string[]
}

export const nothingGiven: Given = { settings: {}, secrets: [] }

export const fieldName = (index: number) => `s${index}`

/** What the form begins with: the value, else the default. Secrets begin empty: nobody is shown one. */
export function initialSettings(items: readonly SettingItem[], given: Given): SettingsValues {
  return Object.fromEntries(
    items.map((item, index) => {
      const value = item.type === 'PASSWORD' ? undefined : (given.settings[item.key] ?? item.default)
      return [fieldName(index), value ?? (item.type === 'BOOLEAN' ? false : '')]
    }),
  )
}

/** By key, with what is empty left out; for what depends on them, such as hosts. */
export function byKey(items: readonly SettingItem[], values: SettingsValues): Readonly<Record<string, SettingValue>> {
  return Object.fromEntries(
    items.flatMap((item, index) => {
      const value = sent(item, values[fieldName(index)])
      return value === undefined ? [] : [[item.key, value] as const]
    }),
  )
}

/**
 * What to send: only what differs from what is there, or from the default. Null takes a value away.
 *
 * @param cleared secrets to be taken away.
 */
export function changedSettings(
  items: readonly SettingItem[],
  values: SettingsValues,
  given: Given,
  cleared: Cleared = new Set(),
): Readonly<Record<string, SettingValue | null>> {
  const changes = items.flatMap((item, index): [string, SettingValue | null][] => {
    const value = sent(item, values[fieldName(index)])
    if (item.type === 'PASSWORD') {
      if (value !== undefined) return [[item.key, value]]
      return cleared.has(item.key) ? [[item.key, null]] : []
    }
    const before = given.settings[item.key]
    if (value === undefined) {
      if (before === '') return []
      // Whoever empties a text that has a default wants it empty.
      if (item.default !== undefined && (item.type === 'STRING' || item.type === 'LONG_STRING')) return [[item.key, '']]
      return before === undefined ? [] : [[item.key, null]]
    }
    return value === (before ?? item.default) ? [] : [[item.key, value]]
  })
  return Object.fromEntries(changes)
}

/** What is wrong with one value before it is sent; the API has the same rules. */
export type Misfit = 'mandatory' | 'integer' | 'date' | 'oneLine' | 'tooLong'

export function misfitOf(item: SettingItem, raw: SettingValue | undefined, hasSecret: boolean): Misfit | undefined {
  const value = sent(item, raw)
  if (value === undefined) {
    const isCovered = item.type === 'PASSWORD' ? hasSecret : item.default !== undefined
    return item.mandatory && !isCovered ? 'mandatory' : undefined
  }
  if (item.type === 'INT' && !Number.isSafeInteger(value)) return 'integer'
  if (item.type === 'DATE' && !/^\d{4}-\d{2}-\d{2}$/.test(String(value))) return 'date'
  if (item.type === 'STRING' && /[\r\n]/.test(String(value))) return 'oneLine'
  if (item.type === 'STRING' && String(value).length > 2000) return 'tooLong'
  if (String(value).length > 65_536) return 'tooLong'
  return undefined
}

/** The value as the API takes it; undefined for none. */
function sent({ type }: SettingItem, value: SettingValue | undefined): SettingValue | undefined {
  if (type === 'BOOLEAN') return value === true
  if (value === undefined || value === '' || value === null) return undefined
  return type === 'INT' ? Number(value) : String(value)
}
