/** Files in S3-compatible storage, through the `minio` client; embedded and real storage take the same path. */
import type { Readable } from 'node:stream'
import { Client } from 'minio'
import { messageOf, SluiceError } from '../errors.ts'

export interface StoredFile {
  /** In bytes. */
  readonly size: number
  readonly etag: string
  readonly modifiedAt: Date
  readonly contentType: string
  /** As given to `put`; names in lower case. */
  readonly meta: Readonly<Record<string, string>>
}

export interface PutOptions {
  /** Length of a stream in bytes. Without it the stream may be 64 MiB long at most. */
  readonly size?: number
  /** @default application/octet-stream */
  readonly contentType?: string
  readonly meta?: Readonly<Record<string, string>>
}

/**
 * Keys are paths such as `sessions/0198…/plan.pdf`: no empty, `.` or `..` parts.
 *
 * Every method throws SluiceError UNAVAILABLE when the storage does not answer or refuses us.
 */
export interface FileStore {
  /** Makes the bucket when it is not there; safe when several processes do it at once. */
  ensureBucket(): Promise<void>
  /**
   * Up to 64 MiB are held in memory and sent at once. What is longer goes in parts, which real S3 knows and the
   * embedded one does not.
   *
   * @throws SluiceError TOO_LARGE for a longer stream without `size`.
   */
  put(key: string, body: Readable | Buffer, options?: PutOptions): Promise<{ readonly etag: string }>
  /** @throws SluiceError NOT_FOUND */
  get(key: string): Promise<Readable>
  stat(key: string): Promise<StoredFile | undefined>
  /** Does nothing when there is no such file. */
  remove(key: string): Promise<void>
  /** A link that whoever holds it can read the file with, for `seconds`. */
  presignedGet(key: string, seconds: number, options?: { readonly downloadAs?: string }): Promise<string>
  /** A link that whoever holds it can write the file with, for `seconds`. */
  presignedPut(key: string, seconds: number): Promise<string>
}

/** The part of the configuration that says where the storage is. */
export interface FileStoreOptions {
  readonly S3_ENDPOINT: string
  /** What clients use in links, where it differs. */
  readonly S3_PUBLIC_ENDPOINT?: string
  readonly S3_REGION: string
  readonly S3_BUCKET: string
  readonly S3_ACCESS_KEY: string
  readonly S3_SECRET_KEY: string
}

/**
 * Makes no connection before it is used.
 *
 * @example
 * const files = createFileStore(config)
 * await files.put('sessions/1/plan.pdf', pdf, { contentType: 'application/pdf' })
 * const link = await files.presignedGet('sessions/1/plan.pdf', 300)
 */
export function createFileStore(options: FileStoreOptions): FileStore {
  const { S3_ENDPOINT, S3_PUBLIC_ENDPOINT = S3_ENDPOINT, S3_BUCKET: bucket, S3_REGION: region } = options
  const client = clientOf(S3_ENDPOINT, options)
  // A signature covers the host, so links for another host need a client of their own. It only computes.
  const linkClient = S3_PUBLIC_ENDPOINT === S3_ENDPOINT ? client : clientOf(S3_PUBLIC_ENDPOINT, options)

  return {
    async ensureBucket() {
      await answered(async () => {
        if (await client.bucketExists(bucket)) return
        await client.makeBucket(bucket, region).catch((error) => {
          if (!/BucketAlready(OwnedByYou|Exists)/.test(codeOf(error))) throw error
        })
      })
    },
    async put(key, body, { size, contentType = 'application/octet-stream', meta = {} } = {}) {
      const headers = { ...meta, 'content-type': contentType }
      const content = Buffer.isBuffer(body) || size !== undefined ? body : await collected(body)
      const length = Buffer.isBuffer(content) ? content.length : size
      return answered(async () => {
        const { etag } = await client.putObject(bucket, checked(key), content, length, headers)
        return { etag }
      })
    },
    get: (key) => answered(() => client.getObject(bucket, checked(key)), key),
    async stat(key) {
      try {
        const found = await answered(() => client.statObject(bucket, checked(key)), key)
        const { 'content-type': contentType = 'application/octet-stream', ...meta } = found.metaData
        return { size: found.size, etag: found.etag, modifiedAt: found.lastModified, contentType, meta }
      } catch (error) {
        if (error instanceof SluiceError && error.code === 'NOT_FOUND') return undefined
        throw error
      }
    },
    async remove(key) {
      await answered(() => client.removeObject(bucket, checked(key)))
    },
    presignedGet(key, seconds, { downloadAs } = {}) {
      const answer = downloadAs ? { 'response-content-disposition': attachment(downloadAs) } : undefined
      return linkClient.presignedGetObject(bucket, checked(key), seconds, answer)
    },
    presignedPut: (key, seconds) => linkClient.presignedPutObject(bucket, checked(key), seconds),
  }
}

function clientOf(endpoint: string, { S3_REGION, S3_ACCESS_KEY, S3_SECRET_KEY }: FileStoreOptions): Client {
  const { protocol, hostname, port } = new URL(endpoint)
  return new Client({
    endPoint: hostname,
    port: port ? Number(port) : protocol === 'https:' ? 443 : 80,
    useSSL: protocol === 'https:',
    accessKey: S3_ACCESS_KEY,
    secretKey: S3_SECRET_KEY,
    // With a region given, the client never asks the server for it, so links cost no request.
    region: S3_REGION,
    pathStyle: true,
    partSize: oneRequestBytes,
  })
}

const oneRequestBytes = 64 * 1024 * 1024

async function collected(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.length
    if (bytes > oneRequestBytes) throw new SluiceError('TOO_LARGE', 'The file is larger than 64 MiB.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** A key with `..` could leave the bucket's folder in a storage that keeps plain files. */
function checked(key: string): string {
  if (key.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new SluiceError('BAD_REQUEST', `"${key}" is no file key: it has an empty part, "." or "..".`)
  }
  return key
}

async function answered<T>(call: () => Promise<T>, key = ''): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause
    const code = codeOf(cause)
    if (code === 'NoSuchKey' || code === 'NotFound') {
      throw new SluiceError('NOT_FOUND', `There is no file "${key}" any more.`, { cause })
    }
    throw new SluiceError('UNAVAILABLE', `The file storage failed: ${code || messageOf(cause)}.`, { cause })
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error ? String((error as { code?: string }).code ?? '') : ''
}

/** Plain ASCII: storages disagree on how `!'()*` in a query are signed, and then refuse the link. */
const attachment = (name: string) => `attachment; filename="${name.replace(/[^A-Za-z0-9._ -]/g, '_')}"`
