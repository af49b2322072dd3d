/** S3 storage for a test: the embedded server over a temporary folder. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startEmbeddedS3 } from '../../src/files/embedded-s3.ts'
import { createFileStore, type FileStore, type FileStoreOptions } from '../../src/files/store.ts'

export interface TestStorage {
  readonly files: FileStore
  /** The `S3_…` part of a configuration. */
  readonly config: FileStoreOptions
  /** Stops the server and deletes what it held. */
  close(): Promise<void>
}

export async function testStorage(): Promise<TestStorage> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-test-s3-'))
  const server = await startEmbeddedS3({ folder, port: 0 })
  const config = {
    S3_ENDPOINT: server.endpoint,
    S3_REGION: 'us-east-1',
    S3_BUCKET: server.bucket,
    S3_ACCESS_KEY: server.accessKey,
    S3_SECRET_KEY: server.secretKey,
  }
  return {
    files: createFileStore(config),
    config,
    async close() {
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
