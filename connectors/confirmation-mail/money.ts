/** Prices of markup: numbers, or texts such as `CHF 1'234.50`, `1.234,50 €`. */
import { type Node, nodeOf, textOf } from './nodes.ts'

export interface Money {
  readonly amount: number
  /** ISO 4217. */
  readonly currency?: string
}

/** `totalPrice` or `price`, with `priceCurrency`; either may be a thing of its own. */
export function priceOf(node: Node): Money | undefined {
  for (const name of ['totalPrice', 'price']) {
    const thing = nodeOf(node, name)
    const text = thing ? textOf(thing, 'price', 'value', 'minPrice', 'totalPrice') : textOf(node, name)
    const amount = amountOf(text)
    if (amount === undefined) continue
    const currency =
      currencyOf(textOf(thing, 'priceCurrency', 'currency')) ??
      currencyOf(textOf(node, 'priceCurrency', 'currency', 'totalPriceCurrency')) ??
      currencyOf(text)
    return { amount, ...(currency === undefined ? {} : { currency }) }
  }
  return undefined
}

/** @example amountOf('1.234,50') // 1234.5 */
export function amountOf(text: string | undefined): number | undefined {
  const digits = /-?\d[\d.,'’\s]{0,30}/
    .exec(text?.slice(0, 60) ?? '')?.[0]
    .replaceAll(/['’\s]/g, '')
    .replace(/[.,]+$/, '')
  if (digits === undefined) return undefined
  const dot = digits.lastIndexOf('.')
  const comma = digits.lastIndexOf(',')
  const last = Math.max(dot, comma)
  const isBoth = dot !== -1 && comma !== -1
  const isRepeated = digits.split(digits[last] ?? '').length > 2
  // A single mark with three digits behind it parts thousands when it is a comma: prices are rarely given in mills.
  const isDecimal = last !== -1 && (isBoth || (!isRepeated && !(comma === last && digits.length - last === 4)))
  const whole = (isDecimal ? digits.slice(0, last) : digits).replaceAll(/[.,]/g, '')
  const amount = Number(isDecimal ? `${whole}.${digits.slice(last + 1)}` : whole)
  return Number.isFinite(amount) ? amount : undefined
}

function currencyOf(text: string | undefined): string | undefined {
  const code = /(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])/.exec(text?.toUpperCase() ?? '')?.[0]
  return code ?? Object.entries(signs).find(([sign]) => text?.includes(sign))?.[1]
}

/** Those that mean one currency only. `$` and `kr` do not. */
const signs = { '€': 'EUR', '£': 'GBP', '₹': 'INR', '₩': 'KRW', '₺': 'TRY', zł: 'PLN' } as const

/** Of several in one currency; undefined when they are not. Rounded to the currency's smallest unit. */
export function sum(prices: readonly Money[]): Money | undefined {
  const [first] = prices
  if (!first || prices.some(({ currency }) => currency !== first.currency)) return undefined
  const scale = 10 ** fractionDigits(first.currency)
  const amount = Math.round(prices.reduce((total, price) => total + price.amount, 0) * scale) / scale
  return { ...first, amount }
}

function fractionDigits(currency: string | undefined): number {
  if (currency === undefined) return 2
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
}
