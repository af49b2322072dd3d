/**
 * Random operations by random principals over random rows of several teams: on
 * every transport, nobody is ever sent a row of another team or of a session
 * that was not opened to them, neither in data nor in an error.
 */
import fc from 'fast-check'
import { createClient, type Client as SocketClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { createCredential } from '../../src/access/credentials.ts'
import { createPerson } from '../../src/access/people.ts'
import type { Role } from '../../src/access/principal.ts'
import { readModel } from '../../src/tables/model.ts'
import { roleView } from '../../src/tables/role-view.ts'
import { basic, buildWorld, type World } from '../ground/world.ts'
import { type RandomOperation, randomOperation } from '../tables/documents.ts'
import { type Owner, type Planted, plant, randomFrom } from './planted.ts'
import { answerOf, randomRequest } from './rest.ts'

const seed = Number(process.env.ISOLATION_SEED ?? 20_261_122)
const operationsPerPrincipal = Number(process.env.ISOLATION_OPERATIONS ?? 25)

interface Someone {
  readonly name: string
  readonly role: Role
  readonly authorization: string
  /** Whether a row with this owner may be seen. */
  may(owner: Owner): boolean
}

const model = readModel()
let world: World
let planted: Planted
let everybody: Someone[]
const sockets: SocketClient[] = []

beforeAll(async () => {
  // Documents are random, so some are dear; what they cost is not the question here.
  world = await buildWorld({ config: { MAX_COST: '1000000000' } })
  const { prisma } = world.database
  const third = await prisma.team.create({ data: { slug: 'southwark', name: 'Southwark' } })
  const foreign = await prisma.integration.create({ data: { team_id: third.id, slug: 'back-office', name: 'x' } })
  const teams = [world.camden.id, world.lambeth.id, third.id]
  planted = await plant(world.database, {
    model,
    tables: [...roleView(model, 'admin').tables.keys()],
    teams,
    integrations: [
      ...[world.camden, world.lambeth].flatMap(({ id, granted, other }) =>
        [granted, other].map((integration) => ({ id: integration.id, team: id })),
      ),
      { id: foreign.id, team: third.id },
    ],
    count: 10,
    random: randomFrom(seed),
  })
  everybody = await people(teams)
})
afterAll(async () => {
  for (const socket of sockets) await socket.dispose()
  await world?.close()
})

describe('nobody is sent what is not theirs', () => {
  it('the rows that were planted are of every table and of every team', () => {
    for (const name of roleView(model, 'admin').tables.keys()) {
      const owned = (planted.rows.get(name) ?? []).map(({ id }) => planted.owners.get(id as string)?.team)
      expect(new Set(owned).size, `teams with rows in ${name}`).toBe(name === 'connectors' ? 1 : 3)
    }
  })

  it.each([
    ['HTTP', overHttp],
    ['server-sent events', overEvents],
    ['a socket', overSocket],
  ])(
    'over %s',
    async (_, send) => {
      let seen = 0
      for (const [index, someone] of everybody.entries()) {
        const view = roleView(model, someone.role)
        await fc.assert(
          fc.asyncProperty(fc.gen(), async (g) => {
            const operation = randomOperation(g, view, planted.rows)
            const text = await send(someone, operation)
            const { foreign, own } = inspect(text, someone, await refusedIds())
            seen += own
            if (foreign) throw new Error(`${someone.name} was sent ${foreign}\n${operation.document}\n${text}`)
          }),
          { seed: seed + index, numRuns: operationsPerPrincipal, endOnFailure: true },
        )
      }
      // Answers that are empty would prove nothing.
      expect(seen).toBeGreaterThan(everybody.length * operationsPerPrincipal)
    },
    120_000,
  )

  it('over REST', async () => {
    let seen = 0
    for (const [index, someone] of everybody.entries()) {
      await fc.assert(
        fc.asyncProperty(fc.gen(), async (g) => {
          const request = randomRequest(g, planted.rows)
          const who = { authorization: someone.authorization, 'x-hasura-role': someone.role }
          const { status, text } = await answerOf(world.url, request, who)
          expect(status, `${request.path}\n${text}`).toBeLessThan(500)
          const { foreign, own } = inspect(text, someone, await refusedIds())
          seen += own
          if (foreign) throw new Error(`${someone.name} was sent ${foreign}\n${JSON.stringify(request)}\n${text}`)
        }),
        { seed: seed + index, numRuns: operationsPerPrincipal, endOnFailure: true },
      )
    }
    expect(seen).toBeGreaterThan(everybody.length * operationsPerPrincipal)
  }, 120_000)

  it('the test sees a leak where there is one', () => {
    const consumer = everybody.find(({ role }) => role === 'consumer') as Someone
    const [other] = (planted.rows.get('sessions') ?? []).filter(({ team_id }) => team_id === world.lambeth.id)
    expect(inspect(JSON.stringify(other), consumer).foreign).not.toBeNull()
    expect(inspect(`"${other?.id}"`, consumer).foreign).not.toBeNull()
  })
})

const uuidPattern = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** What of somebody else's is in a text that `someone` was sent, and how much of theirs. */
function inspect(
  text: string,
  someone: Someone,
  refused: readonly Refused[] = [],
): { foreign: string | null; own: number } {
  let own = 0
  for (const owner of planted.marksIn(text)) {
    if (!someone.may(owner)) return { foreign: `a text of ${JSON.stringify(owner)}`, own }
    own += 1
  }
  for (const [id] of text.matchAll(uuidPattern)) {
    const owner = planted.owners.get(id)
    if (!owner) continue
    // Which sessions there were for an integration, it may know by its deliveries and grants also when they have ended.
    const isOwnQuestion = refused.some((one) => one.id === id && someone.may({ ...owner, ...one, session: null }))
    if (isOwnQuestion) continue
    if (!someone.may({ ...owner, session: null })) return { foreign: `the id ${id} of ${JSON.stringify(owner)}`, own }
    own += 1
  }
  return { foreign: null, own }
}

interface Refused {
  readonly id: string
  readonly team: string
  readonly integration: string | null
}

/** A team's audit log names the sessions that its own integrations asked for in vain: ids that they brought along. */
async function refusedIds(): Promise<readonly Refused[]> {
  const { rows } = await world.database.pool.query<Refused>(
    `select distinct unnest(session_ids) as id, team_id as team, integration_id as integration
       from audit_entries where outcome = 'refused' and team_id is not null`,
  )
  return rows
}

async function overHttp(someone: Someone, { document, variables }: RandomOperation): Promise<string> {
  const response = await fetch(`${world.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: someone.authorization,
      'x-hasura-role': someone.role,
    },
    body: JSON.stringify({ query: document, variables }),
  })
  const text = await response.text()
  expect(response.status, `${document}\n${text}`).toBeLessThan(500)
  // What one's own documents say comes back in messages about them.
  return withoutEchoes(text, variables, document)
}

async function overEvents(someone: Someone, { document, variables }: RandomOperation): Promise<string> {
  const response = await fetch(`${world.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: someone.authorization,
      'x-hasura-role': someone.role,
    },
    body: JSON.stringify({ query: document, variables }),
  })
  return withoutEchoes(await response.text(), variables, document)
}

const clients = new Map<Someone, SocketClient>()

async function overSocket(someone: Someone, { document, variables }: RandomOperation): Promise<string> {
  let client = clients.get(someone)
  if (!client) {
    client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: someone.authorization, 'x-hasura-role': someone.role },
    })
    clients.set(someone, client)
    sockets.push(client)
  }
  // Alone at the root, a read can be watched; its first result is what matters here.
  const live = document.replace(/^query/, 'subscription')
  for (const query of [document, live]) {
    const first = await firstOf(client, query, variables)
    if (query === live || JSON.stringify(first).includes('"errors"'))
      return withoutEchoes(JSON.stringify(first), variables, document)
    const said = withoutEchoes(JSON.stringify(first), variables, document)
    const { foreign } = inspect(said, someone, await refusedIds())
    if (foreign) return JSON.stringify(first)
  }
  return ''
}

async function firstOf(client: SocketClient, query: string, variables: Readonly<Record<string, unknown>>) {
  const results = client.iterate({ query, variables: { ...variables } })
  try {
    return (await results.next()).value ?? null
  } catch (error) {
    return { errors: error instanceof Error ? error.message : error }
  } finally {
    await results.return?.()
  }
}

/** Errors may quote what was asked; only what the asker did not say themselves counts. */
function withoutEchoes(text: string, variables: unknown, document: string): string {
  if (!text.includes('"errors"')) return text
  const said = JSON.stringify(variables) + document
  return text
    .replaceAll(/⟦\d+⟧/g, (mark) => (said.includes(mark) ? '' : mark))
    .replaceAll(uuidPattern, (id) => (said.includes(id) ? '' : id))
}

async function people(teams: readonly string[]): Promise<Someone[]> {
  const [camden, lambeth, third] = teams as [string, string, string]
  const password = 'a long enough password'
  const person = async (name: string, role: Role, memberships: [string, 'editor' | 'viewer'][], sees: string[]) => {
    const email = `${name}@isolation.test`
    await createPerson(world.database, {
      email,
      name,
      password,
      isAdmin: role === 'admin',
      memberships: memberships.map(([teamId, membership]) => ({ teamId, role: membership })),
    })
    const { data, errors } = await world.graphql<{ sign_in: { token: string } }>(
      'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
      { variables: { email, password } },
    )
    if (errors) throw new Error(errors[0]?.message)
    const may = (owner: Owner) => role === 'admin' || owner.team === null || sees.includes(owner.team)
    return { name, role, authorization: `Bearer ${data.sign_in.token}`, may }
  }
  const liveSessions = await opened()
  const consumer = (name: string, team: string, integration: string, authorization: string): Someone => ({
    name,
    role: 'consumer',
    authorization,
    may: (owner) =>
      (owner.team === null || owner.team === team) &&
      (owner.integration === integration ||
        (owner.integration === null &&
          (owner.session === null || liveSessions.has(`${integration} ${owner.session}`)))),
  })
  const source = await createCredential(world.database, {
    role: 'source',
    name: 'source of camden',
    environment: 'test',
    teamId: camden,
    integrationId: null,
  })
  return [
    await person('admin', 'admin', [], []),
    await person('editor-of-one', 'editor', [[camden, 'editor']], [camden]),
    await person(
      'editor-of-two',
      'editor',
      [
        [camden, 'editor'],
        [third, 'editor'],
      ],
      [camden, third],
    ),
    await person(
      'editor-who-also-views',
      'editor',
      [
        [lambeth, 'editor'],
        [camden, 'viewer'],
      ],
      [lambeth],
    ),
    await person('viewer', 'viewer', [[lambeth, 'viewer']], [lambeth]),
    await person('nobody', 'viewer', [], []),
    consumer('granted', camden, world.camden.granted.id, basic(world.camden.granted.consumer)),
    consumer('not granted', camden, world.camden.other.id, basic(world.camden.other.consumer)),
    consumer('of lambeth', lambeth, world.lambeth.granted.id, basic(world.lambeth.granted.consumer)),
    {
      name: 'source',
      role: 'source',
      authorization: basic(source),
      may: ({ team }) => team === null || team === camden,
    },
  ]
}

/** `integration session` of every grant that is live, as the words of the design say it. */
async function opened(): Promise<Set<string>> {
  const { rows } = await world.database.pool.query<{ key: string }>(
    `select g.integration_id || ' ' || g.session_id as key
       from session_grants g join sessions s on s.id = g.session_id
      where g.revoked_at is null and g.expires_at > now() and s.status = 'submitted'`,
  )
  return new Set(rows.map(({ key }) => key))
}
