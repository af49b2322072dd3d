/**
 * Published clients, unmodified, against a running gateway: those of Hasura as an editor would use them in an admin
 * console, and those of GraphQL at large. Hasura's bring React along and are installed beside, once:
 * `npm ci --prefix test/conformance/clients`, as CI does.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { createClient as createUrqlClient, fetchExchange, gql, subscriptionExchange } from '@urql/core'
import { createClient as createSseClient } from 'graphql-sse'
import { createClient as createSocketClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { aSession, basic, buildWorld, type World } from '../ground/world.ts'
import { signIn } from './sign-in.ts'

let world: World
let authorization: string
let consumer: string
beforeAll(async () => {
  world = await buildWorld()
  authorization = await signIn(world, world.camden.editor)
  consumer = basic(world.camden.granted.consumer)
  await world.database.prisma.integration.createMany({
    data: ['alpha', 'beta', 'gamma', 'delta'].map((slug, index) => ({
      team_id: world.camden.id,
      slug,
      name: `Listed ${slug}`,
      created_at: new Date(Date.UTC(2026, 0, 1 + index)),
    })),
  })
})
afterAll(() => world?.close())

const socketUrl = () => `${world.url.replace('http', 'ws')}/graphql`

/** Results of a subscription, one by one. */
function inbox<T>() {
  const came: T[] = []
  const waiting: ((value: T) => void)[] = []
  return {
    put(value: T) {
      const taker = waiting.shift()
      if (taker) taker(value)
      else came.push(value)
    },
    next: () => (came.length > 0 ? Promise.resolve(came.shift() as T) : new Promise<T>((take) => waiting.push(take))),
  }
}

const beside = createRequire(new URL('clients/package.json', import.meta.url))
const installed = existsSync(new URL('clients/node_modules/ra-data-hasura', import.meta.url))
// biome-ignore lint/suspicious/noExplicitAny: packages without types here.
type Any = any

describe.skipIf(!installed)('@refinedev/hasura', () => {
  let refine: Any
  let provider: Any
  beforeAll(async () => {
    refine = await import(pathToFileURL(beside.resolve('@refinedev/hasura')).href)
    provider = refine.default(new refine.GraphQLClient(`${world.url}/graphql`, { headers: { authorization } }))
  })

  const fields = ['id', 'slug', 'name', { team: ['slug'] }]

  it('lists with filters, sorters and pages, and the count of all', async () => {
    const list = (currentPage: number) =>
      provider.getList({
        resource: 'integrations',
        filters: [
          { field: 'name', operator: 'contains', value: 'LISTED' },
          { field: 'team.slug', operator: 'eq', value: 'camden' },
          {
            operator: 'or',
            value: [
              { field: 'slug', operator: 'nin', value: ['delta'] },
              { field: 'slug', operator: 'null', value: true },
            ],
          },
        ],
        sorters: [
          { field: 'team.slug', order: 'asc' },
          { field: 'created_at', order: 'desc' },
        ],
        pagination: { currentPage, pageSize: 2 },
        meta: { fields },
      })
    const first = await list(1)
    expect(first.total).toBe(3)
    expect(first.data.map((one: Any) => one.slug)).toEqual(['gamma', 'beta'])
    expect(first.data[0].team).toEqual({ slug: 'camden' })
    expect((await list(2)).data.map((one: Any) => one.slug)).toEqual(['alpha'])
  })

  it.each([
    ['eq', 'alpha', ['alpha']],
    ['ne', 'alpha', ['beta', 'delta', 'gamma']],
    ['lt', 'b', ['alpha']],
    ['gte', 'delta', ['delta', 'gamma']],
    ['in', ['alpha', 'gamma'], ['alpha', 'gamma']],
    ['containss', 'lph', ['alpha']],
    ['ncontains', 'LPH', ['beta', 'delta', 'gamma']],
    ['startswith', 'AL', ['alpha']],
    ['nstartswith', 'AL', ['beta', 'delta', 'gamma']],
    ['endswith', 'TA', ['beta', 'delta']],
    ['startswiths', 'al', ['alpha']],
    ['endswiths', 'ta', ['beta', 'delta']],
    ['nnull', true, ['alpha', 'beta', 'delta', 'gamma']],
  ])('filters with %s', async (operator, value, expected) => {
    const { data } = await provider.getList({
      resource: 'integrations',
      filters: [
        { field: 'name', operator: 'startswith', value: 'listed' },
        { field: 'slug', operator, value },
      ],
      sorters: [{ field: 'slug', order: 'asc' }],
      meta: { fields },
    })
    expect(data.map((one: Any) => one.slug)).toEqual(expected)
  })

  it("lists with a query of the caller's own", async () => {
    const gqlQuery = refine.gql`
      query ($where: flows_bool_exp, $order_by: [flows_order_by!], $limit: Int, $offset: Int) {
        flows(where: $where, order_by: $order_by, limit: $limit, offset: $offset) { id slug destinations { id } }
        flows_aggregate(where: $where) { aggregate { count } }
      }`
    const { data, total } = await provider.getList({ resource: 'flows', meta: { gqlQuery } })
    expect(total).toBe(1)
    expect(data).toEqual([{ id: world.camden.flow.id, slug: 'apply', destinations: [{ id: expect.any(String) }] }])
  })

  it('gets one and many', async () => {
    const { id } = world.camden.granted
    const one = await provider.getOne({ resource: 'integrations', id, meta: { fields } })
    expect(one.data).toMatchObject({ id, slug: 'back-office' })
    const ids = [id, world.camden.other.id]
    const many = await provider.getMany({ resource: 'integrations', ids, meta: { fields: ['id'] } })
    expect(many.data.map((each: Any) => each.id).sort()).toEqual(ids.sort())
  })

  it('creates, updates and deletes, one and many', async () => {
    const resource = 'webhooks'
    const hook = (name: string) => ({
      integration_id: world.camden.granted.id,
      name,
      url: 'https://hooks.example/in',
      config: { name },
    })
    const { data: made } = await provider.create({
      resource,
      variables: hook('one'),
      meta: { fields: ['id', 'name', 'config'] },
    })
    expect(made).toEqual({ id: expect.any(String), name: 'one', config: { name: 'one' } })
    const { id } = made
    const changed = await provider.update({
      resource,
      id,
      variables: { enabled: false },
      meta: { fields: ['id', 'enabled'] },
    })
    expect(changed.data).toEqual({ id, enabled: false })
    expect((await provider.deleteOne({ resource, id, meta: { fields: ['id'] } })).data).toEqual({ id })

    const many = await provider.createMany({ resource, variables: [hook('a'), hook('b')], meta: { fields: ['name'] } })
    expect(many.data.map((each: Any) => each.name)).toEqual(['a', 'b'])
    const ids = many.data.map((each: Any) => each.id)
    const all = await provider.updateMany({ resource, ids, variables: { name: 'c' }, meta: { fields: ['name'] } })
    expect(all.data.map((each: Any) => each.name)).toEqual(['c', 'c'])
    const gone = await provider.deleteMany({ resource, ids, meta: { fields: ['name'] } })
    expect(gone.data.map((each: Any) => each.id).sort()).toEqual(ids.sort())
  })

  it('is told why something is refused', async () => {
    const variables = { team_id: world.lambeth.id, slug: 'theirs', name: 'Theirs' }
    await expect(provider.create({ resource: 'flows', variables })).rejects.toMatchObject({
      response: { errors: [{ extensions: { code: 'FORBIDDEN' } }] },
    })
  })

  it('follows a list and one row live, until it is told to stop', async () => {
    const client = refine.graphqlWS.createClient({
      url: socketUrl(),
      webSocketImpl: WebSocket,
      connectionParams: { headers: { Authorization: authorization } },
    })
    const live = refine.liveProvider(client)
    const lists = inbox<Any>()
    const rows = inbox<Any>()
    const { id } = world.camden.other
    const ofList = live.subscribe({
      callback: lists.put,
      params: {
        resource: 'integrations',
        subscriptionType: 'useList',
        filters: [{ field: 'id', operator: 'eq', value: id }],
        sorters: [{ field: 'slug', order: 'asc' }],
        pagination: { currentPage: 1, pageSize: 5 },
        meta: { fields: ['name'] },
      },
    })
    const ofRow = live.subscribe({
      callback: rows.put,
      params: { resource: 'integrations', subscriptionType: 'useOne', id, meta: { fields: ['name'] } },
    })
    expect([await lists.next(), await rows.next()]).toEqual([[{ name: 'archive' }], { name: 'archive' }])
    await provider.update({ resource: 'integrations', id, variables: { name: 'Renamed' } })
    expect([await lists.next(), await rows.next()]).toEqual([[{ name: 'Renamed' }], { name: 'Renamed' }])
    live.unsubscribe(ofList)
    live.unsubscribe(ofRow)
    await client.dispose()
  })
})

describe.skipIf(!installed)('ra-data-hasura', () => {
  let provider: Any
  beforeAll(async () => {
    const { default: build } = beside('ra-data-hasura')
    // Its first act is to read the whole schema.
    provider = await build({ clientOptions: { uri: `${world.url}/graphql`, headers: { authorization } } })
  })

  it('lists with filters, sorting and pages, and the count of all', async () => {
    const list = (page: number) =>
      provider.getList('integrations', {
        filter: { name: 'listed', 'slug@_neq': 'delta', 'team#slug@_eq': 'camden' },
        sort: { field: 'created_at', order: 'DESC' },
        pagination: { page, perPage: 2 },
      })
    const first = await list(1)
    expect(first.total).toBe(3)
    expect(first.data.map((one: Any) => one.slug)).toEqual(['gamma', 'beta'])
    expect((await list(2)).data.map((one: Any) => one.slug)).toEqual(['alpha'])
  })

  it('sorts by several fields, with nulls last, and filters by several or by jsonb', async () => {
    const { data } = await provider.getList('integrations', {
      filter: { 'slug@_like,name@_ilike': 'lph' },
      sort: { field: 'status,slug@nulls_last', order: 'asc,desc' },
      pagination: { page: 1, perPage: 10 },
    })
    expect(data.map((one: Any) => one.slug)).toEqual(['alpha'])
    const destinations = await provider.getList('destinations', {
      filter: { 'config@_contains': '{}' },
      sort: { field: 'id', order: 'ASC' },
      pagination: { page: 1, perPage: 10 },
    })
    expect(destinations.total).toBe(1)
  })

  it('gets one, many and those that refer to a row', async () => {
    const { id } = world.camden.granted
    expect((await provider.getOne('integrations', { id })).data).toMatchObject({ id, slug: 'back-office' })
    const ids = [id, world.camden.other.id]
    const many = await provider.getMany('integrations', { ids })
    expect(many.data.map((each: Any) => each.id).sort()).toEqual(ids.sort())
    const related = await provider.getManyReference('destinations', {
      target: 'integration_id',
      id,
      filter: {},
      sort: { field: 'id', order: 'ASC' },
      pagination: { page: 1, perPage: 10 },
    })
    expect(related).toMatchObject({ total: 1, data: [{ integration_id: id, flow_id: world.camden.flow.id }] })
  })

  it('creates, updates and deletes, one and many', async () => {
    const data = { integration_id: world.camden.granted.id, name: 'Admin', url: 'https://hooks.example/ra' }
    const { data: made } = await provider.create('webhooks', { data })
    expect(made).toMatchObject({ ...data, enabled: true })
    const { id } = made
    // React-admin hands back the whole row with what was changed in it.
    const changed = await provider.update('webhooks', { id, data: { ...made, name: 'Other' }, previousData: made })
    expect(changed.data).toMatchObject({ id, name: 'Other' })
    expect((await provider.updateMany('webhooks', { ids: [id], data: { enabled: false } })).data).toEqual([id])
    expect((await provider.delete('webhooks', { id, previousData: changed.data })).data.id).toBe(id)
    const { data: second } = await provider.create('webhooks', { data })
    expect((await provider.deleteMany('webhooks', { ids: [second.id] })).data).toEqual([second.id])
  })
})

describe('clients of GraphQL', () => {
  const ofSessions = 'subscription ($from: timestamptz!) { sessions(where: { submitted_at: { _gte: $from } }) { id } }'

  it('urql queries, mutates, is told of errors, and subscribes over graphql-ws', async () => {
    const socket = createSocketClient({
      url: socketUrl(),
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: consumer },
    })
    const urql = createUrqlClient({
      url: `${world.url}/graphql`,
      fetchOptions: { headers: { authorization: consumer } },
      exchanges: [
        fetchExchange,
        subscriptionExchange({
          forwardSubscription: ({ query = '', variables }) => ({
            subscribe: (sink) => ({
              unsubscribe: socket.subscribe({ query, variables: variables as Record<string, unknown> }, sink as Any),
            }),
          }),
        }),
      ],
    })
    const queried = await urql.query(gql`{ whoami { role } sessions(limit: 0) { id } }`, {}).toPromise()
    expect([queried.data, queried.error]).toEqual([{ whoami: { role: 'consumer' }, sessions: [] }, undefined])
    const byGet = await urql.query(gql`{ sessions(limit: 0) { id } }`, {}, { preferGetMethod: 'force' }).toPromise()
    expect(byGet.data).toEqual({ sessions: [] })
    const refused = await urql.query(gql`{ nothing }`, {}).toPromise()
    expect(refused.error?.graphQLErrors[0]?.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED')
    const person = createUrqlClient({ url: `${world.url}/graphql`, exchanges: [fetchExchange] })
    const signedIn = await person
      .mutation(
        gql`mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { role } }`,
        world.camden.editor,
      )
      .toPromise()
    expect(signedIn.data).toEqual({ sign_in: { role: 'editor' } })

    const came = inbox<Any>()
    const from = new Date().toISOString()
    const { unsubscribe } = urql.subscription(gql(ofSessions), { from }).subscribe(({ data }) => came.put(data))
    expect(await came.next()).toEqual({ sessions: [] })
    const { id } = await world.submit(aSession(world.camden))
    expect(await came.next()).toEqual({ sessions: [{ id }] })
    unsubscribe()
    await socket.dispose()
  })

  it('urql subscribes over events, too', async () => {
    const urql = createUrqlClient({
      url: `${world.url}/graphql`,
      fetchOptions: { headers: { authorization: consumer } },
      fetchSubscriptions: true,
      exchanges: [fetchExchange],
    })
    const came = inbox<Any>()
    const from = new Date().toISOString()
    const { unsubscribe } = urql.subscription(gql(ofSessions), { from }).subscribe(({ data }) => came.put(data))
    expect(await came.next()).toEqual({ sessions: [] })
    const { id } = await world.submit(aSession(world.camden))
    expect(await came.next()).toEqual({ sessions: [{ id }] })
    unsubscribe()
  })

  it.each([
    [
      'graphql-ws',
      () =>
        createSocketClient({
          url: socketUrl(),
          webSocketImpl: WebSocket,
          connectionParams: { Authorization: consumer },
        }),
    ],
    ['graphql-sse', () => createSseClient({ url: `${world.url}/graphql`, headers: { authorization: consumer } })],
  ])('%s queries, subscribes and is told of errors', async (_, connect) => {
    const client = connect()
    const iterate = (query: string, variables?: Record<string, unknown>) =>
      client.iterate({ query, variables })[Symbol.asyncIterator]() as AsyncIterator<Any>
    const query = iterate('{ whoami { role } }')
    expect((await query.next()).value).toEqual({ data: { whoami: { role: 'consumer' } } })
    expect((await query.next()).done).toBe(true)
    const live = iterate(ofSessions, { from: new Date().toISOString() })
    expect((await live.next()).value).toEqual({ data: { sessions: [] } })
    const { id } = await world.submit(aSession(world.camden))
    expect((await live.next()).value).toEqual({ data: { sessions: [{ id }] } })
    await live.return?.()
    const told = await iterate('{ nothing }')
      .next()
      .then(
        ({ value }) => value.errors,
        (errors) => errors,
      )
    expect(told).toMatchObject([{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }])
    await client.dispose()
  })
})
