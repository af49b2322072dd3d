/** A small world for tests: two teams, each with a flow, integrations and credentials, and a gateway over them. */
import { randomBytes, randomUUID } from 'node:crypto'
import { createCredential, type IssuedCredential } from '../../src/access/credentials.ts'
import { createPerson } from '../../src/access/people.ts'
import { createSealer, type Sealer } from '../../src/access/seal.ts'
import { type Config, readConfig } from '../../src/config.ts'
import type { Database } from '../../src/database/database.ts'
import { type Gateway, startGateway } from '../../src/gateway/gateway.ts'
import { createLog, type Log, silentLog } from '../../src/log.ts'
import { testDatabase } from './database.ts'

export interface World {
  readonly url: string
  readonly config: Config
  readonly database: Database
  readonly sealer: Sealer
  readonly gateway: Gateway
  readonly source: IssuedCredential
  readonly camden: TeamWorld
  readonly lambeth: TeamWorld
  readonly admin: { readonly email: string; readonly password: string }
  /** POSTs an operation with an `Authorization` header of your choosing. */
  graphql<T = Record<string, unknown>>(query: string, options?: GraphQLCall): Promise<GraphQLAnswer<T>>
  /** Submits a session as the event source; fails when it is refused. */
  submit(
    object: Record<string, unknown>,
  ): Promise<{ id: string; event_id: string; created: boolean; grants: number; deliveries: number }>
  close(): Promise<void>
}

export interface TeamWorld {
  readonly id: string
  readonly slug: string
  readonly flow: { readonly id: string; readonly slug: string }
  /** Is a destination of the flow. */
  readonly granted: { readonly id: string; readonly consumer: IssuedCredential }
  /** Is none. */
  readonly other: { readonly id: string; readonly consumer: IssuedCredential }
  readonly editor: { readonly email: string; readonly password: string }
  readonly viewer: { readonly email: string; readonly password: string }
}

export interface GraphQLCall {
  readonly variables?: Readonly<Record<string, unknown>>
  readonly authorization?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface GraphQLAnswer<T> {
  readonly status: number
  readonly data: T
  readonly errors?: readonly {
    readonly message: string
    readonly path?: readonly unknown[]
    readonly extensions: { readonly code: string; readonly path?: string }
  }[]
}

export interface WorldOptions {
  readonly log?: Log
  readonly config?: Readonly<Record<string, string>>
}

export async function buildWorld({
  log = process.env.TEST_LOG ? createLog({ name: 'test', level: 'info' }) : silentLog,
  config: given = {},
}: WorldOptions = {}): Promise<World> {
  const ground = await testDatabase()
  const { database } = ground
  const config = readConfig({
    DATABASE_URL: ground.url,
    GATEWAY_PORT: '0',
    SLUICE_ENVIRONMENT: 'test',
    SLUICE_SECRET_KEY: randomBytes(32).toString('base64'),
    S3_ENDPOINT: 'http://127.0.0.1:1',
    S3_ACCESS_KEY: 'unused',
    S3_SECRET_KEY: 'unused',
    SMTP_URL: 'smtp://127.0.0.1:1',
    EGRESS_ALLOW: '127.0.0.0/8',
    ...given,
  })
  const sealer = createSealer(config.SLUICE_SECRET_KEY)
  const gateway = await startGateway({ config, database, sealer, log })
  const camden = await buildTeam(database, 'camden')
  const lambeth = await buildTeam(database, 'lambeth')
  const source = await createCredential(database, {
    role: 'source',
    name: 'planner',
    environment: 'test',
    teamId: null,
    integrationId: null,
  })
  const admin = { email: 'admin@sluice.test', password: 'admin password' }
  await createPerson(database, { ...admin, name: 'Admin', isAdmin: true })

  const graphql: World['graphql'] = async (query, { variables, authorization, headers = {} } = {}) => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}), ...headers },
      body: JSON.stringify({ query, variables }),
    })
    return { status: response.status, ...(await response.json()) }
  }
  return {
    url: gateway.url,
    config,
    database,
    sealer,
    gateway,
    source,
    camden,
    lambeth,
    admin,
    graphql,
    async submit(object) {
      const { data, errors } = await graphql<{
        submit_session: { id: string; event_id: string; created: boolean; grants: number; deliveries: number }
      }>(
        'mutation ($object: submit_session_input!) { submit_session(object: $object) { id event_id created grants deliveries } }',
        { variables: { object }, authorization: basic(source) },
      )
      if (errors) throw new Error(errors[0]?.message)
      return data.submit_session
    },
    async close() {
      await gateway.close()
      await ground.close()
    },
  }
}

export function basic({ key, secret }: { readonly key: string; readonly secret: string }): string {
  return `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`
}

/** A session as a source submits it, of our own making. */
export function aSession(team: TeamWorld, changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id: randomUUID(),
    team: team.slug,
    flow: team.flow.slug,
    kind: 'application',
    payment_id: 'payment-1',
    data: {
      passport: { data: { 'application.type': ['ldc.proposed'], 'applicant.name': 'Robin Example' } },
      breadcrumbs: {},
    },
    ...changes,
  }
}

/** A team with a flow, two integrations with keys, an editor and a viewer; its slug is its name too. */
export async function buildTeam(database: Database, slug: string): Promise<TeamWorld> {
  const { prisma } = database
  const team = await prisma.team.create({ data: { slug, name: slug } })
  const flow = await prisma.flow.create({ data: { team_id: team.id, slug: 'apply', name: 'Apply' } })
  const integration = async (name: string) => {
    const { id } = await prisma.integration.create({ data: { team_id: team.id, slug: name, name } })
    const consumer = await createCredential(database, {
      role: 'consumer',
      name,
      environment: 'test',
      teamId: team.id,
      integrationId: id,
    })
    return { id, consumer }
  }
  const granted = await integration('back-office')
  const other = await integration('archive')
  await prisma.destination.create({ data: { flow_id: flow.id, integration_id: granted.id } })
  const editor = { email: `editor@${slug}.test`, password: 'editor password' }
  const viewer = { email: `viewer@${slug}.test`, password: 'viewer password' }
  await createPerson(database, { ...editor, name: 'Editor', memberships: [{ teamId: team.id, role: 'editor' }] })
  await createPerson(database, { ...viewer, name: 'Viewer', memberships: [{ teamId: team.id, role: 'viewer' }] })
  return { id: team.id, slug, flow: { id: flow.id, slug: 'apply' }, granted, other, editor, viewer }
}
