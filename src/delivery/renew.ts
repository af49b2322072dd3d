/** Keeps leases, and gives them back. */
import type pg from 'pg'

export interface Lease {
  readonly delivery_id: string
  readonly lease_token: string
}

/** Prolongs leases by `leaseMs` from now. @returns ids of those that are still held. */
export async function renewLeases(
  pool: pg.Pool,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'renew_leases',
    text: `
      update deliveries d
         set due_at = now() + $3::float8 * interval '1 millisecond'
        from unnest($1::uuid[], $2::uuid[]) as lease(id, token)
       where d.id = lease.id and d.lease_token = lease.token and d.status = 'leased'
      returning d.id`,
    values: [...columnsOf(leases), leaseMs],
  })
  return new Set(rows.map((row) => row.id))
}

/**
 * Gives leases back: the deliveries are due at once, for whoever comes. An
 * attempt that was not begun is taken back; one that was begun stays counted,
 * because the target may have seen it.
 */
export async function releaseLeases(
  pool: pg.Pool,
  leases: readonly Lease[],
  { begun }: { readonly begun: boolean },
): Promise<void> {
  await pool.query(
    `update deliveries d
        set status = 'waiting',
            due_at = now(),
            lease_token = null,
            attempt_count = d.attempt_count - case when $3 then 0 else 1 end
       from unnest($1::uuid[], $2::uuid[]) as lease(id, token)
      where d.id = lease.id and d.lease_token = lease.token and d.status = 'leased'`,
    [...columnsOf(leases), begun],
  )
}

function columnsOf(leases: readonly Lease[]): [string[], string[]] {
  return [leases.map((lease) => lease.delivery_id), leases.map((lease) => lease.lease_token)]
}
