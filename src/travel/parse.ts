/** The boundary: from anything to a trip or a booking, or to all that is wrong with it. */
import type { z } from 'zod'
import { SluiceError } from '../errors.ts'
import { type Booking, bookingSchema, type Trip, tripSchema } from './model.ts'
import { bounded, type Problem, problemsOf } from './problems.ts'

/**
 * The very value that was given, not a copy: keys that nobody knows, nulls and the order of keys are as they were.
 *
 * @throws SluiceError VALIDATION_FAILED naming each place; `details.problems` has them as `{path, message, keyword}`.
 * @example
 * const booking = parseBooking(JSON.parse(rawSource))
 */
export const parseBooking = (value: unknown): Booking => parsed('booking', bookingSchema, value)

/** Like `parseBooking`, for a trip with its bookings. */
export const parseTrip = (value: unknown): Trip => parsed('trip', tripSchema, value)

/** A session of kind `booking` may hold either: what has `bookings` is a trip. */
export const isTrip = (value: unknown): value is Trip =>
  typeof value === 'object' && value !== null && Array.isArray((value as Record<string, unknown>).bookings)

/** Why it is no booking, at most 50 and one; empty when it is one. */
export const bookingProblems = (value: unknown): readonly Problem[] => problemsIn(bookingSchema, value)

/** Why it is no trip, at most 50 and one; empty when it is one. */
export const tripProblems = (value: unknown): readonly Problem[] => problemsIn(tripSchema, value)

function problemsIn(schema: z.ZodType, value: unknown): readonly Problem[] {
  const result = schema.safeParse(value, { reportInput: true })
  return result.success ? [] : bounded(problemsOf(result.error.issues))
}

function parsed<Type>(noun: string, schema: z.ZodType<Type>, value: unknown): Type {
  const problems = problemsIn(schema, value)
  if (problems.length === 0) return value as Type
  const said = problems.slice(0, 5).map(({ path, message }) => `${path || 'the whole'} ${message}`)
  const rest = problems.length > said.length ? `; and ${problems.length - said.length} more` : ''
  throw new SluiceError('VALIDATION_FAILED', `This is no ${noun}: ${said.join('; ')}${rest}.`, {
    path: problems[0]?.path,
    details: { problems },
  })
}
