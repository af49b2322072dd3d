/** Taking choices back: a destination of a flow, and what it has already opened. */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import { type Database, inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'

export interface Withdrawn {
  /** Grants that were live and are not any more. */
  readonly grants: number
  /** Deliveries that were waiting and will not be made. */
  readonly deliveries: number
}

export interface WithdrawContext {
  readonly database: Database
  readonly principal: Principal
  readonly requestId: string
  readonly address: string | null
}

/**
 * Removes a destination: no future session of the flow goes there. With
 * `withdrawGrants`, sessions that did are closed to the integration too, and
 * what was waiting to be sent is cancelled; a request that is under way at this
 * moment cannot be called back, but opens nothing any more.
 *
 * The destination goes first: a submission that still saw it holds its row until
 * its grants are committed, so they are found by the statement after.
 *
 * @throws SluiceError NOT_FOUND for one that is not the caller's.
 */
export async function removeDestination(
  id: string,
  withdrawGrants: boolean,
  context: WithdrawContext,
): Promise<Withdrawn> {
  return inTransaction(context.database.pool, async (client) => {
    const { rows } = await client.query<{ flow_id: string; integration_id: string; team_id: string }>(
      `delete from destinations d using flows f
        where d.id = $1 and f.id = d.flow_id and ($2 or f.team_id = any($3::uuid[]))
       returning d.flow_id, d.integration_id, f.team_id`,
      [id, ...ownership(context)],
    )
    const [removed] = rows
    if (!removed) throw new SluiceError('NOT_FOUND', `You have no destination ${id}.`, { path: 'id' })
    if (!withdrawGrants) return { grants: 0, deliveries: 0 }
    return withdraw(client, removed, context)
  })
}

/**
 * Closes one session to one integration.
 *
 * @throws SluiceError NOT_FOUND when there is no grant, or the session is not the caller's.
 */
export async function withdrawGrant(
  { session_id, integration_id }: { readonly session_id: string; readonly integration_id: string },
  context: WithdrawContext,
): Promise<Withdrawn> {
  return inTransaction(context.database.pool, async (client) => {
    const { rows } = await client.query<{ team_id: string }>(
      `select team_id from session_grants
        where session_id = $4 and integration_id = $1 and ($2 or team_id = any($3::uuid[]))`,
      [integration_id, ...ownership(context), session_id],
    )
    const [grant] = rows
    if (!grant) {
      throw new SluiceError('NOT_FOUND', 'You have no session of this id with a grant of this integration.', {
        path: 'session_id',
      })
    }
    return withdraw(client, { session_id, integration_id, team_id: grant.team_id }, context)
  })
}

interface Scope {
  readonly integration_id: string
  readonly team_id: string
  /** All sessions of a flow, or one. */
  readonly flow_id?: string
  readonly session_id?: string
}

/** Grants, deliveries and the audit entry, in one statement. */
async function withdraw(
  client: pg.ClientBase,
  { integration_id, team_id, flow_id, session_id }: Scope,
  { principal, requestId, address }: WithdrawContext,
): Promise<Withdrawn> {
  const { rows } = await client.query<Withdrawn>(
    `with closed as (
       update session_grants g set revoked_at = now()
        where g.integration_id = $1 and g.revoked_at is null and g.expires_at > now()
          and (g.session_id = $2 or g.session_id in (select s.id from sessions s where s.flow_id = $3))
       returning g.session_id
     ), cancelled as (
       update deliveries d
          set status = 'cancelled', due_at = null, finished_at = now(),
              last_error = 'An editor withdrew the grant of the integration.'
        where d.integration_id = $1 and d.status in ('pending', 'waiting')
          and (d.session_id = $2 or d.session_id in (select s.id from sessions s where s.flow_id = $3))
       returning 1
     ), audited as (
       insert into audit_entries (team_id, integration_id, actor_kind, actor_id, role, operation, outcome, session_ids,
                                  address, request_id, detail)
       select $4, $1, $5, $6, $7, 'withdraw_grants', 'granted', coalesce(array_agg(closed.session_id), '{}'), $8, $9,
              jsonb_build_object('deliveries_cancelled', (select count(*) from cancelled), 'flow_id', $3::uuid)
         from closed
     )
     select (select count(*)::int from closed) as grants, (select count(*)::int from cancelled) as deliveries`,
    [
      integration_id,
      session_id ?? null,
      flow_id ?? null,
      team_id,
      principal.kind,
      principal.id,
      principal.role,
      address,
      requestId,
    ],
  )
  return rows[0] as Withdrawn
}

function ownership({ principal }: WithdrawContext): [boolean, readonly string[]] {
  const { everywhere, teamIds } = reachOf(principal)
  return [everywhere, teamIds]
}
