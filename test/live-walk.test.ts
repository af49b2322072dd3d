/**
 * Subscribers of every role watch random queries while random writes are made
 * by plain SQL. Whenever the writes rest, what each subscriber was told last
 * must be what it would be answered if it asked anew.
 */
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type Client, createClient } from 'graphql-ws'
import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { openDatabase } from '../src/database/database.ts'
import { type Gateway, startGateway } from '../src/gateway/gateway.ts'
import { silentLog } from '../src/log.ts'
import { aSession, basic, buildWorld, type World } from './ground/world.ts'

const seed = Number(process.env.WALK_SEED ?? 20_261_122)
const steps = Number(process.env.WALK_STEPS ?? 12)

let world: World
/** A second process's worth of gateway on the same database. */
let second: Gateway
let closeSecond: () => Promise<void>
const clients: Client[] = []

beforeAll(async () => {
  world = await buildWorld()
  const database = openDatabase({ url: world.config.DATABASE_URL, log: silentLog })
  second = await startGateway({ config: world.config, database, sealer: world.sealer, log: silentLog })
  closeSecond = async () => {
    await second.close()
    await database.close()
  }
})
afterAll(async () => {
  for (const client of clients) await client.dispose()
  await closeSecond?.()
  await world?.close()
})

test('whatever is written, every subscriber of either gateway ends with what a fresh query gives', async () => {
  const random = randomFrom(seed)
  const subscribers = await subscribeAll(random)
  expect(subscribers.length).toBeGreaterThan(60)
  let told = 0
  for (let step = 0; step < steps; step += 1) {
    const written: string[] = []
    for (let left = 1 + random.below(4); left > 0; left -= 1) written.push(await write(random))
    for (const subscriber of subscribers) await subscriber.settles(`step ${step} (${written.join('; ')})`)
  }
  for (const subscriber of subscribers) told += subscriber.results
  // They were told more than their first results.
  expect(told).toBeGreaterThan(subscribers.length * 2)
  await Promise.all(clients.splice(0).map((client) => client.dispose()))
}, 300_000)

/** Fields that a role does not have are found out by asking; such pairs are left out. */
const queries: readonly ((random: Random) => { query: string; variables?: Record<string, unknown> })[] = [
  (random) => ({
    query:
      '($slug: String!) { sessions(where: { flow: { slug: { _eq: $slug } } }, order_by: { submitted_at: desc }, limit: 3) { id status payment_id flow { slug name } } }',
    variables: { slug: random.of(['apply', 'other', 'nothing']) },
  }),
  (random) => ({
    query:
      '($id: uuid!) { sessions_by_pk(id: $id) { id status revision events(order_by: { position: asc }) { type } grants(order_by: { id: asc }) { integration_id revoked_at } } }',
    variables: { id: random.of(known.sessions) },
  }),
  (random) => ({
    query:
      '($payments: [String!]!) { sessions_aggregate(where: { payment_id: { _in: $payments } }, order_by: { id: asc }) { aggregate { count max { revision } } nodes { id } } }',
    variables: { payments: random.some(['p1', 'p2', 'p3', 'payment-1']) },
  }),
  () => ({
    query: '{ flows(order_by: { slug: asc, id: asc }) { slug name sessions_aggregate { aggregate { count } } } }',
  }),
  () => ({
    query:
      '{ sessions(where: { _not: { grants: { revoked_at: { _is_null: true } } } }, order_by: { id: asc }) { id grants(order_by: { id: asc }) { revoked_at } } }',
  }),
  (random) => ({
    query:
      '($limit: Int!) { session_grants(order_by: { id: asc }, limit: $limit) { id session_id revoked_at session { status } } }',
    variables: { limit: 1 + random.below(5) },
  }),
  (random) => ({
    query:
      '($like: String!) { session_events(where: { session: { payment_id: { _like: $like } } }, order_by: { position: desc }, limit: 4) { position session { payment_id } } }',
    variables: { like: random.of(['p%', '%2', 'payment%']) },
  }),
  () => ({ query: '{ teams(order_by: { slug: asc }) { slug integrations(order_by: { slug: asc }) { slug name } } }' }),
  (random) => ({
    query:
      '($more: Int!) { sessions(where: { grants_aggregate: { count: { predicate: { _gt: $more } } } }, order_by: { id: asc }) { id } }',
    variables: { more: random.below(2) },
  }),
  () => ({ query: '{ sessions(order_by: { flow: { name: asc }, id: asc }, limit: 4) { id flow { name } } }' }),
  () => ({ query: '{ sessions(order_by: { id: asc }, limit: 5) { id data } }' }),
  (random) => ({
    query:
      '($id: uuid!, $revision: Int!) { sessions(where: { _or: [{ flow_id: { _eq: $id } }, { revision: { _gt: $revision } }] }, order_by: { id: desc }, offset: 1) { id revision flow_id } }',
    variables: { id: random.of(known.flows.map((flow) => flow.id)), revision: random.below(4) },
  }),
]

/** What writes and queries pick from. */
const known = {
  sessions: [] as string[],
  flows: [] as { id: string; team: string }[],
  integrations: [] as { id: string; team: string }[],
}

async function subscribeAll(random: Random): Promise<Subscriber[]> {
  for (const team of [world.camden, world.lambeth]) {
    const { id } = await world.database.prisma.flow.create({
      data: { team_id: team.id, slug: 'other', name: 'Other' },
    })
    known.flows.push({ id: team.flow.id, team: team.id }, { id, team: team.id })
    for (const integration of [team.granted, team.other]) known.integrations.push({ id: integration.id, team: team.id })
    for (let number = 0; number < 3; number += 1) known.sessions.push((await world.submit(aSession(team))).id)
  }
  const { camden, lambeth, admin } = world
  const principals = [
    basic(camden.granted.consumer),
    basic(camden.other.consumer),
    basic(lambeth.granted.consumer),
    await signedIn(camden.editor),
    await signedIn(lambeth.viewer),
    await signedIn(admin),
  ]
  const subscribers: Subscriber[] = []
  for (const [number, authorization] of principals.entries()) {
    const url = [world.url, second.url][number % 2] as string
    const client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: authorization },
      retryAttempts: 0,
    })
    clients.push(client)
    for (const make of [...queries, ...queries]) {
      const { query, variables } = make(random)
      const ask = () => world.graphql(`query ${query}`, { variables, authorization })
      if ((await ask()).errors) continue
      subscribers.push(new Subscriber(client, { query, variables, ask }))
    }
  }
  return subscribers
}

interface Question {
  readonly query: string
  readonly variables: Record<string, unknown> | undefined
  readonly ask: World['graphql'] extends (...args: never[]) => infer R ? () => R : never
}

class Subscriber {
  results = 0
  #last: unknown
  #changed = Promise.withResolvers<void>()
  readonly #question: Question

  constructor(client: Client, question: Question) {
    this.#question = question
    client.subscribe(
      { query: `subscription ${question.query}`, variables: question.variables },
      {
        next: ({ data, errors }) => {
          this.results += 1
          this.#last = errors ?? data
          this.#changed.resolve()
          this.#changed = Promise.withResolvers()
        },
        error: (error) => {
          this.#last = error
        },
        complete: () => undefined,
      },
    )
  }

  /** Waits until the last result is what a fresh query gives. */
  async settles(when: string): Promise<void> {
    const deadline = Date.now() + 30_000
    for (;;) {
      const changed = this.#changed.promise
      const { data } = await this.#question.ask()
      if (isDeepStrictEqual(this.#last, data)) return
      if (Date.now() > deadline) {
        // Says what differs.
        expect({ when, ...this.#question, result: this.#last }).toEqual({ when, ...this.#question, result: data })
      }
      await Promise.race([changed, new Promise((resolve) => setTimeout(resolve, 50).unref())])
    }
  }
}

async function signedIn({ email, password }: { email: string; password: string }): Promise<string> {
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: { email, password } },
  )
  return `Bearer ${data.sign_in.token}`
}

/** One random write, or several in one transaction that may be rolled back. */
async function write(random: Random): Promise<string> {
  const statements = [statement(random)]
  if (random.below(3) === 0) statements.push(statement(random))
  const isKept = random.below(6) !== 0
  const client = await world.database.pool.connect()
  try {
    await client.query('begin')
    for (const [text, values] of statements) await client.query(text, values)
    await client.query(isKept ? 'commit' : 'rollback')
  } finally {
    client.release()
  }
  return `${statements.map(([text]) => text.trim().split(/\s+/, 3).join(' ')).join(' + ')}${isKept ? '' : ', rolled back'}`
}

function statement(random: Random): [string, unknown[]] {
  const session = random.of(known.sessions)
  const flow = random.of(known.flows)
  const integration = random.of(known.integrations)
  switch (random.below(12)) {
    case 0:
    case 1: {
      const id = randomUUID()
      known.sessions.push(id)
      return [
        `insert into sessions (id, team_id, flow_id, kind, data, content_hash, payment_id, expires_at)
         values ($1, $2, $3, 'application', '{"passport": {}}', '', $4, now() + interval '1 day')`,
        [id, flow.team, flow.id, random.of(['p1', 'p2', 'p3', null])],
      ]
    }
    case 2:
      return ['update sessions set payment_id = $2 where id = $1', [session, random.of(['p1', 'p2', 'p3', null])]]
    case 3:
      return ['update sessions set revision = revision + 1 where id = $1', [session]]
    case 4:
      return ['update sessions set status = $2 where id = $1', [session, random.of(['submitted', 'invalid'])]]
    case 5:
      return ['delete from sessions where id = $1', [session]]
    case 6:
    case 7:
      return [
        `insert into session_grants (session_id, integration_id, team_id, expires_at)
         select id, $2, $3, now() + interval '1 day' from sessions where id = $1 on conflict do nothing`,
        [session, integration.id, integration.team],
      ]
    case 8:
      return [
        'update session_grants set revoked_at = case when revoked_at is null then now() end where integration_id = $1 and session_id = $2',
        [integration.id, session],
      ]
    case 9:
      return ['update flows set name = $2 where id = $1', [flow.id, random.of(['A', 'B', 'Ç'])]]
    case 10:
      return ['update integrations set name = $2 where id = $1', [integration.id, random.of(['A', 'B', '😀'])]]
    default:
      return [
        `insert into session_events (type, session_id, team_id, flow_id) select 'walk', id, team_id, flow_id from sessions where id = $1`,
        [session],
      ]
  }
}

interface Random {
  below(limit: number): number
  of<T>(items: readonly T[]): T
  some<T>(items: readonly T[]): T[]
}

function randomFrom(start: number): Random {
  let state = start % 2_147_483_647
  const below = (limit: number) => {
    state = (state * 48_271) % 2_147_483_647
    return Math.floor((state / 2_147_483_647) * limit)
  }
  return {
    below,
    of: (items) => items[below(items.length)] as (typeof items)[number],
    some: (items) => items.filter(() => below(2) === 0),
  }
}
