/** What the carrier must know of a webhook, read once per version of its row. */
import type pg from 'pg'
import type { Sealer } from '../access/seal.ts'
import { SluiceError } from '../errors.ts'
import { openWebhookSecret } from './secrets.ts'
import { readSigningSecret } from './signing.ts'

export interface WebhookTarget {
  readonly url: string
  /** The fixed object that goes with every event. */
  readonly config: unknown
  /** Newest first. */
  readonly keys: readonly { readonly key: Buffer; readonly expires_at: Date | null }[]
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

async function readTarget(pool: pg.Pool, sealer: Sealer, webhookId: string): Promise<WebhookTarget> {
  const { rows } = await pool.query<{
    readonly url: string
    readonly config: unknown
    readonly sealed: Buffer | null
    readonly expires_at: Date | null
  }>({
    name: 'read_webhook_target',
    text: `
      select w.url, w.config, s.sealed, s.expires_at
        from webhooks w
        left join webhook_secrets s on s.webhook_id = w.id and (s.expires_at is null or s.expires_at > now())
       where w.id = $1
       order by s.created_at desc`,
    values: [webhookId],
  })
  const [first] = rows
  if (!first) throw new SluiceError('NOT_FOUND', 'The webhook was deleted.')
  return {
    url: first.url,
    config: first.config,
    keys: rows.flatMap(({ sealed, expires_at }) =>
      sealed ? [{ key: readSigningSecret(openWebhookSecret(sealer, sealed)), expires_at }] : [],
    ),
  }
}
