/** Flows with two sessions each, all granted to one consumer. */
import pg from 'pg'
import { createCredential, type IssuedCredential } from '../../src/access/credentials.ts'
import { readConfig } from '../../src/config.ts'
import { openDatabase } from '../../src/database/database.ts'
import { silentLog } from '../../src/log.ts'

export interface Seeded {
  readonly consumer: IssuedCredential
  readonly integrationId: string
  /** Each with one of its sessions, which the writer changes. */
  readonly flows: readonly { readonly id: string; readonly session: string }[]
}

export async function seed(env: Readonly<Record<string, string>>, flows: number, backlog: number): Promise<Seeded> {
  const config = readConfig(env)
  const database = openDatabase({ url: config.DATABASE_URL, poolSize: 2, log: silentLog })
  try {
    const { prisma, pool } = database
    const team = await prisma.team.create({ data: { slug: 'bench', name: 'Benchmark council' } })
    const integration = await prisma.integration.create({
      data: { team_id: team.id, slug: 'back-office', name: 'Back office' },
    })
    const consumer = await createCredential(database, {
      role: 'consumer',
      name: 'Consumer',
      environment: config.SLUICE_ENVIRONMENT,
      teamId: team.id,
      integrationId: integration.id,
    })
    const { rows } = await pool.query<{ id: string; session: string }>(
      `with f as (
         insert into flows (id, team_id, slug, name)
         select gen_random_uuid(), $1, 'flow-' || n, 'Flow ' || n from generate_series(1, $3::int) as n returning id
       ), s as (
         insert into sessions (id, team_id, flow_id, kind, data, content_hash, expires_at, payment_id, submitted_at)
         select gen_random_uuid(), $1, f.id, 'application', '{}', '', now() + interval '30 days', 'first', now() - n * interval '1 day'
           from f, generate_series(1, 2) as n returning id, flow_id, team_id
       ), g as (
         insert into session_grants (session_id, integration_id, team_id, expires_at)
         select s.id, $2, s.team_id, now() + interval '30 days' from s
       ) select distinct on (flow_id) flow_id as id, id as session from s order by flow_id`,
      [team.id, integration.id, flows],
    )
    await pool.query(
      `insert into session_events (type, session_id, team_id, flow_id)
       select 'load', s.id, s.team_id, s.flow_id
         from (select * from sessions limit 1) s, generate_series(1, $1::int)`,
      [backlog],
    )
    return { consumer, integrationId: integration.id, flows: rows }
  } finally {
    await database.close()
    await vacuum(config.DATABASE_URL)
  }
}

async function vacuum(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  await client.query('vacuum analyze')
  await client.end()
}
