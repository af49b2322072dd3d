/**
 * Addresses that open one object of an S3 bucket for one method and a limited time: AWS Signature Version 4 in the query,
 * which any S3 takes and which leaves the body unsigned, so that files and archives can be streamed. This file imports
 * nothing and does nothing at once: it becomes part of the bundles of connectors that use it, and of no other.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */

/** A bucket and the key that opens it, from settings of the connection. */
export interface S3Bucket {
  /** `https://s3.eu-west-2.amazonaws.com`; a host among the manifest's permissions, or of a setting that they name. */
  readonly endpoint: string
  readonly region: string
  /** Stands first in the path. Without it the endpoint's host names the bucket: `https://camden.s3.eu-west-2.amazonaws.com`. */
  readonly bucket?: string
  readonly accessKeyId: string
  /** From a PASSWORD setting. */
  readonly secretAccessKey: string
}

export interface S3Access {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE'
  /** With `/` between folders; any text. */
  readonly key: string
  /** How long the address opens it: 1 to 604,800, which is seven days. */
  readonly seconds: number
  /** When that begins. @default now */
  readonly now?: Date
}

/** The object's address without any right to it. */
export function s3Url({ endpoint, bucket }: Pick<S3Bucket, 'endpoint' | 'bucket'>, key: string): string {
  const names = bucket === undefined ? key.split('/') : [bucket, ...key.split('/')]
  return `${endpoint.replace(/\/+$/, '')}/${names.map(encoded).join('/')}`
}

/**
 * An address that opens the object to whoever has it. Do not log it while it lasts.
 *
 * @throws TypeError for an endpoint that is no address; RangeError for a time that S3 does not take.
 * @example
 * const url = await presignedS3Url(bucket, { method: 'PUT', key: `in/${event.id}/plan.pdf`, seconds: 900 })
 * const { statusCode } = await request.put(url, 'plan.pdf', { bodyType: 'file' })
 */
export async function presignedS3Url(
  bucket: S3Bucket,
  { method, key, seconds, now = new Date() }: S3Access,
): Promise<string> {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 604_800) {
    throw new RangeError(`An address of S3 lasts 1 to 604800 seconds, not ${seconds}.`)
  }
  const algorithm = 'AWS4-HMAC-SHA256'
  const url = new URL(s3Url(bucket, key))
  const time = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
  const scope = `${time.slice(0, 8)}/${bucket.region}/s3/aws4_request`
  const query = Object.entries({
    'X-Amz-Algorithm': algorithm,
    'X-Amz-Credential': `${bucket.accessKeyId}/${scope}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(seconds),
    'X-Amz-SignedHeaders': 'host',
  })
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .join('&')
  const asked = [method, url.pathname, query, `host:${url.host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n')
  const toSign = [algorithm, time, scope, hex(await sha256(asked))].join('\n')
  let signing = bytesOf(`AWS4${bucket.secretAccessKey}`)
  for (const part of [...scope.split('/'), toSign]) signing = await hmac(signing, part)
  return `${url.origin}${url.pathname}?${query}&X-Amz-Signature=${hex(signing)}`
}

/** RFC 3986: what `encodeURIComponent` leaves and AWS does not. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytesOf(text)))
}

async function hmac(secret: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, bytesOf(text)))
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
