/**
 * How fast a commit reaches live queries, and what that costs Postgres and memory.
 * Beside it, on the same database in the same run, Hasura's algorithm: polling,
 * multiplexed, every 1,000 and every 100 ms.
 *
 *   npm run bench -- live            about three minutes
 *   npm run bench -- live --quick    500 subscribers and not 5,000; half a minute
 *   npm run bench -- live --alone    without polling; --only TEXT for the scenarios whose names hold it
 *   npm run bench -- live --profile  also writes a CPU profile of the gateway
 *
 * The real gateway process runs, the subscribers are in a process of their own,
 * Postgres has fsync on. What the figures mean: docs/benchmarks.md.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { cpuOf } from './ground/cpu.ts'
import { type Percentiles, spread } from './ground/figures.ts'
import { type Ground, resultsFolder, startGround } from './ground/ground.ts'
import { machineFacts } from './ground/machine.ts'
import { type RunningProcess, startProcess } from './ground/processes.ts'
import { runMeasured } from './ground/run.ts'
import { type Command, now } from './live/command.ts'
import { type Seeded, seed } from './live/seed.ts'
import { type Scenario, Writer } from './live/writer.ts'

const full = { subscribers: 5_000, rounds: 3, seconds: 3, backlog: 100_000 }
const quick = { subscribers: 500, rounds: 2, seconds: 1.5, backlog: 10_000 }
const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    /** Leaves the others out. */
    alone: { type: 'boolean', default: false },
    /** Only the scenarios whose names hold this. */
    only: { type: 'string', default: '' },
  },
})
const parameters = { ...(options.quick ? quick : full), perSocket: 50, middle: 100 }

/** Of each flow its newest sessions. */
const query = `subscription ($flow: uuid!) {
  sessions(where: { flow_id: { _eq: $flow } }, order_by: { submitted_at: desc }, limit: 3) { id status payment_id revision }
}`
const stream = `subscription {
  session_events_stream(batch_size: 1000, cursor: [{ initial_value: { position: "" } }]) { position session_id type }
}`

const stack = new AsyncDisposableStack()
await runMeasured(stack, measure)

interface Round extends Percentiles {
  /** Frames that came, over those that had to. */
  readonly framesEach: number
  /** Transactions a second in Postgres, those of the writer taken off. */
  readonly idlePerSecond: number
  readonly writingPerSecond: number
  /** CPU of the server while writing, in percent of one core. */
  readonly cpu: number
  readonly kbEach: number
}

async function measure(): Promise<void> {
  const ground = await startGround(stack)
  const seeded = await seed(ground.env, parameters.subscribers, parameters.backlog)
  const pool = new pg.Pool({ connectionString: ground.databaseUrl, max: 1 })
  stack.defer(() => pool.end())
  const machine = await machineFacts(pool, ground.dataFolder)
  console.log(
    `live: ${machine.cpus} cores (${machine.cpu}), Node ${machine.node}, PostgreSQL ${machine.postgres}; ` +
      `one small commit ${machine.commitMs.p50.toFixed(2)} ms; load before ${machine.loadBefore.toFixed(2)}\n`,
  )
  const writer = new Writer(pool, seeded)
  const many = parameters.subscribers
  const scenarios: Scenario[] = [
    { name: '1 subscriber', cohorts: 'one', subscribers: 1, perSecond: 20, announced: true },
    { name: '1 subscriber, plain SQL', cohorts: 'one', subscribers: 1, perSecond: 20, announced: false },
    { name: '1 subscriber, plain SQL, quiet', cohorts: 'one', subscribers: 1, perSecond: 1, announced: false },
    {
      name: `${parameters.middle} in 1 cohort`,
      cohorts: 'one',
      subscribers: parameters.middle,
      perSecond: 20,
      announced: true,
    },
    { name: `${many} in 1 cohort`, cohorts: 'one', subscribers: many, perSecond: 2, announced: true },
    { name: `${many} in ${many} cohorts`, cohorts: 'each its own', subscribers: many, perSecond: 20, announced: true },
  ]
  const results: Record<string, Record<string, Round[]>> = {}
  const sides = {
    Sluice: () => startSluice(ground, seeded),
    ...(options.alone
      ? {}
      : {
          'polling, 1000 ms': () => startPolling(ground, seeded, 1_000),
          'polling, 100 ms': () => startPolling(ground, seeded, 100),
        }),
  }
  let drained: number[] = []
  for (const [name, start] of Object.entries(sides)) {
    const rounds: Record<string, Round[]> = {}
    results[name] = rounds
    for (const scenario of scenarios) {
      // Polling does not care how it is written.
      if (name !== 'Sluice' && scenario.name.includes('plain SQL')) continue
      if (!scenario.name.includes(options.only)) continue
      const server = await start()
      const subscribers = await startSubscribers()
      try {
        rounds[scenario.name] = await runScenario(scenario, { server, subscribers, writer, seeded })
      } finally {
        await subscribers.stop()
        await server.running.stop()
      }
      console.log(
        `${name.padEnd(18)} ${scenario.name.padEnd(32)} ${shownRound(rounds[scenario.name] ?? [], scenario.subscribers)}`,
      )
    }
    if (name === 'Sluice' && 'stream'.includes(options.only)) drained = await measureDrain(start)
  }
  await mkdir(resultsFolder, { recursive: true })
  const file = path.join(resultsFolder, `live-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.json`)
  await writeFile(file, `${JSON.stringify({ machine, parameters, query, results, drained }, null, 2)}\n`)
  console.log(`Median of ${parameters.rounds} rounds (lowest-highest). Everything: ${path.relative('.', file)}`)
}

function shownRound(rounds: readonly Round[], subscribers: number): string {
  const cell = (value: (round: Round) => number, digits = 1) => {
    const { median, low, high } = spread(rounds.map(value))
    return `${median.toFixed(digits)} (${low.toFixed(digits)}-${high.toFixed(digits)})`
  }
  // Of a few subscribers memory says nothing: what it holds once weighs more.
  const memory = subscribers < 500 ? [] : [`${cell((round) => round.kbEach)} KB each`]
  return [
    `p50 ${cell((round) => round.p50)} ms`,
    `p99 ${cell((round) => round.p99)} ms`,
    `frames/write ${cell((round) => round.framesEach, 2)}`,
    `SQL/s idle ${cell((round) => round.idlePerSecond, 0)}`,
    `writing ${cell((round) => round.writingPerSecond, 0)}`,
    `CPU ${cell((round) => round.cpu, 0)} %`,
    ...memory,
  ].join('  ')
}

interface Server {
  readonly running: RunningProcess
  readonly url: string
  readonly token: string
}

interface Parts {
  readonly server: Server
  readonly subscribers: Subscribers
  readonly writer: Writer
  readonly seeded: Seeded
}

async function runScenario(scenario: Scenario, { server, subscribers, writer, seeded }: Parts): Promise<Round[]> {
  const { running, url, token } = server
  const count = scenario.subscribers
  const flows = scenario.cohorts === 'one' ? seeded.flows.slice(0, 1) : seeded.flows.slice(0, count)
  const variables = Array.from({ length: count }, (_, at) => ({ flow: flows[at % flows.length]?.id ?? '' }))
  // One subscription first, so that what memory holds once is not counted for each.
  await subscribers.tell({
    type: 'open',
    url,
    token,
    query,
    variables: [{ flow: seeded.flows.at(-1)?.id ?? '' }],
    perSocket: 1,
  })
  const before = await residentKb(running.pid)
  await subscribers.tell({ type: 'open', url, token, query, variables, perSocket: parameters.perSocket })
  const kbEach = ((await residentKb(running.pid)) - before) / count
  const rounds: Round[] = []
  const seenBy = count / flows.length
  const run = async (seconds: number) => {
    const writes = await writer.write(scenario, flows, seconds)
    return {
      writes,
      figures: (await subscribers.tell({ type: 'measure', writes })) as Percentiles & { frames: number },
    }
  }
  await run(1)
  await pause(1_500)
  const idle = await writer.transactionsPerSecond(parameters.seconds)
  for (let round = 0; round < parameters.rounds; round += 1) {
    const [counted, cpu] = [await writer.transactions(), await cpuOf(running.pid)]
    const began = now()
    const { writes, figures } = await run(parameters.seconds * (scenario.perSecond === 1 ? 3 : 1))
    const seconds = (now() - began) / 1000
    const cpuUsed = (await cpuOf(running.pid)) - cpu
    const perWrite = scenario.announced ? 2 : 1
    const all = (await writer.transactions()) - counted
    const made = all - writes.length * perWrite - idle * ((now() - began) / 1000 - seconds)
    rounds.push({
      ...figures,
      framesEach: figures.frames / (writes.length * seenBy),
      idlePerSecond: idle,
      writingPerSecond: made / seconds,
      cpu: cpuUsed / seconds / 10,
      kbEach,
    })
  }
  await subscribers.tell({ type: 'close' })
  return rounds
}

async function measureDrain(start: () => Promise<Server>): Promise<number[]> {
  const server = await start()
  const subscribers = await startSubscribers()
  const seconds: number[] = []
  try {
    for (let round = 0; round < parameters.rounds; round += 1) {
      const { url, token } = server
      seconds.push(
        (await subscribers.tell({ type: 'drain', url, token, query: stream, rows: parameters.backlog })) as number,
      )
    }
  } finally {
    await subscribers.stop()
    await server.running.stop()
  }
  const { median, low, high } = spread(seconds.map((each) => parameters.backlog / each))
  const rate = `${median.toFixed(0)} rows/s (${low.toFixed(0)}-${high.toFixed(0)})`
  console.log(`${'Sluice'.padEnd(18)} ${`stream, ${parameters.backlog} behind`.padEnd(32)} ${rate}`)
  return seconds
}

interface Subscribers {
  tell(command: Command): Promise<unknown>
  stop(): Promise<void>
}

async function startSubscribers(): Promise<Subscribers> {
  const child = fork(path.join(import.meta.dirname, 'live/subscribers.ts'), { serialization: 'advanced' })
  await once(child, 'message')
  return {
    async tell(command) {
      const answered = once(child, 'message')
      child.send(command)
      const [answer] = (await answered) as [{ type: string; result: unknown; message?: string }]
      if (answer.type === 'failed') throw new Error(answer.message)
      return answer.result
    },
    async stop() {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}

async function startSluice(ground: Ground, { consumer }: Seeded): Promise<Server> {
  const running = await startProcess({
    name: 'gateway',
    file: path.join(import.meta.dirname, '../src/main.ts'),
    args: ['gateway'],
    env: ground.env,
    folder: ground.folder,
    nodeOptions: options.profile ? ['--cpu-prof', `--cpu-prof-dir=${path.join(resultsFolder, 'profiles')}`] : [],
  })
  const url = running.ready.url ?? ''
  const response = await fetch(`${url}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: consumer.key,
      client_secret: consumer.secret,
    }),
  })
  const { access_token: token } = (await response.json()) as { access_token: string }
  return { running, url, token }
}

async function startPolling(ground: Ground, { integrationId }: Seeded, everyMs: number): Promise<Server> {
  const running = await startProcess({
    name: 'polling',
    file: path.join(import.meta.dirname, 'live/polling.ts'),
    env: { DATABASE_URL: ground.databaseUrl, INTEGRATION_ID: integrationId, REFETCH_MS: String(everyMs) },
    folder: ground.folder,
  })
  return { running, url: running.ready.url ?? '', token: 'none' }
}

async function residentKb(pid: number): Promise<number> {
  // What was only needed to begin with is given back in the meantime.
  await pause(1_500)
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN)
}
