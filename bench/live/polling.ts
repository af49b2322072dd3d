/**
 * Hasura v2's algorithm of live queries, for comparison; it is not Hasura.
 * Subscribers with equal variables share a cohort; every refetch interval all
 * cohorts are run in batches of 100, as one statement each (UNNEST of variables,
 * LATERAL), and a result whose hash differs goes to the cohort's subscribers.
 * Source: hasura/graphql-engine, architecture/live-queries.md, "multiplexing".
 *
 * Speaks as much of graphql-transport-ws as our subscribers do: the variables
 * `flow` of a subscription are taken, its document is not looked at.
 */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { WebSocketServer } from 'ws'

const { DATABASE_URL, INTEGRATION_ID, REFETCH_MS } = process.env
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 })

interface Cohort {
  hash: string
  last: string
  readonly subscribers: Set<(text: string) => void>
}
const cohorts = new Map<string, Cohort>()

/** The query of `queryOf` in `bench/live.ts`, with the consumer's permission. */
const statement = `
  select subs.flow, root.json::text as data
    from unnest($1::uuid[]) as subs(flow)
    left join lateral (
      select json_build_object('sessions', coalesce(json_agg(json_build_object('id', s.id, 'status', s.status,
             'payment_id', s.payment_id, 'revision', s.revision) order by s.submitted_at desc), '[]')) as json
        from (
          select * from sessions
           where flow_id = subs.flow and status = 'submitted'
             and exists (select from session_grants g where g.session_id = sessions.id and g.integration_id = $2
                         and g.revoked_at is null and g.expires_at > now())
           order by submitted_at desc limit 3
        ) s
    ) root on true`

async function poll(flows: readonly string[]): Promise<void> {
  const { rows } = await pool.query<{ flow: string; data: string }>({
    name: 'poll',
    text: statement,
    values: [flows, INTEGRATION_ID],
  })
  for (const { flow, data } of rows) {
    const cohort = cohorts.get(flow)
    const hash = createHash('sha1').update(data).digest('base64')
    if (!cohort || cohort.hash === hash) continue
    cohort.hash = hash
    cohort.last = data
    for (const send of cohort.subscribers) send(data)
  }
}

async function pollAll(): Promise<void> {
  const began = performance.now()
  const flows = [...cohorts.keys()]
  const batches = Array.from({ length: Math.ceil(flows.length / 100) }, (_, at) =>
    flows.slice(at * 100, at * 100 + 100),
  )
  await Promise.all(batches.map(poll))
  setTimeout(pollAll, Math.max(0, Number(REFETCH_MS) - (performance.now() - began)))
}

const server = createServer()
const sockets = new WebSocketServer({ server, handleProtocols: () => 'graphql-transport-ws' })
sockets.on('connection', (socket) => {
  socket.on('message', (message) => {
    const { id, type, payload } = JSON.parse(String(message))
    if (type === 'connection_init') socket.send('{"type":"connection_ack"}')
    if (type !== 'subscribe') return
    const { flow } = payload.variables
    const send = (data: string) => socket.send(`{"id":"${id}","type":"next","payload":{"data":${data}}}`)
    const cohort = cohorts.get(flow) ?? { hash: '', last: '', subscribers: new Set() }
    cohorts.set(flow, cohort)
    cohort.subscribers.add(send)
    if (cohort.last) send(cohort.last)
    socket.on('close', () => {
      cohort.subscribers.delete(send)
      if (cohort.subscribers.size === 0) cohorts.delete(flow)
    })
  })
})
server.listen(0, '127.0.0.1', () => {
  void pollAll()
  process.send?.({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})
process.on('SIGTERM', () => process.exit())
