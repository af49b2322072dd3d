/**
 * The installation's key pairs for `v1a` signatures. The private half is sealed
 * and never leaves; the public half is published as a JWKS, and in the form of
 * Standard Webhooks (`whpk_`) beside it.
 *
 * `signing_keys.retired_at` is when a key stops signing and being published; a
 * time in the future is the overlap during which old and new sign.
 */
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type pg from 'pg'
import type { Sealer } from '../access/seal.ts'
import { type Database, inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'

/** A public key, as `/.well-known/webhook-keys.json` shows it. */
export interface WebhookKey {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  /** The 32 bytes in base64url. */
  readonly x: string
  readonly kid: string
  readonly use: 'sig'
  readonly alg: 'EdDSA'
  /** The same 32 bytes as Standard Webhooks writes them: `whpk_` and base64. */
  readonly whpk: string
}

/** A value sealed for this purpose opens for no other. */
export const webhookKeyPurpose = 'webhook-signing-key'
const live = `use = 'webhook' and (retired_at is null or retired_at > now())`
/** Any number that nobody else locks. */
const turnLock = 5_126_070
/** More at once would make a long header of little use. */
const mostLive = 3

/** The live public keys, newest first. */
export async function publicWebhookKeys(pool: pg.Pool): Promise<{ readonly keys: readonly WebhookKey[] }> {
  const { rows } = await pool.query<{ readonly public_jwk: WebhookKey }>({
    name: 'public-webhook-keys',
    text: `select public_jwk from signing_keys where ${live} order by created_at desc, kid`,
  })
  return { keys: rows.map(({ public_jwk }) => public_jwk) }
}

/** @throws SluiceError CONFIGURATION when the installation's key has changed. */
export function openWebhookKey(sealer: Sealer, sealed: Uint8Array): KeyObject {
  return createPrivateKey({ key: JSON.parse(sealer.open(sealed, webhookKeyPurpose)), format: 'jwk' })
}

/** Makes the installation's first key if there is none. Gateways that start together make one between them. */
export async function ensureWebhookKey(database: Database, sealer: Sealer): Promise<void> {
  await inTransaction(database.pool, async (client) => {
    await client.query('select pg_advisory_xact_lock($1)', [turnLock])
    const { rows } = await client.query(`select 1 from signing_keys where ${live} limit 1`)
    if (rows.length === 0) await insertKey(client, sealer)
  })
}

export interface RotatedKey {
  readonly kid: string
  readonly whpk: string
  /** When those before it stop signing. */
  readonly previous_until: Date
}

/**
 * Makes a new key, which signs at once beside those before it until the overlap ends.
 *
 * @param overlapSeconds 0 ends the old ones at once, for a key that was stolen.
 * @throws SluiceError CONFLICT when too many sign already.
 */
export async function rotateWebhookKey(
  { pool }: Database,
  sealer: Sealer,
  overlapSeconds: number,
): Promise<RotatedKey> {
  return inTransaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock($1)', [turnLock])
    const { rows } = await client.query<{ readonly kid: string; readonly until: Date }>(
      `update signing_keys
          set retired_at = least(retired_at, now() + $1::float8 * interval '1 second')
        where ${live}
       returning kid, retired_at as until`,
      [overlapSeconds],
    )
    if (overlapSeconds > 0 && rows.length >= mostLive) {
      throw new SluiceError(
        'CONFLICT',
        `${mostLive} keys sign already. Wait until one ends, or replace them with an overlap of 0.`,
        { path: 'overlap_seconds' },
      )
    }
    const made = await insertKey(client, sealer)
    // Workers keep what they read of a webhook until its row has a new version; a retired key must not sign on.
    await client.query(`update webhooks set updated_at = now() where 'v1a' = any(signatures)`)
    const previous_until = new Date(Math.max(Date.now(), ...rows.map(({ until }) => until.getTime())))
    return { kid: made.kid, whpk: made.whpk, previous_until }
  })
}

async function insertKey(client: pg.ClientBase, sealer: Sealer): Promise<WebhookKey> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const x = publicKey.export({ format: 'jwk' }).x as string
  // RFC 7638: the hash over the required members in their order.
  const kid = createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }))
    .digest('base64url')
  const whpk = `whpk_${Buffer.from(x, 'base64url').toString('base64')}`
  const key: WebhookKey = { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig', alg: 'EdDSA', whpk }
  await client.query(
    `insert into signing_keys (kid, use, public_jwk, sealed, created_at) values ($1, 'webhook', $2, $3, clock_timestamp())`,
    [kid, key, sealer.seal(JSON.stringify(privateKey.export({ format: 'jwk' })), webhookKeyPurpose)],
  )
  return key
}
