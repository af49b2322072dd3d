/** A worker in a process of its own, to be killed: `node production-killed.fixture.ts URL KEY LEASE_MS`. */
import { createSealer } from '../../src/access/seal.ts'
import { readConfig } from '../../src/config.ts'
import { openDatabase } from '../../src/database/database.ts'
import { createFileStore } from '../../src/files/store.ts'
import { silentLog } from '../../src/log.ts'
import { startWorkerParts } from '../../src/worker/worker.ts'

const [url = '', key = '', lease = ''] = process.argv.slice(2)
const config = readConfig({
  DATABASE_URL: url,
  SLUICE_SECRET_KEY: key,
  S3_ENDPOINT: 'http://127.0.0.1:1',
  S3_ACCESS_KEY: 'a',
  S3_SECRET_KEY: 'b',
  SMTP_URL: 'smtp://127.0.0.1:1',
  EGRESS_ALLOW: '127.0.0.0/8',
})
const leaseMs = Number(lease)
await startWorkerParts({
  config,
  database: openDatabase({ url, log: silentLog, poolSize: 10 }),
  sealer: createSealer(key),
  files: createFileStore(config),
  log: silentLog,
  schedules: [],
  carriers: () => [],
  production: { runs: { pollMs: 50, leaseMs }, conversions: { pollMs: 50, leaseMs } },
})
