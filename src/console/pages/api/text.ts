import { pageTexts } from '../../i18n/texts.ts'
import de from './de.json'
import en from './en.json'

export const useText = pageTexts('api', { en, de })
