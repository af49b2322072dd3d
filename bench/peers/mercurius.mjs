// Mercurius (with its JIT) and SQL written by hand: resolvers for the roots, batching loaders for the relations.
import Fastify from 'fastify'
import mercurius from 'mercurius'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
const sql =
  (name, text) =>
  async (...values) =>
    (await pool.query({ name, text, values })).rows
const columns = 'id, status, kind, payment_id, submitted_at, config, flow_id'
const one = sql('one', `select ${columns} from sessions where id = $1`)
const list = sql('list', `select ${columns} from sessions order by submitted_at desc limit $1`)
const flows = sql('flows', 'select id, slug, name from flows where id = any($1::uuid[])')
const events = sql(
  'events',
  `select s.id as session_id, e.type, e.position from unnest($1::uuid[]) as s(id)
   cross join lateral (select type, position from session_events where session_id = s.id order by position limit $2) e`,
)

const schema = `
  scalar JSON
  type Flow { slug: String! name: String! }
  type Event { type: String! position: String! }
  type Session {
    id: ID! status: String! kind: String! payment_id: String submitted_at: String! config: JSON!
    flow: Flow events(limit: Int!): [Event!]!
  }
  type Query { session(id: ID!): Session sessions(limit: Int!): [Session!]! }`

const app = Fastify()
app.register(mercurius, {
  schema,
  jit: 1,
  resolvers: {
    Query: {
      session: async (_, { id }) => (await one(id))[0] ?? null,
      sessions: (_, { limit }) => list(limit),
    },
    Session: { submitted_at: ({ submitted_at }) => submitted_at.toISOString() },
  },
  loaders: {
    Session: {
      async flow(queries) {
        const rows = await flows([...new Set(queries.map(({ obj }) => obj.flow_id))])
        const byId = new Map(rows.map((row) => [row.id, row]))
        return queries.map(({ obj }) => byId.get(obj.flow_id))
      },
      async events(queries) {
        const rows = await events(
          queries.map(({ obj }) => obj.id),
          queries[0].params.limit,
        )
        const bySession = Map.groupBy(rows, (row) => row.session_id)
        return queries.map(({ obj }) => bySession.get(obj.id) ?? [])
      },
    },
  },
})
const url = await app.listen({ port: 0, host: '127.0.0.1' })
process.on('SIGTERM', () => process.exit())
process.send({ type: 'ready', url })
