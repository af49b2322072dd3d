/**
 * Texts of a connector in several languages. A text of the manifest that is
 * written `%key%` is looked up in `locales/<tag>.json`, a flat object of keys
 * and texts, as VS Code's extensions do it. Further keys may be there for the
 * `labelKey` of what the connector shows to users. Pure.
 */
import { localeTag, type Manifest } from './manifest.ts'

/** A flat catalogue, by key. */
export type Catalogue = Readonly<Record<string, string>>

/** What a person sees of a setting. */
export interface SettingTexts {
  readonly label?: string
  readonly description?: string
  readonly group?: string
  /** Labels by value. */
  readonly options?: Readonly<Record<string, string>>
}

/** The manifest's texts in one language, and the whole catalogue. */
export interface LocaleTexts {
  readonly name?: string
  readonly description?: string
  readonly settings: Readonly<Record<string, SettingTexts>>
  readonly texts: Catalogue
}

export const defaultLocale = 'en'

export interface Localised {
  /** The manifest with the texts of its default language in place of `%key%`. */
  readonly manifest: unknown
  /** By language tag; every catalogue is there, that of the default language too. */
  readonly locales: Readonly<Record<string, LocaleTexts>>
  /** What is missing, each with the file to add it to. */
  readonly faults: readonly string[]
}

/**
 * Puts texts in place of `%key%`.
 *
 * @param manifest the parsed JSON of the manifest's file, not yet checked.
 * @param catalogues by language tag.
 * @example
 * localise({ name: '%name%' }, new Map([['en', { name: 'Mail' }], ['de', { name: 'Post' }]])).locales.de?.name // 'Post'
 */
export function localise(manifest: unknown, catalogues: ReadonlyMap<string, Catalogue>): Localised {
  const faults: string[] = []
  if (!isRecord(manifest)) return { manifest, locales: {}, faults }
  const own = typeof manifest.defaultLocale === 'string' ? manifest.defaultLocale : defaultLocale
  const wanted = new Set(placeholders(manifest))
  if (wanted.size > 0 && !catalogues.has(own)) {
    return { manifest, locales: {}, faults: [`Texts are written as %key%, but there is no locales/${own}.json.`] }
  }
  for (const [tag, catalogue] of catalogues) {
    for (const key of wanted) {
      if (!Object.hasOwn(catalogue, key)) faults.push(`locales/${tag}.json has no "${key}". Add it.`)
    }
  }
  return {
    manifest: filled(manifest, catalogues.get(own) ?? {}),
    locales: Object.fromEntries([...catalogues].map(([tag, texts]) => [tag, textsOf(filled(manifest, texts), texts)])),
    faults,
  }
}

/**
 * The catalogue for a reader: `de-CH`, else `de`, else the connector's default.
 *
 * @param locale a BCP 47 tag in whatever case; anything else counts as unknown.
 */
export function textsFor(
  locales: Readonly<Record<string, LocaleTexts>>,
  locale: string,
  own: Manifest['defaultLocale'] = defaultLocale,
): LocaleTexts | undefined {
  const wanted = canonical(locale)
  const [language = ''] = wanted.split('-')
  const tag = [wanted, language, own].find((each) => Object.hasOwn(locales, each))
  return tag === undefined ? undefined : locales[tag]
}

/** `DE-ch` as `de-CH`; what is no tag as ''. */
export function canonical(locale: string): string {
  const [language = '', region] = locale.replace('_', '-').split('-')
  const tag = region ? `${language.toLowerCase()}-${region.toUpperCase()}` : language.toLowerCase()
  return localeTag.test(tag) ? tag : ''
}

/** A label for a key: of a setting, of a catalogue, or undefined. */
export function labelIn(
  { settings }: Pick<Manifest, 'settings'>,
  texts: LocaleTexts | undefined,
  key: string,
): string | undefined {
  const own = texts && Object.hasOwn(texts.settings, key) ? texts.settings[key]?.label : undefined
  const general = texts && Object.hasOwn(texts.texts, key) ? texts.texts[key] : undefined
  return own ?? general ?? settings.find((item) => item.key === key)?.label
}

const placeholder = /^%([A-Za-z0-9_.-]{1,200})%$/

/** The keys of all texts that are written `%key%`. */
function placeholders(value: unknown): string[] {
  if (typeof value === 'string') return placeholder.exec(value)?.slice(1) ?? []
  if (Array.isArray(value)) return value.flatMap(placeholders)
  return isRecord(value) ? Object.values(value).flatMap(placeholders) : []
}

function filled(value: unknown, texts: Catalogue): unknown {
  if (typeof value === 'string') {
    const key = placeholder.exec(value)?.[1]
    return key !== undefined && Object.hasOwn(texts, key) ? texts[key] : value
  }
  if (Array.isArray(value)) return value.map((each) => filled(each, texts))
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, filled(each, texts)]))
}

function textsOf(manifest: unknown, texts: Catalogue): LocaleTexts {
  const { name, Name, description, Description, settings } = manifest as Record<string, unknown>
  const items = Array.isArray(settings) ? settings.filter(isRecord) : []
  const title = text(name ?? Name)
  const about = text(description ?? Description)
  return {
    ...(title === undefined ? {} : { name: title }),
    ...(about === undefined ? {} : { description: about }),
    settings: Object.fromEntries(items.map((item) => [String(item.key), settingTexts(item)])),
    texts,
  }
}

function settingTexts({ label, description, group, options }: Record<string, unknown>): SettingTexts {
  const labelled = Array.isArray(options) ? options.filter(isRecord) : []
  return {
    ...(text(label) === undefined ? {} : { label: text(label) as string }),
    ...(text(description) === undefined ? {} : { description: text(description) as string }),
    ...(text(group) === undefined ? {} : { group: text(group) as string }),
    ...(labelled.length === 0
      ? {}
      : { options: Object.fromEntries(labelled.map((option) => [String(option.value), String(option.label)])) }),
  }
}

const text = (value: unknown) => (typeof value === 'string' ? value : undefined)

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
