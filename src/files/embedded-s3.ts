/**
 * The embedded S3: `@20minutes/s3rver` over a local folder, on 127.0.0.1, inside
 * this process. It knows one fixed key pair and lets unsigned requests through;
 * both are closed here, because what it holds is personal data.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { SluiceError } from '../errors.ts'

export interface EmbeddedS3Options {
  readonly folder: string
  /** On 127.0.0.1; 0 takes a free one. */
  readonly port: number
  /** @default sluice */
  readonly bucket?: string
}

export interface EmbeddedS3 {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string
  readonly port: number
  readonly bucket: string
  /** Random at every start. */
  readonly accessKey: string
  readonly secretKey: string
  close(): Promise<void>
}

/** @throws SluiceError CONFIGURATION when the port is taken. */
export async function startEmbeddedS3({ folder, port, bucket = 'sluice' }: EmbeddedS3Options): Promise<EmbeddedS3> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { S3rver, accounts } = load()
  const accessKey = randomBytes(10).toString('hex')
  const secretKey = randomBytes(24).toString('base64url')
  accounts.revokeAccessKey('S3RVER')
  accounts.createKeyPair(accessKey, secretKey)

  const app = new S3rver({ directory: folder, silent: true })
  // Its logger would catch this process's uncaught exceptions.
  app.logger.exceptions.unhandle()
  app.middleware.unshift(refuseUnsigned)
  app.store.deleteObject = (bucket, key) => removeFiles(app.store, bucket, key)
  await app.store.putBucket(bucket)
  const server = createServer(app.callback())
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch (cause) {
    throw new SluiceError(
      'CONFIGURATION',
      `Port ${port} on 127.0.0.1 is taken, so the embedded S3 cannot start. Stop what uses it, or set EMBEDDED_S3_PORT to another port.`,
      { cause },
    )
  }
  const { port: taken } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${taken}`,
    port: taken,
    bucket,
    accessKey,
    secretKey,
    async close() {
      accounts.revokeAccessKey(accessKey)
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
      app.logger.close()
    },
  }
}

/** The parts of `@20minutes/s3rver` (CommonJS, without types) that are used: a Koa application. */
interface S3Application {
  readonly middleware: ((context: KoaContext, next: () => Promise<void>) => Promise<void>)[]
  readonly store: Store
  readonly logger: { readonly exceptions: { unhandle(): void }; close(): void }
  callback(): RequestListener
}

interface Store {
  putBucket(name: string): Promise<unknown>
  deleteObject(bucket: string, key: string): Promise<void>
  getResourcePath(bucket: string, key: string, resource: string): string
}

interface KoaContext {
  readonly headers: IncomingHttpHeaders
  readonly query: Readonly<Record<string, unknown>>
  status: number
  body: unknown
  set(header: string, value: string): void
}

interface Accounts {
  createKeyPair(accessKey: string, secretKey: string): void
  revokeAccessKey(accessKey: string): void
}

function load() {
  const require = createRequire(import.meta.url)
  const S3rver: new (options: object) => S3Application = require('@20minutes/s3rver')
  const { DUMMY_ACCOUNT: accounts }: { DUMMY_ACCOUNT: Accounts } = require('@20minutes/s3rver/lib/models/account')
  return { S3rver, accounts }
}

/**
 * Its own way also removes a folder that was just found empty, and with it whatever came there meanwhile. Here folders
 * stay.
 */
async function removeFiles(store: Store, bucket: string, key: string): Promise<void> {
  const resources = ['object', 'object.md5', 'metadata.json']
  await Promise.all(resources.map((resource) => rm(store.getResourcePath(bucket, key, resource), { force: true })))
}

/** Whatever is signed is then checked by the server itself. */
async function refuseUnsigned(context: KoaContext, next: () => Promise<void>): Promise<void> {
  context.set('x-content-type-options', 'nosniff')
  const signed = 'authorization' in context.headers || 'X-Amz-Signature' in context.query
  if (signed) return next()
  context.status = 403
  context.body = 'AccessDenied: requests must be signed.'
}
