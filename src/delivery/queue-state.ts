/** What waits, for metrics and the command line. */
import type pg from 'pg'

export interface QueueState {
  /** Deliveries that are not final, by status; those in hand are counted where they were before. */
  readonly waiting: Readonly<Record<'pending' | 'leased' | 'waiting', number>>
  /** How long the one that is due longest has been due, in seconds; 0 when none is. */
  readonly oldestDueSeconds: number
  /** Deliveries that workers have in hand. */
  readonly leases: number
}

/** Reads what is not final, so its cost grows with that: about a second for a million. */
export async function readQueueState(pool: pg.Pool): Promise<QueueState> {
  const { rows } = await pool.query<{
    readonly pending: number
    readonly leased: number
    readonly waiting: number
    readonly oldest: number
    readonly leases: number
  }>(`
    select count(*) filter (where status = 'pending')::int as pending,
           count(*) filter (where status = 'leased')::int as leased,
           count(*) filter (where status = 'waiting')::int as waiting,
           greatest(0, coalesce(extract(epoch from now() - min(q.due_at)), 0))::float8 as oldest,
           (select count(*)::int from delivery_leases where leased_until > now()) as leases
      from delivery_queue q
      join deliveries d on d.id = q.delivery_id`)
  const [row] = rows
  return {
    waiting: { pending: row?.pending ?? 0, leased: row?.leased ?? 0, waiting: row?.waiting ?? 0 },
    oldestDueSeconds: row?.oldest ?? 0,
    leases: row?.leases ?? 0,
  }
}
