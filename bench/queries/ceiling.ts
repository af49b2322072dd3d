/** The ceiling: bare `node:http` and `pg` with the statements that Sluice sends, prepared, and no checks at all. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import pg from 'pg'

const statements = JSON.parse(process.env.STATEMENTS ?? '{}') as Record<string, string>
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10, options: '-c timezone=UTC' })

const server = createServer(async (request, response) => {
  const { name, values } = JSON.parse(await text(request)) as { name: string; values: unknown[] }
  const { rows } = await pool.query<[string]>({ name, text: statements[name] as string, values, rowMode: 'array' })
  const body = `{"data":${rows[0]?.[0]}}`
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
})
server.listen(0, '127.0.0.1', () => {
  process.send?.({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})
process.on('SIGTERM', () => process.exit())
