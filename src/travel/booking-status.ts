/** Reservation systems' status codes (IATA: two letters, often with a number of seats) and the status that we show. */
import type { BookingStatus } from './enums.ts'

const codes: Readonly<Record<Exclude<BookingStatus, 'UNDEFINED'>, readonly string[]>> = {
  // OK ticketed, HK held, AK and GK passive, KK confirming, TK time changed, YK held by the carrier, PK discounted, RR reconfirmed
  CONFIRMED: ['OK', 'HK', 'AK', 'KK', 'TK', 'GK', 'YK', 'PK', 'RR'],
  // OP option, HL GL KL TL PA-PD on a waiting list, UU unable and waiting
  OPTION: ['OP', 'HL', 'GL', 'KL', 'PA', 'PB', 'PC', 'PD', 'TL', 'UU'],
  // RQ HQ requested, UC unable, PN pending
  PROCESSING: ['RQ', 'HQ', 'UC', 'PN'],
  // XX HX cancelled, UN not operating, NO no action taken
  CANCELED: ['XX', 'HX', 'UN', 'NO'],
}

const statuses = new Map(
  Object.entries(codes).flatMap(([status, ofIt]) => ofIt.map((code) => [code, status as BookingStatus])),
)

/**
 * The status that a code stands for; its first two letters count, in any case: `HK`, `ok03`. No code (null) means
 * CONFIRMED, as sources without codes only tell of what is booked; one that nobody knows, or a blank, is UNDEFINED.
 */
export function bookingStatusOf(code: string | null | undefined): BookingStatus {
  if (code === null || code === undefined) return 'CONFIRMED'
  return statuses.get(code.trim().slice(0, 2).toUpperCase()) ?? 'UNDEFINED'
}

const representatives = { CONFIRMED: 'OK', OPTION: 'OP', PROCESSING: 'RQ', CANCELED: 'XX', UNDEFINED: '' } as const

/** One code of the many for a status; empty for UNDEFINED and none. */
export const statusCodeOf = (status: BookingStatus | null | undefined): string =>
  status ? representatives[status] : ''
