/** How long sessions stay: the installation's days, a team's own within its limits. */
import { SluiceError } from '../errors.ts'
import type { TableRules, WrittenRow } from '../tables/write-rules.ts'

export interface RetentionLimits {
  /** The most that a team may set of either, in days. */
  readonly maxDays: number
}

/** Shorter, and a consumer that was away for a night would miss sessions. */
const fewestDays = 1
/** An hour: enough to read again what went wrong. */
const fewestDaysAfterRetrieval = 1 / 24

/** `retention_days` counts for sessions submitted from then on, `retention_after_retrieval_days` for first retrievals from then on. */
export function teamRetentionRules({ maxDays }: RetentionLimits): TableRules {
  const check = (values: WrittenRow): WrittenRow => {
    requireWithin('retention_days', values.retention_days, fewestDays, maxDays)
    requireWithin(
      'retention_after_retrieval_days',
      values.retention_after_retrieval_days,
      fewestDaysAfterRetrieval,
      maxDays,
    )
    return values
  }
  return { beforeInsert: check, beforeUpdate: check }
}

function requireWithin(column: string, value: unknown, least: number, most: number): void {
  if (value === undefined || value === null) return
  const days = Number(value)
  if (days >= least && days <= most) return
  const bounds = least < 1 ? `an hour (${least.toFixed(4)})` : `${least}`
  throw new SluiceError(
    'VALIDATION_FAILED',
    `${column} must be between ${bounds} and ${most} days, or null for the installation's own. The operator sets the upper limit with RETENTION_MAX_DAYS.`,
    { path: column },
  )
}
