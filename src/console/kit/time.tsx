import { useEffect, useState } from 'react'
import { useKitText } from './text.ts'

export interface TimeProps {
  /** As the API gives it. Without one, "never" is shown. */
  readonly at: string | null | undefined
  /** "5 minutes ago" instead of the clock. @default false */
  readonly relative?: boolean
  /** Only the day. @default false */
  readonly day?: boolean
}

/** A moment in the person's own time and language; UTC when pointed at. */
export function Time({ at, relative = false, day = false }: TimeProps) {
  const { t, language } = useKitText()
  const now = useNow(relative)
  if (!at) return <span>{t('never')}</span>
  const moment = new Date(at)
  const text = relative ? relativeTime(moment, now, language) : clockTime(moment, language, day)
  return (
    <time dateTime={moment.toISOString()} title={utcTime(moment, language)} style={{ whiteSpace: 'nowrap' }}>
      {text}
    </time>
  )
}

const formats = new Map<string, Intl.DateTimeFormat>()

function format(key: string, language: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const full = `${key} ${language}`
  const made = formats.get(full) ?? new Intl.DateTimeFormat(language, options)
  formats.set(full, made)
  return made
}

/** Local time, to the second; for today without the day. */
export function clockTime(moment: Date, language: string, day = false): string {
  return format(
    day ? 'day' : 'clock',
    language,
    day ? { dateStyle: 'medium' } : { dateStyle: 'medium', timeStyle: 'medium' },
  ).format(moment)
}

export function utcTime(moment: Date, language: string): string {
  return format('utc', language, { dateStyle: 'full', timeStyle: 'long', timeZone: 'UTC' }).format(moment)
}

const steps: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
]

/** "3 minutes ago", "in 2 hours"; within five seconds "now". */
export function relativeTime(moment: Date, now: number, language: string): string {
  const seconds = Math.round((moment.getTime() - now) / 1000)
  const words = new Intl.RelativeTimeFormat(language, { numeric: 'auto' })
  if (Math.abs(seconds) < 5) return words.format(0, 'second')
  const [unit, size] = steps.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1]
  return words.format(Math.round(seconds / size), unit)
}

/** The time of now, as often as words such as "3 minutes ago" need it. */
function useNow(running: boolean): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!running) return
    const timer = setInterval(() => setNow(Date.now()), 10_000)
    return () => clearInterval(timer)
  }, [running])
  return now
}
