/**
 * What it costs to know who asks: reads a second with a token, and with key and
 * secret, beside a gateway that checks nothing; and how long others wait while
 * somebody sends wrong secrets.
 *
 *   npm run bench -- access          about a minute
 *   npm run bench -- access --quick  a quarter of it, to see that it works
 *
 * The gateways run one process each over one database, in turns. The wrong secrets
 * come from ever new addresses for ever new keys, so no count of failures stops
 * them: each costs a look-up and an argon2 run.
 */
import path from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { Pool } from 'undici'
import { createCredential } from '../src/access/credentials.ts'
import { newKey, newSecret } from '../src/access/key-format.ts'
import { openDatabase } from '../src/database/database.ts'
import { silentLog } from '../src/log.ts'
import { percentiles, spread } from './ground/figures.ts'
import { type Ground, startGround } from './ground/ground.ts'
import { keepRate, saturate } from './ground/load.ts'
import { machineFacts } from './ground/machine.ts'
import { startProcess } from './ground/processes.ts'
import { writeReport } from './ground/report.ts'
import { runMeasured } from './ground/run.ts'

const { values: options } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const parameters = options.quick
  ? { rounds: 2, seconds: 1, warmUpSeconds: 0.5, concurrency: 16, reads: 100, wrong: 100, floodSeconds: 3 }
  : { rounds: 6, seconds: 2, warmUpSeconds: 2, concurrency: 16, reads: 100, wrong: 100, floodSeconds: 10 }

const query = '{ integrations { id slug name status } }'

type Send = (headers: Readonly<Record<string, string>>) => Promise<number>

const stack = new AsyncDisposableStack()
await runMeasured(stack, measure)

async function measure(): Promise<void> {
  const ground = await startGround(stack)
  const pool = new pg.Pool({ connectionString: ground.databaseUrl, max: 2 })
  stack.defer(() => pool.end())
  const { consumer, principal } = await fill(ground)
  const machine = await machineFacts(pool, ground.dataFolder)
  console.log(
    `access: ${machine.cpus} cores, Node ${machine.node}, PostgreSQL ${machine.postgres}; load before ${machine.loadBefore.toFixed(2)}\n`,
  )
  const checked = await gateway(ground, 'checked', { TRUST_PROXY: '1' })
  const unchecked = await gateway(ground, 'unchecked', { BENCH_PRINCIPAL: JSON.stringify(principal) }, [
    '--import',
    path.join(import.meta.dirname, 'access/without-checks.ts'),
  ])
  const bearer = { authorization: `Bearer ${await tokenOf(checked.url, consumer)}` }
  const basic = { authorization: basicOf(consumer) }

  const contestants = [
    { name: 'no checks', call: ok(unchecked.send, bearer) },
    { name: 'token (JWT)', call: ok(checked.send, bearer) },
    { name: 'key and secret (Basic), warm', call: ok(checked.send, basic) },
  ]
  const results = new Map<string, number[]>(contestants.map(({ name }) => [name, []]))
  const { concurrency, seconds, warmUpSeconds } = parameters
  for (const { call } of contestants) await saturate(call, { concurrency, seconds: warmUpSeconds })
  for (let round = 0; round < parameters.rounds; round += 1) {
    for (const { name, call } of contestants) {
      results.get(name)?.push((await saturate(call, { concurrency, seconds })).perSecond)
    }
  }
  const baseline = results.get('no checks') ?? []
  for (const [name, perSecond] of results) {
    const { median, low, high } = spread(perSecond)
    // Of the same round, so that what slows the machine down slows both.
    const ratio = spread(perSecond.map((value, round) => value / (baseline[round] as number))).median
    console.log(
      `  ${name.padEnd(30)} ${median.toFixed(0).padStart(7)} /s (${low.toFixed(0)}-${high.toFixed(0)})`.padEnd(62) +
        `${(ratio * 100).toFixed(0).padStart(4)} % of no checks`,
    )
  }

  const quiet = await paced(checked.send, bearer, 0)
  const flooded = await paced(checked.send, bearer, parameters.wrong)
  console.log(`\n${parameters.reads} reads a second with a token, each timed from when it should have begun:`)
  for (const [name, { p50, p99, max, answers }] of Object.entries({
    alone: quiet,
    [`beside ${parameters.wrong} wrong secrets a second`]: flooded,
  })) {
    console.log(
      `  ${name.padEnd(36)} p50 ${p50.toFixed(1)} ms  p99 ${p99.toFixed(1)} ms  max ${max.toFixed(1)} ms  ${answers}`,
    )
  }
  const file = await writeReport({
    benchmark: 'access',
    machine,
    parameters: { ...parameters, results: Object.fromEntries(results), quiet, flooded },
    figures: [],
  })
  console.log(`\nWritten to ${path.relative(process.cwd(), file)}`)
}

/** Reads at a fixed rate, with so many wrong secrets a second beside them. */
async function paced(send: Send, headers: Readonly<Record<string, string>>, wrong: number) {
  const latencies: number[] = []
  const answers = new Map<number, number>()
  const read = ok(send, headers)
  const { reads, floodSeconds: seconds } = parameters
  const start = performance.now()
  const flood = keepRate(
    async (index) => {
      const status = await send({
        authorization: basicOf({ key: newKey('bench'), secret: newSecret('bench') }),
        'x-forwarded-for': `198.18.${(index >> 8) % 256}.${index % 256}`,
      })
      answers.set(status, (answers.get(status) ?? 0) + 1)
    },
    { perSecond: wrong, seconds },
  )
  await keepRate(
    async (index) => {
      await read()
      latencies.push(performance.now() - start - (index * 1000) / reads)
    },
    { perSecond: reads, seconds },
  )
  await flood
  const told = [...answers].map(([status, times]) => `${times} × ${status}`).join(', ')
  return { ...percentiles(latencies), max: Math.max(...latencies), answers: told }
}

function ok(send: Send, headers: Readonly<Record<string, string>>): () => Promise<void> {
  return async () => {
    const status = await send(headers)
    if (status !== 200) throw new Error(`The gateway answered ${status}.`)
  }
}

async function gateway(
  { folder, env }: Ground,
  name: string,
  more: Readonly<Record<string, string>>,
  nodeOptions: readonly string[] = [],
): Promise<{ readonly url: string; readonly send: Send }> {
  const file = path.join(import.meta.dirname, '../src/main.ts')
  const running = await startProcess({ name, file, args: ['gateway'], env: { ...env, ...more }, folder, nodeOptions })
  stack.defer(() => running.stop())
  const url = running.ready.url ?? ''
  const body = JSON.stringify({ query })
  // Who sends wrong secrets waits on connections of its own.
  const clients = [new Pool(url, { connections: 64 }), new Pool(url, { connections: 256 })] as const
  for (const client of clients) stack.defer(() => client.destroy())
  const send: Send = async (headers) => {
    const client = headers['x-forwarded-for'] ? clients[1] : clients[0]
    const answer = await client.request({
      path: '/graphql',
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
    await answer.body.text()
    return answer.statusCode
  }
  return { url, send }
}

async function fill({ databaseUrl }: Ground) {
  const database = openDatabase({ url: databaseUrl, log: silentLog })
  stack.defer(() => database.close())
  const team = await database.prisma.team.create({ data: { slug: 'bench', name: 'Bench' } })
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
  const principal = {
    kind: 'credential',
    id: consumer.id,
    role: 'consumer',
    teamId: team.id,
    integrationId: integration.id,
    variables: { 'x-hasura-team-ids': [team.id], 'x-hasura-integration-id': integration.id },
  }
  return { consumer, principal }
}

function basicOf({ key, secret }: { readonly key: string; readonly secret: string }): string {
  return `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`
}

async function tokenOf(url: string, credential: { readonly key: string; readonly secret: string }): Promise<string> {
  const response = await fetch(`${url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: basicOf(credential) },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  return ((await response.json()) as { access_token: string }).access_token
}
