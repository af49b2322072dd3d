/**
 * What accounting wants to know of a session: whose it is, and its sums by currency. Reads travel bookings and trips,
 * PlanX sessions, and Open Digital Planning documents; of anything else it knows the session and no sums.
 */
import { type Amount, amountOf, difference, sum, zero } from './money.ts'

export interface Posting {
  readonly reference: string
  readonly midoffice: string
  readonly supplier: string
  readonly customer: string
  readonly customerNumber: string
  /** Dates, or empty. */
  readonly departure: string
  readonly returning: string
  /** By currency; empty where nothing has a price. */
  readonly sums: ReadonlyMap<string, Sums>
}

export interface Sums {
  readonly amount: Amount
  readonly paid: Amount
  readonly open: Amount
  /** What it cost, in the currency that it was bought in. */
  readonly purchase: Amount
}

type Thing = Readonly<Record<string, unknown>>

/** One a booking; one for an application, whatever it holds. */
export function postingsOf(session: unknown, kind: 'application' | 'booking'): readonly Posting[] {
  const data = thing(session)
  if (kind === 'application') return [applicationOf(data)]
  const bookings = Array.isArray(data.bookings) ? things(data.bookings) : [data]
  return bookings.length === 0 ? [bookingOf({})] : bookings.map(bookingOf)
}

function bookingOf(booking: Thing): Posting {
  const customer = thing(booking.customer)
  const services = things(booking.travelservices)
  const documents = services.flatMap((service) => [
    ...things(service.transportDocuments),
    ...things(service.segmentedLegs)
      .flatMap((leg) => things(leg.segments))
      .flatMap((segment) => things(segment.auxiliaries)),
  ])
  const below = [...documents, ...services]
  const prices = once([...below.map(({ priceitems }) => priceitems), booking.priceitems]).filter(isSold)
  const payments = once([...below.map(({ bookingPayments }) => bookingPayments), booking.payments])
  const ledger = new Map<string, { amount: Amount; paid: Amount; purchase: Amount }>()
  const add = (key: 'amount' | 'paid' | 'purchase', currency: unknown, value: unknown) => {
    const amount = amountOf(value)
    if (!amount) return
    const name = text(currency)
    const sums = ledger.get(name) ?? { amount: zero, paid: zero, purchase: zero }
    ledger.set(name, { ...sums, [key]: sum(sums[key], amount) })
  }
  for (const { currency, amount, purchasePrice, purchasePriceCurrency } of prices) {
    add('amount', currency, amount)
    add('purchase', text(purchasePriceCurrency) || currency, purchasePrice)
  }
  // A source that tells no prices may tell their sum.
  if (prices.length === 0) add('amount', booking.totalpricecurrency, booking.totalprice)
  for (const { currency, amount } of payments) add('paid', currency, amount)
  const days = (key: string) => [text(booking[key]), ...services.map((service) => text(service[key]))].filter(isDay)
  return {
    reference: text(booking.referenceNumber),
    midoffice: text(booking.midofficeReferenceNumber),
    supplier: text(booking.supplier) || text(booking.providerName) || text(booking.providerSourcename),
    customer: [text(customer.firstname), text(customer.lastname)].filter(Boolean).join(' '),
    customerNumber: text(things(customer.customerNumbers)[0]?.customerNumber),
    departure: [...days('departuredate'), ...departures(services)].sort()[0] ?? '',
    returning: [...days('returndate'), ...arrivals(services)].sort().at(-1) ?? '',
    sums: new Map([...ledger].map(([currency, each]) => [currency, withOpen(each)])),
  }
}

/**
 * Things of all levels, each once. The second time that one is written, its UUID may stand for it, and a list of the
 * whole may repeat what stands below it: what has a UUID counts once by that, and what has none once for each place
 * below, or as often as the whole has it.
 *
 * @param levels from below to the whole.
 */
function once(levels: readonly unknown[]): readonly Thing[] {
  const whole = things(levels.at(-1))
  const below = levels.slice(0, -1).flatMap(things)
  const known = new Set<string>()
  const isNew = (item: Thing) => {
    const uuid = text(item.uuid)
    if (!uuid) return true
    if (known.has(uuid)) return false
    known.add(uuid)
    return true
  }
  const first = below.filter(isNew)
  const nameless = first.filter(({ uuid }) => !text(uuid)).map(contentOf)
  return [
    ...first,
    ...whole.filter(isNew).filter((item) => {
      const at = text(item.uuid) ? -1 : nameless.indexOf(contentOf(item))
      if (at === -1) return true
      nameless.splice(at, 1)
      return false
    }),
  ]
}

function contentOf({ priceItemType, paymentType, currency, amount, purchasePrice, description }: Thing): string {
  return JSON.stringify([priceItemType, paymentType, currency, amount, purchasePrice, description])
}

/** What is paid on the spot, or between suppliers, is not on this invoice. */
function isSold({ priceItemType }: Thing): boolean {
  return priceItemType !== 'ONSITE' && priceItemType !== 'SUPPLIER_ONLY'
}

function departures(services: readonly Thing[]): string[] {
  return segmentsOf(services)
    .map((segment) => text(segment.departuretime).slice(0, 10))
    .filter(isDay)
}

function arrivals(services: readonly Thing[]): string[] {
  return segmentsOf(services)
    .map((segment) => text(segment.arrivaltime).slice(0, 10))
    .filter(isDay)
}

function segmentsOf(services: readonly Thing[]): readonly Thing[] {
  return services.flatMap((service) => things(service.segmentedLegs)).flatMap((leg) => things(leg.segments))
}

function applicationOf(session: Thing): Posting {
  const passport = thing(thing(session.passport).data ?? session.passport)
  const odp = thing(session.data)
  const applicant = thing(odp.applicant)
  const name = thing(applicant.name)
  const payment = thing(session.govUkPayment)
  const pence = amountOf(payment.amount)
  const taken = pence ? { units: pence.units, digits: pence.digits + 2 } : undefined
  const fee =
    amountOf(passport['application.fee.payable']) ?? amountOf(thing(thing(odp.application).fee).payable) ?? taken
  const isPaid = thing(payment.state).status === 'success' || payment.status === 'success'
  const sums = new Map<string, Sums>()
  if (fee) sums.set('GBP', withOpen({ amount: fee, paid: isPaid && taken ? taken : zero, purchase: zero }))
  const company = text(passport['applicant.company.name']) || text(thing(applicant.company).name)
  const person = [
    text(passport['applicant.name.first']) || text(name.first),
    text(passport['applicant.name.last']) || text(name.last),
  ]
  return {
    reference: text(payment.reference),
    midoffice: '',
    supplier: '',
    customer: company || person.filter(Boolean).join(' '),
    customerNumber: '',
    departure: '',
    returning: '',
    sums,
  }
}

function withOpen(sums: Omit<Sums, 'open'>): Sums {
  return { ...sums, open: difference(sums.amount, sums.paid) }
}

function thing(value: unknown): Thing {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Thing) : {}
}

/** Objects of a list; a UUID in it stands for what was written before. */
function things(value: unknown): readonly Thing[] {
  return Array.isArray(value)
    ? value.filter((each): each is Thing => typeof each === 'object' && each !== null && !Array.isArray(each))
    : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}

function isDay(value: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(value)
}
