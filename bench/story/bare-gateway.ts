/**
 * The baseline's gateway: `node:http`, `pg` and `ws`, nothing else. No identity,
 * no validation, no schema, no idempotency, no permission, no recovery.
 *
 * - `POST /accept` runs the two statements of a submission and answers with the row.
 * - `POST /announce` does the same in one transaction with two NOTIFYs, the fastest
 *   way there is to tell somebody of a commit on a quiet system: one holds the body
 *   of the webhook, for `bare-worker.ts`; one holds the session's row.
 * - Every WebSocket gets each of these rows as it comes.
 *
 * Environment: DATABASE_URL, and STATEMENTS as `world.ts` recorded them.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { WebSocketServer } from 'ws'
import type { SubmitStatements } from './world.ts'

interface Row {
  readonly id: string
  readonly status: string
  readonly submitted_at: Date
}

interface Submitted {
  readonly id: string
  readonly team: string
  readonly flow: string
  readonly kind: string
  readonly payment_id: string
  readonly data: unknown
}

const { find, insert, places } = JSON.parse(process.env.STATEMENTS ?? '') as SubmitStatements
const connectionString = process.env.DATABASE_URL
// As many connections as a gateway has by default.
const pool = new pg.Pool({ connectionString, max: 10 })
const listener = new pg.Client({ connectionString })
await listener.connect()
const sockets = new WebSocketServer({ noServer: true })
listener.on('notification', ({ payload = '' }) => {
  for (const socket of sockets.clients) socket.send(payload)
})
await listener.query('listen bare_rows')

const server = createServer(async (request, response) => {
  try {
    const session = JSON.parse(await textOf(request)) as Submitted
    const row = await (request.url === '/announce' ? announce(session) : accept(session, pool))
    const text = JSON.stringify(row)
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    response.end(text)
  } catch (error) {
    response.writeHead(500).end(String(error))
  }
})
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, () => undefined)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
process.send?.({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
process.on('disconnect', () => process.exit())
process.on('SIGTERM', () => process.exit())

async function accept(session: Submitted, client: pg.Pool | pg.PoolClient): Promise<Row> {
  await client.query({ ...find, values: [session.team, session.flow, null] })
  const data = JSON.stringify(session.data)
  const values = [...insert.values]
  values[places.id] = session.id
  values[places.data] = data
  values[places.hash] = createHash('sha256').update(data).digest()
  const { rows } = await client.query<Row>({ ...insert, values })
  return rows[0] as Row
}

async function announce(session: Submitted): Promise<Row> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const row = await accept(session, client)
    const { id, team, flow, kind, payment_id } = session
    const event = {
      type: 'session.submitted',
      timestamp: row.submitted_at.toISOString(),
      data: { id, team, flow, paymentID: payment_id, config: { platformKey: 'bench' } },
    }
    const shown = { id, status: row.status, kind, submitted_at: row.submitted_at, flow: { slug: flow } }
    await client.query({
      name: 'announce',
      text: `select pg_notify('bare_events', $1), pg_notify('bare_rows', $2)`,
      values: [JSON.stringify(event), JSON.stringify(shown)],
    })
    await client.query('commit')
    return row
  } finally {
    client.release()
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
