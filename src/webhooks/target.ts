/** What the carrier must know of a webhook, read once per version of its row. */
import type { KeyObject } from 'node:crypto'
import type pg from 'pg'
import type { Sealer } from '../access/seal.ts'
import { SluiceError } from '../errors.ts'
import { openHeaders, type WebhookHeaders } from './headers.ts'
import { openWebhookSecret } from './secrets.ts'
import { readSigningSecret } from './signing.ts'
import { openWebhookKey } from './signing-keys.ts'

export interface WebhookTarget {
  readonly url: string
  /** The fixed object that goes with every event. */
  readonly config: unknown
  /** Belongs to the platform: what teams read of a delivery must not name its address. */
  readonly isPlatform: boolean
  readonly headers: WebhookHeaders
  readonly secretHeaders: WebhookHeaders
  /** For `v1`; newest first, and empty where it is not wanted. */
  readonly keys: readonly Live<Buffer>[]
  /** The installation's, for `v1a`; newest first, and empty where it is not wanted. */
  readonly privateKeys: readonly Live<KeyObject>[]
}

/** A key and when it stops signing. */
export interface Live<Key> {
  readonly key: Key
  readonly expires_at: Date | null
}

export interface TargetReaderOptions {
  readonly pool: pg.Pool
  readonly sealer: Sealer
}

/** Whoever changes secrets touches the webhook's row, which gives it a new version; this is for a change by hand. */
const keepMs = 30_000
const mostKept = 5000

/** @throws SluiceError NOT_FOUND when the webhook was deleted; CONFIGURATION when its secrets cannot be opened. */
export function createTargetReader({ pool, sealer }: TargetReaderOptions) {
  const kept = new Map<
    string,
    { readonly version: string; readonly at: number; readonly target: Promise<WebhookTarget> }
  >()
  return (webhookId: string, version: string): Promise<WebhookTarget> => {
    const known = kept.get(webhookId)
    if (known && known.version === version && performance.now() - known.at < keepMs) return known.target
    const target = readTarget(pool, sealer, webhookId)
    kept.delete(webhookId)
    kept.set(webhookId, { version, at: performance.now(), target })
    // A failure is told to those who wait for it, and not kept.
    target.catch(() => kept.delete(webhookId))
    const [oldest] = kept.keys()
    if (kept.size > mostKept && oldest !== undefined) kept.delete(oldest)
    return target
  }
}

interface Row {
  readonly url: string
  readonly config: unknown
  readonly is_platform: boolean
  readonly headers: WebhookHeaders
  readonly sealed_headers: Buffer | null
  readonly secrets: readonly SealedKey[]
  readonly signing_keys: readonly SealedKey[]
}

interface SealedKey {
  /** In base64. */
  readonly sealed: string
  readonly expires_at: string | null
}

async function readTarget(pool: pg.Pool, sealer: Sealer, webhookId: string): Promise<WebhookTarget> {
  const { rows } = await pool.query<Row>({
    name: 'read_webhook_target',
    text: `
      select w.url, w.config, w.team_id is null as is_platform, w.headers, w.sealed_headers,
             case when 'v1' = any(w.signatures) then (
               select json_agg(json_build_object('sealed', encode(s.sealed, 'base64'), 'expires_at', s.expires_at)
                               order by s.created_at desc)
                 from webhook_secrets s
                where s.webhook_id = w.id and (s.expires_at is null or s.expires_at > now())) end as secrets,
             case when 'v1a' = any(w.signatures) then (
               select json_agg(json_build_object('sealed', encode(k.sealed, 'base64'), 'expires_at', k.retired_at)
                               order by k.created_at desc)
                 from signing_keys k
                where k.use = 'webhook' and (k.retired_at is null or k.retired_at > now())) end as signing_keys
        from webhooks w
       where w.id = $1`,
    values: [webhookId],
  })
  const [row] = rows
  if (!row) throw new SluiceError('NOT_FOUND', 'The webhook was deleted.')
  return {
    url: row.url,
    config: row.config,
    isPlatform: row.is_platform,
    headers: row.headers,
    secretHeaders: openHeaders(sealer, row.sealed_headers),
    keys: opened(row.secrets, (sealed) => readSigningSecret(openWebhookSecret(sealer, sealed))),
    privateKeys: opened(row.signing_keys, (sealed) => openWebhookKey(sealer, sealed)),
  }
}

function opened<Key>(keys: readonly SealedKey[] | null, open: (sealed: Buffer) => Key): readonly Live<Key>[] {
  return (keys ?? []).map(({ sealed, expires_at }) => ({
    key: open(Buffer.from(sealed, 'base64')),
    expires_at: expires_at === null ? null : new Date(expires_at),
  }))
}
