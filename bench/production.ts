/**
 * Raw sources fetched by a producer, converted in the sandbox and announced, on one worker.
 * Each source is a booking of 12 KB as JSON; its session is announced to one webhook target's delivery row (nothing is
 * sent: the figure is of production). Beside it, sources a minute of the conversion alone.
 * Run with an empty database: DATABASE_URL=postgres://… npm run bench -- production --sources 2000 --concurrency 4
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createSealer } from '../src/access/seal.ts'
import { readConfig } from '../src/config.ts'
import { installConnector, reviewConnector } from '../src/connectors/registry.ts'
import { openDatabase } from '../src/database/database.ts'
import { migrate } from '../src/database/migrate.ts'
import { createFileStore } from '../src/files/store.ts'
import { createLog } from '../src/log.ts'
import { startWorkerParts } from '../src/worker/worker.ts'
import { spread } from './ground/figures.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    sources: { type: 'string', default: '2000' },
    concurrency: { type: 'string', default: '4' },
  },
})
const url = process.env.DATABASE_URL
if (!url) throw new Error('Set DATABASE_URL to an empty database.')
await migrate(url)
const log = createLog({ name: 'bench', level: 'warn' })
const database = openDatabase({ url, log, poolSize: 20 })
const config = readConfig({
  DATABASE_URL: url,
  SLUICE_SECRET_KEY: randomBytes(32).toString('base64'),
  S3_ENDPOINT: 'http://127.0.0.1:1',
  S3_ACCESS_KEY: 'unused',
  S3_SECRET_KEY: 'unused',
  SMTP_URL: 'smtp://127.0.0.1:1',
})
const count = Number(values.sources)

/** Batches of 400 sources, each a booking padded to 12 KB. */
const code = `
const booking = (id) => JSON.stringify({
  referenceNumber: id, sourceDomain: 'bench.example', participants: [{ firstname: 'Ada', lastname: 'Example' }],
  travelservices: [{ travelServiceType: 'FLIGHT', bookingstatus: 'CONFIRMED', segmentedLegs: [{ legNr: 1, segments: [
    { segNr: 1, departuretime: '2027-10-15T10:30:00', arrivaltime: '2027-10-15T11:25:00',
      departingFromLocation: { iataCode: 'ZRH' }, arrivingAtLocation: { iataCode: 'FRA' } }] }] }],
  comment: 'x'.repeat(11800),
})
export default {
  getRawSources({ config, state }) {
    const from = state.at ?? 0
    const to = Math.min(from + 400, config.to)
    state.at = to
    const sources = Array.from({ length: to - from }, (_, index) => 'B' + (from + index))
    return { sources: sources.map((id) => ({ source: booking(id), uniqueSourceId: id })), more: to < config.to }
  },
  convertRawSource: (source) => ({ booking: JSON.parse(new TextDecoder().decode(source)) }),
}`
const stateless = code
  .replace('config, state }', 'config, known }')
  .replace('getRawSources({', 'async getRawSources({')
  .replace(
    'const from = state.at ?? 0',
    `const from = (await known(Array.from({ length: config.to }, (_, index) => 'B' + index))).length`,
  )
  .replace('state.at = to', '')

const { prisma, pool } = database
const team = await prisma.team.create({ data: { slug: 'bench', name: 'Bench' } })
const flow = await prisma.flow.create({ data: { team_id: team.id, slug: 'book', name: 'Book' } })
const integration = await prisma.integration.create({ data: { team_id: team.id, slug: 'office', name: 'Office' } })
await prisma.destination.create({ data: { flow_id: flow.id, integration_id: integration.id } })
await prisma.webhook.create({
  data: { integration_id: integration.id, team_id: team.id, name: 'hook', url: 'https://office.example/hook' },
})

async function connected(source: string, manifest: object, concurrency: number): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-bench-'))
  const whole = {
    implementation: `org.example.bench-${concurrency}-${Object.keys(manifest).length}`,
    name: 'Bench',
    author: 'Bench',
    version: '1.0.0',
    description: 'Bench.',
    privacyPolicyUrl: 'https://example.org/privacy',
    kinds: ['producer'],
    ...manifest,
  }
  await writeFile(path.join(folder, 'connector.json'), JSON.stringify(whole))
  await writeFile(path.join(folder, 'index.js'), source)
  const { id } = await installConnector({ database }, folder)
  await reviewConnector({ database }, id, 'approved')
  await rm(folder, { recursive: true })
  const made = await prisma.connection.create({
    data: {
      integration_id: integration.id,
      team_id: team.id,
      connector_id: id,
      name: 'Bench',
      flow_id: flow.id,
      concurrency,
    },
  })
  return made.id
}

/** Sources a minute, from the request to the last session announced. */
async function produced(connection: string, to: number): Promise<number> {
  const begun = performance.now()
  await pool.query('update connections set config = $2, next_run_at = now() where id = $1', [connection, { to }])
  await pool.query(`select pg_notify('sluice_production', '')`)
  for (;;) {
    const { rows } = await pool.query<{ done: number; failed: number }>(
      `select count(*) filter (where status = 'converted')::int as done, count(*) filter (where status = 'failed')::int as failed
         from raw_sources where connection_id = $1`,
      [connection],
    )
    if ((rows[0]?.failed ?? 0) > 0) throw new Error('A source failed.')
    if ((rows[0]?.done ?? 0) >= to) break
    await setTimeout(20)
  }
  return Math.round((count * 60_000) / (performance.now() - begun))
}

const worker = await startWorkerParts({
  config,
  database,
  sealer: createSealer(config.SLUICE_SECRET_KEY),
  files: createFileStore(config),
  log,
  schedules: [],
  carriers: () => [],
})
const ways = {
  one_at_a_time: await connected(stateless, {}, 1),
  several_at_once: await connected(stateless, {}, Number(values.concurrency)),
  with_state: await connected(code, { settings: [{ key: 'at', type: 'INTERNAL' }] }, 1),
}
const rates: Record<string, number[]> = {}
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const [name, connection] of Object.entries(ways)) {
    const rate = await produced(connection, (round + 1) * count)
    // The first one warms up.
    if (round > 0) rates[name] = [...(rates[name] ?? []), rate]
  }
}
const { rows: announced } = await pool.query<{ sessions: number; deliveries: number }>(
  'select (select count(*)::int from sessions) as sessions, (select count(*)::int from deliveries) as deliveries',
)
const entries = Object.entries(rates).map(([name, all]) => [name, spread(all)])
process.stdout.write(
  `${JSON.stringify({ per_minute: Object.fromEntries(entries), announced: announced[0] }, null, 2)}\n`,
)
await worker.close()
await database.close()
