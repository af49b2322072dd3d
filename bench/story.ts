/**
 * How fast sessions are accepted, announced by webhook and seen by live queries.
 * Each figure stands beside that of a bare program that does the same with the
 * raw libraries, measured in turns in the same run.
 *
 *   npm run bench -- story            under two minutes
 *   npm run bench -- story --quick    under half a minute, to see that it works
 *   npm run bench -- story --profile  also writes CPU profiles of gateway and worker
 *   npm run bench -- story --only accepted|arrived   one half of it
 *   npm run bench -- story --only accepted --fanout 5   each session bound for five webhooks
 *
 * The real processes run: `sluice gateway`, `sluice worker`, Postgres with fsync.
 * What the figures mean, and what they do not: docs/benchmarks.md.
 */
import path from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { cpuBetween, cpuOf, cpuOfPostgres } from './ground/cpu.ts'
import { percentiles } from './ground/figures.ts'
import { databaseNamed, type Ground, resultsFolder, startGround } from './ground/ground.ts'
import { saturate } from './ground/load.ts'
import { machineFacts } from './ground/machine.ts'
import { type Figure, printTable, writeReport } from './ground/report.ts'
import { runMeasured } from './ground/run.ts'
import { startReceiver } from './story/arrivals.ts'
import { sessionOf } from './story/payload.ts'
import { type Side, startBare, startSluice, webhookPaths } from './story/sides.ts'
import { type SteadyRound, steadyRound } from './story/steady.ts'
import { makeWorld } from './story/world.ts'

const full = { rounds: 3, acceptSeconds: 3, steadySeconds: 4, warmUpSeconds: 1.5 }
const quick = { rounds: 2, acceptSeconds: 0.7, steadySeconds: 0.7, warmUpSeconds: 0.2 }
const fixed = {
  concurrency: 16,
  sizes: [4 * 1024, 30 * 1024],
  perSecond: 50,
  steadyBytes: 4 * 1024,
  subscribers: [1, 100],
}

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    only: { type: 'string', default: 'accepted arrived' },
    fanout: { type: 'string', default: '1' },
  },
})
const wants = (half: 'accepted' | 'arrived') => options.only.includes(half)
const parameters = { ...fixed, ...(options.quick ? quick : full) }

const stack = new AsyncDisposableStack()
await runMeasured(stack, measure)

async function measure(): Promise<void> {
  const startedAt = performance.now()
  const { ours, bare, machine, receiver, dataFolder } = await start()
  console.log(
    `story: ${machine.cpus} cores (${machine.cpu}), Node ${machine.node}, PostgreSQL ${machine.postgres}, fsync ${machine.fsync}; ` +
      `one small commit ${machine.commitMs.p50.toFixed(2)} ms; load before ${machine.loadBefore.toFixed(2)}\n`,
  )
  const figures: Figure[] = []
  for (const bytes of wants('accepted') ? parameters.sizes : [])
    figures.push(...(await measureAcceptance([ours, bare], { dataFolder, bytes })))

  // Without a worker until here, so that acceptance is what was measured.
  for (const side of wants('arrived') ? [ours, bare] : []) {
    await side.database.query('truncate sessions cascade')
    await side.startWorker()
  }
  const details: Record<string, unknown> = {}
  const notes: string[] = []
  for (const subscribers of wants('arrived') ? parameters.subscribers : []) {
    const steady = await measureSteady([ours, bare], { receiver, subscribers })
    if (subscribers === 1) figures.push(...timesOf('commit to webhook received', steady, (round) => round.webhook))
    const who = subscribers === 1 ? '1 subscriber' : `${subscribers} subscribers`
    figures.push(...timesOf(`commit to live result, ${who}`, steady, (round) => round.live))
    details[who] = steady.map((pair) => pair.map(summaryOf))
    const passedOver = steady.flat().reduce((sum, round) => sum + round.passedOver, 0)
    if (passedOver > 0) notes.push(`With ${who}, ${passedOver} rows were passed over by newer states.`)
  }
  printTable(figures)
  for (const note of notes) console.log(note)
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  const file = await writeReport({
    benchmark: 'story',
    machine,
    parameters: {
      ...parameters,
      bytes: parameters.sizes.map((size) => JSON.stringify(sessionOf(size)).length),
      seconds,
      details,
    },
    figures,
  })
  console.log(
    `\nMedian of ${parameters.rounds} rounds (lowest-highest). ${seconds} s in all. Everything: ${path.relative('.', file)}`,
  )
}

async function start() {
  const receiver = await startReceiver()
  stack.defer(() => receiver.close())
  const ground = await startGround(stack)
  const world = await makeWorld(ground.env, `${receiver.url}${webhookPaths.sluice}`, Number(options.fanout))
  const machine = await copyDatabase(ground)
  const profile = options.profile ? ['--cpu-prof', `--cpu-prof-dir=${path.join(resultsFolder, 'profiles')}`] : []
  const sides = { ground, world, receiver, concurrency: parameters.concurrency, nodeOptions: profile }
  const ours = await startSluice(stack, sides)
  const bare = await startBare(stack, sides)
  return { ours, bare, machine, receiver, dataFolder: ground.dataFolder }
}

/** The bare programs get a copy of the seeded database. */
async function copyDatabase({ databaseUrl, dataFolder }: Ground) {
  const pool = new pg.Pool({ connectionString: databaseNamed(databaseUrl, 'postgres'), max: 1 })
  try {
    await pool.query('create database bare template sluice')
    return await machineFacts(pool, dataFolder)
  } finally {
    await pool.end()
  }
}

type Sides = readonly [ours: Side, bare: Side]

/** In turns, so that whatever else happens on the machine meets both. */
async function inTurns<T>(sides: Sides, round: (side: Side) => Promise<T>): Promise<(readonly [T, T])[]> {
  const results: (readonly [T, T])[] = []
  for (let turn = 0; turn < parameters.rounds; turn++) results.push([await round(sides[0]), await round(sides[1])])
  return results
}

async function measureAcceptance(
  sides: Sides,
  { dataFolder, bytes }: { readonly dataFolder: string; readonly bytes: number },
): Promise<Figure[]> {
  const { concurrency, acceptSeconds, warmUpSeconds } = parameters
  const load = (side: Side, seconds: number) => {
    const submit = side.submitting(bytes)
    return saturate(() => submit(crypto.randomUUID()), { concurrency, seconds })
  }
  const cpu = async ({ gatewayPid }: Side) => ({
    gateway: await cpuOf(gatewayPid),
    postgres: await cpuOfPostgres(dataFolder),
  })
  for (const side of sides) await load(side, warmUpSeconds)
  const rounds = await inTurns(sides, async (side) => {
    // What the round before left to the disk is not this one's.
    await side.database.query('checkpoint')
    const cpuBefore = await cpu(side)
    const { perSecond, latencies } = await load(side, acceptSeconds)
    const cpuAfter = await cpu(side)
    return {
      perSecond,
      ...percentiles(latencies),
      gatewayCpu: (cpuAfter.gateway - cpuBefore.gateway) / latencies.length,
      postgresCpu: cpuBetween(cpuBefore.postgres, cpuAfter.postgres) / latencies.length,
    }
  })
  const group = `sessions accepted, ${bytes / 1024} KB each, ${concurrency} at once`
  const figure = (
    name: string,
    unit: Figure['unit'],
    value: (round: (typeof rounds)[number][0]) => number,
  ): Figure => ({
    group,
    name,
    unit,
    ours: rounds.map(([ours]) => value(ours)),
    bare: rounds.map(([, bare]) => value(bare)),
  })
  return [
    figure('rate', '/s', (round) => round.perSecond),
    figure('p50', 'ms', (round) => round.p50),
    figure('p99', 'ms', (round) => round.p99),
    figure('CPU of the gateway, each', 'ms', (round) => round.gatewayCpu),
    figure('CPU of Postgres, each', 'ms', (round) => round.postgresCpu),
  ]
}

async function measureSteady(
  sides: Sides,
  { receiver, subscribers }: { receiver: Awaited<ReturnType<typeof startReceiver>>; subscribers: number },
) {
  const { perSecond, steadySeconds, warmUpSeconds, steadyBytes } = parameters
  const run = (side: Side, seconds: number) =>
    steadyRound(side, { receiver, perSecond, seconds, subscribers, bytes: steadyBytes })
  for (const side of sides) await run(side, warmUpSeconds)
  return inTurns(sides, (side) => run(side, steadySeconds))
}

function timesOf(
  group: string,
  rounds: readonly (readonly [SteadyRound, SteadyRound])[],
  valuesOf: (round: SteadyRound) => readonly number[],
): Figure[] {
  const { perSecond } = parameters
  const all = rounds.map((pair) => pair.map((round) => percentiles(valuesOf(round))))
  return (['p50', 'p99'] as const).map((name) => ({
    group: `${group}, ${perSecond} sessions/s`,
    name,
    unit: 'ms',
    ours: all.map(([ours]) => ours?.[name] ?? Number.NaN),
    bare: all.map(([, bare]) => bare?.[name] ?? Number.NaN),
  }))
}

/** What the table leaves out. */
function summaryOf({ webhook, live, answer, callToWebhook, ...rest }: SteadyRound) {
  return {
    webhook: percentiles(webhook),
    live: percentiles(live),
    answer: percentiles(answer),
    callToWebhook: percentiles(callToWebhook),
    ...rest,
  }
}
