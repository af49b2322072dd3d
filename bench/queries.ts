/**
 * How many reads a gateway process answers per second, beside PostGraphile 5,
 * Mercurius with SQL written by hand, and the ceiling: the same statements
 * behind bare `node:http`.
 *
 *   npm ci --prefix bench/peers       once; without it the peers are left out
 *   npm run bench -- queries          about two minutes
 *   npm run bench -- queries --quick  half a minute, to see that it works
 *
 * All of them run one process over one database, in turns, three rounds. What
 * the figures mean, and what they do not: docs/benchmarks.md.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { Pool } from 'undici'
import { createCredential } from '../src/access/credentials.ts'
import { createPerson } from '../src/access/people.ts'
import { openDatabase } from '../src/database/database.ts'
import { silentLog } from '../src/log.ts'
import { percentiles, spread } from './ground/figures.ts'
import { type Ground, startGround } from './ground/ground.ts'
import { saturate } from './ground/load.ts'
import { machineFacts } from './ground/machine.ts'
import { type RunningProcess, startProcess } from './ground/processes.ts'
import { writeReport } from './ground/report.ts'
import { runMeasured } from './ground/run.ts'
import { compiled } from './queries/compile.ts'

const { values: options } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const parameters = options.quick
  ? { sessions: 5_000, rounds: 1, seconds: 1, warmUpSeconds: 0.5, concurrency: 16 }
  : { sessions: 100_000, rounds: 3, seconds: 4, warmUpSeconds: 2, concurrency: 16 }

/** One read in the words of each contestant. */
interface Read {
  readonly name: string
  readonly sluice: string
  readonly mercurius: string
  readonly postgraphile: string
  readonly variables: (id: string) => Record<string, unknown>
}

/** Stands for the id in the ceiling's values until a call fills one in. */
const placeholderId = '00000000-0000-4000-8000-000000000000'

const fields = 'id status kind payment_id submitted_at config'
const amber = 'rowId status kind paymentId submittedAt config'
const reads: readonly Read[] = [
  {
    name: 'by primary key',
    sluice: `query ($id: uuid!) { sessions_by_pk(id: $id) { ${fields} } }`,
    mercurius: `query ($id: ID!) { session(id: $id) { ${fields} } }`,
    postgraphile: `query ($id: UUID!) { sessionByRowId(rowId: $id) { ${amber} } }`,
    variables: (id) => ({ id }),
  },
  {
    name: 'list of 20',
    sluice: `{ sessions(order_by: { submitted_at: desc }, limit: 20) { ${fields} } }`,
    mercurius: `{ sessions(limit: 20) { ${fields} } }`,
    postgraphile: `{ allSessions(orderBy: SUBMITTED_AT_DESC, first: 20) { nodes { ${amber} } } }`,
    variables: () => ({}),
  },
  {
    name: 'list of 20, two relations',
    sluice: `{ sessions(order_by: { submitted_at: desc }, limit: 20) { ${fields} flow { slug name } events(order_by: { position: asc }, limit: 5) { type position } } }`,
    mercurius: `{ sessions(limit: 20) { ${fields} flow { slug name } events(limit: 5) { type position } } }`,
    postgraphile: `{ allSessions(orderBy: SUBMITTED_AT_DESC, first: 20) { nodes { ${amber} flowByFlowId { slug name } sessionEventsBySessionId(first: 5, orderBy: POSITION_ASC) { nodes { type position } } } } }`,
    variables: () => ({}),
  },
]

interface Contestant {
  readonly name: string
  call(read: Read, id: string): Promise<void>
}

const stack = new AsyncDisposableStack()
await runMeasured(stack, measure)

async function measure(): Promise<void> {
  const ground = await startGround(stack)
  const pool = new pg.Pool({ connectionString: ground.databaseUrl, max: 2 })
  stack.defer(() => pool.end())
  const { ids, consumer, admin } = await fill(ground, pool)
  const machine = await machineFacts(pool, ground.dataFolder)
  const contestants = await startAll(ground, { consumer, admin })
  console.log(
    `queries: ${machine.cpus} cores, Node ${machine.node}, PostgreSQL ${machine.postgres}; ${parameters.sessions} sessions; load before ${machine.loadBefore.toFixed(2)}\n`,
  )

  const results = new Map<string, { perSecond: number[]; p99: number[] }>()
  for (const read of reads) {
    for (const contestant of contestants) await load(contestant, read, ids, parameters.warmUpSeconds)
    for (let round = 0; round < parameters.rounds; round += 1) {
      for (const contestant of contestants) {
        const { perSecond, latencies } = await load(contestant, read, ids, parameters.seconds)
        const key = `${read.name}|${contestant.name}`
        const result = results.get(key) ?? { perSecond: [], p99: [] }
        results.set(key, result)
        result.perSecond.push(perSecond)
        result.p99.push(percentiles(latencies).p99)
      }
    }
  }
  for (const read of reads) {
    console.log(read.name)
    const ceiling = spread(results.get(`${read.name}|ceiling`)?.perSecond ?? []).median
    for (const { name } of contestants) {
      const { perSecond = [], p99 = [] } = results.get(`${read.name}|${name}`) ?? {}
      const { median, low, high } = spread(perSecond)
      const share = `${((median / ceiling) * 100).toFixed(0)} %`
      console.log(
        `${`  ${name.padEnd(28)} ${`${median.toFixed(0)} /s`.padStart(10)} (${low.toFixed(0)}-${high.toFixed(0)})`.padEnd(
          58,
        )}${share.padStart(6)} of the ceiling   p99 ${spread(p99).median.toFixed(1)} ms`,
      )
    }
  }
  const file = await writeReport({
    benchmark: 'queries',
    machine,
    parameters: { ...parameters, results: Object.fromEntries(results) },
    figures: [],
  })
  console.log(`\nWritten to ${path.relative(process.cwd(), file)}`)
}

function load(contestant: Contestant, read: Read, ids: readonly string[], seconds: number) {
  let next = 0
  return saturate(() => contestant.call(read, ids[next++ % ids.length] as string), {
    concurrency: parameters.concurrency,
    seconds,
  })
}

/** Sessions of one flow with two events each, granted to one consumer, written by plain SQL. */
async function fill({ databaseUrl }: Ground, pool: pg.Pool) {
  const database = openDatabase({ url: databaseUrl, log: silentLog })
  stack.defer(() => database.close())
  const team = await database.prisma.team.create({ data: { slug: 'bench', name: 'Bench' } })
  const flow = await database.prisma.flow.create({ data: { team_id: team.id, slug: 'apply', name: 'Apply' } })
  const integration = await database.prisma.integration.create({
    data: { team_id: team.id, slug: 'reader', name: 'Reader' },
  })
  const consumer = await createCredential(database, {
    role: 'consumer',
    name: 'reader',
    environment: 'bench',
    teamId: team.id,
    integrationId: integration.id,
  })
  const admin = { email: 'admin@bench.test', password: 'bench password' }
  await createPerson(database, { ...admin, name: 'Admin', isAdmin: true })
  await pool.query(
    'alter table sessions disable trigger user; alter table session_events disable trigger user; alter table session_grants disable trigger user',
  )
  await pool.query(
    `insert into sessions (id, team_id, flow_id, kind, payment_id, config, data, content_hash, submitted_at, expires_at)
     select uuid_v7(), $1, $2, 'application', 'payment-' || n, '{"region": "north"}', jsonb_build_object('passport', repeat('x', 3000)),
            '\\x00', now() - n * interval '1 second', now() + interval '30 days'
       from generate_series(1, $3::int) n`,
    [team.id, flow.id, parameters.sessions],
  )
  await pool.query(
    `insert into session_events (type, session_id, team_id, flow_id)
     select t, s.id, s.team_id, s.flow_id from sessions s, unnest(array['session.submitted', 'session.updated']) t`,
  )
  await pool.query(
    `insert into session_grants (session_id, integration_id, team_id, expires_at)
     select id, $1, team_id, expires_at from sessions`,
    [integration.id],
  )
  await pool.query(
    'alter table sessions enable trigger user; alter table session_events enable trigger user; alter table session_grants enable trigger user',
  )
  await pool.query('vacuum analyze')
  const { rows } = await pool.query<{ id: string }>('select id from sessions order by random() limit 2000')
  return { ids: rows.map((row) => row.id), consumer, admin }
}

interface People {
  readonly consumer: { readonly key: string; readonly secret: string }
  readonly admin: { readonly email: string; readonly password: string }
}

async function startAll(ground: Ground, { consumer, admin }: People): Promise<Contestant[]> {
  const gateway = await started(ground, 'gateway', path.join(import.meta.dirname, '../src/main.ts'), ground.env, [
    'gateway',
  ])
  const url = gateway.ready.url ?? ''
  const graphql = await clientOf(url, '/graphql')
  const consumerToken = await tokenOf(url, consumer)
  const adminToken = await signIn(url, admin)
  const as = (name: string, token: string): Contestant => ({
    name,
    call: (read, id) => graphql({ query: read.sluice, variables: read.variables(id) }, `Bearer ${token}`),
  })
  const statements = Object.fromEntries(
    reads.map((read) => [read.name, compiled(read.sluice, read.variables(placeholderId))]),
  )
  const ceiling = await started(ground, 'ceiling', path.join(import.meta.dirname, 'queries/ceiling.ts'), {
    DATABASE_URL: ground.databaseUrl,
    STATEMENTS: JSON.stringify(Object.fromEntries(Object.entries(statements).map(([name, { text }]) => [name, text]))),
  })
  const bare = await clientOf(ceiling.ready.url ?? '', '/')
  const contestants: Contestant[] = [
    {
      name: 'ceiling',
      call: (read, id) => {
        const values = statements[read.name]?.values.map((value) => (value === placeholderId ? id : value))
        return bare({ name: read.name, values })
      },
    },
    as('Sluice, admin', adminToken),
    as('Sluice, consumer (grants)', consumerToken),
  ]
  const peers = path.join(import.meta.dirname, 'peers')
  if (!existsSync(path.join(peers, 'node_modules'))) {
    console.log('The peers are not installed: npm ci --prefix bench/peers\n')
    return contestants
  }
  for (const name of ['mercurius', 'postgraphile'] as const) {
    const env = { DATABASE_URL: ground.databaseUrl, NODE_ENV: 'production' }
    const peer = await started(ground, name, path.join(peers, `${name}.mjs`), env)
    const call = await clientOf(peer.ready.url ?? '', '/graphql')
    contestants.push({ name, call: (read, id) => call({ query: read[name], variables: read.variables(id) }) })
  }
  return contestants
}

async function started(
  { folder }: Ground,
  name: string,
  file: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<RunningProcess> {
  const running = await startProcess({ name, file, args, env, folder })
  stack.defer(() => running.stop())
  return running
}

type Post = (body: unknown, authorization?: string) => Promise<void>

/** Posts JSON and refuses any answer that is not 200 with data and without errors. */
async function clientOf(url: string, to: string): Promise<Post> {
  const client = new Pool(url, { connections: parameters.concurrency })
  stack.defer(() => client.destroy())
  return async (body, authorization) => {
    const headers = { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) }
    const answer = await client.request({ path: to, method: 'POST', headers, body: JSON.stringify(body) })
    const text = await answer.body.text()
    if (answer.statusCode !== 200 || text.includes('"errors"') || text.includes(':null}}')) {
      throw new Error(`${url}${to} answered ${answer.statusCode}: ${text.slice(0, 500)}`)
    }
  }
}

async function tokenOf(url: string, { key, secret }: People['consumer']): Promise<string> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: key, client_secret: secret })
  const response = await fetch(`${url}/oauth/token`, { method: 'POST', body })
  return ((await response.json()) as { access_token: string }).access_token
}

async function signIn(url: string, variables: People['admin']): Promise<string> {
  const query =
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }'
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  return ((await response.json()) as { data: { sign_in: { token: string } } }).data.sign_in.token
}
