import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createPerson } from '../src/access/people.ts'
import { openWebhookSecret } from '../src/webhooks/secrets.ts'
import { aSession, basic, buildWorld, type GraphQLAnswer, type TeamWorld, type World } from './ground/world.ts'

let world: World
const tokens = { admin: '', editor: '', viewer: '', other: '', both: '' }
/** Of a person who edits both teams. */
const both = { email: 'both@sluice.test', password: 'both password' }

beforeAll(async () => {
  world = await buildWorld()
  await createPerson(world.database, {
    ...both,
    name: 'Both',
    memberships: [world.camden, world.lambeth].map(({ id }) => ({ teamId: id, role: 'editor' })),
  })
  tokens.admin = await signIn(world.admin)
  tokens.editor = await signIn(world.camden.editor)
  tokens.viewer = await signIn(world.camden.viewer)
  tokens.other = await signIn(world.lambeth.editor)
  tokens.both = await signIn(both)
})
afterAll(() => world?.close())

async function signIn(person: { email: string; password: string }): Promise<string> {
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: person },
  )
  return `Bearer ${data.sign_in.token}`
}

// biome-ignore lint/suspicious/noExplicitAny: tests read what they asked for.
type Any = any

const send = (as: keyof typeof tokens, query: string, variables: Record<string, unknown> = {}) =>
  world.graphql<Any>(query, { variables, authorization: tokens[as] })

/** Sends what must succeed. */
async function run(as: keyof typeof tokens, query: string, variables: Record<string, unknown> = {}): Promise<Any> {
  const { data, errors } = await send(as, query, variables)
  expect(errors).toBeUndefined()
  return data
}

/** Sends what must be refused; nothing is answered beside the error. */
async function refuse(as: keyof typeof tokens, query: string, variables: Record<string, unknown> = {}) {
  const { data, errors, status } = (await send(as, query, variables)) as GraphQLAnswer<Any>
  expect(data ?? null).toBeNull()
  const [error] = errors ?? []
  return { status, message: error?.message, code: error?.extensions.code, path: error?.extensions.path, at: error?.path }
}

const slug = () => `s-${randomUUID()}`

async function aFlow(team: TeamWorld = world.camden): Promise<{ id: string; slug: string }> {
  const { id, slug: made } = await world.database.prisma.flow.create({
    data: { team_id: team.id, slug: slug(), name: 'A flow' },
  })
  return { id, slug: made }
}

const flowOf = (id: string) => world.database.prisma.flow.findUnique({ where: { id } })

describe('inserting', () => {
  it('answers rows in the order they were given, with relations, aliases and fragments', async () => {
    const slugs = Array.from({ length: 30 }, slug)
    const data = await run(
      'editor',
      `mutation ($objects: [flows_insert_input!]!) {
        __typename
        made: insert_flows(objects: $objects) {
          kind: __typename
          affected_rows
          returning { ...part team { slug members_aggregate { aggregate { count } } } }
          again: returning { slug }
        }
      }
      fragment part on flows { handle: slug name schema_url destinations { id } }`,
      { objects: slugs.map((each, index) => ({ slug: each, name: `flow ${index}`, team_id: world.camden.id })) },
    )
    expect(Object.keys(data)).toEqual(['__typename', 'made'])
    expect(data).toEqual({
      __typename: 'Mutation',
      made: {
        kind: 'flows_mutation_response',
        affected_rows: 30,
        returning: slugs.map((each, index) => ({
          handle: each,
          name: `flow ${index}`,
          schema_url: null,
          destinations: [],
          team: { slug: 'camden', members_aggregate: { aggregate: { count: 3 } } },
        })),
        again: slugs.map((each) => ({ slug: each })),
      },
    })
  })
})
