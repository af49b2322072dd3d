/** Texts of the kit. */
import { pageTexts } from '../i18n/texts.ts'
import de from './de.json'
import en from './en.json'

export const useKitText = pageTexts('kit', { en, de })
