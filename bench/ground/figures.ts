/** Figures of measured values: functions of values. */

/** Of one round: milliseconds, sorted by nobody yet. */
export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Nearest rank: the smallest value that at least this share of all values does not exceed. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b)
  return {
    count: sorted.length,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
  }
}

/** Of the rounds of one measurement: the middle one, and how far the others were from it. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** With an even number of rounds the median is the mean of the two in the middle. */
export function spread(rounds: readonly number[]): Spread {
  const sorted = rounds.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const median = (at(sorted, Math.ceil(middle) - 1) + at(sorted, Math.floor(middle))) / 2
  return { median, low: at(sorted, 0), high: at(sorted, -1) }
}

function at(values: readonly number[], index: number): number {
  return values.at(index) ?? Number.NaN
}
