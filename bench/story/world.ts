/** The benchmark's world, made as an editor would make it: one flow, one destination, one webhook or more, two credentials. */
import { createCredential, type IssuedCredential } from '../../src/access/credentials.ts'
import { createSealer } from '../../src/access/seal.ts'
import { type Config, readConfig } from '../../src/config.ts'
import { type Database, openDatabase } from '../../src/database/database.ts'
import { silentLog } from '../../src/log.ts'
import { createSchemaChecker } from '../../src/sessions/schema-checker.ts'
import { submitSession } from '../../src/sessions/submit.ts'
import { parsePattern } from '../../src/tables/event-shape.ts'
import { createWebhook } from '../../src/webhooks/webhooks.ts'
import { flowSlug, sessionOf, teamSlug } from './payload.ts'

export interface World {
  /** May submit for the team. */
  readonly source: IssuedCredential
  /** Of the integration that is the flow's one destination. */
  readonly consumer: IssuedCredential
  /** How Sluice itself writes a session; the bare programs do the same. */
  readonly statements: SubmitStatements
}

/** The statements of one submission, as they reached Postgres. */
export interface SubmitStatements {
  readonly find: RecordedQuery
  readonly insert: RecordedQuery
  /** Which of the insert's values differ from session to session. */
  readonly places: { readonly id: number; readonly data: number; readonly hash: number }
}

export interface RecordedQuery {
  readonly name: string
  readonly text: string
  readonly values: readonly unknown[]
}

/** Seeds the empty database of `env`; nothing but this world is in it afterwards. */
export async function makeWorld(
  env: Readonly<Record<string, string>>,
  webhookUrl: string,
  fanout: number,
): Promise<World> {
  const config = readConfig(env)
  const database = openDatabase({ url: config.DATABASE_URL, poolSize: 2, log: silentLog })
  try {
    const credentials = await seed(database, config, webhookUrl, fanout)
    const statements = await recordSubmission(database)
    await database.pool.query('truncate sessions cascade')
    return { ...credentials, statements }
  } finally {
    await database.close()
  }
}

async function seed(
  database: Database,
  config: Config,
  webhookUrl: string,
  fanout: number,
): Promise<Omit<World, 'statements'>> {
  const { prisma } = database
  const team = await prisma.team.create({ data: { slug: teamSlug, name: 'Benchmark council' } })
  const flow = await prisma.flow.create({ data: { team_id: team.id, slug: flowSlug, name: 'Apply' } })
  const integration = await prisma.integration.create({
    data: { team_id: team.id, slug: 'back-office', name: 'Back office' },
  })
  await prisma.destination.create({ data: { flow_id: flow.id, integration_id: integration.id } })
  for (let number = 1; number <= fanout; number += 1) {
    await createWebhook(
      {
        database,
        sealer: createSealer(config.SLUICE_SECRET_KEY),
        rules: { allow: config.EGRESS_ALLOW },
        validatePattern: parsePattern,
      },
      {
        integration_id: integration.id,
        name: `Back office ${number}`,
        url: webhookUrl,
        pattern: { team: { _eq: teamSlug } },
        config: { platformKey: 'bench' },
      },
    )
  }
  const environment = config.SLUICE_ENVIRONMENT
  const [source, consumer] = await Promise.all([
    createCredential(database, {
      role: 'source',
      name: 'Event source',
      environment,
      teamId: team.id,
      integrationId: null,
    }),
    createCredential(database, {
      role: 'consumer',
      name: 'Consumer',
      environment,
      teamId: team.id,
      integrationId: integration.id,
    }),
  ])
  return { source, consumer }
}

/** Submits one session and writes down what was sent to Postgres, so that the baseline can never run other SQL than we do. */
async function recordSubmission(database: Database): Promise<SubmitStatements> {
  const queries: RecordedQuery[] = []
  const query = (given: RecordedQuery) => {
    queries.push(given)
    return database.pool.query({ ...given, values: [...given.values] })
  }
  const pool = Object.create(database.pool, { query: { value: query } })
  const session = sessionOf(4096)
  const id = crypto.randomUUID()
  await submitSession(
    { ...session, id },
    {
      database: { ...database, pool },
      checker: createSchemaChecker(),
      retentionDays: 30,
      principal: {
        kind: 'system',
        id: 'bench',
        role: 'admin',
        variables: {},
        teamId: null,
        integrationId: null,
        expiresAt: null,
      },
    },
  )
  const [find, insert, ...others] = queries
  if (!find || !insert || others.length > 0) {
    throw new Error(
      `Submitting took ${queries.length} statements, not two; the bare programs must be taught the new way.`,
    )
  }
  const data = JSON.stringify(session.data)
  const places = {
    id: insert.values.indexOf(id),
    data: insert.values.indexOf(data),
    hash: insert.values.findIndex((value) => Buffer.isBuffer(value)),
  }
  if (Object.values(places).includes(-1)) throw new Error('The insert has no place for id, data or content hash.')
  return { find, insert, places }
}
