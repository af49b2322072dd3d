/**
 * The baseline's worker: `pg` and `undici`, nothing else. LISTENs and posts each
 * payload at once. No signature, no lease, no retry, no record: what is lost is lost.
 *
 * Environment: DATABASE_URL and WEBHOOK_URL.
 */
import pg from 'pg'
import { Pool } from 'undici'

const { origin, pathname: path } = new URL(process.env.WEBHOOK_URL ?? '')
const receiver = new Pool(origin, { connections: 8 })
const listener = new pg.Client({ connectionString: process.env.DATABASE_URL })
await listener.connect()
listener.on('notification', async ({ payload = '' }) => {
  const headers = { 'content-type': 'application/json' }
  const { body } = await receiver.request({ method: 'POST', path, headers, body: payload })
  await body.dump()
})
await listener.query('listen bare_events')
process.send?.({ type: 'ready' })
process.on('disconnect', () => process.exit())
process.on('SIGTERM', () => process.exit())
