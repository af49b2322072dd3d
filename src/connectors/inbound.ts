/**
 * Payloads that third parties send to connections, as the gateway takes them: found, stored, answered. No vendor's code
 * runs here; a worker converts what is stored.
 */
import type pg from 'pg'
import type { Sealer } from '../access/seal.ts'
import type { ChangeFeed } from '../live/change-feed.ts'
import { openInboundSecret } from './inbound-secrets.ts'
import { type ConnectorKind, type Inbound, inboundKinds } from './manifest.ts'
import { headersPurpose } from './two-phase.ts'

/** A connection that a request is meant for. */
export interface InboundTarget {
  readonly id: string
  /** Whose payloads these are: of one of the platform, the team of its flow; null while it has none. */
  readonly team_id: string | null
  readonly integration_id: string
  readonly connector_id: string
  readonly implementation: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly inbound: Inbound
  /** Its connector finds the account of a payload that came by the global path. */
  readonly findsAccount: boolean
  /** Why it takes nothing at present, if so. */
  readonly closed: 'disabled' | 'withdrawn' | 'flowless' | null
  /** The secrets that are taken now. */
  readonly secrets: readonly string[]
}

interface TargetRow extends Omit<InboundTarget, 'closed' | 'secrets' | 'inbound'> {
  readonly inbound: Inbound | null
  readonly is_enabled: boolean
  readonly connector_status: string
  readonly sealed: readonly string[]
}

/** So many connections of one connector can share the global path. */
const mostShared = 1000

const targetSql = (where: string) => `
select c.id, coalesce(c.team_id, f.team_id) as team_id, c.integration_id, c.connector_id, k.implementation, c.settings,
       k.manifest -> 'inbound' as inbound, 'getAccountMetadata' = any(k.functions) as "findsAccount",
       c.enabled and i.status = 'active' as is_enabled, k.status as connector_status,
       array(select encode(s.sealed, 'base64') from inbound_secrets s
              where s.connection_id = c.id and (s.expires_at is null or s.expires_at > now())) as sealed
  from connections c
  join connectors k on k.id = c.connector_id
  join integrations i on i.id = c.integration_id
  left join flows f on f.id = c.flow_id
 where ${where} and k.kinds && $2::text[]`

/** Undefined also when it is of another connector than the path says, or takes no payloads. */
export async function findInbound(
  { pool, sealer }: { readonly pool: pg.Pool; readonly sealer: Sealer },
  implementation: string,
  connectionId: string,
): Promise<InboundTarget | undefined> {
  const { rows } = await pool.query<TargetRow>({
    name: 'inbound: find connection',
    text: targetSql('k.implementation = $1 and c.id = $3'),
    values: [implementation, inboundKinds satisfies readonly ConnectorKind[], connectionId],
  })
  return rows[0] && targetOf(rows[0], sealer)
}

/** All of a connector's connections, of all teams, for the global path; the oldest first. */
export async function findShared(
  { pool, sealer }: { readonly pool: pg.Pool; readonly sealer: Sealer },
  implementation: string,
): Promise<readonly InboundTarget[]> {
  const { rows } = await pool.query<TargetRow>({
    name: 'inbound: find connections of a connector',
    text: `${targetSql('k.implementation = $1')} order by c.id limit ${mostShared}`,
    values: [implementation, inboundKinds],
  })
  return rows.map((row) => targetOf(row, sealer))
}

function targetOf({ sealed, inbound, is_enabled, connector_status, ...row }: TargetRow, sealer: Sealer): InboundTarget {
  const closed =
    connector_status === 'withdrawn'
      ? 'withdrawn'
      : row.team_id === null
        ? 'flowless'
        : is_enabled && connector_status === 'approved'
          ? null
          : 'disabled'
  const secrets = sealed.map((each) => openInboundSecret(sealer, Buffer.from(each, 'base64')))
  return { ...row, inbound: inbound ?? {}, closed, secrets }
}

export interface ChosenHeaders {
  readonly open: Readonly<Record<string, string>>
  /** Those that prove something, which nobody is to read. */
  readonly secret: Readonly<Record<string, string>>
}

/** RFC 9110, 7.6.1, and what is between the sender and the gateway. */
const hopByHop = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-encoding',
  'expect',
])
const looksSecret = /authorization|cookie|secret|token|password|api-?key/
const mostHeaders = 100
const mostHeaderBytes = 16 * 1024

/**
 * The headers that a connector may see: none between two hops, none that prove the sender to Sluice itself, at most 100
 * and 16 KiB. Pure.
 */
export function chooseHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  { authentication = 'secret' }: Inbound,
): ChosenHeaders {
  const named = new Set(
    String(headers.connection ?? '')
      .split(',')
      .map((name) => name.trim().toLowerCase()),
  )
  const open: Record<string, string> = {}
  const secret: Record<string, string> = {}
  let count = 0
  let bytes = 0
  for (const [name, given] of Object.entries(headers)) {
    if (given === undefined || hopByHop.has(name) || named.has(name) || name === 'x-sluice-secret') continue
    if (authentication === 'secret' && (name === 'authorization' || name === 'cookie')) continue
    const value = typeof given === 'string' ? given : given.join(', ')
    count += 1
    bytes += name.length + Buffer.byteLength(value)
    if (count > mostHeaders || bytes > mostHeaderBytes) break
    const into = looksSecret.test(name) ? secret : open
    into[name] = value.replaceAll('\0', '')
  }
  return { open, secret }
}

export interface NewPayload {
  readonly target: InboundTarget
  readonly content: Buffer
  /** Hex. */
  readonly sha256: string
  readonly mime: string | null
  readonly headers: ChosenHeaders
  /** The request's `webhook-id`, of a sender that is known; null for none. */
  readonly message_id: string | null
  readonly address: string | null
  readonly request_id: string
}

export interface StoredPayload {
  readonly id: string
  /** False for a `webhook-id` that was seen before: nothing more is stored. */
  readonly created: boolean
}

/** Payloads of a sender that only the connector can know, which may wait at once: strangers cannot fill the disk. */
export const mostUnproved = 500

/**
 * One statement: the payload and its audit entry.
 *
 * @returns undefined when too many payloads of unknown senders wait.
 */
export async function storePayload(
  { pool, sealer }: { readonly pool: pg.Pool; readonly sealer: Sealer },
  { target, content, sha256, mime, headers, message_id, address, request_id }: NewPayload,
): Promise<StoredPayload | undefined> {
  const sealed =
    Object.keys(headers.secret).length > 0 ? sealer.seal(JSON.stringify(headers.secret), headersPurpose) : null
  const { rows } = await pool.query<StoredPayload>({
    name: 'inbound: store payload',
    text: storeSql,
    values: [
      target.id,
      target.team_id,
      content,
      content.length,
      sha256,
      mime,
      JSON.stringify(headers.open),
      sealed,
      message_id,
      target.inbound.authentication === 'connector' ? mostUnproved : null,
      target.integration_id,
      address,
      request_id,
    ],
  })
  return rows[0]
}

const storeSql = `
with stored as (
  insert into raw_sources
    (connection_id, team_id, origin, status, content, size, sha256, payload_sha256, mime, headers, sealed_headers, message_id, due_at, received_at)
  select $1, $2::uuid, 'inbound', 'received', $3, $4, $5, $5, $6, $7::jsonb, $8, $9, now(), now()
   where $10::int is null
      or (select count(*) from (select from raw_sources r
                                 where r.connection_id = $1 and r.status = 'received' limit $10) as waiting) < $10
  on conflict (connection_id, message_id) do update set repeats = raw_sources.repeats + 1
  returning id, xmax = 0 as created
), audited as (
  insert into audit_entries (team_id, integration_id, actor_kind, actor_id, operation, outcome, address, request_id, detail)
  select $2::uuid, $11::uuid, 'connection', $1::text, 'receive_payload', 'granted', $12, $13,
         jsonb_strip_nulls(jsonb_build_object('ids', jsonb_build_object('raw_source_id', id, 'connection_id', $1::text),
                                              'size', $4::int, 'repeated', case when not created then true end))
    from stored
)
select id, created from stored`

export interface PayloadOutcome {
  readonly status: 'pending' | 'received' | 'converted' | 'discarded' | 'failed' | 'missing' | 'unmatched'
  readonly message: string | null
  readonly is_refused: boolean
}

/** The feed tells of a conversion; this is for when it has a gap. */
const lookMs = 1000

/** Waits until a payload is converted, or is not going to be for now. Undefined when it is not known in time. */
export async function awaitOutcome(
  { pool, feed }: { readonly pool: pg.Pool; readonly feed: ChangeFeed },
  { id, connection_id, sha256 }: { readonly id: string; readonly connection_id: string; readonly sha256: string },
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<PayloadOutcome | undefined> {
  let look = Promise.withResolvers<void>()
  const wake = () => look.resolve()
  // A repetition is not kept: its row goes, and the one with the same content counts.
  const stop = feed.listen((changes) => {
    if (changes.some(({ table, key }) => table === 'raw_sources' && key.id === id)) wake()
  })
  const ungap = feed.onGap(wake)
  signal.addEventListener('abort', wake)
  const deadline = performance.now() + timeoutMs
  try {
    for (;;) {
      const outcome = await readOutcome(pool, { id, connection_id, sha256 })
      if (outcome && outcome.status !== 'received') return outcome
      const left = deadline - performance.now()
      if (left <= 0 || signal.aborted) return undefined
      const timer = setTimeout(wake, Math.min(left, lookMs))
      await look.promise
      clearTimeout(timer)
      look = Promise.withResolvers<void>()
    }
  } finally {
    signal.removeEventListener('abort', wake)
    stop()
    ungap()
  }
}

async function readOutcome(
  pool: pg.Pool,
  { id, connection_id, sha256 }: { readonly id: string; readonly connection_id: string; readonly sha256: string },
): Promise<PayloadOutcome | undefined> {
  const { rows } = await pool.query<PayloadOutcome>({
    name: 'inbound: read outcome',
    text: `select status, message, is_refused from raw_sources
            where connection_id = $2 and (id = $1 or payload_sha256 = $3)
            order by id = $1 desc, position desc limit 1`,
    values: [id, connection_id, sha256],
  })
  return rows[0]
}
