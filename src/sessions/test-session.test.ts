import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildWorld, type GraphQLAnswer, type World } from '../../test/ground/world.ts'

let world: World
let editor: string
beforeAll(async () => {
  world = await buildWorld()
  editor = await signedIn(world.camden.editor)
})
afterAll(() => world?.close())

interface Submitted {
  readonly submit_test_session: { id: string; status: string; created: boolean; grants: number; problems: unknown }
}

const submit = (variables: object, authorization = editor): Promise<GraphQLAnswer<Submitted>> =>
  world.graphql<Submitted>(
    `mutation ($flow: uuid!, $data: jsonb, $config: jsonb) {
       submit_test_session(flow_id: $flow, data: $data, config: $config) { id status created grants problems }
     }`,
    { variables: { flow: world.camden.flow.id, ...variables }, authorization },
  )

it('an editor submits a test session, which goes where a real one would', async () => {
  const { data, errors } = await submit({})
  expect(errors).toBeUndefined()
  expect(data.submit_test_session).toMatchObject({ status: 'submitted', created: true, grants: 1, problems: null })
  const { rows } = await world.database.pool.query(
    `select s.payment_id, s.config, s.author_kind, e.payment_id as told, e.config as told_config
       from sessions s join session_events e on e.session_id = s.id where s.id = $1`,
    [data.submit_test_session.id],
  )
  expect(rows).toEqual([
    {
      payment_id: 'test',
      config: { test: true },
      author_kind: 'person',
      told: 'test',
      told_config: { test: true },
    },
  ])
})

it('what is given cannot hide that it is a test', async () => {
  const { data } = await submit({ data: { colour: 'blue' }, config: { region: 'north', test: false } })
  const { rows } = await world.database.pool.query('select data, config, payment_id from sessions where id = $1', [
    data.submit_test_session.id,
  ])
  expect(rows).toEqual([{ data: { colour: 'blue' }, config: { region: 'north', test: true }, payment_id: 'test' }])
})

it('the audit says which person submitted it, once', async () => {
  const { data } = await submit({})
  const { rows } = await world.database.pool.query(
    'select operation, actor_kind, role, outcome from audit_entries where $1 = any(session_ids)',
    [data.submit_test_session.id],
  )
  expect(rows).toEqual([{ operation: 'submit_session', actor_kind: 'person', role: 'editor', outcome: 'granted' }])
})

it("the flow's schema holds for it too", async () => {
  const url = 'https://schemas.example/test-session'
  await world.database.prisma.payloadSchema.create({
    data: { team_id: world.camden.id, url, name: 'test', version: '1', document: { required: ['address'] } },
  })
  await world.database.pool.query('update flows set schema_url = $2 where id = $1', [world.camden.flow.id, url])
  const { data } = await submit({ data: {} })
  await world.database.pool.query('update flows set schema_url = null where id = $1', [world.camden.flow.id])
  expect(data.submit_test_session).toMatchObject({ status: 'invalid', grants: 0 })
  expect(JSON.stringify(data.submit_test_session.problems)).toContain('address')
})

it('what cannot be data is refused at its place', async () => {
  const { errors } = await submit({ data: ['no', 'object'] })
  expect(errors?.[0]?.extensions).toMatchObject({ code: 'VALIDATION_FAILED', path: 'data' })
})

it("another team's flow is not there, and viewers and consumers have no such action", async () => {
  const { errors } = await submit({ flow: world.lambeth.flow.id })
  expect(errors?.[0]?.extensions).toMatchObject({ code: 'NOT_FOUND', path: 'flow_id' })
  const asViewer = await submit({}, await signedIn(world.camden.viewer))
  expect(asViewer.errors?.[0]?.message).toContain('submit_test_session')
})

async function signedIn(person: { readonly email: string; readonly password: string }): Promise<string> {
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: person },
  )
  return `Bearer ${data.sign_in.token}`
}
