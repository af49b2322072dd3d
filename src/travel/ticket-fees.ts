/**
 * Fees that come with tickets belong to the tickets, split if there are several (guide: "Design considerations").
 * Fares, taxes and fees per traveller are such; what is sold beside a ticket (OFF_TICKET_PER_PAX, AUX…) is not.
 */
import type { PriceItemType } from './enums.ts'
import type { Booking, PriceItem, TransportDocument, TravelService } from './model.ts'
import { type Problem, pointer } from './problems.ts'

const ofTickets: ReadonlySet<PriceItemType> = new Set(['FARE_PER_PAX', 'TAX_PER_PAX', 'FEE_PER_PAX'])

/**
 * Prices of services that have tickets, which ought to be on these. One that is only listed again (it has the `uuid` of a
 * price on a ticket) is in its place.
 */
export function misplacedTicketFees(booking: Booking): readonly Problem[] {
  return (booking.travelservices ?? []).flatMap((service, at) =>
    (service.priceitems ?? []).flatMap((item, position) =>
      isMisplaced(item, service) && typeof item !== 'string'
        ? {
            path: pointer(['travelservices', at, 'priceitems', position]),
            keyword: 'ticketFee',
            message: `is a ${item.priceItemType} of a service with tickets; put it on the tickets, split among them (assignTicketFees does)`,
          }
        : [],
    ),
  )
}

/**
 * The same booking with such fees moved to the tickets of their service, in equal shares; odd cents go to the first
 * tickets, so that the shares add up to what was there. What needs no change is the same object as before.
 *
 * A share has no `uuid`, as it is a price of its own; the booking's list loses the prices that were split.
 */
export function assignTicketFees(booking: Booking): Booking {
  const services = booking.travelservices ?? []
  const moved = services.flatMap((service) => (service.priceitems ?? []).filter((item) => isMisplaced(item, service)))
  if (moved.length === 0) return booking
  const uuids = new Set(moved.flatMap((item) => uuidOf(item) ?? []))
  return {
    ...booking,
    ...(booking.priceitems ? { priceitems: booking.priceitems.filter((item) => !uuids.has(uuidOf(item) ?? '')) } : {}),
    travelservices: services.map(withFeesOnTickets),
  }
}

function withFeesOnTickets(service: TravelService): TravelService {
  const items = service.priceitems ?? []
  const fees = items.filter((item): item is PriceItem => isMisplaced(item, service))
  if (fees.length === 0) return service
  const documents = service.transportDocuments ?? []
  const tickets = documents.filter(isTicket)
  const shares = fees.map((fee) => sharesOf(fee, tickets.length))
  const withShares = (ticket: TransportDocument): TransportDocument => {
    const own = shares.flatMap((split): readonly PriceItem[] => {
      const share = split[tickets.indexOf(ticket)]
      return share ? [share] : []
    })
    const before: readonly (string | PriceItem)[] = ticket.priceitems ?? []
    return { ...ticket, priceitems: [...before, ...own] }
  }
  return {
    ...service,
    priceitems: items.filter((item) => !isMisplaced(item, service)),
    transportDocuments: documents.map((document) => (isTicket(document) ? withShares(document) : document)),
  }
}

/** One without a type is a ticket: sources with tickets only do not say it. */
const isTicket = ({ transportDocumentType }: TransportDocument) => transportDocumentType !== 'EMD'

function isMisplaced(item: string | PriceItem, { transportDocuments }: TravelService): boolean {
  if (typeof item === 'string' || !item.priceItemType || !ofTickets.has(item.priceItemType)) return false
  const documents = transportDocuments ?? []
  const isListedOn = ({ priceitems }: TransportDocument) => priceitems?.some((listed) => uuidOf(listed) === item.uuid)
  return documents.some(isTicket) && !(item.uuid && documents.some(isListedOn))
}

const uuidOf = (item: string | PriceItem) => (typeof item === 'string' ? item : item.uuid)

function sharesOf(fee: PriceItem, count: number): readonly PriceItem[] {
  const own = fee.currency
  const amounts = {
    amount: split(fee.amount, count, own),
    amountInAccountCurrency: split(fee.amountInAccountCurrency, count, undefined),
    purchasePrice: split(fee.purchasePrice, count, fee.purchasePriceCurrency || own),
    purchasePriceInAccountCurrency: split(fee.purchasePriceInAccountCurrency, count, undefined),
  }
  return Array.from({ length: count }, (_, at) => {
    const share = Object.entries(amounts).flatMap(([key, parts]) => (parts ? [[key, parts[at]]] : []))
    return { ...fee, uuid: null, ...Object.fromEntries(share) }
  })
}

/** More are the noise of binary fractions: 0.1 + 0.2 has 17. */
const mostDecimals = 6

/** In the currency's smallest unit, or a smaller one where the amount is finer than that. */
function split(amount: number | null | undefined, count: number, currency: string | null | undefined): number[] | null {
  if (amount === null || amount === undefined) return null
  const digits = Math.max(digitsOf(currency), Math.min(mostDecimals, decimalsOf(amount)))
  const units = Math.round(Math.abs(amount) * 10 ** digits)
  const [base, odd] = [Math.floor(units / count), units % count]
  return Array.from({ length: count }, (_, at) => {
    const share = base + (at < odd ? 1 : 0)
    return share === 0 ? 0 : Number(`${Math.sign(amount) * share}e-${digits}`)
  })
}

/** ISO 4217's: 2 for CHF, 0 for JPY, 3 for KWD; 2 for what is no currency. */
function digitsOf(currency: string | null | undefined): number {
  if (!currency) return 2
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
}

function decimalsOf(amount: number): number {
  const [, decimals = '', exponent = '0'] = /^-?\d+(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(amount)) ?? []
  return Math.max(0, decimals.length - Number(exponent))
}
