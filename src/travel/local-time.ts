/** What is said of a local time that is none. Without Zod: the thread that validates schemas says it too. */

/** Of every local time in the published JSON Schemas, by which they are known there. */
export const localDateTimeDescription =
  'Date and time as the clock at the place shows it, without a zone: 2019-04-20T04:56:00.'

const zone = /(?:[zZ]|[+-]\d{2}(?::?\d{2})?|\[[^\]]+\])$/

/** Follows the place: `must carry no time zone: …`. */
export function localDateTimeAdvice(text: string): string {
  const shown = JSON.stringify(text.slice(0, 40))
  const found = text.includes('T') ? zone.exec(text)?.[0] : undefined
  return found === undefined
    ? `must be a date and a time local to the place, like 2019-04-20T04:56:00, and is ${shown}`
    : `must carry no time zone: ${shown} ends in ${JSON.stringify(found)}. Write the time that the clock at the place of departure or arrival shows, like 2019-04-20T04:56:00`
}
