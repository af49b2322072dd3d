/**
 * Texts in two languages. Each page has an `en.json` and a `de.json` beside it, flat: `{ "create.title": "…" }`; they
 * come with the page's own code. Numbers choose a form by suffix: `"rows_one"`, `"rows_other"`, asked for as `rows`.
 */
import i18next, { type i18n } from 'i18next'
import { initReactI18next, useTranslation } from 'react-i18next'

export const languages = { en: 'English', de: 'Deutsch' } as const
export type Language = keyof typeof languages

type Plain<Key> = Key extends `${infer Base}_${'one' | 'other'}` ? Base : Key
/** Names that a page may ask for. */
export type TextKey<Texts> = Plain<keyof Texts & string>

export interface PageText<Texts> {
  /** @param values what stands for `{{name}}` in the text; `count` chooses the form. */
  readonly t: (key: TextKey<Texts>, values?: Readonly<Record<string, string | number>>) => string
  readonly language: Language
}

const storageKey = 'sluice.language'

/** What the person chose before, else the first language of the browser that there is. */
export function preferredLanguage(
  kept: string | null = localStorage.getItem(storageKey),
  wanted: readonly string[] = navigator.languages,
): Language {
  const candidates = [kept ?? '', ...wanted].map((tag) => tag.toLowerCase().split('-')[0] ?? '')
  return (candidates.find((tag) => Object.hasOwn(languages, tag)) as Language | undefined) ?? 'en'
}

export const texts: i18n = i18next.createInstance()
// At once, so that pages can add their texts while they load.
texts.use(initReactI18next).init({
  lng: 'en',
  fallbackLng: 'en',
  initAsync: false,
  keySeparator: false,
  nsSeparator: false,
  // React escapes.
  interpolation: { escapeValue: false },
  resources: {},
  react: { useSuspense: false },
})

/** Called before anything is shown. */
export async function startTexts(language: Language): Promise<void> {
  document.documentElement.lang = language
  await texts.changeLanguage(language)
}

export async function setLanguage(language: Language): Promise<void> {
  localStorage.setItem(storageKey, language)
  await startTexts(language)
}

/**
 * A page's own hook for its texts. Both files must have the same keys: TypeScript and a test see to it.
 *
 * @example
 * import de from './de.json'
 * import en from './en.json'
 * export const useText = pageTexts('flows', { en, de })
 *
 * const { t } = useText()
 * t('rows', { count: 3 })
 */
export function pageTexts<const Texts extends Record<string, string>>(
  page: string,
  resources: { readonly en: Texts; readonly de: { readonly [Key in keyof Texts]: string } },
): () => PageText<Texts> {
  for (const [language, resource] of Object.entries(resources)) texts.addResourceBundle(language, page, resource)
  return () => {
    const { t, i18n } = useTranslation(page)
    return { t: t as unknown as PageText<Texts>['t'], language: i18n.language as Language }
  }
}
