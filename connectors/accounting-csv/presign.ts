/**
 * Addresses that open one object of an S3 bucket for one method and a limited
 * time: AWS Signature Version 4 in the query, which any S3 takes and which
 * leaves the body unsigned, so that files can be streamed.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */

export interface Bucket {
  /** `https://s3.eu-west-2.amazonaws.com` */
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface Access {
  readonly method: 'GET' | 'PUT'
  readonly key: string
  /** At most 604 800, seven days. */
  readonly seconds: number
  readonly now: Date
}

const algorithm = 'AWS4-HMAC-SHA256'
const encoder = new TextEncoder()

/** The object's address without any right to it. */
export function addressOf({ endpoint, bucket }: Pick<Bucket, 'endpoint' | 'bucket'>, key: string): string {
  const path = [bucket, ...key.split('/')].map(encoded).join('/')
  return `${endpoint.replace(/\/+$/, '')}/${path}`
}

export async function presigned(at: Bucket, { method, key, seconds, now }: Access): Promise<string> {
  const url = new URL(addressOf(at, key))
  const time = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
  const scope = `${time.slice(0, 8)}/${at.region}/s3/aws4_request`
  const query = Object.entries({
    'X-Amz-Algorithm': algorithm,
    'X-Amz-Credential': `${at.accessKeyId}/${scope}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(seconds),
    'X-Amz-SignedHeaders': 'host',
  })
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .join('&')
  const asked = [method, url.pathname, query, `host:${url.host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n')
  const toSign = [algorithm, time, scope, hex(await sha256(asked))].join('\n')
  let signing = encoder.encode(`AWS4${at.secretAccessKey}`)
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

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text)))
}

async function hmac(secret: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(text)))
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
