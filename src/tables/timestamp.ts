/** Points in time as text, read as PostgreSQL reads them: to the microsecond, without a zone as UTC. */

const form =
  /^(\d{4,6})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?\s?(Z|[+-]\d{2}(?::?\d{2}){0,2})?)?( BC)?$/i

/**
 * Whether a caller may send it: an ISO 8601 date, or date and time with or without a zone, of the years 0001-9999.
 * PostgreSQL's other spellings (`infinity`, `yesterday`, `Jan 1`) are refused, because they mean different things
 * at different times or settings.
 */
export function isTimestamp(text: string): boolean {
  const match = form.exec(text)
  if (!match || match[9]) return false
  const [, year, month, day, hour, minute, second, , zone] = match
  if (year?.length !== 4 || year === '0000' || zone?.replaceAll(':', '').length === 7) return false
  if (Number(hour ?? 0) > 23 || Number(minute ?? 0) > 59 || Number(second ?? 0) > 59) return false
  const offset = zone && zone.length > 1 ? zone.slice(1).replace(':', '') : '00'
  if (Number(offset.slice(0, 2)) > 15 || Number(offset.slice(2) || 0) > 59) return false
  const date = new Date(Date.UTC(2000, 0, 1))
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
}

/** Beyond every time that PostgreSQL can hold (year 294276). */
const forever = 10n ** 19n

/**
 * Microseconds since 1970, of a `Date`, of what a caller may send, or of what PostgreSQL writes in JSON.
 *
 * @throws Error for any other text
 */
export function microseconds(value: unknown): bigint {
  if (value instanceof Date) return BigInt(value.getTime()) * 1_000n
  const text = String(value).trim()
  if (text === 'infinity') return forever
  if (text === '-infinity') return -forever
  const match = form.exec(text)
  if (!match) throw new Error(`"${text}" is not a time`)
  const [, year, month, day, hour, minute, second, fraction, zone, before] = match
  const date = new Date(Date.UTC(2000, 0, 1, Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0)))
  date.setUTCFullYear(before ? 1 - Number(year) : Number(year), Number(month) - 1, Number(day))
  const micros = fraction ? roundHalfEven(Number(`0${fraction}`) * 1_000_000) : 0
  return BigInt(date.getTime()) * 1_000n + BigInt(micros) - BigInt(offsetSeconds(zone)) * 1_000_000n
}

function offsetSeconds(zone: string | undefined): number {
  if (!zone || zone.length === 1) return 0
  const digits = zone.slice(1).replaceAll(':', '')
  const seconds = Number(digits.slice(0, 2)) * 3_600 + Number(digits.slice(2, 4)) * 60 + Number(digits.slice(4, 6))
  return zone.startsWith('-') ? -seconds : seconds
}

/** C's `rint`, with which PostgreSQL rounds fractions of a second. */
function roundHalfEven(number: number): number {
  const below = Math.floor(number)
  const rest = number - below
  if (rest !== 0.5) return Math.round(number)
  return below % 2 === 0 ? below : below + 1
}
