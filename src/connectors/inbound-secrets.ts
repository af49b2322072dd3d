/**
 * The secrets by which the sender of inbound payloads is known, one connection's own. A sender signs with one, as
 * Standard Webhooks has it, or sends it along: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type pg from 'pg'
import type { Sealer } from '../access/seal.ts'
import { SluiceError } from '../errors.ts'

export const inboundSecretPurpose = 'inbound secret'

/** How old, or how far ahead, the time of a signature may be. */
export const toleranceSeconds = 300
const usualOverlapSeconds = 86_400
const longestOverlapSeconds = 30 * 86_400
/** More would be guessing. */
const mostSignatures = 20

export interface NewInboundSecret {
  readonly connection_id: string
  /** How long the secret before it is still taken. @default 86400 */
  readonly overlap_seconds?: number | null
}

/**
 * Gives a connection a new secret. The one before it is taken until the overlap ends; older ones end at once.
 *
 * @returns the secret, which is not shown again.
 * @throws SluiceError NOT_FOUND, VALIDATION_FAILED (overlap).
 */
export async function rotateInboundSecret(
  { pool, sealer }: { readonly pool: pg.Pool; readonly sealer: Sealer },
  { connection_id, overlap_seconds }: NewInboundSecret,
): Promise<{ readonly secret: string; readonly previous_until: Date | null }> {
  const overlap = overlap_seconds ?? usualOverlapSeconds
  if (!(overlap >= 0 && overlap <= longestOverlapSeconds)) {
    throw new SluiceError('VALIDATION_FAILED', `overlap_seconds must be between 0 and ${longestOverlapSeconds}.`, {
      path: 'overlap_seconds',
    })
  }
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const client = await pool.connect()
  try {
    await client.query('begin')
    // Two that rotate at once take turns here.
    const { rowCount } = await client.query(
      'update connections set inbound_secret_set_at = now() where id = $1 returning id',
      [connection_id],
    )
    if (rowCount === 0) throw new SluiceError('NOT_FOUND', `There is no connection ${connection_id}.`)
    const { rows } = await client.query<{ previous_until: Date | null }>(
      `with newest as (
         select id from inbound_secrets
          where connection_id = $1 and (expires_at is null or expires_at > now())
          order by created_at desc, id desc limit 1
       ), gone as (
         delete from inbound_secrets where connection_id = $1 and ($3 = 0 or id not in (select id from newest))
       ), ending as (
         update inbound_secrets s set expires_at = least(s.expires_at, now() + $3::float8 * interval '1 second')
           from newest where s.id = newest.id and $3 > 0
         returning s.expires_at
       ), made as (
         insert into inbound_secrets (connection_id, sealed) values ($1, $2)
       )
       select (select expires_at from ending) as previous_until`,
      [connection_id, sealer.seal(secret, inboundSecretPurpose), overlap],
    )
    await client.query('commit')
    return { secret, previous_until: rows[0]?.previous_until ?? null }
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}

/** @throws SluiceError CONFIGURATION when the installation's key has changed. */
export function openInboundSecret(sealer: Sealer, sealed: Uint8Array): string {
  return sealer.open(sealed, inboundSecretPurpose)
}

/** What a request brings to say who sent it. */
export interface Proof {
  /** Secrets that were sent along: `X-Sluice-Secret`, `Authorization: Bearer`, the password of Basic. */
  readonly secrets: readonly string[]
  readonly signature?: {
    readonly id: string
    /** Seconds since 1970, as it was sent. */
    readonly timestamp: string
    /** Of version 1, base64. */
    readonly values: readonly string[]
  }
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** @param headers names in lower case, as Node gives them. */
export function proofIn(headers: Headers): Proof {
  const one = (name: string) => (typeof headers[name] === 'string' ? headers[name].trim() : undefined)
  const secrets: string[] = []
  const own = one('x-sluice-secret')
  if (own) secrets.push(own)
  const [, scheme = '', credentials = ''] = /^(bearer|basic) +(.+)$/i.exec(one('authorization') ?? '') ?? []
  if (scheme.toLowerCase() === 'bearer') secrets.push(credentials)
  if (scheme.toLowerCase() === 'basic') {
    const pair = Buffer.from(credentials, 'base64').toString('utf8')
    if (pair.includes(':')) secrets.push(pair.slice(pair.indexOf(':') + 1))
  }
  const id = one('webhook-id')
  const timestamp = one('webhook-timestamp')
  const values = (one('webhook-signature') ?? '')
    .split(' ')
    .filter((each) => each.startsWith('v1,'))
    .slice(0, mostSignatures)
    .map((each) => each.slice(3))
  if (!id || !timestamp || values.length === 0) return { secrets }
  return { secrets, signature: { id, timestamp, values } }
}

export type Judgement = 'right' | 'wrong' | 'stale' | 'missing'

/**
 * Whether a proof was made with one of these secrets. Pure.
 *
 * @param bodies exactly what was sent, and what it is when unpacked: senders sign one or the other. Empty when the body
 *   is not read yet: then only secrets that were sent along count.
 * @param now in milliseconds.
 */
export function judge(
  proof: Proof,
  secrets: readonly string[],
  bodies: readonly Buffer[],
  now = Date.now(),
): Judgement {
  const { signature } = proof
  if (proof.secrets.length === 0 && !signature) return 'missing'
  if (proof.secrets.some((given) => secrets.some((secret) => equal(given, secret)))) return 'right'
  if (!signature || bodies.length === 0) return 'wrong'
  const isSigned = secrets.some((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    return bodies.some((body) => {
      const expected = createHmac('sha256', key)
        .update(`${signature.id}.${signature.timestamp}.`)
        .update(body)
        .digest('base64')
      return signature.values.some((value) => equal(value, expected))
    })
  })
  if (!isSigned) return 'wrong'
  const seconds = /^\d{1,12}$/.test(signature.timestamp) ? Number(signature.timestamp) : Number.NaN
  return Math.abs(now / 1000 - seconds) <= toleranceSeconds ? 'right' : 'stale'
}

/** In a time that tells nothing, whatever their lengths. */
function equal(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}
