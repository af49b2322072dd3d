/**
 * What a benchmark stands on: a durable embedded Postgres (fsync on), S3 and mail
 * catcher, started for the run in a folder of its own and deleted after it.
 */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded.ts'
import { migrate } from '../../src/database/migrate.ts'
import { startMailCatcher } from '../../src/egress/mail-catcher.ts'
import { startEmbeddedS3 } from '../../src/files/embedded-s3.ts'
import { createLog } from '../../src/log.ts'

export interface Ground {
  /** For logs and whatever else the run leaves; gone afterwards. */
  readonly folder: string
  /** Address of the migrated database `sluice`. */
  readonly databaseUrl: string
  /** Where Postgres keeps its data. */
  readonly dataFolder: string
  /** A complete environment for `sluice gateway` and `sluice worker`, which may call 127.0.0.1. */
  readonly env: Readonly<Record<string, string>>
}

/** `bench/results`, which git ignores: on the disk of the repository, because `/tmp` may be memory. */
export const resultsFolder = path.join(import.meta.dirname, '../results')

/** Everything it starts is stopped by `stack`. Commit times are tracked, so that latencies can begin at the commit. */
export async function startGround(stack: AsyncDisposableStack): Promise<Ground> {
  await mkdir(resultsFolder, { recursive: true })
  const folder = await mkdtemp(path.join(resultsFolder, 'run-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  // The account of Postgres is another one than root's.
  await chmod(folder, 0o711)

  const home = path.join(folder, 'postgres')
  const log = createLog({ name: 'bench', level: 'warn' })
  const startPostgres = () => startEmbeddedPostgres({ folder: home, port: 0, log, durable: true })
  stack.defer(async () => void (await removeEmbeddedPostgres(home)))
  const first = await startPostgres()
  try {
    await alterSystem(first.url)
  } finally {
    await first.stop()
  }
  const postgres = await startPostgres()
  stack.defer(() => postgres.stop())
  await migrate(postgres.url)

  const s3 = await startEmbeddedS3({ folder: path.join(folder, 'files'), port: 0 })
  stack.defer(() => s3.close())
  const mail = await startMailCatcher({ port: 0 })
  stack.defer(() => mail.close())
  return {
    folder,
    databaseUrl: postgres.url,
    dataFolder: postgres.data,
    env: {
      SLUICE_ENVIRONMENT: 'bench',
      SLUICE_SECRET_KEY: randomBytes(32).toString('base64'),
      DATABASE_URL: postgres.url,
      GATEWAY_PORT: '0',
      S3_ENDPOINT: s3.endpoint,
      S3_BUCKET: s3.bucket,
      S3_ACCESS_KEY: s3.accessKey,
      S3_SECRET_KEY: s3.secretKey,
      SMTP_URL: mail.url,
      EGRESS_ALLOW: '127.0.0.0/8',
      LOG_LEVEL: 'warn',
    },
  }
}

/** Takes effect at the next start. */
async function alterSystem(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('alter system set track_commit_timestamp = on')
  } finally {
    await client.end()
  }
}

/** The same server's other database. */
export function databaseNamed(databaseUrl: string, name: string): string {
  const url = new URL(databaseUrl)
  url.pathname = name
  return url.href
}
