/** A worker in a process of its own, for tests that kill it while a producer runs: `node producing.fixture.ts DATABASE_URL SECRET_KEY`. It says when it is up. */
import tls from 'node:tls'
import { createSealer } from '../../src/access/seal.ts'
import { readConfig } from '../../src/config.ts'
import { openDatabase } from '../../src/database/database.ts'
import { loopbackCertificate } from '../../src/egress/certificate.fixture.ts'
import { createFileStore } from '../../src/files/store.ts'
import { silentLog } from '../../src/log.ts'
import { startWorkerParts } from '../../src/worker/worker.ts'

const [url = '', secretKey = ''] = process.argv.slice(2)
tls.setDefaultCACertificates([...tls.getCACertificates('default'), loopbackCertificate])
const config = readConfig({
  DATABASE_URL: url,
  SLUICE_ENVIRONMENT: 'test',
  SLUICE_SECRET_KEY: secretKey,
  S3_ENDPOINT: 'http://127.0.0.1:1',
  S3_ACCESS_KEY: 'unused',
  S3_SECRET_KEY: 'unused',
  SMTP_URL: 'smtp://127.0.0.1:1',
  EGRESS_ALLOW: '127.0.0.0/8',
})
await startWorkerParts({
  config,
  database: openDatabase({ url, log: silentLog }),
  sealer: createSealer(secretKey),
  files: createFileStore(config),
  log: silentLog,
  schedules: [],
  production: { runs: { pollMs: 50, leaseMs: 600 } },
})
process.send?.('up')
