/** Schedules in words. The library comes when a schedule is shown first. */
import { useEffect, useState } from 'react'
import type { Language } from '../../i18n/texts.ts'
import { usePartsText } from './text.ts'

/**
 * @returns the expression as a sentence, such as "At 06:15, Monday through Friday"; null for none, and for what is no
 *   cron expression.
 */
export function useScheduleSentence(expression: string | null | undefined): string | null {
  const { language } = usePartsText()
  const wanted = expression?.trim() ?? ''
  const [found, setFound] = useState<{ of: string; sentence: string | null }>()
  const of = `${language} ${wanted}`
  useEffect(() => {
    if (!wanted) return
    let live = true
    void sentenceOf(wanted, language).then((sentence) => live && setFound({ of, sentence }))
    return () => {
      live = false
    }
  }, [of])
  return wanted && found?.of === of ? found.sentence : null
}

async function sentenceOf(expression: string, language: Language): Promise<string | null> {
  const { default: cronstrue } = await import('cronstrue')
  if (language === 'de') await import('cronstrue/locales/de')
  try {
    return cronstrue.toString(expression, {
      locale: language,
      use24HourTimeFormat: true,
      verbose: false,
      throwExceptionOnParseError: true,
    })
  } catch {
    return null
  }
}

/** All that the browser knows, UTC first. */
export function timeZones(): readonly string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')]
}

export function ownTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
}

/** How an expression must look before it is sent; the API reads it in full. */
export function looksLikeCron(expression: string): boolean {
  return /^@(hourly|daily|weekly|monthly|yearly)$/.test(expression) || expression.split(/\s+/).length === 5
}
