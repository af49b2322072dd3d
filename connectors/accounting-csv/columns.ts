/** Columns of the file, as the setting chooses them. */
import type { SessionEvent } from 'sluice/connector'
import type { Cell } from './csv.ts'
import { written } from './money.ts'
import type { Posting, Sums } from './postings.ts'

export interface Line {
  readonly number: number
  readonly event: SessionEvent
  readonly trip: string
  readonly posting: Posting
  /** Empty where nothing has a price. */
  readonly currency: string
  readonly sums: Sums | undefined
  readonly format: 'point' | 'comma' | 'minor'
}

const money =
  (key: keyof Sums) =>
  ({ sums, currency, format }: Line): Cell =>
    sums ? { number: written(sums[key], currency, format) } : ''

const columns: Readonly<Record<string, (line: Line) => Cell>> = {
  number: ({ number }) => ({ number: String(number) }),
  date: ({ event }) => event.submittedAt.slice(0, 10),
  kind: ({ event }) => event.kind,
  team: ({ event }) => event.teamName,
  service: ({ event }) => event.flowName,
  session: ({ event }) => event.id,
  revision: ({ event }) => ({ number: String(event.revision) }),
  payment: ({ event }) => event.paymentID ?? '',
  reference: ({ posting }) => posting.reference,
  midoffice: ({ posting }) => posting.midoffice,
  supplier: ({ posting }) => posting.supplier,
  customer: ({ posting }) => posting.customer,
  customer_number: ({ posting }) => posting.customerNumber,
  trip: ({ trip }) => trip,
  departure: ({ posting }) => posting.departure,
  return: ({ posting }) => posting.returning,
  currency: ({ currency }) => currency,
  amount: money('amount'),
  paid: money('paid'),
  open: money('open'),
  purchase: money('purchase'),
}

export interface Column {
  readonly title: string
  readonly key: string
  readonly cell: (line: Line) => Cell
}

/**
 * @param chosen `number, date` or `Beleg=number; Datum=date`; line breaks separate too.
 * @returns names that are no columns, in `unknown`.
 */
export function columnsOf(chosen: string): {
  readonly columns: readonly Column[]
  readonly unknown: readonly string[]
} {
  const entries = chosen
    .split(/[,;\n]/)
    .map((entry) => entry.trim())
    .filter(Boolean)
    .map((entry) => {
      const cut = entry.lastIndexOf('=')
      const key = entry.slice(cut + 1).trim()
      return { title: cut === -1 ? entry : entry.slice(0, cut).trim(), key }
    })
  return {
    columns: entries.flatMap(({ title, key }) => {
      const cell = Object.hasOwn(columns, key) ? columns[key] : undefined
      return cell ? [{ title, key, cell }] : []
    }),
    unknown: entries.filter(({ key }) => !Object.hasOwn(columns, key)).map(({ key }) => key),
  }
}

export const columnNames: readonly string[] = Object.keys(columns)
