/** What the GraphQL actions of inbound payloads do, for who may do it: admins, and editors of the connection's team. */
import type pg from 'pg'
import { requireOwn } from '../access/own.ts'
import { type Reach, reachOf } from '../access/reach.ts'
import type { Sealer } from '../access/seal.ts'
import { SluiceError } from '../errors.ts'
import type { InboundActions, InboundAddress } from './inbound-schema.ts'
import { rotateInboundSecret } from './inbound-secrets.ts'
import { inboundKinds } from './manifest.ts'

export interface InboundActionParts {
  readonly pool: pg.Pool
  readonly sealer: Sealer
  /** Of the gateway, without a slash at the end. */
  readonly publicUrl: string
  /** Called when rows have changed. */
  readonly committed: () => void
}

const mostDiscarded = 1000

export function createInboundActions({ pool, sealer, publicUrl, committed }: InboundActionParts): InboundActions {
  return {
    async address(connection_id, { principal }) {
      await requireOwn(pool, 'connection', connection_id, principal, 'connection_id')
      return addressOf(pool, publicUrl, connection_id)
    },

    async rotate(connection_id, overlap_seconds, { principal }) {
      await requireOwn(pool, 'connection', connection_id, principal, 'connection_id')
      // Only where there is an address to send to.
      await addressOf(pool, publicUrl, connection_id)
      const made = await rotateInboundSecret({ pool, sealer }, { connection_id, overlap_seconds })
      committed()
      return made
    },

    async discard(ids, { principal }) {
      if (ids.length < 1 || ids.length > mostDiscarded) {
        throw new SluiceError('VALIDATION_FAILED', `ids: name 1 to ${mostDiscarded} raw sources.`, { path: 'ids' })
      }
      const result = await discardSources(pool, ids, reachOf(principal))
      if (result.discarded > 0) committed()
      return result
    },
  }
}

async function addressOf(pool: pg.Pool, publicUrl: string, connectionId: string): Promise<InboundAddress> {
  const { rows } = await pool.query<{
    readonly implementation: string
    readonly takes: boolean
    readonly authentication: string
    readonly reply: string
    readonly live_secrets: number
    readonly secret_set_at: Date | null
  }>(
    `select k.implementation, k.kinds && $2::text[] as takes,
            coalesce(k.manifest -> 'inbound' ->> 'authentication', 'secret') as authentication,
            coalesce(k.manifest -> 'inbound' ->> 'reply', 'stored') as reply,
            (select count(*)::int from inbound_secrets s
              where s.connection_id = c.id and (s.expires_at is null or s.expires_at > now())) as live_secrets,
            c.inbound_secret_set_at as secret_set_at
       from connections c join connectors k on k.id = c.connector_id where c.id = $1`,
    [connectionId, inboundKinds],
  )
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', `You have no connection ${connectionId}.`, { path: 'connection_id' })
  const { implementation, takes, ...address } = found
  if (!takes) {
    const message = `${implementation} takes no payloads; connectors of the kinds ${inboundKinds.join(', ')} do.`
    throw new SluiceError('CONFLICT', message, { path: 'connection_id' })
  }
  const name = encodeURIComponent(implementation)
  return {
    ...address,
    url: `${publicUrl}/hooks/${name}/${connectionId}`,
    global_url: `${publicUrl}/p/publicapi/extension/webhook/glb/${name}`,
  }
}

/** One that is being converted keeps its lease until the conversion finds it gone; its result is not kept. */
async function discardSources(
  pool: pg.Pool,
  ids: readonly string[],
  { everywhere, teamIds }: Reach,
): Promise<{ readonly discarded: number }> {
  const wanted = new Set(ids).size
  const { rows } = await pool.query<{ readonly found: number; readonly discarded: number }>(
    `with found as (
       select id, status from raw_sources where id = any($1::uuid[]) and ($2 or team_id = any($3::uuid[]))
     ), gone as (
       update raw_sources r
          set status = 'discarded', content = null, sealed_headers = null, message = 'Somebody discarded it.',
              due_at = null, lease_token = null, leased_until = null
         from found
        where (select count(*) from found) = $4 and r.id = found.id and r.status in ('pending', 'missing', 'unmatched', 'failed', 'received')
       returning r.id
     )
     select (select count(*)::int from found) as found, (select count(*)::int from gone) as discarded`,
    [ids, everywhere, teamIds, wanted],
  )
  const { found = 0, discarded = 0 } = rows[0] ?? {}
  if (found < wanted) {
    throw new SluiceError('NOT_FOUND', 'You do not have all of these raw sources. None was discarded.', {
      path: 'ids',
    })
  }
  return { discarded }
}
