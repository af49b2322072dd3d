/**
 * The scalar forms of travel data. Three kinds of time must not be mixed: moments of servers are UTC, days are plain
 * dates, and times of departure and arrival are local to the place and carry no zone (guide: "Date/time handling").
 *
 * The patterns use no look-around, so that the published JSON Schemas run on linear-time engines, and they know the
 * calendar: 30 February is refused by the schema and by the parser alike.
 */
import { z } from 'zod'
import { localDateTimeAdvice, localDateTimeDescription } from './local-time.ts'

/** Zod's own, without its anchors: leap years and lengths of months. */
const day = z.core.regexes.date.source.replace(/^\^|\$$/g, '')
const time = '(?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d(?:\\.\\d{1,9})?)?'

const dateForm = new RegExp(`^${day}$`)
const localDateTimeForm = new RegExp(`^${day}T${time}$`)
const utcForm = new RegExp(`^${day}T${time}Z$`)

/** Whether `text` is a calendar date, `2019-04-19`. */
export const isDate = (text: string): boolean => dateForm.test(text)

/** `2019-04-20T04:56:00`: what the clock at the place of departure or arrival shows. */
export const localDateTime = z
  .string()
  .regex(localDateTimeForm, { error: ({ input }) => localDateTimeAdvice(String(input)) })
  .meta({ description: localDateTimeDescription })

/** `2019-04-15T13:09:00.710Z`: a moment on a server. */
export const utcDateTime = z
  .string()
  .regex(utcForm, {
    error: ({ input }) =>
      `must be a moment in UTC that ends in Z, like 2019-04-15T13:09:00.710Z, and is ${JSON.stringify(String(input).slice(0, 40))}`,
  })
  .meta({ description: 'A moment on a server, in UTC: 2019-04-15T13:09:00.710Z.' })

/** `2019-04-19` */
export const date = z
  .string()
  .regex(dateForm, {
    error: ({ input }) =>
      `must be a date without a time, like 2019-04-19, and is ${JSON.stringify(String(input).slice(0, 40))}`,
  })
  .meta({ description: 'A calendar date: 2019-04-19.' })

export const uuid = z.guid({ error: 'must be a UUID' })

/** ISO 4217, or blank. */
export const currency = z
  .string()
  .regex(/^(?:[A-Z]{3})?$/, { error: 'must be a currency of three capital letters, like CHF' })
  .meta({ description: 'ISO 4217.' })

/** A JSON number; decimals of currencies are kept as they were written. */
export const amount = z.number()

/** Two or three letters, or blank. */
export const country = z
  .string()
  .regex(/^(?:[A-Za-z]{2,3})?$/, { error: 'must be a country code of two or three letters, like CH' })

/** Place and country, `ZRH/CH`, or blank. */
export const unLocationCode = z
  .string()
  .regex(/^(?:[A-Za-z0-9]{3}\/[A-Za-z]{2})?$/, { error: 'must be a place and its country, like ZRH/CH' })

/** Three letters or digits, or blank. */
export const iataCode = z
  .string()
  .regex(/^(?:[A-Za-z0-9]{3})?$/, { error: 'must be an IATA code of three letters, like ZRH' })
