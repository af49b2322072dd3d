import { randomUUID } from 'node:crypto'
import { createClient as createSseClient } from 'graphql-sse'
import { createClient as createSocketClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import WebSocket from 'ws'
import { createPerson } from '../src/access/people.ts'
import { printSchemaOf } from '../src/gateway/print-schema.ts'
import { openWebhookSecret } from '../src/webhooks/secrets.ts'
import { aSession, buildWorld, type GraphQLAnswer, type TeamWorld, type World } from './ground/world.ts'

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

/** Who changes memberships of their own has to sign in again. */
async function send(as: keyof typeof tokens, query: string, variables: Record<string, unknown> = {}) {
  const answer = await world.graphql<Any>(query, { variables, authorization: tokens[as] })
  if (answer.status !== 401) return answer
  const people = {
    admin: world.admin,
    editor: world.camden.editor,
    viewer: world.camden.viewer,
    other: world.lambeth.editor,
    both,
  }
  tokens[as] = await signIn(people[as])
  return world.graphql<Any>(query, { variables, authorization: tokens[as] })
}

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
  return {
    status,
    message: error?.message,
    code: error?.extensions.code,
    path: error?.extensions.path,
    at: error?.path,
  }
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

  it('gives columns that are left out their defaults, and sets what we set', async () => {
    const { insert_webhooks_one: made } = await run(
      'editor',
      `mutation ($object: webhooks_insert_input!) {
        insert_webhooks_one(object: $object) { id team_id url config pattern enabled state concurrency timeout_ms integration { slug } }
      }`,
      { object: { integration_id: world.camden.granted.id, name: ' Hooks ', url: 'https://hooks.example/in#part' } },
    )
    expect(made).toEqual({
      id: expect.any(String),
      team_id: world.camden.id,
      url: 'https://hooks.example/in',
      config: {},
      pattern: {},
      enabled: true,
      state: 'active',
      concurrency: 8,
      timeout_ms: 20_000,
      integration: { slug: 'back-office' },
    })
    const secrets = await world.database.prisma.webhookSecret.findMany({ where: { webhook_id: made.id } })
    expect(secrets.map(({ sealed }) => openWebhookSecret(world.sealer, sealed))).toEqual([
      expect.stringMatching(/^whsec_/),
    ])
  })

  it('takes an empty list, and a single object for a list', async () => {
    const one = { team_id: world.camden.id, slug: slug(), name: 'one' }
    const data = await run(
      'editor',
      `mutation ($one: flows_insert_input!) {
        none: insert_flows(objects: []) { affected_rows returning { id } }
        one: insert_flows(objects: [$one]) { affected_rows }
      }`,
      { one },
    )
    expect(data).toEqual({ none: { affected_rows: 0, returning: [] }, one: { affected_rows: 1 } })
  })

  const upsert = `mutation ($objects: [flows_insert_input!]!, $conflict: flows_on_conflict) {
    insert_flows(objects: $objects, on_conflict: $conflict) { affected_rows returning { slug name schema_url } }
  }`

  it('updates, leaves or filters the row that is there, as on_conflict says', async () => {
    const { slug: taken } = await aFlow()
    const fresh = slug()
    const objects = [
      { team_id: world.camden.id, slug: taken, name: 'new name', schema_url: 'https://schemas.example/1' },
      { team_id: world.camden.id, slug: fresh, name: 'fresh' },
    ]
    const constraint = 'flows_team_id_slug_key'
    const left = await run('editor', upsert, { objects, conflict: { constraint, update_columns: [] } })
    expect(left.insert_flows).toEqual({
      affected_rows: 1,
      returning: [{ slug: fresh, name: 'fresh', schema_url: null }],
    })
    const updated = await run('editor', upsert, {
      objects: objects.slice(0, 1),
      conflict: { constraint, update_columns: ['name'] },
    })
    expect(updated.insert_flows).toEqual({
      affected_rows: 1,
      returning: [{ slug: taken, name: 'new name', schema_url: null }],
    })
    const filtered = await run('editor', upsert, {
      objects: objects.slice(0, 1),
      conflict: { constraint, update_columns: ['schema_url'], where: { name: { _eq: 'another' } } },
    })
    expect(filtered.insert_flows).toEqual({ affected_rows: 0, returning: [] })
    const one = await run(
      'editor',
      `mutation ($object: flows_insert_input!) {
        insert_flows_one(object: $object, on_conflict: { constraint: flows_team_id_slug_key }) { id }
      }`,
      { object: objects[0] },
    )
    expect(one).toEqual({ insert_flows_one: null })
  })

  it.each([
    [
      'a key that is taken',
      (taken: string) => ({ slug: taken }),
      'CONFLICT',
      /already a row in flows with the same team_id and slug \(flows_team_id_slug_key\). Choose another slug/,
      '',
    ],
    ['a missing column', () => ({ name: undefined }), 'VALIDATION_FAILED', /name is required/, '.objects[1].name'],
    ['null', () => ({ name: null }), 'VALIDATION_FAILED', /must not be null/, '.objects[1].name'],
    ['U+0000', () => ({ name: 'a\u0000' }), 'VALIDATION_FAILED', /U\+0000/, ''],
    ['an empty slug', () => ({ slug: '' }), 'VALIDATION_FAILED', /1 to 200 characters/, '.objects[1].slug'],
    ['a slug with a blank', () => ({ slug: 'a b' }), 'VALIDATION_FAILED', /no blanks/, '.objects[1].slug'],
    [
      'a slug that no submission could name',
      () => ({ slug: 'a'.repeat(201) }),
      'VALIDATION_FAILED',
      /1 to 200/,
      '.objects[1].slug',
    ],
  ])('refuses %s with its place, and writes nothing', async (_, changes, code, message, place) => {
    const { slug: taken } = await aFlow()
    const object = { team_id: world.camden.id, slug: slug(), name: 'a name' }
    const refused = await refuse('editor', upsert, {
      objects: [object, { ...object, slug: slug(), ...changes(taken) }],
    })
    expect(refused).toMatchObject({ code, path: `insert_flows${place}`, at: ['insert_flows'] })
    expect(refused.message).toMatch(message)
    expect(await world.database.prisma.flow.count({ where: { slug: object.slug } })).toBe(0)
  })

  it('holds integrations to the lengths of names and slugs, however they are written', async () => {
    const one = { team_id: world.camden.id, slug: slug(), name: 'a name' }
    const insert = 'mutation ($o: integrations_insert_input!) { insert_integrations_one(object: $o) { id } }'
    for (const [column, wrong] of [
      ['name', '  '],
      ['name', 'a'.repeat(201)],
      ['slug', 'a'.repeat(201)],
    ] as const) {
      const refused = await refuse('editor', insert, { o: { ...one, [column]: wrong } })
      expect(refused).toMatchObject({
        code: 'VALIDATION_FAILED',
        path: `insert_integrations_one.object.${column}`,
        message: expect.stringMatching(`^${column} must have 1 to 200 characters`),
      })
    }
    const renamed = await refuse(
      'editor',
      'mutation ($id: uuid!, $name: String!) { update_integrations_by_pk(pk_columns: { id: $id }, _set: { name: $name }) { id } }',
      { id: world.camden.granted.id, name: 'a'.repeat(201) },
    )
    expect(renamed).toMatchObject({ code: 'VALIDATION_FAILED', path: 'update_integrations_by_pk._set.name' })
  })

  it('refuses two rows of one key that would overwrite each other, and more than 1,000 objects', async () => {
    const object = { team_id: world.camden.id, slug: slug(), name: 'twice' }
    const conflict = { constraint: 'flows_team_id_slug_key', update_columns: ['name'] }
    expect(await refuse('editor', upsert, { objects: [object, object], conflict })).toMatchObject({
      code: 'VALIDATION_FAILED',
      message: expect.stringContaining('same key'),
    })
    const objects = Array.from({ length: 1_001 }, () => object)
    expect(await refuse('editor', upsert, { objects })).toMatchObject({
      code: 'TOO_LARGE',
      message: expect.stringContaining('at most 1000'),
      path: 'insert_flows.objects',
    })
  })

  it('names the constraints of Postgres', async () => {
    const { rows } = await world.database.pool.query<{ name: string }>(
      "select indexrelid::regclass::text as name from pg_index where indisunique and indrelid = 'destinations'::regclass",
    )
    const { __type } = await run('editor', '{ __type(name: "destinations_constraint") { enumValues { name } } }')
    expect(__type.enumValues.map(({ name }: Any) => name).sort()).toEqual(rows.map(({ name }) => name).sort())
  })
})

describe('updating', () => {
  it('sets columns of the rows that match, and of the row with a key', async () => {
    const [one, two] = [await aFlow(), await aFlow()]
    const data = await run(
      'editor',
      `mutation ($ids: [uuid!]!, $id: uuid!) {
        many: update_flows(where: { id: { _in: $ids } }, _set: { name: "together" }) { affected_rows returning { id name } }
        one: update_flows_by_pk(pk_columns: { id: $id }, _set: { schema_url: "https://schemas.example/2", name: "alone" }) { name schema_url team { slug } }
        none: update_flows_by_pk(pk_columns: { id: "00000000-0000-7000-8000-000000000000" }, _set: { name: "x" }) { id }
        nothing: update_flows(where: {}) { affected_rows returning { id } }
      }`,
      { ids: [one.id, two.id], id: one.id },
    )
    expect(data.many.affected_rows).toBe(2)
    expect(new Set(data.many.returning.map(({ id }: Any) => id))).toEqual(new Set([one.id, two.id]))
    expect(data).toMatchObject({
      many: { returning: [{ name: 'together' }, { name: 'together' }] },
      one: { name: 'alone', schema_url: 'https://schemas.example/2', team: { slug: 'camden' } },
      none: null,
      nothing: { affected_rows: 0, returning: [] },
    })
  })

  it('runs update_many in order, each seeing the one before', async () => {
    const { id } = await aFlow()
    const { update_flows_many: answers } = await run(
      'editor',
      `mutation ($updates: [flows_updates!]!) { update_flows_many(updates: $updates) { affected_rows returning { name } } }`,
      {
        updates: [
          { where: { id: { _eq: id } }, _set: { name: 'first' } },
          { where: { id: { _eq: id }, name: { _eq: 'first' } }, _set: { name: 'second' } },
          { where: { id: { _eq: id }, name: { _eq: 'first' } }, _set: { name: 'third' } },
        ],
      },
    )
    expect(answers).toEqual([
      { affected_rows: 1, returning: [{ name: 'first' }] },
      { affected_rows: 1, returning: [{ name: 'second' }] },
      { affected_rows: 0, returning: [] },
    ])
  })

  it('counts up and edits jsonb in place', async () => {
    const { prisma } = world.database
    const target = await prisma.destination.findFirstOrThrow({ where: { flow_id: world.camden.flow.id } })
    const change = (operators: string) =>
      run(
        'editor',
        `mutation ($id: uuid!) { d: update_destinations_by_pk(pk_columns: { id: $id }, ${operators}) { config } }`,
        {
          id: target.id,
        },
      ).then(({ d }) => d.config)
    expect(await change('_set: { config: { a: [1, 2], b: { c: 1 } } }')).toEqual({ a: [1, 2], b: { c: 1 } })
    expect(await change('_append: { config: { b: 2, d: 4 } }')).toEqual({ a: [1, 2], b: 2, d: 4 })
    expect(await change('_prepend: { config: { b: 3, e: 5 } }')).toEqual({ a: [1, 2], b: 2, d: 4, e: 5 })
    expect(await change('_delete_key: { config: "e" }')).toEqual({ a: [1, 2], b: 2, d: 4 })
    expect(await change('_delete_at_path: { config: ["a", "0"] }')).toEqual({ a: [2], b: 2, d: 4 })
    const misfit = await refuse(
      'editor',
      'mutation ($id: uuid!) { update_destinations_by_pk(pk_columns: { id: $id }, _delete_elem: { config: 1 }) { id } }',
      { id: target.id },
    )
    expect(misfit).toMatchObject({ code: 'VALIDATION_FAILED', path: 'update_destinations_by_pk' })
    expect(await change('_set: { config: {} }')).toEqual({})

    const webhook = await aWebhook()
    const counted = await run(
      'editor',
      'mutation ($id: uuid!) { w: update_webhooks_by_pk(pk_columns: { id: $id }, _inc: { concurrency: -3, timeout_ms: 1 }) { concurrency timeout_ms } }',
      { id: webhook.id },
    )
    expect(counted.w).toEqual({ concurrency: 5, timeout_ms: 20_001 })
  })

  it.each([
    ['a list', '["office"]'],
    ['a text', '"office"'],
  ])('refuses %s for a destination’s config, which is an object, on every way in', async (_, config) => {
    const { id, flow_id, integration_id } = await world.database.prisma.destination.findFirstOrThrow({
      where: { flow_id: world.camden.flow.id },
    })
    const ways = [
      [`_set: { config: ${config} }`, 'd._set.config'],
      [`_append: { config: [${config}] }`, 'd.config'],
    ].map(([operators, path]) => [
      `mutation ($id: uuid!) { d: update_destinations_by_pk(pk_columns: { id: $id }, ${operators}) { id } }`,
      path,
    ])
    const object = `{ flow_id: "${flow_id}", integration_id: "${integration_id}", config: ${config} }`
    const onConflict = 'on_conflict: { constraint: destinations_flow_id_integration_id_key, update_columns: [config] }'
    for (const [query = '', path] of [
      ...ways,
      [`mutation { d: insert_destinations(objects: [${object}]) { affected_rows } }`, 'd.objects[0].config'],
      [`mutation { d: insert_destinations_one(object: ${object}, ${onConflict}) { id } }`, 'd.object.config'],
    ]) {
      const refused = await refuse('editor', query, query.includes('$id') ? { id } : {})
      expect(refused).toMatchObject({ code: 'VALIDATION_FAILED', path })
      expect(refused.message).toMatch(/config must be an object .* such as \{"office": "north"\}/)
    }
  })

  it.each([
    ['a column under two operators', '_set: { config: {} }, _append: { config: {} }', /each column once/],
    ['null under an operator', '_append: { config: null }', /must not be null/],
    ['null for a column that has none', '_set: { config: null }', /must not be null/],
  ])('refuses %s', async (_, operators, message) => {
    const refused = await refuse(
      'editor',
      `mutation { update_destinations(where: {}, ${operators}) { affected_rows } }`,
    )
    expect(refused.code).toBe('VALIDATION_FAILED')
    expect(refused.message).toMatch(message)
  })

  it('reaches every row that is yours with an empty where, and no other', async () => {
    const foreign = await flowOf(world.lambeth.flow.id)
    await aFlow()
    const { update_flows: answer } = await run(
      'editor',
      'mutation { update_flows(where: {}, _set: { schema_url: "https://schemas.example/all" }) { affected_rows } }',
    )
    expect(answer.affected_rows).toBe(await world.database.prisma.flow.count({ where: { team_id: world.camden.id } }))
    expect(await flowOf(world.lambeth.flow.id)).toEqual(foreign)
  })

  it('refuses an unknown enum value with the known ones', async () => {
    const refused = await refuse(
      'editor',
      'mutation { update_integrations(where: {}, _set: { status: "gone" }) { affected_rows } }',
    )
    expect(refused).toMatchObject({
      code: 'VALIDATION_FAILED',
      message: expect.stringContaining('active, disabled'),
      path: 'update_integrations._set.status',
    })
  })
})

describe('deleting', () => {
  it('returns the rows as they were, with what belonged to them', async () => {
    const { id } = await aFlow()
    const data = await run(
      'editor',
      `mutation ($flow: uuid!, $integration: uuid!) {
        insert_destinations_one(object: { flow_id: $flow, integration_id: $integration, config: { a: 1 } }) { config }
        delete_destinations(where: { flow_id: { _eq: $flow } }) { affected_rows returning { config flow { slug } integration { slug } } }
        again: delete_destinations(where: { flow_id: { _eq: $flow } }) { affected_rows returning { id } }
      }`,
      { flow: id, integration: world.camden.other.id },
    )
    expect(data).toEqual({
      insert_destinations_one: { config: { a: 1 } },
      delete_destinations: {
        affected_rows: 1,
        returning: [{ config: { a: 1 }, flow: { slug: expect.any(String) }, integration: { slug: 'archive' } }],
      },
      again: { affected_rows: 0, returning: [] },
    })
    const webhook = await aWebhook()
    const remove = 'mutation ($id: uuid!) { delete_webhooks_by_pk(id: $id) { name integration { slug } } }'
    expect(await run('editor', remove, { id: webhook.id })).toEqual({
      delete_webhooks_by_pk: { name: 'Hooks', integration: { slug: 'back-office' } },
    })
    expect(await run('editor', remove, { id: webhook.id })).toEqual({ delete_webhooks_by_pk: null })
  })

  it('passes over flows and teams that have sessions', async () => {
    await world.submit(aSession(world.camden))
    const data = await run(
      'admin',
      `mutation ($flow: uuid!, $team: uuid!) {
        delete_flows_by_pk(id: $flow) { id }
        delete_teams_by_pk(id: $team) { id }
        delete_flows(where: { id: { _eq: $flow } }) { affected_rows }
      }`,
      { flow: world.camden.flow.id, team: world.camden.id },
    )
    expect(data).toEqual({ delete_flows_by_pk: null, delete_teams_by_pk: null, delete_flows: { affected_rows: 0 } })
    const { id } = await aFlow()
    expect(await run('admin', 'mutation ($id: uuid!) { delete_flows_by_pk(id: $id) { id } }', { id })).toEqual({
      delete_flows_by_pk: { id },
    })
  })
})

describe('one request', () => {
  it('is one transaction: the last failure takes back everything, and says where it was', async () => {
    const { id } = await aFlow()
    const made = slug()
    const refused = await refuse(
      'editor',
      `mutation ($id: uuid!, $team: uuid!, $made: String!) {
        a: update_flows_by_pk(pk_columns: { id: $id }, _set: { name: "changed" }) { name }
        b: insert_flows_one(object: { team_id: $team, slug: $made, name: "made" }) { id }
        c: delete_destinations(where: {}) { affected_rows }
        d: insert_flows_one(object: { team_id: $team, slug: $made, name: "again" }) { id }
      }`,
      { id, team: world.camden.id, made },
    )
    expect(refused).toMatchObject({ status: 200, code: 'CONFLICT', at: ['d'], path: 'd' })
    expect(await flowOf(id)).toMatchObject({ name: 'A flow' })
    expect(await world.database.prisma.flow.count({ where: { slug: made } })).toBe(0)
    expect(await world.database.prisma.destination.count({ where: { flow_id: world.camden.flow.id } })).toBe(1)
  })

  it('runs its fields in order, each seeing what those before it wrote', async () => {
    const made = slug()
    const data = await run(
      'editor',
      `mutation ($team: uuid!, $made: String!) {
        insert_flows_one(object: { team_id: $team, slug: $made, name: "one" }) { team { flows(where: { slug: { _eq: $made } }) { name } } }
        update_flows(where: { slug: { _eq: $made } }, _set: { name: "two" }) { returning { name } }
      }`,
      { team: world.camden.id, made },
    )
    expect(data).toEqual({
      insert_flows_one: { team: { flows: [{ name: 'one' }] } },
      update_flows: { returning: [{ name: 'two' }] },
    })
  })

  const beside = `mutation ($session: submit_session_input!, $first: flows_insert_input!, $second: flows_insert_input!) {
    one: insert_flows_one(object: $first) { handle: slug team { slug } }
    submit_session(object: $session) { created }
    two: insert_flows(objects: [$second]) { affected_rows returning { handle: slug } }
  }`

  it('keeps table fields beside actions in one transaction too', async () => {
    const object = () => ({ team_id: world.camden.id, slug: slug(), name: 'beside' })
    const [first, second] = [object(), object()]
    expect(await run('admin', beside, { session: aSession(world.camden), first, second })).toEqual({
      one: { handle: first.slug, team: { slug: 'camden' } },
      submit_session: { created: true },
      two: { affected_rows: 1, returning: [{ handle: second.slug }] },
    })
    const third = object()
    const session = aSession(world.camden)
    const { data, errors } = await send('admin', beside, { session, first: third, second })
    expect(data).toEqual({ one: null, submit_session: { created: true }, two: null })
    expect(errors?.map(({ path, extensions }) => [path, extensions.code])).toEqual([
      [['one'], 'CONFLICT'],
      [['two'], 'CONFLICT'],
    ])
    expect(await world.database.prisma.flow.count({ where: { slug: third.slug } })).toBe(0)
  })

  it('is the same over WebSocket and server-sent events, and wakes live queries', async () => {
    const { id } = await aFlow()
    const url = `${world.url}/graphql`
    const socket = createSocketClient({
      url: url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: tokens.editor },
    })
    const events = createSseClient({ url, headers: { authorization: tokens.editor } })
    const live = socket.iterate({ query: `subscription { flows_by_pk(id: "${id}") { name } }` })
    expect((await live.next()).value).toEqual({ data: { flows_by_pk: { name: 'A flow' } } })
    for (const [client, name] of [
      [socket, 'by socket'],
      [events, 'by event'],
    ] as const) {
      const query = `mutation { update_flows_by_pk(pk_columns: { id: "${id}" }, _set: { name: "${name}" }) { name } }`
      const answers = []
      for await (const answer of client.iterate({ query })) answers.push(answer)
      expect(answers).toEqual([{ data: { update_flows_by_pk: { name } } }])
      expect((await live.next()).value).toEqual({ data: { flows_by_pk: { name } } })
    }
    const taken = `mutation { update_flows(where: {}, _set: { name: null }) { affected_rows } }`
    for await (const answer of socket.iterate({ query: taken })) {
      expect(answer.errors?.[0]).toMatchObject({ path: ['update_flows'], extensions: { code: 'VALIDATION_FAILED' } })
    }
    await socket.dispose()
    events.dispose()
  })

  it('is tried again when Postgres ends it because it and another transaction wait for each other', async () => {
    const [one, two] = [await aFlow(), await aFlow()]
    const other = await world.database.pool.connect()
    const touch = (id: string) =>
      other.query('update flows set schema_url = $2 where id = $1', [id, 'https://x.example'])
    try {
      await other.query('begin')
      await touch(two.id)
      const answer = run(
        'editor',
        `mutation ($one: uuid!, $two: uuid!) {
          a: update_flows_by_pk(pk_columns: { id: $one }, _set: { name: "x" }) { name }
          b: update_flows_by_pk(pk_columns: { id: $two }, _set: { name: "y" }) { name schema_url }
        }`,
        { one: one.id, two: two.id },
      )
      await vi.waitUntil(
        async () => {
          const { rows } = await other.query(
            'select 1 from pg_locks where not granted and pid in (select pid from pg_stat_activity where datname = current_database())',
          )
          return rows.length > 0
        },
        { timeout: 30_000, interval: 20 },
      )
      await touch(one.id)
      await other.query('commit')
      expect(await answer).toEqual({ a: { name: 'x' }, b: { name: 'y', schema_url: 'https://x.example' } })
    } finally {
      other.release()
    }
  })
})

describe('who may write', () => {
  it.each(['viewer', 'consumer', 'source', 'anonymous'] as const)(
    'is not the %s: no table mutation is in its schema',
    (role) => {
      expect(printSchemaOf(role)).not.toMatch(/^ {2}(insert|update|delete)_(?!profile|session\()/m)
    },
  )

  it('is told to a viewer as to anyone else: the field does not exist', async () => {
    const { errors } = await send('viewer', 'mutation { delete_flows(where: {}) { affected_rows } }')
    expect(errors?.[0]?.message).toMatch(/Cannot query field "delete_flows"/)
  })

  it.each([
    ['teams', 'mutation { update_teams(where: {}, _set: { name: "x" }) { affected_rows } }'],
    ['sessions', 'mutation { delete_sessions(where: {}) { affected_rows } }'],
    ['users', 'mutation { update_users(where: {}, _set: { is_admin: true }) { affected_rows } }'],
    ['the team of a flow', 'mutation { update_flows(where: {}, _set: { team_id: "x" }) { affected_rows } }'],
    ['the state of a webhook', 'mutation { update_webhooks(where: {}, _set: { state: "active" }) { affected_rows } }'],
    ['the team of a new webhook', 'mutation { insert_webhooks_one(object: { team_id: "x" }) { id } }'],
    ['a key', 'mutation { insert_flows_one(object: { id: "x" }) { id } }'],
    [
      'a column on conflict',
      'mutation { insert_flows(objects: [], on_conflict: { constraint: flows_pkey, update_columns: [team_id] }) { affected_rows } }',
    ],
  ])('keeps %s from editors', async (_, query) => {
    const { errors } = await send('editor', query)
    expect(errors?.[0]?.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED')
    expect(errors?.[0]?.message).toMatch(/Cannot query field|is not defined|does not exist/)
  })

  it('lets admins make teams, flows, integrations, destinations, members', async () => {
    const made = slug()
    const { insert_teams_one: team } = await run(
      'admin',
      'mutation ($made: String!) { insert_teams_one(object: { slug: $made, name: "New" }) { id slug } }',
      { made },
    )
    const data = await run(
      'admin',
      `mutation ($team: uuid!) {
        insert_flows_one(object: { team_id: $team, slug: "f", name: "F" }) { id }
        insert_integrations_one(object: { team_id: $team, slug: "i", name: "I" }) { id status }
      }`,
      { team: team.id },
    )
    expect(data.insert_integrations_one.status).toBe('active')
    const { users } = await run('admin', '{ users(limit: 1) { id } }')
    const rest = await run(
      'admin',
      `mutation ($team: uuid!, $user: uuid!, $flow: uuid!, $integration: uuid!) {
        insert_destinations_one(object: { flow_id: $flow, integration_id: $integration }) { flow { team { slug } } }
        insert_team_members_one(object: { team_id: $team, user_id: $user, role: "admin" }) { role }
        delete_teams_by_pk(id: $team) { flows { slug } members { role } }
      }`,
      {
        team: team.id,
        user: users[0].id,
        flow: data.insert_flows_one.id,
        integration: data.insert_integrations_one.id,
      },
    )
    expect(rest).toEqual({
      insert_destinations_one: { flow: { team: { slug: made } } },
      insert_team_members_one: { role: 'admin' },
      delete_teams_by_pk: { flows: [{ slug: 'f' }], members: [{ role: 'admin' }] },
    })
  })
})

describe('across teams', () => {
  const forbidden = { code: 'FORBIDDEN', message: expect.stringContaining('not yours to write') }

  it('no row can be made in another team, and a row that is there is not told from one that is not', async () => {
    const insert = `mutation ($objects: [flows_insert_input!]!, $conflict: flows_on_conflict) {
      insert_flows(objects: $objects, on_conflict: $conflict) { affected_rows }
    }`
    const own = { team_id: world.camden.id, slug: slug(), name: 'own' }
    const before = await flowOf(world.lambeth.flow.id)
    const conflicts = [
      undefined,
      { constraint: 'flows_team_id_slug_key', update_columns: [] },
      { constraint: 'flows_team_id_slug_key', update_columns: ['name'] },
    ]
    for (const conflict of conflicts) {
      for (const foreign of [
        { team_id: world.lambeth.id, slug: slug(), name: 'new' },
        { team_id: world.lambeth.id, slug: world.lambeth.flow.slug, name: 'taken' },
        { team_id: randomUUID(), slug: 'x', name: 'of no team' },
      ]) {
        const refused = await refuse('editor', insert, { objects: [own, foreign], conflict })
        expect(refused).toMatchObject({ ...forbidden, path: 'insert_flows.objects[1]' })
      }
    }
    expect(await flowOf(world.lambeth.flow.id)).toEqual(before)
    expect(await world.database.prisma.flow.count({ where: { slug: own.slug } })).toBe(0)
  })

  it.each([
    ['of another team', 'editor', () => [world.camden.flow.id, world.lambeth.granted.id], forbidden],
    ['of a flow of another team', 'editor', () => [world.lambeth.flow.id, world.camden.other.id], forbidden],
    ['wholly of another team', 'editor', () => [world.lambeth.flow.id, world.lambeth.other.id], forbidden],
    ['to nothing', 'editor', () => [world.camden.flow.id, randomUUID()], forbidden],
    [
      'that joins two own teams',
      'both',
      () => [world.camden.flow.id, world.lambeth.granted.id],
      { code: 'VALIDATION_FAILED', message: expect.stringContaining('must be the same') },
    ],
    [
      'that joins two teams, as an admin',
      'admin',
      () => [world.camden.flow.id, world.lambeth.granted.id],
      { code: 'VALIDATION_FAILED', message: expect.stringContaining('must be the same') },
    ],
  ] as const)('a destination %s is refused', async (_, as, ids, expected) => {
    const [flow_id, integration_id] = ids()
    const count = await world.database.prisma.destination.count()
    for (const conflict of [
      undefined,
      { constraint: 'destinations_flow_id_integration_id_key', update_columns: ['config'] },
    ]) {
      const refused = await refuse(
        as,
        `mutation ($object: destinations_insert_input!, $conflict: destinations_on_conflict) {
          insert_destinations_one(object: $object, on_conflict: $conflict) { id }
        }`,
        { object: { flow_id, integration_id, config: { hijacked: true } }, conflict },
      )
      expect(refused).toMatchObject({ ...expected, path: 'insert_destinations_one.object' })
    }
    expect(await world.database.prisma.destination.count()).toBe(count)
    expect(await world.database.prisma.destination.count({ where: { config: { equals: { hijacked: true } } } })).toBe(0)
  })

  it('rows of another team are neither changed nor deleted, however they are named', async () => {
    const destination = await world.database.prisma.destination.findFirstOrThrow({
      where: { flow_id: world.lambeth.flow.id },
    })
    const webhook = await aWebhook(world.lambeth)
    const data = await run(
      'editor',
      `mutation ($flow: uuid!, $destination: uuid!, $webhook: uuid!, $integration: uuid!, $team: uuid!) {
        a: update_flows_by_pk(pk_columns: { id: $flow }, _set: { name: "mine" }) { id }
        b: update_flows(where: { _or: [{ id: { _eq: $flow } }, { team_id: { _eq: $team } }] }, _set: { name: "mine" }) { affected_rows }
        c: update_flows(where: { _and: [{ id: { _eq: $flow } }, { _not: { id: { _is_null: true } } }] }, _set: { name: "mine" }) { affected_rows }
        d: update_destinations_by_pk(pk_columns: { id: $destination }, _append: { config: { mine: 1 } }) { id }
        e: delete_destinations_by_pk(id: $destination) { id }
        f: update_webhooks_by_pk(pk_columns: { id: $webhook }, _set: { url: "https://mine.example" }) { id }
        g: delete_webhooks(where: { id: { _eq: $webhook } }) { affected_rows returning { id url } }
        h: update_integrations_by_pk(pk_columns: { id: $integration }, _set: { status: "disabled" }) { id }
        i: delete_team_members(where: { team_id: { _eq: $team } }) { affected_rows returning { user { email } } }
      }`,
      {
        flow: world.lambeth.flow.id,
        destination: destination.id,
        webhook: webhook.id,
        integration: world.lambeth.granted.id,
        team: world.lambeth.id,
      },
    )
    const none = { affected_rows: 0 }
    expect(data).toEqual({
      a: null,
      b: none,
      c: none,
      d: null,
      e: null,
      f: null,
      g: { ...none, returning: [] },
      h: null,
      i: { ...none, returning: [] },
    })
  })

  it('a webhook cannot be given to an integration of another team', async () => {
    for (const integration_id of [world.lambeth.granted.id, randomUUID()]) {
      const object = { integration_id, name: 'theirs', url: 'https://hooks.example' }
      const insert = 'mutation ($object: webhooks_insert_input!) { insert_webhooks_one(object: $object) { id } }'
      expect(await refuse('editor', insert, { object })).toMatchObject(forbidden)
      const create = 'mutation ($object: create_webhook_input!) { create_webhook(object: $object) { id secret } }'
      expect(await refuse('editor', create, { object })).toMatchObject({ code: 'NOT_FOUND' })
    }
    const refused = await refuse(
      'admin',
      'mutation ($object: webhooks_insert_input!) { insert_webhooks_one(object: $object) { id } }',
      {
        object: { integration_id: randomUUID(), name: 'nobody', url: 'https://hooks.example' },
      },
    )
    expect(refused).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('does not exist') })
  })

  it('a filter over related rows does not look into what may not be read', async () => {
    // The integration of the destination is ours, but another team's webhooks are not seen through the team.
    await aWebhook(world.lambeth, 'https://secret.example/')
    const data = await run(
      'editor',
      `mutation {
        update_flows(where: { team: { webhooks: { url: { _like: "%secret.example%" } } } }, _set: { schema_url: "https://found.example" }) { affected_rows }
      }`,
    )
    expect(data.update_flows.affected_rows).toBe(0)
  })

  it('returning holds nothing that the role may not read', async () => {
    const { id } = await aFlow()
    const data = await run(
      'editor',
      `mutation ($id: uuid!) {
        update_flows_by_pk(pk_columns: { id: $id }, _set: { name: "seen" }) {
          team { slug flows_aggregate { aggregate { count } } members { role user { email } } }
        }
      }`,
      { id },
    )
    const { members } = data.update_flows_by_pk.team
    expect(members.every(({ user }: Any) => /camden|both/.test(user.email))).toBe(true)
    const hidden = await send('editor', 'mutation { update_webhooks(where: {}) { returning { secrets { sealed } } } }')
    expect(hidden.errors?.[0]?.message).toMatch(/Cannot query field "sealed"/)
    const secret = await send('admin', '{ users { password_hash } }')
    expect(secret.errors?.map(({ message }) => message)).toEqual([expect.stringContaining('password_hash')])
  })

  it('members and people are seen by their own team, addresses by its editors', async () => {
    const query = '{ team_members { team { slug } user { name } } users { name } }'
    const seen = await run('viewer', query)
    expect(seen.team_members.every(({ team }: Any) => team?.slug === 'camden')).toBe(true)
    expect(seen.users.map(({ name }: Any) => name)).toEqual(expect.arrayContaining(['Editor', 'Viewer', 'Both']))
    const { errors } = await send('viewer', '{ users { email } }')
    expect(errors?.[0]?.message).toMatch(/Cannot query field "email"/)
  })

  it('an editor neither makes, changes nor removes an administrator of the team', async () => {
    const person = await createPerson(world.database, {
      email: `${slug()}@sluice.test`,
      name: 'Chief',
      password: 'chief password',
      memberships: [{ teamId: world.camden.id, role: 'admin' }],
    })
    const where = `where: { user_id: { _eq: "${person.id}" } }`
    expect(
      await run(
        'editor',
        `mutation { a: update_team_members(${where}, _set: { role: "viewer" }) { affected_rows } b: delete_team_members(${where}) { affected_rows } }`,
      ),
    ).toEqual({ a: { affected_rows: 0 }, b: { affected_rows: 0 } })
    const promote =
      'mutation { update_team_members(where: { role: { _eq: "viewer" } }, _set: { role: "admin" }) { affected_rows } }'
    expect(await refuse('editor', promote)).toMatchObject(forbidden)
    const upsert = `mutation ($object: team_members_insert_input!) {
      insert_team_members_one(object: $object, on_conflict: { constraint: team_members_team_id_user_id_key, update_columns: [role] }) { id }
    }`
    const object = { team_id: world.camden.id, user_id: person.id }
    expect(await refuse('editor', upsert, { object: { ...object, role: 'admin' } })).toMatchObject(forbidden)
    expect(await run('editor', upsert, { object: { ...object, role: 'viewer' } })).toEqual({
      insert_team_members_one: null,
    })
    const { role } = await world.database.prisma.teamMember.findFirstOrThrow({ where: { user_id: person.id } })
    expect(role).toBe('admin')
  })
})

describe('webhooks and connections', () => {
  it.each([
    ['a URL that is not public', { url: 'https://10.0.0.1/' }, 'url', /not a public address/],
    ['plain http', { url: 'http://hooks.example/' }, 'url', /https/],
    ['a pattern that cannot be read', { pattern: { colour: { _eq: 'red' } } }, 'pattern.colour', /is not a field/],
    ['an empty name', { name: '  ' }, 'name', /name/],
    ['too much at once', { concurrency: 65 }, 'concurrency', /concurrency/],
    ['a config that is no object', { config: [1] }, 'config', /config/],
  ])('refuse %s, on insert and on update', async (_, changes, path, message) => {
    const object = { integration_id: world.camden.granted.id, name: 'Hooks', url: 'https://hooks.example/', ...changes }
    const inserted = await refuse(
      'editor',
      'mutation ($o: [webhooks_insert_input!]!) { insert_webhooks(objects: $o) { affected_rows } }',
      { o: [object] },
    )
    expect(inserted).toMatchObject({ code: 'VALIDATION_FAILED', path: `insert_webhooks.objects[0].${path}` })
    expect(inserted.message).toMatch(message)
    const { id } = await aWebhook()
    const updated = await refuse(
      'editor',
      'mutation ($id: uuid!, $set: webhooks_set_input!) { update_webhooks_by_pk(pk_columns: { id: $id }, _set: $set) { id } }',
      { id, set: changes },
    )
    expect(updated).toMatchObject({ code: 'VALIDATION_FAILED', path: `update_webhooks_by_pk._set.${path}` })
  })

  it('refuse what only the database can work out, and take back the change', async () => {
    const { id } = await aWebhook()
    for (const [operators, path] of [
      ['_append: { pattern: { colour: { _eq: "red" } } }', 'pattern.colour'],
      ['_inc: { concurrency: 100 }', 'concurrency'],
      ['_append: { config: ["a list"] }', 'config'],
    ]) {
      const refused = await refuse(
        'editor',
        `mutation ($id: uuid!) { w: update_webhooks_by_pk(pk_columns: { id: $id }, ${operators}) { id } }`,
        { id },
      )
      expect(refused).toMatchObject({ code: 'VALIDATION_FAILED', path: `w.${path}`, at: ['w'] })
    }
    expect(await world.database.prisma.webhook.findUnique({ where: { id } })).toMatchObject({
      pattern: {},
      config: {},
      concurrency: 8,
    })
  })

  it('give a webhook a fresh start when it is enabled or moved, and a new version with every change', async () => {
    const { prisma } = world.database
    const { id } = await aWebhook()
    const worn = { state: 'failing', state_reason: 'tired', consecutive_failures: 9 } as const
    const { updated_at: before } = await prisma.webhook.update({ where: { id }, data: worn })
    const update = (set: object) =>
      run(
        'editor',
        'mutation ($id: uuid!, $set: webhooks_set_input!) { update_webhooks_by_pk(pk_columns: { id: $id }, _set: $set) { id } }',
        { id, set },
      )
    await update({ name: 'Other' })
    const renamed = await prisma.webhook.findUniqueOrThrow({ where: { id } })
    expect(renamed).toMatchObject({ name: 'Other', ...worn })
    expect(renamed.updated_at.getTime()).toBeGreaterThan(before.getTime())
    await update({ enabled: true })
    expect(await prisma.webhook.findUnique({ where: { id } })).toMatchObject({
      state: 'active',
      state_reason: null,
      consecutive_failures: 0,
    })
  })

  it('show a signing secret once: when the webhook is made, and when it is replaced', async () => {
    const object = {
      integration_id: world.camden.granted.id,
      name: 'Shown',
      url: 'https://hooks.example/',
      pattern: { flow: { _eq: 'apply' } },
    }
    const { create_webhook: made } = await run(
      'editor',
      'mutation ($object: create_webhook_input!) { create_webhook(object: $object) { id secret } }',
      { object },
    )
    const rotate =
      'mutation ($id: uuid!, $overlap: Int) { rotate_webhook_secret(id: $id, overlap_seconds: $overlap) { secret } }'
    const { rotate_webhook_secret: rotated } = await run('editor', rotate, { id: made.id, overlap: 0 })
    const secrets = await world.database.prisma.webhookSecret.findMany({
      where: { webhook_id: made.id },
      orderBy: { created_at: 'asc' },
    })
    expect(secrets.map(({ sealed }) => openWebhookSecret(world.sealer, sealed))).toEqual([made.secret, rotated.secret])
    expect(secrets[0]?.expires_at?.getTime()).toBeLessThanOrEqual(Date.now())
    expect(await refuse('other', rotate, { id: made.id })).toMatchObject({ code: 'NOT_FOUND' })
    expect(await refuse('editor', rotate, { id: made.id, overlap: -1 })).toMatchObject({ code: 'VALIDATION_FAILED' })
  })

  it('let editors keep the connections of their teams', async () => {
    const { prisma } = world.database
    const connector = await prisma.connector.create({
      data: {
        implementation: 'test',
        version: '1.0.0',
        name: 'Test',
        author: 'us',
        description: '',
        manifest: {},
        bundle: '',
        bundle_sha256: '',
      },
    })
    const connection = (team: TeamWorld) =>
      prisma.connection.create({
        data: { integration_id: team.granted.id, team_id: team.id, connector_id: connector.id, name: 'Mail' },
      })
    const [own, foreign] = [await connection(world.camden), await connection(world.lambeth)]
    const update = (id: string, set: object) =>
      send(
        'editor',
        'mutation ($id: uuid!, $set: connections_set_input!) { c: update_connections_by_pk(pk_columns: { id: $id }, _set: $set) { name enabled pattern config concurrency timeout_ms } }',
        { id, set },
      )
    const set = {
      name: 'Post',
      enabled: false,
      pattern: { team: { _eq: 'camden' } },
      config: { a: 1 },
      concurrency: 2,
      timeout_ms: 9_000,
    }
    expect((await update(own.id, set)).data.c).toEqual(set)
    expect((await update(foreign.id, set)).data.c).toBeNull()
    for (const [wrong, path] of [
      [{ pattern: { colour: {} } }, 'c.pattern.colour'],
      [{ timeout_ms: 1 }, 'c.timeout_ms'],
    ] as const) {
      expect((await update(own.id, wrong)).errors?.[0]?.extensions).toEqual({ code: 'VALIDATION_FAILED', path })
    }
    const data = await run(
      'editor',
      'mutation { delete_connections(where: {}) { returning { id connector { name } } } }',
    )
    expect(data.delete_connections.returning.map(({ id }: Any) => id)).toEqual([own.id])
  })
})

async function aWebhook(team: TeamWorld = world.camden, url = 'https://hooks.example/'): Promise<{ id: string }> {
  const { insert_webhooks_one } = await run(
    'admin',
    'mutation ($object: webhooks_insert_input!) { insert_webhooks_one(object: $object) { id } }',
    { object: { integration_id: team.granted.id, name: 'Hooks', url } },
  )
  return insert_webhooks_one
}
