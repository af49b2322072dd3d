/** Modifiers in a process of their own, for benchmarks and for tests that kill it: `node settling.fixture.ts DATABASE_URL SECRET_KEY [LEASE_MS]`. */
import { createSealer } from '../access/seal.ts'
import { readConfig } from '../config.ts'
import { openDatabase } from '../database/database.ts'
import { createEgress } from '../egress/egress.ts'
import { createMailer } from '../egress/mail.ts'
import { createFileStore } from '../files/store.ts'
import { silentLog } from '../log.ts'
import { startModifiers } from './modifiers.ts'

const [url = '', secretKey = '', leaseMs = '15000'] = process.argv.slice(2)
const config = readConfig({
  DATABASE_URL: url,
  SLUICE_SECRET_KEY: secretKey,
  S3_ENDPOINT: 'http://127.0.0.1:9',
  S3_ACCESS_KEY: 'a',
  S3_SECRET_KEY: 'b',
  SMTP_URL: 'smtp://127.0.0.1:9',
})
const modifiers = startModifiers({
  config,
  database: openDatabase({ url, log: silentLog, poolSize: 10 }),
  sealer: createSealer(secretKey),
  files: createFileStore(config),
  egress: createEgress({ allow: [] }),
  mailer: createMailer({ url: config.SMTP_URL, from: config.MAIL_FROM }),
  log: silentLog,
  leaseMs: Number(leaseMs),
})
process.on('disconnect', () => void modifiers.close().then(() => process.exit()))
process.send?.('ready')
