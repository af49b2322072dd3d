/** Changing a webhook's headers, shown ones and secret ones, together. */

import type { Sealer } from '../access/seal.ts'
import { type Database, inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { checkHeaders, openHeaders, sealHeaders, type WebhookHeaders } from './headers.ts'
import { requireDistinct } from './webhooks.ts'

export interface HeadersChange {
  readonly id: string
  /** Replaces all of them; null leaves them. */
  readonly headers: unknown
  /** Replaces all of them; null leaves them, {} takes them away. */
  readonly secret_headers: unknown
}

export interface HeadersSet {
  readonly id: string
  readonly headers: WebhookHeaders
  readonly secret_header_names: readonly string[]
}

/** @throws SluiceError VALIDATION_FAILED for a header that must not be set, NOT_FOUND. */
export async function setWebhookHeaders(
  { pool }: Database,
  sealer: Sealer,
  { id, headers, secret_headers }: HeadersChange,
): Promise<HeadersSet> {
  const open = headers === null ? null : checkHeaders(headers, 'headers')
  const secret = secret_headers === null ? null : checkHeaders(secret_headers, 'secret_headers')
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ readonly headers: WebhookHeaders; readonly sealed_headers: Buffer | null }>(
      'select headers, sealed_headers from webhooks where id = $1 for update',
      [id],
    )
    const [before] = rows
    if (!before) throw new SluiceError('NOT_FOUND', `There is no webhook ${id}.`, { path: 'id' })
    const after = { open: open ?? before.headers, secret: secret ?? openHeaders(sealer, before.sealed_headers) }
    requireDistinct(after.open, after.secret)
    const secret_header_names = Object.keys(after.secret).sort()
    await client.query(
      `update webhooks set headers = $2, sealed_headers = $3, secret_header_names = $4, updated_at = now()
        where id = $1`,
      [id, JSON.stringify(after.open), sealHeaders(sealer, after.secret), secret_header_names],
    )
    return { id, headers: after.open, secret_header_names }
  })
}
