/** Keeps leases, shows long ones, and gives leases back. */
import type pg from 'pg'

export interface Lease {
  readonly delivery_id: string
  readonly lease_token: string
}

/** Prolongs leases by `leaseMs` from now. One that has run out is not revived. @returns ids of those that are still held. */
export async function renewLeases(
  pool: pg.Pool,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'renew_leases',
    text: `
      update delivery_leases held
         set leased_until = now() + $3::float8 * interval '1 millisecond'
        from unnest($1::uuid[], $2::uuid[]) as lease(id, token)
       where held.delivery_id = lease.id and held.token = lease.token and held.leased_until > now()
      returning held.delivery_id as id`,
    values: [...columnsOf(leases), leaseMs],
  })
  return new Set(rows.map((row) => row.id))
}

/** Shows deliveries as `leased`: attempts that take their time. */
export async function showLeased(pool: pg.Pool, leases: readonly Lease[]): Promise<void> {
  await pool.query({
    name: 'show_leased',
    text: `
      update deliveries d
         set status = 'leased'
        from unnest($1::uuid[], $2::uuid[]) as lease(id, token)
        join delivery_leases held on held.delivery_id = lease.id and held.token = lease.token
       where d.id = lease.id and d.status in ('pending', 'waiting')`,
    values: columnsOf(leases),
  })
}

/**
 * Gives leases back: the deliveries are due at once, for whoever comes. An
 * attempt that was not begun leaves no trace; one that was begun stays counted,
 * because the target may have seen it.
 */
export async function releaseLeases(
  pool: pg.Pool,
  leases: readonly Lease[],
  { begun }: { readonly begun: boolean },
): Promise<void> {
  await pool.query({
    name: 'release_leases',
    text: `
      with released as (
        delete from delivery_leases held
         using unnest($1::uuid[], $2::uuid[]) as lease(id, token)
         where held.delivery_id = lease.id and held.token = lease.token
        returning held.delivery_id, held.attempt
      )
      update deliveries d
         set status = 'waiting', due_at = now(), attempt_count = r.attempt
        from released r
       where $3 and d.id = r.delivery_id and d.due_at is not null`,
    values: [...columnsOf(leases), begun],
  })
}

/**
 * Leases that ran out long ago and that no claim takes over, because their
 * delivery is final by now (cancelled while its worker died) or was deleted.
 *
 * @returns how many there were.
 */
export async function pruneLeases(pool: pg.Pool): Promise<number> {
  const { rowCount } = await pool.query(`
    delete from delivery_leases held
     where held.leased_until < now() - interval '1 minute'
       and not exists (select from delivery_queue d where d.delivery_id = held.delivery_id)`)
  return rowCount ?? 0
}

function columnsOf(leases: readonly Lease[]): [string[], string[]] {
  return [leases.map((lease) => lease.delivery_id), leases.map((lease) => lease.lease_token)]
}
