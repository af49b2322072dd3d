/** A worker in a process of its own, for tests that kill it: `node crash.fixture.ts DATABASE_URL SECRET_KEY LEASE_MS`. */
import { createSealer } from '../access/seal.ts'
import { openDatabase } from '../database/database.ts'
import { startDeliveryEngine } from '../delivery/engine.ts'
import { createEgress } from '../egress/egress.ts'
import { silentLog } from '../log.ts'
import { createWebhookCarrier } from '../webhooks/carrier.ts'

const [url = '', secretKey = '', leaseMs = ''] = process.argv.slice(2)
const { pool } = openDatabase({ url, log: silentLog })
const egress = createEgress({ allow: ['127.0.0.1'] })
startDeliveryEngine({
  pool,
  carriers: [createWebhookCarrier({ pool, sealer: createSealer(secretKey), egress })],
  log: silentLog,
  leaseMs: Number(leaseMs),
})
