import { pageTexts } from '../../i18n/texts.ts'
import de from './de.json'
import en from './en.json'

/** What the pages of connectors and connections say alike. */
export const usePartsText = pageTexts('connector-parts', { en, de })
