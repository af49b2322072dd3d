/** Times of schema.org's markup as what the clock at the place shows: travel data has no zones. */

export interface LocalTime {
  /** `2027-03-04` */
  readonly day: string
  /** `2027-03-04T20:15:00`; undefined where only the day was given. */
  readonly time?: string
  /** As it was given and is left out: `-08:00`, `Z`. */
  readonly zone?: string
}

const form =
  /^(\d{4})-?(\d{2})-?(\d{2})(?:[T ]\s*(\d{2}):?(\d{2})(?::?(\d{2})(?:[.,]\d{1,9})?)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?(?:\[[\w/+-]{1,50}\])?)?$/i

/**
 * The wall-clock part of an ISO 8601 time. With an offset it is the time at the place that the offset belongs to, which
 * is what senders mean; `Z` behind a local time is a frequent mistake of theirs, so that is no moment in UTC either.
 *
 * @returns undefined for what is no time.
 * @example localTimeOf('2027-03-04T20:15:00-08:00') // { day: '2027-03-04', time: '2027-03-04T20:15:00', zone: '-08:00' }
 */
export function localTimeOf(text: string): LocalTime | undefined {
  const [, year, month, date, hour, minute, second = '00', zone] = form.exec(text.trim()) ?? []
  if (year === undefined) return undefined
  const day = `${year}-${month}-${date}`
  if (!isThere(`${day}T${hour ?? '00'}:${minute ?? '00'}:${second}`)) return undefined
  if (hour === undefined) return { day }
  return { day, time: `${day}T${hour}:${minute}:${second}`, ...(zone === undefined ? {} : { zone }) }
}

/** The moment that a time with an offset names, in UTC; undefined for any other. */
export function momentOf(text: string | undefined): string | undefined {
  if (text === undefined || !/T.*(?:Z|[+-]\d{2}:?\d{2})$/i.test(text)) return undefined
  const milliseconds = Date.parse(text)
  const iso = Number.isNaN(milliseconds) ? '' : new Date(milliseconds).toISOString()
  // Years of five digits are written with a sign.
  return /^\d{4}-/.test(iso) ? iso : undefined
}

/** 30 February and 24:00 are none. */
function isThere(time: string): boolean {
  const milliseconds = Date.parse(`${time}Z`)
  return !Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().startsWith(time)
}
