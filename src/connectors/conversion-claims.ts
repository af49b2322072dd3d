/** Which raw sources are converted next, and what became of them: the statements of the conversion engine. */
import type pg from 'pg'
import { storableText } from '../database/storable.ts'
import type { SourceMetadata } from './conversion-result.ts'
import { type ProducingConnection, producing, producingColumns, runnableConnections } from './producing.ts'

/** A leased row of `raw_sources`, with all that its conversion needs. */
export interface ClaimedSource extends ProducingConnection {
  readonly source: {
    readonly id: string
    readonly connection_id: string
    readonly team_id: string
    readonly session_id: string | null
    readonly unique_id: string | null
    readonly external_id: string | null
    readonly session_key: string | null
    readonly origin: string
    readonly is_accepted: boolean
    readonly validated_at: Date | null
    readonly content: Buffer
    readonly sha256: string
    readonly headers: Readonly<Record<string, string>> | null
    readonly sealed_headers: Buffer | null
    readonly lease_token: string
    /** This one included. */
    readonly attempt_count: number
    readonly position: string
  }
}

interface Claim {
  /** Sources in all. */
  readonly most: number
  readonly leaseMs: number
}

/**
 * Leases sources that wait, the oldest of each connection first, for as many as the connection may convert at once. The
 * rows of the connections are locked while it counts, so workers together keep to it.
 */
export async function claimSources(pool: pg.Pool, { most, leaseMs }: Claim): Promise<readonly ClaimedSource[]> {
  const { rows } = await pool.query<ProducingConnection & { source: RawRow }>({
    name: 'raw sources: claim',
    text: claimSql,
    values: [most, leaseMs],
  })
  return rows.map((row) => ({ ...producing(row), source: opened(row.source) }))
}

/** Bytes and times do not travel in JSON. */
type RawRow = Omit<ClaimedSource['source'], 'content' | 'sealed_headers' | 'validated_at'> & {
  readonly content: string
  readonly sealed_headers: string | null
  readonly validated_at: string | null
}

function opened({ content, sealed_headers, validated_at, ...rest }: RawRow): ClaimedSource['source'] {
  return {
    ...rest,
    content: Buffer.from(content, 'base64'),
    sealed_headers: sealed_headers === null ? null : Buffer.from(sealed_headers, 'base64'),
    validated_at: validated_at === null ? null : new Date(validated_at),
  }
}

const waits = (r: string) =>
  `${r}.status = 'received' and ${r}.content is not null and (${r}.leased_until is null or ${r}.leased_until < now())
   and (${r}.due_at is null or ${r}.due_at <= now())`

const claimSql = `
with ready as materialized (
  select c.id, c.concurrency - (
           select count(*)::int from raw_sources b
            where b.connection_id = c.id and b.status = 'received' and b.leased_until > now()) as free
    from connections c
    join integrations i on i.id = c.integration_id and i.status = 'active'
    join connectors k on k.id = c.connector_id and k.status = 'approved'
   where c.enabled and exists (select from raw_sources r where r.connection_id = c.id and ${waits('r')})
     for no key update of c skip locked
), next as (
  select r.id from ready
   cross join lateral (
     select r.id from raw_sources r
      where r.connection_id = ready.id and ${waits('r')}
      order by r.position limit greatest(least(ready.free, $1::int), 0)
        for update of r skip locked) r
   limit $1
), leased as (
  update raw_sources r
     set lease_token = gen_random_uuid(), leased_until = now() + $2 * interval '1 millisecond',
         attempt_count = r.attempt_count + 1
    from next where r.id = next.id
  returning r.*
)
select jsonb_build_object(
         'id', r.id, 'connection_id', r.connection_id, 'team_id', r.team_id, 'session_id', r.session_id,
         'unique_id', r.unique_id, 'external_id', r.external_id, 'session_key', r.session_key, 'origin', r.origin,
         'is_accepted', r.is_accepted, 'validated_at', r.validated_at, 'content', translate(encode(r.content, 'base64'), E'\\n', ''),
         'sha256', r.sha256, 'headers', r.headers, 'sealed_headers', encode(r.sealed_headers, 'base64'),
         'lease_token', r.lease_token, 'attempt_count', r.attempt_count, 'position', r.position) as source,
       ${producingColumns}
  from leased r, ${runnableConnections}
 where c.id = r.connection_id
 order by r.position`

/** @returns whether the lease is still held. */
export async function renewSources(
  pool: pg.Pool,
  tokens: readonly string[],
  leaseMs: number,
): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ lease_token: string }>({
    name: 'raw sources: renew',
    text: `update raw_sources set leased_until = now() + $2 * interval '1 millisecond'
            where lease_token = any($1::uuid[]) and status = 'received' returning lease_token`,
    values: [tokens, leaseMs],
  })
  return new Set(rows.map(({ lease_token }) => lease_token))
}

export interface SourceOutcome {
  readonly status: 'converted' | 'discarded' | 'failed'
  readonly message: string | null
  readonly session_id?: string | undefined
  readonly session_key?: string | undefined
  readonly result_sha256?: string | undefined
  readonly metadata?: SourceMetadata | undefined
  /** In place of the content. */
  readonly updated?: { readonly content: Buffer; readonly sha256: string } | undefined
}

/** Writes what became of it, if the lease is still the caller's. */
export async function settleSource(
  pool: pg.Pool,
  { source }: ClaimedSource,
  { status, message, session_id, session_key, result_sha256, metadata, updated }: SourceOutcome,
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'raw sources: settle',
    text: `
      update raw_sources r
         set status = $3::raw_source_status, message = $4, lease_token = null, leased_until = null, due_at = null,
             converted_at = case when $3 = 'converted' then now() else r.converted_at end,
             session_id = coalesce($5, r.session_id), session_key = coalesce($6, r.session_key),
             result_sha256 = coalesce($7, r.result_sha256),
             created_by_source_at = coalesce($8, r.created_by_source_at), mime = coalesce($9, r.mime),
             description = coalesce($10, r.description), participants = coalesce($11, r.participants),
             content = coalesce($12, r.content), size = coalesce(length($12::bytea), r.size), sha256 = coalesce($13, r.sha256)
       where r.id = $1 and r.lease_token = $2`,
    values: [
      source.id,
      source.lease_token,
      status,
      message == null ? null : storableText(message).slice(0, 4000),
      session_id ?? null,
      session_key ?? null,
      result_sha256 ?? null,
      metadata?.created_by_source_at ?? null,
      metadata?.mime ?? null,
      metadata?.description ?? null,
      metadata?.participants ?? null,
      updated?.content ?? null,
      updated?.sha256 ?? null,
    ],
  })
  return rowCount === 1
}

/**
 * For somebody to take it again.
 *
 * @param uncount it was not really tried.
 */
export async function giveSourceBack(
  pool: pg.Pool,
  { source }: ClaimedSource,
  { afterMs, uncount }: { readonly afterMs: number; readonly uncount: boolean },
): Promise<void> {
  await pool.query({
    name: 'raw sources: give back',
    text: `update raw_sources
              set lease_token = null, leased_until = null, attempt_count = attempt_count - $4::int,
                  due_at = now() + $3 * interval '1 millisecond'
            where id = $1 and lease_token = $2`,
    values: [source.id, source.lease_token, afterMs, uncount ? 1 : 0],
  })
}
