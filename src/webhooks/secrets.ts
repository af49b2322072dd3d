/** Signing secrets at rest. */
import type pg from 'pg'
import type { Sealer } from '../access/seal.ts'
import { SluiceError } from '../errors.ts'
import { newSigningSecret, readSigningSecret } from './signing.ts'

/** A secret sealed for this purpose opens for no other. */
export const webhookSecretPurpose = 'webhook-secret'

export function sealWebhookSecret(sealer: Sealer, secret: string): Buffer {
  return sealer.seal(secret, webhookSecretPurpose)
}

/** @throws SluiceError CONFIGURATION when the installation's key has changed. */
export function openWebhookSecret(sealer: Sealer, sealed: Uint8Array): string {
  return sealer.open(sealed, webhookSecretPurpose)
}

/** Gives each of these webhooks, which have none yet, a signing secret of its own. */
export async function insertWebhookSecrets(
  { client, sealer }: { readonly client: pg.ClientBase; readonly sealer: Sealer },
  webhookIds: readonly unknown[],
): Promise<void> {
  await client.query(
    `insert into webhook_secrets (webhook_id, sealed)
     select * from unnest($1::uuid[], $2::bytea[])`,
    [webhookIds, webhookIds.map(() => sealWebhookSecret(sealer, newSigningSecret()))],
  )
}

export interface NewWebhookSecret {
  readonly webhook_id: string
  /** One that the receiver already has; without it, one is made. */
  readonly secret?: string
  /** How long the secrets before it still sign, in milliseconds; a receiver changes over meanwhile. @default 24 hours */
  readonly overlapMs?: number
}

/** More at once would make a long header of little use. */
const mostLive = 4

/**
 * Gives a webhook a new signing secret; those before it still sign until the
 * overlap ends.
 *
 * @returns the secret, which is not shown again.
 * @throws SluiceError NOT_FOUND, VALIDATION_FAILED for a secret that is not one, CONFLICT when too many are live.
 */
export async function createWebhookSecret(
  { pool, sealer }: { readonly pool: pg.Pool; readonly sealer: Sealer },
  { webhook_id, secret = newSigningSecret(), overlapMs = 86_400_000 }: NewWebhookSecret,
): Promise<string> {
  readSigningSecret(secret)
  // The webhook's row gets a new version, by which carriers know that they must read its secrets again.
  const { rows } = await pool.query<{ readonly found: boolean; readonly made: boolean }>(
    `with webhook as (
       update webhooks set updated_at = now() where id = $1 returning id
     ), live as (
       select s.id from webhook_secrets s join webhook on webhook.id = s.webhook_id
        where s.expires_at is null or s.expires_at > now()
     ), ending as (
       update webhook_secrets s
          set expires_at = least(s.expires_at, now() + $3::float8 * interval '1 millisecond')
         from live
        where s.id = live.id and (select count(*) from live) < $4
     ), made as (
       insert into webhook_secrets (webhook_id, sealed)
       select id, $2 from webhook where (select count(*) from live) < $4
       returning id
     )
     select exists (select from webhook) as found, exists (select from made) as made`,
    [webhook_id, sealWebhookSecret(sealer, secret), overlapMs, mostLive],
  )
  if (!rows[0]?.found) throw new SluiceError('NOT_FOUND', `There is no webhook ${webhook_id}.`, { path: 'webhook_id' })
  if (!rows[0].made) {
    throw new SluiceError(
      'CONFLICT',
      `The webhook has ${mostLive} secrets that still sign. Wait until one expires, or replace them with an overlap of 0.`,
    )
  }
  return secret
}
