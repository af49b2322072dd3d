/** Takes deliveries off: what waits is not sent, what is exhausted is off the list of what is to be looked at. */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { SluiceError } from '../errors.ts'
import { SqlWriter } from '../tables/sql-writer.ts'
import { selectionToSql } from './selection.ts'

export interface Cancelled {
  readonly cancelled: number
  /** There are more than one call cancels. */
  readonly more: boolean
}

/** Rows of one statement, and statements of one call. */
const batch = 2000
const mostBatches = 10

/**
 * Cancels what is pending, waiting, leased or exhausted. An attempt that is under
 * way is not called back: it is recorded, and changes nothing any more. The last
 * error of an exhausted one is kept.
 *
 * @throws SluiceError VALIDATION_FAILED for `where`, also when it is empty.
 */
export async function cancelDeliveries(pool: pg.Pool, where: unknown, principal: Principal): Promise<Cancelled> {
  if (typeof where !== 'object' || where === null || Object.keys(where).length === 0) {
    const message =
      'where must say which deliveries, such as {"webhook_id": {"_eq": "…"}, "status": {"_eq": "exhausted"}}.'
    throw new SluiceError('VALIDATION_FAILED', message, { path: 'where' })
  }
  const writer = new SqlWriter()
  const chosen = selectionToSql({ table: 'deliveries', where, principal, writer, alias: 'd' })
  let cancelled = 0
  for (let n = 0; n < mostBatches; n += 1) {
    const { rowCount } = await pool.query({
      text: `
        with chosen as (
          select d.id from deliveries d
           where (d.due_at is not null or d.status = 'exhausted') and ${chosen}
           order by d.id
           limit ${batch}
             for no key update
        )
        update deliveries d
           set status = 'cancelled', due_at = null, finished_at = coalesce(d.finished_at, now()),
               last_error = coalesce(d.last_error, 'Cancelled by a person.')
          from chosen
         where d.id = chosen.id and d.status <> 'cancelled'`,
      values: [...writer.values],
    })
    cancelled += rowCount ?? 0
    if ((rowCount ?? 0) < batch) return { cancelled, more: false }
  }
  return { cancelled, more: true }
}
