/** Files in S3-compatible storage, through the `minio` client; embedded and real storage take the same path. */
import type { Readable } from 'node:stream'
import { create as contentDisposition } from 'content-disposition'
import { Client, CopyDestinationOptions, CopySourceOptions } from 'minio'
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

export interface ContentOptions {
  /** @default application/octet-stream */
  readonly contentType?: string
  /** The name under which whoever follows a link saves it (RFC 6266). */
  readonly downloadAs?: string
}

export interface PutOptions extends ContentOptions {
  readonly meta?: Readonly<Record<string, string>>
}

export interface ListedFile {
  readonly key: string
  /** In bytes. */
  readonly size: number
  readonly modifiedAt: Date
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
   * A stream may be of any length, which need not be known: beyond 5 MiB it goes in parts of that size, one at a time,
   * so that no more than two parts are in memory, and the stream is read only as fast as the storage takes it. When the
   * stream fails, nothing is stored, and its error is thrown.
   */
  put(key: string, body: AsyncIterable<Buffer> | Buffer, options?: PutOptions): Promise<{ readonly etag: string }>
  /** @throws SluiceError NOT_FOUND */
  get(key: string): Promise<Readable>
  stat(key: string): Promise<StoredFile | undefined>
  /** Inside the storage; the copy's type and name are those given. @throws SluiceError NOT_FOUND */
  copy(from: string, to: string, options?: ContentOptions): Promise<void>
  /** Files whose keys begin with `prefix`, in pages of 1000. */
  list(prefix: string): AsyncIterable<ListedFile>
  /** Does nothing when there is no such file. */
  remove(key: string): Promise<void>
  /** 1000 with a request. */
  removeAll(keys: readonly string[]): Promise<void>
  /** @param prefix ends in `/`, so that it is not the beginning of another name. @returns how many were removed. */
  removeUnder(prefix: string): Promise<number>
  /**
   * A link that whoever holds it can read the file with, for `seconds`. The answer says the type and the name that were
   * stored with the file; `downloadAs` gives another name, in plain ASCII.
   */
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
    async put(key, body, { meta = {}, ...content } = {}) {
      const headers = { ...meta, ...contentHeaders(content) }
      const parts = partsOf(Buffer.isBuffer(body) ? [body] : body)
      const first = await parts.next()
      const second = first.done ? first : await parts.next()
      if (second.done) {
        const whole = first.done ? Buffer.alloc(0) : first.value
        const { etag } = await answered(() => client.putObject(bucket, checked(key), whole, whole.length, headers))
        return { etag }
      }
      return putInParts(checked(key), headers, [first.value as Buffer, second.value], parts)
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
    async copy(from, to, content = {}) {
      const source = new CopySourceOptions({ Bucket: bucket, Object: checked(from) })
      const target = new CopyDestinationOptions({
        Bucket: bucket,
        Object: checked(to),
        MetadataDirective: 'REPLACE',
        Headers: contentHeaders(content),
      })
      await answered(() => client.copyObject(source, target), from)
    },
    list,
    async remove(key) {
      await answered(() => client.removeObject(bucket, checked(key)))
    },
    removeAll,
    async removeUnder(prefix) {
      if (!/[^/]\/$/.test(prefix)) throw new SluiceError('BAD_REQUEST', `"${prefix}" is no prefix of file keys.`)
      let removed = 0
      let batch: string[] = []
      const removeBatch = async () => {
        await removeAll(batch)
        removed += batch.length
        batch = []
      }
      for await (const { key } of list(prefix)) if (batch.push(key) === batchSize) await removeBatch()
      await removeBatch()
      return removed
    },
    presignedGet(key, seconds, { downloadAs } = {}) {
      const answer = downloadAs ? { 'response-content-disposition': plainAttachment(downloadAs) } : undefined
      return linkClient.presignedGetObject(bucket, checked(key), seconds, answer)
    },
    presignedPut: (key, seconds) => linkClient.presignedPutObject(bucket, checked(key), seconds),
  }

  async function* list(prefix: string): AsyncGenerator<ListedFile> {
    const found = await answered(async () => client.listObjectsV2(bucket, prefix, true))
    try {
      for await (const item of found) {
        if (item.name) yield { key: item.name, size: item.size, modifiedAt: item.lastModified }
      }
    } catch (cause) {
      throw unavailable(cause)
    }
  }

  async function removeAll(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return
    const results = await answered(() => client.removeObjects(bucket, keys.map(checked)))
    const failed = results.find((result) => result?.Error)?.Error
    if (failed)
      throw new SluiceError('UNAVAILABLE', `The file storage did not remove a file: ${failed.Code ?? failed.Message}.`)
  }

  async function putInParts(
    key: string,
    headers: Readonly<Record<string, string>>,
    begun: readonly Buffer[],
    rest: AsyncGenerator<Buffer>,
  ): Promise<{ etag: string }> {
    const uploadID = await answered(() => client.initiateNewMultipartUpload(bucket, key, headers))
    const sent: { part: number; etag: string }[] = []
    const send = async (payload: Buffer) => {
      const part = sent.length + 1
      const { etag } = await answered(() =>
        client.uploadPart({ bucketName: bucket, objectName: key, uploadID, partNumber: part, headers: {} }, payload),
      )
      sent.push({ part, etag })
    }
    const finish = () => answered(() => client.completeMultipartUpload(bucket, key, uploadID, sent))
    try {
      for (const part of begun) await send(part)
      for await (const part of rest) await send(part)
      return { etag: (await finish()).etag }
    } catch (error) {
      await rest.return(undefined)
      // The embedded S3 cannot abort, only finish; there the parts go by removing what they make.
      await client
        .abortMultipartUpload(bucket, key, uploadID)
        .catch(async () => {
          if (sent.length > 0) await finish()
          await client.removeObject(bucket, key)
        })
        .catch(() => undefined)
      throw error
    }
  }
}

/** The least that S3 takes for a part that is not the last. */
const partBytes = 5 * 1024 * 1024
/** The most that S3 removes with one request. */
const batchSize = 1000

/** Chunks put together to parts of `partBytes`. */
async function* partsOf(chunks: Iterable<Buffer> | AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = []
  let bytes = 0
  for await (let chunk of chunks) {
    while (bytes + chunk.length >= partBytes) {
      const missing = partBytes - bytes
      yield Buffer.concat([...held, chunk.subarray(0, missing)], partBytes)
      chunk = chunk.subarray(missing)
      held = []
      bytes = 0
    }
    if (chunk.length > 0) {
      held.push(chunk)
      bytes += chunk.length
    }
  }
  if (bytes > 0) yield Buffer.concat(held, bytes)
}

function contentHeaders({
  contentType = 'application/octet-stream',
  downloadAs,
}: ContentOptions): Record<string, string> {
  return {
    'content-type': contentType,
    ...(downloadAs ? { 'content-disposition': attachment(downloadAs) } : {}),
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
  })
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
    throw unavailable(cause)
  }
}

function unavailable(cause: unknown): SluiceError {
  return new SluiceError('UNAVAILABLE', `The file storage failed: ${codeOf(cause) || messageOf(cause)}.`, { cause })
}

function codeOf(error: unknown): string {
  return error instanceof Error ? String((error as { code?: string }).code ?? '') : ''
}

const asciiName = (name: string) => name.replace(/[^A-Za-z0-9._ -]/g, '_')

/** With the whole name (RFC 8187) beside a plain one; stored with the file, and so part of every answer. */
const attachment = (name: string) => contentDisposition(name, { fallback: asciiName(name) })

/** Plain ASCII: storages disagree on how `!'()*` in a query are signed, and then refuse the link. */
const plainAttachment = (name: string) => `attachment; filename="${asciiName(name)}"`
