/**
 * How many sessions a gateway process gives out over REST, beside GraphQL by primary key and its list beside GraphQL's.
 *
 *   npm run bench -- rest          about a minute
 *   npm run bench -- rest --quick  some ten seconds, to see that it works
 *
 * One gateway process, one database, 16 callers, in turns within each round, so that a noisy machine is noisy for all.
 * Reading data is a retrieval, so each of those writes its audit entry; the third pair reads none.
 */
import path from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { type Dispatcher, Pool } from 'undici'
import { createCredential } from '../src/access/credentials.ts'
import { openDatabase } from '../src/database/database.ts'
import { silentLog } from '../src/log.ts'
import { percentiles, spread } from './ground/figures.ts'
import { startGround } from './ground/ground.ts'
import { saturate } from './ground/load.ts'
import { machineFacts } from './ground/machine.ts'
import { startProcess } from './ground/processes.ts'
import { writeReport } from './ground/report.ts'
import { runMeasured } from './ground/run.ts'

const { values: options } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const parameters = options.quick
  ? { sessions: 5_000, rounds: 2, seconds: 0.7, warmUpSeconds: 0.3, concurrency: 16 }
  : { sessions: 100_000, rounds: 3, seconds: 2, warmUpSeconds: 1, concurrency: 16 }

const listed =
  'revision id kind status submitted_at expires_at payment_id config schema_url position team { slug name } flow { slug name }'
const whole = `query ($id: uuid!) { sessions_by_pk(id: $id) { ${listed} data } }`
const bare = 'query ($id: uuid!) { sessions_by_pk(id: $id) { revision } }'
const page = `query ($after: String!) { sessions(where: { position: { _gt: $after } }, order_by: { position: asc }, limit: 20) { ${listed} } }`

interface Target {
  readonly id: string
  readonly position: string
}

/** Each against the one before it. */
const contestants: readonly {
  readonly name: string
  readonly against?: string
  readonly request: (target: Target) => Pick<Dispatcher.RequestOptions, 'method' | 'path'> & { readonly body?: string }
}[] = [
  { name: 'GraphQL by_pk, with data', request: ({ id }) => post(whole, { id }) },
  {
    name: 'GET /v1/sessions/{id}',
    against: 'GraphQL by_pk, with data',
    request: ({ id }) => ({ method: 'GET', path: `/v1/sessions/${id}` }),
  },
  { name: 'GraphQL by_pk, revision', request: ({ id }) => post(bare, { id }) },
  {
    name: 'HEAD /v1/sessions/{id}',
    against: 'GraphQL by_pk, revision',
    request: ({ id }) => ({ method: 'HEAD', path: `/v1/sessions/${id}` }),
  },
  { name: 'GraphQL list of 20', request: ({ position }) => post(page, { after: position }) },
  {
    name: 'GET /v1/sessions, 20',
    against: 'GraphQL list of 20',
    request: ({ position }) => ({ method: 'GET', path: `/v1/sessions?limit=20&after=${position}` }),
  },
]

const post = (query: string, variables: object) => ({
  method: 'POST' as const,
  path: '/graphql',
  body: JSON.stringify({ query, variables }),
})

const stack = new AsyncDisposableStack()
await runMeasured(stack, measure)

async function measure(): Promise<void> {
  const ground = await startGround(stack)
  const pool = new pg.Pool({ connectionString: ground.databaseUrl, max: 2 })
  stack.defer(() => pool.end())
  const { targets, consumer } = await fill(ground.databaseUrl, pool)
  const machine = await machineFacts(pool, ground.dataFolder)
  const main = path.join(import.meta.dirname, '../src/main.ts')
  const gateway = await startProcess({
    name: 'gateway',
    file: main,
    args: ['gateway'],
    env: ground.env,
    folder: ground.folder,
  })
  stack.defer(() => gateway.stop())
  const url = gateway.ready.url ?? ''
  const client = new Pool(url, { connections: parameters.concurrency })
  stack.defer(() => client.destroy())
  const authorization = `Bearer ${await tokenOf(url, consumer)}`
  const headers = { authorization, 'content-type': 'application/json' }
  console.log(
    `rest: ${machine.cpus} cores, Node ${machine.node}, PostgreSQL ${machine.postgres}; ${parameters.sessions} sessions; load before ${machine.loadBefore.toFixed(2)}\n`,
  )

  const load = ({ request }: (typeof contestants)[number], seconds: number) => {
    let next = 0
    const call = async () => {
      const target = targets[next++ % targets.length] as Target
      const { statusCode, body } = await client.request({ ...request(target), headers })
      const text = await body.text()
      if (statusCode !== 200 || text.includes('"errors"')) throw new Error(`${statusCode}: ${text.slice(0, 300)}`)
    }
    return saturate(call, { concurrency: parameters.concurrency, seconds })
  }
  const results = new Map<string, { perSecond: number[]; p99: number[] }>()
  for (const contestant of contestants) await load(contestant, parameters.warmUpSeconds)
  for (let round = 0; round < parameters.rounds; round += 1) {
    for (const contestant of contestants) {
      const { perSecond, latencies } = await load(contestant, parameters.seconds)
      const result = results.get(contestant.name) ?? { perSecond: [], p99: [] }
      results.set(contestant.name, result)
      result.perSecond.push(perSecond)
      result.p99.push(percentiles(latencies).p99)
    }
  }
  const medianOf = (name: string) => spread(results.get(name)?.perSecond ?? []).median
  for (const { name, against } of contestants) {
    const share = against ? `${((medianOf(name) / medianOf(against)) * 100).toFixed(0)} % of the one above` : ''
    const p99 = spread(results.get(name)?.p99 ?? []).median.toFixed(1)
    console.log(
      `  ${name.padEnd(28)} ${`${medianOf(name).toFixed(0)} /s`.padStart(10)}   p99 ${p99.padStart(6)} ms   ${share}`,
    )
  }
  const file = await writeReport({
    benchmark: 'rest',
    machine,
    parameters: { ...parameters, results: Object.fromEntries(results) },
    figures: [],
  })
  console.log(`\nWritten to ${path.relative(process.cwd(), file)}`)
}

/** Sessions of one flow with 3 KB each, granted to one consumer, written by plain SQL. */
async function fill(url: string, pool: pg.Pool) {
  const database = openDatabase({ url, log: silentLog })
  stack.defer(() => database.close())
  const team = await database.prisma.team.create({ data: { slug: 'bench', name: 'Bench' } })
  const flow = await database.prisma.flow.create({ data: { team_id: team.id, slug: 'apply', name: 'Apply' } })
  const integration = await database.prisma.integration.create({
    data: { team_id: team.id, slug: 'reader', name: 'Reader' },
  })
  await database.prisma.destination.create({ data: { flow_id: flow.id, integration_id: integration.id } })
  const consumer = await createCredential(database, {
    role: 'consumer',
    name: 'reader',
    environment: 'bench',
    teamId: team.id,
    integrationId: integration.id,
  })
  await pool.query('alter table sessions disable trigger user; alter table session_grants disable trigger user')
  await pool.query(
    `insert into sessions (id, team_id, flow_id, kind, payment_id, config, data, content_hash, submitted_at, expires_at)
     select uuid_v7(), $1, $2, 'application', 'payment-' || n, '{"region": "north"}', jsonb_build_object('passport', repeat('x', 3000)),
            '\\x00', now() - n * interval '1 second', now() + interval '30 days'
       from generate_series(1, $3::int) n`,
    [team.id, flow.id, parameters.sessions],
  )
  await pool.query(
    `insert into session_grants (session_id, integration_id, team_id, expires_at, first_retrieved_at)
     select id, $1, team_id, expires_at, now() from sessions`,
    [integration.id],
  )
  await pool.query('alter table sessions enable trigger user; alter table session_grants enable trigger user')
  await pool.query('vacuum analyze')
  const { rows: targets } = await pool.query<Target>(
    `select id, position from (select id, position from sessions order by position desc limit 2000) newest order by random()`,
  )
  return { targets, consumer }
}

async function tokenOf(url: string, { key, secret }: { readonly key: string; readonly secret: string }) {
  const response = await fetch(`${url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${key}:${secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  return ((await response.json()) as { access_token: string }).access_token
}
