/** What everything about files is built from, out of the configuration. */
import type pg from 'pg'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { createClamAvScanner } from './clamav.ts'
import type { LinkParts } from './links.ts'
import { createFileStore, type FileStore } from './store.ts'
import { takenTypes } from './types.ts'
import type { FileParts } from './uploads.ts'

/** What uploads and links need. */
export type AllFileParts = FileParts & LinkParts

export interface FilePartsOptions {
  readonly config: Config
  readonly pool: pg.Pool
  readonly log: Log
  /** @default the one that the configuration names */
  readonly files?: FileStore
}

/** @throws SluiceError CONFIGURATION when FILE_TYPES or CLAMAV_URL cannot be used. */
export function createFileParts({
  config,
  pool,
  log,
  files = createFileStore(config),
}: FilePartsOptions): AllFileParts {
  return {
    pool,
    files,
    log,
    scanner: config.CLAMAV_URL ? createClamAvScanner({ url: config.CLAMAV_URL }) : null,
    rules: {
      taken: takenTypes(config.FILE_TYPES),
      maxBytes: config.MAX_FILE_BYTES,
      uploadSeconds: config.FILE_UPLOAD_SECONDS,
      waitDays: config.FILE_WAIT_DAYS,
    },
    linkSeconds: config.FILE_LINK_SECONDS,
    retentionAfterRetrievalDays: config.RETENTION_AFTER_RETRIEVAL_DAYS,
  }
}
