/** Sums of money that are exact: whole numbers of a currency's smallest unit, or of a smaller one where an amount is finer. */

/** An exact decimal number: `units` divided by ten to the power of `digits`. */
export interface Amount {
  readonly units: bigint
  readonly digits: number
}

export const zero: Amount = { units: 0n, digits: 0 }

/** Binary fractions have noise: 0.1 + 0.2 has 17 decimals. */
const mostDecimals = 6

/** Undefined for what is no number, or none that money has. @example amountOf(373.25) // { units: 37325n, digits: 2 } */
export function amountOf(value: unknown): Amount | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value) || Math.abs(value) >= 1e15) return undefined
  const [, sign = '', whole = '0', decimals = ''] = /^(-?)(\d+)\.(\d+)$/.exec(value.toFixed(mostDecimals)) ?? []
  const kept = decimals.replace(/0+$/, '')
  return { units: BigInt(`${sign}${whole}${kept}`), digits: kept.length }
}

export function sum(a: Amount, b: Amount): Amount {
  const digits = Math.max(a.digits, b.digits)
  return { units: scaled(a, digits) + scaled(b, digits), digits }
}

export function difference(a: Amount, b: Amount): Amount {
  return sum(a, { units: -b.units, digits: b.digits })
}

/**
 * With the currency's digits, more only where they are needed.
 *
 * @param format `point` 373.25, `comma` 373,25, `minor` 37325
 */
export function written(amount: Amount, currency: string, format: 'point' | 'comma' | 'minor'): string {
  const digits = Math.max(digitsOf(currency), amount.digits)
  const units = scaled(amount, digits)
  if (format === 'minor') return decimal(units, digits - digitsOf(currency), '.')
  return decimal(units, digits, format === 'point' ? '.' : ',')
}

/** ISO 4217's: 2 for CHF, 0 for JPY, 3 for KWD; 2 for what is no currency. */
export function digitsOf(currency: string): number {
  if (!/^[A-Z]{3}$/.test(currency)) return 2
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
}

function scaled({ units, digits }: Amount, to: number): bigint {
  return units * 10n ** BigInt(to - digits)
}

function decimal(units: bigint, digits: number, point: string): string {
  const sign = units < 0n ? '-' : ''
  const text = String(units < 0n ? -units : units).padStart(digits + 1, '0')
  return digits === 0 ? `${sign}${text}` : `${sign}${text.slice(0, -digits)}${point}${text.slice(-digits)}`
}
