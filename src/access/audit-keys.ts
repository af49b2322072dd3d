/** Keys that sign audit blocks: Ed25519, made by the first process that seals, private halves sealed. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import type pg from 'pg'
import type { Sealer } from './seal.ts'

export const auditKeyPurpose = 'audit-signing-key'

export interface AuditKey {
  readonly kid: string
  readonly privateKey: KeyObject
}

/** The key to sign with. Called under the lock of sealing, so that two processes do not make one each. */
export async function auditSigningKey(client: Pick<pg.ClientBase, 'query'>, sealer: Sealer): Promise<AuditKey> {
  const { rows } = await client.query<{ kid: string; sealed: Buffer }>(
    `select kid, sealed from signing_keys where use = 'audit' and retired_at is null order by created_at desc limit 1`,
  )
  const [stored] = rows
  if (stored) return { kid: stored.kid, privateKey: opened(stored.sealed, sealer) }
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const publicJwk = publicKey.export({ format: 'jwk' })
  const kid = await calculateJwkThumbprint(publicJwk as { kty: string })
  const sealed = sealer.seal(JSON.stringify(privateKey.export({ format: 'jwk' })), auditKeyPurpose)
  await client.query(`insert into signing_keys (kid, use, public_jwk, sealed) values ($1, 'audit', $2, $3)`, [
    kid,
    { ...publicJwk, kid, use: 'sig', alg: 'EdDSA' },
    sealed,
  ])
  return { kid, privateKey }
}

/**
 * Public keys by `kid`, retired ones too. They are worked out of the sealed private halves: a public key in the table
 * that somebody put there without `SLUICE_SECRET_KEY` verifies nothing.
 */
export async function auditVerifyingKeys(
  client: Pick<pg.ClientBase, 'query'>,
  sealer: Sealer,
): Promise<ReadonlyMap<string, KeyObject>> {
  const { rows } = await client.query<{ kid: string; sealed: Buffer }>(
    `select kid, sealed from signing_keys where use = 'audit'`,
  )
  const keys = new Map<string, KeyObject>()
  for (const { kid, sealed } of rows) {
    try {
      keys.set(kid, createPublicKey(opened(sealed, sealer)))
    } catch {
      // Not of this installation; blocks that name it are reported as not signed by us.
    }
  }
  return keys
}

function opened(sealed: Buffer, sealer: Sealer): KeyObject {
  return createPrivateKey({ key: JSON.parse(sealer.open(sealed, auditKeyPurpose)), format: 'jwk' })
}
