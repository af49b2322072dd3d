import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aSession, basic, buildWorld, type World } from '../../test/ground/world.ts'
import { silentLog } from '../log.ts'
import { storeSchemaFolder } from './payload-schemas.ts'
import { createSchemaChecker } from './schema-checker.ts'

let world: World
let editor: string
let source: string
let consumer: string
beforeAll(async () => {
  world = await buildWorld()
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: world.camden.editor },
  )
  editor = `Bearer ${data.sign_in.token}`
  source = basic(world.source)
  consumer = basic(world.camden.granted.consumer)
})
afterAll(() => world?.close())

const require_ = (url: string | null) =>
  world.database.pool.query('update flows set schema_url = $2 where id = $1', [world.camden.flow.id, url])
beforeEach(() => require_(null))

const schema = (url: string, document: object, version = '1') => ({ url, name: 'application', version, document })
const store = (object: object, authorization = editor) =>
  world.graphql<{ upsert_payload_schema: { created: boolean; missing: string[] } }>(
    'mutation ($object: upsert_payload_schema_input!) { upsert_payload_schema(object: $object) { created missing } }',
    { variables: { object }, authorization },
  )

interface Submitted {
  readonly submit_session: {
    readonly id: string
    readonly status: string
    readonly event_id: string | null
    readonly grants: number
    readonly deliveries: number
    readonly problems: unknown
  }
}
const submit = async (changes: object) => {
  const { data, errors } = await world.graphql<Submitted>(
    'mutation ($object: submit_session_input!) { submit_session(object: $object) { id status event_id grants deliveries problems } }',
    { variables: { object: aSession(world.camden, changes as Record<string, unknown>) }, authorization: source },
  )
  expect(errors).toBeUndefined()
  return data.submit_session
}
const update = (object: object) =>
  world.graphql<{ update_session: { status: string; revision: number; changed: boolean; event_id: string | null } }>(
    'mutation ($object: update_session_input!) { update_session(object: $object) { status revision changed event_id } }',
    { variables: { object }, authorization: source },
  )
const revalidate = (variables: object) =>
  world.graphql<{ revalidate_session: object }>(
    'mutation ($id: uuid, $flow_id: uuid) { revalidate_session(id: $id, flow_id: $flow_id) { checked published invalid more } }',
    { variables: variables as Record<string, unknown>, authorization: editor },
  )
const read = async (id: string, authorization: string, fields = 'status revision data problems') =>
  (
    await world.graphql<{ sessions_by_pk: Record<string, unknown> | null }>(
      `query ($id: uuid!) { sessions_by_pk(id: $id) { ${fields} } }`,
      { variables: { id }, authorization },
    )
  ).data.sessions_by_pk
const eventsOf = async (id: string) =>
  (
    await world.database.pool.query<{ type: string; revision: number }>(
      'select type, revision from session_events where session_id = $1 order by position',
      [id],
    )
  ).rows.map(({ type, revision }) => `${type} ${revision}`)

const named = { type: 'object', required: ['name'], properties: { name: { type: 'string' } } }
const newUrl = () => `https://schemas.example/${randomUUID()}.json`

describe('a session that does not follow its schema', () => {
  it('is kept with what is wrong, is seen by editors and by no consumer, and is announced to nobody', async () => {
    const url = newUrl()
    expect((await store(schema(url, named))).data).toEqual({ upsert_payload_schema: { created: true, missing: [] } })
    await require_(url)
    const result = await submit({ data: { name: 5 } })
    const problems = [{ path: '/name', keyword: 'type', message: 'must be string' }]
    expect(result).toMatchObject({ status: 'invalid', event_id: null, grants: 0, deliveries: 0, problems })
    expect(await read(result.id, editor)).toEqual({ status: 'invalid', revision: 1, data: { name: 5 }, problems })
    expect(await read(result.id, consumer, 'status')).toBeNull()
    expect(await eventsOf(result.id)).toEqual([])
    expect(await submit({ data: { name: 'x' } })).toMatchObject({ status: 'submitted', grants: 1, problems: null })
  })

  it('is published by revalidate_session once the schema is put right, and is seen by who follows positions', async () => {
    const url = newUrl()
    await store(schema(url, named))
    await require_(url)
    const { id } = await submit({ data: { name: 5 } })
    const after = await submit({ data: { name: 'later' } })
    expect((await revalidate({ id })).data.revalidate_session).toEqual({
      checked: 1,
      published: 0,
      invalid: 1,
      more: false,
    })
    expect((await store(schema(url, { type: 'object' }))).data.upsert_payload_schema.created).toBe(false)
    expect((await revalidate({ flow_id: world.camden.flow.id })).data.revalidate_session).toMatchObject({
      published: 1,
    })
    expect(await eventsOf(id)).toEqual(['session.submitted 1'])
    const position = async (session: string) => (await read(session, editor, 'position'))?.position as string
    expect((await position(id)) > (await position(after.id))).toBe(true)
    expect((await revalidate({ id })).data.revalidate_session).toMatchObject({ checked: 0, published: 0 })
    const { rows } = await world.database.pool.query(
      'select g.expires_at = s.expires_at as same from session_grants g join sessions s on s.id = g.session_id where s.id = $1',
      [id],
    )
    expect(rows).toEqual([{ same: true }])
    expect(await read(id, consumer, 'status data')).toEqual({ status: 'submitted', data: { name: 5 } })
  })

  it('is published by an update that puts its data right', async () => {
    const url = newUrl()
    await store(schema(url, named))
    await require_(url)
    const { id } = await submit({ data: {} })
    expect((await update({ id, data: { name: 1 } })).data.update_session).toMatchObject({
      status: 'invalid',
      event_id: null,
    })
    expect((await update({ id, data: { name: 'now' } })).data.update_session).toMatchObject({
      status: 'submitted',
      revision: 3,
    })
    expect(await eventsOf(id)).toEqual(['session.submitted 3'])
    expect(await read(id, consumer, 'data')).toEqual({ data: { name: 'now' } })
  })
})

describe('which schema counts', () => {
  it('a flow whose schema is not stored keeps sessions until it is; what a session says alone may be unknown', async () => {
    const url = newUrl()
    await require_(url)
    const { id, status, problems } = await submit({ data: { name: 'x' } })
    expect(status).toBe('invalid')
    expect(problems).toEqual([expect.objectContaining({ keyword: 'schema', message: expect.stringContaining(url) })])
    await store(schema(url, named))
    expect((await revalidate({ id })).data.revalidate_session).toMatchObject({ published: 1 })
    await require_(null)
    expect(await submit({ schema_url: newUrl() })).toMatchObject({ status: 'submitted' })
  })

  it('a session may follow another version of the required schema, and nothing else', async () => {
    const [one, two, other] = [newUrl(), newUrl(), newUrl()]
    await store(schema(one, named, '1'))
    await store(schema(two, { type: 'object', required: ['title'] }, '2'))
    await store({ ...schema(other, { type: 'object' }), name: 'something else' })
    await require_(one)
    expect(await submit({ schema_url: two, data: { title: '' } })).toMatchObject({ status: 'submitted' })
    expect(await submit({ schema_url: two, data: { name: '' } })).toMatchObject({ status: 'invalid' })
    expect(await submit({ schema_url: other, data: {} })).toMatchObject({ status: 'invalid' })
    const { id } = await submit({ data: { name: '' } })
    expect(await read(id, consumer, 'schema_url')).toEqual({ schema_url: one })
  })

  it.each([
    ['that is no JSON Schema', { document: { type: 'nothing' } }, 'VALIDATION_FAILED', /\/type must be one of/],
    ['under an address that is none', { url: 'ftp://x.example/a' }, 'VALIDATION_FAILED', /http or https/],
  ])('a schema %s is refused with the reason', async (_, changes, code, message) => {
    const { errors } = await store({ ...schema(newUrl(), named), ...changes })
    expect(errors?.[0]?.extensions.code).toBe(code)
    expect(errors?.[0]?.message).toMatch(message)
    const { url, name, version, document } = { ...schema(newUrl(), named), ...changes }
    const table = await world.graphql(
      'mutation ($object: payload_schemas_insert_input!) { insert_payload_schemas_one(object: $object) { id } }',
      { variables: { object: { team_id: world.camden.id, url, name, version, document } }, authorization: editor },
    )
    expect(table.errors?.[0]?.extensions.code).toBe(code)
  })

  it('schemas of a folder are stored for every team, once; a file that cannot be used is named', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'sluice-test-schemas-'))
    const url = newUrl()
    await writeFile(
      path.join(folder, 'named.json'),
      JSON.stringify({ $id: url, title: 'Named', version: '3', ...named }),
    )
    const checker = createSchemaChecker()
    const parts = { database: world.database, checker, log: silentLog }
    try {
      const rows = async () =>
        (
          await world.database.pool.query('select team_id, name, version, xmin from payload_schemas where url = $1', [
            url,
          ])
        ).rows
      await storeSchemaFolder(folder, parts)
      const stored = await rows()
      expect(stored).toEqual([{ team_id: null, name: 'Named', version: '3', xmin: expect.anything() }])
      await storeSchemaFolder(folder, parts)
      expect(await rows()).toEqual(stored)
      await require_(url)
      expect(await submit({ data: {} })).toMatchObject({ status: 'invalid' })
      await writeFile(path.join(folder, 'wrong.json'), JSON.stringify({ $id: newUrl(), type: 'nothing' }))
      await expect(storeSchemaFolder(folder, parts)).rejects.toThrow(/wrong\.json .*must be one of/)
    } finally {
      await checker.close()
      await rm(folder, { recursive: true })
    }
  })

  it("another team's schema is neither replaced nor seen", async () => {
    const url = newUrl()
    await store({ ...schema(url, named), team_id: world.camden.id })
    const { data } = await world.graphql<{ sign_in: { token: string } }>(
      'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
      { variables: world.lambeth.editor },
    )
    const lambeth = `Bearer ${data.sign_in.token}`
    expect((await store(schema(url, {}), lambeth)).errors?.[0]?.extensions.code).toBe('CONFLICT')
    expect(
      (await store({ ...schema(newUrl(), {}), team_id: world.camden.id }, lambeth)).errors?.[0]?.extensions.code,
    ).toBe('FORBIDDEN')
    const seen = await world.graphql(
      `query ($url: String!) { payload_schemas(where: { url: { _eq: $url } }) { id } }`,
      {
        variables: { url },
        authorization: lambeth,
      },
    )
    expect(seen.data).toEqual({ payload_schemas: [] })
  })
})

describe('revisions', () => {
  it('an update announces a new revision; what was stays readable, as a retrieval', async () => {
    const { id } = await submit({ data: { name: 'one' } })
    expect((await update({ id, data: { name: 'two' } })).data.update_session).toMatchObject({
      revision: 2,
      changed: true,
    })
    expect((await update({ id, payment_id: 'p-2', config: { region: 'north' } })).data.update_session.revision).toBe(3)
    expect(await eventsOf(id)).toEqual(['session.submitted 1', 'session.updated 2', 'session.updated 3'])
    expect(await read(id, consumer, 'revision payment_id config')).toEqual({
      revision: 3,
      payment_id: 'p-2',
      config: { region: 'north' },
    })
    const { data } = await world.graphql(
      'query ($id: uuid!) { session_revisions(where: { session_id: { _eq: $id }, revision: { _eq: 1 } }) { revision data } }',
      { variables: { id }, authorization: consumer },
    )
    expect(data).toEqual({ session_revisions: [{ revision: 1, data: { name: 'one' } }] })
    const { rows } = await world.database.pool.query(
      `select g.first_retrieved_at is not null as retrieved, (select count(*)::int from audit_entries a where $1 = any(a.session_ids) and a.operation = 'query') as entries
         from session_grants g where g.session_id = $1`,
      [id],
    )
    expect(rows).toEqual([{ retrieved: true, entries: 1 }])
    const kept = await world.database.pool.query(
      'select revision, author_kind, author_id from session_revisions where session_id = $1 order by revision',
      [id],
    )
    const author = { author_kind: 'credential', author_id: world.source.id }
    expect(kept.rows).toEqual([
      { revision: 1, ...author },
      { revision: 2, ...author },
    ])
  })

  it('the same content changes nothing and announces nothing', async () => {
    const { id } = await submit({ data: { b: 1, a: { d: 1.5, c: [] } } })
    expect((await update({ id, data: { a: { c: [], d: 1.5 }, b: 1 } })).data.update_session).toEqual({
      status: 'submitted',
      revision: 1,
      changed: false,
      event_id: null,
    })
    expect(await eventsOf(id)).toEqual(['session.submitted 1'])
  })

  it('every key of the data is kept, whatever it is called', async () => {
    const data = JSON.parse('{"__proto__": {"admin": true}, "constructor": 1, "toString": null}')
    const { id } = await submit({ data })
    const changed = JSON.parse('{"__proto__": 2}')
    expect((await update({ id, data: changed })).errors).toBeUndefined()
    const { rows } = await world.database.pool.query(
      'select data::text from session_revisions where session_id = $1 union all select data::text from sessions where id = $1',
      [id],
    )
    expect(rows.map((row) => JSON.parse(row.data))).toEqual([data, changed])
  })

  it('an expected revision that is not the present one is a conflict', async () => {
    const { id } = await submit({ data: { name: 'one' } })
    expect((await update({ id, data: { name: 'two' }, expected_revision: 1 })).errors).toBeUndefined()
    const late = await update({ id, data: { name: 'three' }, expected_revision: 1 })
    expect(late.errors?.[0]?.extensions.code).toBe('CONFLICT')
    expect(await read(id, editor, 'revision data')).toEqual({ revision: 2, data: { name: 'two' } })
  })

  it('of updates at the same time none is lost', async () => {
    const { id } = await submit({ data: { name: 'one' } })
    const fields = [
      { payment_id: 'p' },
      { config: { a: 1 } },
      { data: { name: 'x' } },
      { schema_url: 'https://s.example/1' },
    ]
    const results = await Promise.all(fields.map((field) => update({ id, ...field })))
    expect(results.flatMap(({ errors }) => errors ?? [])).toEqual([])
    expect(await read(id, editor, 'revision payment_id config data schema_url')).toEqual({
      revision: 5,
      payment_id: 'p',
      config: { a: 1 },
      data: { name: 'x' },
      schema_url: 'https://s.example/1',
    })
    expect(await eventsOf(id)).toHaveLength(5)
  })

  it('an update that would make a valid session invalid is refused, and the revision stays', async () => {
    const url = newUrl()
    await store(schema(url, named))
    await require_(url)
    const { id } = await submit({ data: { name: 'fine' } })
    const { errors } = await update({ id, data: { name: 1 } })
    expect(errors?.[0]?.extensions.code).toBe('VALIDATION_FAILED')
    expect(errors?.[0]?.message).toMatch(/revision 1 stays: \/name must be string/)
    expect(await read(id, consumer, 'revision data')).toEqual({ revision: 1, data: { name: 'fine' } })
  })

  it('a session whose grants have ended cannot be updated', async () => {
    const { id } = await submit({})
    await world.database.pool.query('update session_grants set expires_at = now() where session_id = $1', [id])
    expect((await update({ id, data: { late: true } })).errors?.[0]?.extensions.code).toBe('GONE')
    expect((await update({ id: randomUUID(), data: {} })).errors?.[0]?.extensions.code).toBe('NOT_FOUND')
  })
})

describe('what targets hear', () => {
  it('each webhook gets the types of event that it asks for, at the position of the event', async () => {
    const { prisma } = world.database
    const webhook = (name: string, events: string[]) =>
      prisma.webhook.create({
        data: {
          integration_id: world.camden.granted.id,
          team_id: world.camden.id,
          name,
          url: 'https://w.example/',
          events,
        },
      })
    const first = await webhook('submissions', ['session.submitted'])
    const second = await webhook('updates', ['session.updated', 'session.purged'])
    const { id, deliveries } = await submit({})
    expect(deliveries).toBe(1)
    await update({ id, payment_id: 'other' })
    const { rows } = await world.database.pool.query(
      `select d.webhook_id, e.type, d.event_position = e.position as placed
         from deliveries d join session_events e on e.id = d.event_id where d.session_id = $1 order by e.position`,
      [id],
    )
    expect(rows).toEqual([
      { webhook_id: first.id, type: 'session.submitted', placed: true },
      { webhook_id: second.id, type: 'session.updated', placed: true },
    ])
    await prisma.webhook.deleteMany({ where: { id: { in: [first.id, second.id] } } })
  })

  it('files that were uploaded under the id of a session are its own once it is submitted', async () => {
    const id = randomUUID()
    for (const status of ['pending', 'stored', 'quarantined']) {
      await world.database.pool.query(
        `insert into file_uploads (team_id, flow_id, session_id, name, type, size, sha256, status, object_key, expires_at)
         values ($1, $2, $3, $4::text, 'application/pdf', 7, 'f', $4::text::upload_status, $5, now() + interval '1 hour')`,
        [world.camden.id, world.camden.flow.id, id, status, `${id}/${status}`],
      )
    }
    await submit({ id })
    expect(await read(id, consumer, 'files(order_by: { name: asc }) { name type size sha256 status }')).toEqual({
      files: ['pending', 'quarantined', 'stored'].map((name) => ({
        name,
        type: 'application/pdf',
        size: 7,
        sha256: 'f',
        status: name,
      })),
    })
    const { rowCount } = await world.database.pool.query('select 1 from file_uploads where session_id = $1', [id])
    expect(rowCount).toBe(0)
  })
})
