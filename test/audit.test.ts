import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPerson } from '../src/access/people.ts'
import { csvCell } from '../src/gateway/audit-export.ts'
import { openSocket } from './conformance/bare-socket.ts'
import { signIn } from './conformance/sign-in.ts'
import { aSession, basic, buildWorld, type World } from './ground/world.ts'

let world: World
let editor: string
let both: string
let session: { id: string }
const bothTeams = { email: 'both@sluice.test', password: 'both password of two' }
beforeAll(async () => {
  world = await buildWorld()
  await createPerson(world.database, {
    ...bothTeams,
    name: 'Both',
    memberships: [world.camden, world.lambeth].map(({ id }) => ({ teamId: id, role: 'editor' as const })),
  })
  editor = await signIn(world, world.camden.editor)
  both = await signIn(world, bothTeams)
  session = await world.submit(aSession(world.camden))
})
afterAll(() => world?.close())

/** Entries of one operation, in their order; refusals are written a moment after the answer. */
async function entries(operation: string, most = 1): Promise<Record<string, unknown>[]> {
  let rows: Record<string, unknown>[] = []
  await expect
    .poll(async () => {
      const found = await world.database.pool.query(
        `select team_id, integration_id, actor_kind, actor_id, role, operation, outcome, session_ids::text[], address, request_id, detail
           from audit_entries where operation = $1 order by position`,
        [operation],
      )
      rows = found.rows
      return rows.length
    })
    .toBeGreaterThanOrEqual(most)
  return rows
}

describe('the audit log', () => {
  it('has every action, with who asked for it and the ids of it', async () => {
    const [entry] = await entries('submit_session')
    expect(entry).toMatchObject({
      actor_kind: 'credential',
      actor_id: world.source.id,
      role: 'source',
      outcome: 'granted',
      team_id: world.camden.id,
      session_ids: [session.id],
      address: '127.0.0.1',
      request_id: expect.any(String),
    })
  })

  it('has actions that were refused and actions that failed, with the code', async () => {
    await world.graphql('mutation { sign_in(email: "nobody@sluice.test", password: "not this one") { token } }')
    const refused = (await entries('sign_in', 3)).find(({ outcome }) => outcome === 'refused')
    expect(refused).toMatchObject({ detail: { code: 'UNAUTHENTICATED' } })
    await world.graphql('mutation ($object: submit_session_input!) { submit_session(object: $object) { id } }', {
      variables: { object: { ...aSession(world.camden), flow: 'none' } },
      authorization: basic(world.source),
    })
    const failed = (await entries('submit_session', 2)).at(-1)
    expect(failed).toMatchObject({ outcome: 'failed', detail: { code: 'NOT_FOUND' } })
  })

  it("has people's reads of data, for the team of the session, without starting a clock", async () => {
    const { data } = await world.graphql<{ sessions: { data: unknown }[] }>(
      'query ($id: uuid!) { sessions(where: { id: { _eq: $id } }) { id data } }',
      { variables: { id: session.id }, authorization: both },
    )
    expect(data.sessions[0]?.data).toBeTruthy()
    const [entry] = await entries('query')
    expect(entry).toMatchObject({
      actor_kind: 'person',
      role: 'editor',
      outcome: 'granted',
      team_id: world.camden.id,
      integration_id: null,
      session_ids: [session.id],
    })
    const { rows } = await world.database.pool.query(
      'select 1 from session_grants where session_id = $1 and first_retrieved_at is not null',
      [session.id],
    )
    expect(rows).toEqual([])
    await world.graphql('{ sessions { id status } }', { authorization: both })
    expect((await entries('query')).filter(({ outcome }) => outcome === 'granted')).toHaveLength(1)
  })

  it('has one entry a team when one read hands over sessions of several', async () => {
    const other = await world.submit(aSession(world.lambeth))
    const before = (await entries('query')).length
    await world.graphql('{ sessions { data } }', { authorization: both })
    const made = (await entries('query', before + 2)).slice(before)
    expect(new Set(made.map((entry) => [entry.team_id, entry.session_ids].flat().join(' ')))).toEqual(
      new Set([`${world.camden.id} ${session.id}`, `${world.lambeth.id} ${other.id}`]),
    )
  })

  it('has who asked for a session by id that was not granted to them', async () => {
    const { consumer, id } = world.camden.other
    const before = (await entries('query')).length
    await world.graphql('query ($id: uuid!) { one: sessions_by_pk(id: $id) { id } }', {
      variables: { id: session.id },
      authorization: basic(consumer),
    })
    expect((await entries('query', before + 1)).at(-1)).toMatchObject({
      outcome: 'refused',
      actor_id: consumer.id,
      integration_id: id,
      team_id: world.camden.id,
      session_ids: [session.id],
    })
  })

  it('has writes of tables with their rows, in the transaction, by team', async () => {
    const slug = `flow-${randomUUID()}`
    const objects = [world.camden, world.lambeth].map(({ id }) => ({ team_id: id, slug, name: 'A flow' }))
    const { data, errors } = await world.graphql<{ insert_flows: { returning: { id: string; team_id: string }[] } }>(
      'mutation ($objects: [flows_insert_input!]!) { insert_flows(objects: $objects) { returning { id team_id } } }',
      { variables: { objects }, authorization: both },
    )
    expect(errors).toBeUndefined()
    const inserted = await entries('insert flows', 2)
    expect(inserted.map(({ team_id, detail }) => [team_id, detail])).toEqual(
      expect.arrayContaining(data.insert_flows.returning.map(({ id, team_id }) => [team_id, { keys: [id], rows: 1 }])),
    )
    await world.graphql(
      'mutation ($slug: String!) { delete_flows(where: { slug: { _eq: $slug } }) { affected_rows } }',
      {
        variables: { slug },
        authorization: await signIn(world, world.admin),
      },
    )
    const deleted = await entries('delete flows', 2)
    expect(deleted.map(({ team_id }) => team_id).sort()).toEqual([world.camden.id, world.lambeth.id].sort())
  })

  it('has writes that were refused, and nothing of what was taken back with them', async () => {
    const before = (await entries('insert flows')).length
    await world.graphql(
      'mutation ($mine: flows_insert_input!, $theirs: flows_insert_input!) { a: insert_flows_one(object: $mine) { id } b: insert_flows_one(object: $theirs) { id } }',
      {
        variables: {
          mine: { team_id: world.camden.id, slug: `x-${randomUUID()}`, name: 'X' },
          theirs: { team_id: world.lambeth.id, slug: `x-${randomUUID()}`, name: 'X' },
        },
        authorization: editor,
      },
    )
    const made = (await entries('insert flows', before + 1)).slice(before)
    expect(made).toEqual([expect.objectContaining({ outcome: 'refused', detail: { code: 'FORBIDDEN' } })])
  })

  it('has failed authentication at each entrance, with the key that was claimed and never the secret', async () => {
    const { key } = world.camden.granted.consumer
    const authorization = basic({ key, secret: 'a wrong secret' })
    await world.graphql('{ sessions { id } }', { authorization })
    const socket = await openSocket(world.url)
    socket.send({ type: 'connection_init', payload: { authorization } })
    await socket.closed()
    await fetch(`${world.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=client_credentials',
    })
    await fetch(`${world.url}/v1/audit`, { headers: { authorization } })
    await expect
      .poll(async () => (await entries('authenticate')).map(({ detail }) => (detail as { entrance: string }).entrance))
      .toEqual(expect.arrayContaining(['http', 'socket', 'token', 'audit']))
    for (const entry of await entries('authenticate'))
      expect(entry).toMatchObject({ outcome: 'refused', detail: { key } })
  })

  it('has a role that was asked for and is not theirs', async () => {
    await world.graphql('{ sessions { id } }', { authorization: editor, headers: { 'x-hasura-role': 'admin' } })
    await expect
      .poll(async () => (await entries('authenticate')).map(({ detail }) => (detail as { code: string }).code))
      .toContain('FORBIDDEN')
  })

  it('holds no secret, token, password or data', async () => {
    const { rows } = await world.database.pool.query('select string_agg(e::text, chr(10)) as all from audit_entries e')
    const text = rows[0].all as string
    for (const secret of [
      world.source.secret,
      world.camden.granted.consumer.secret,
      'a wrong secret',
      'not this one',
      editor.slice(7),
      world.camden.editor.password,
      'Robin Example',
    ]) {
      expect(text).not.toContain(secret)
    }
  })

  it('shows people the entries of their teams', async () => {
    const { data } = await world.graphql<{ audit_entries: { team_id: string }[] }>('{ audit_entries { team_id } }', {
      authorization: editor,
    })
    expect(new Set(data.audit_entries.map(({ team_id }) => team_id))).toEqual(new Set([world.camden.id]))
  })
})

describe('GET /v1/audit', () => {
  const download = (query: string, authorization: string) =>
    fetch(`${world.url}/v1/audit${query}`, { headers: { authorization } })

  it('gives editors the entries of their teams as JSON lines, oldest first, across pages', async () => {
    await world.database.pool.query(
      `insert into audit_entries (team_id, actor_kind, operation, outcome) select $1, 'system', 'many', 'granted' from generate_series(1, 2500)`,
      [world.camden.id],
    )
    const response = await download('', editor)
    expect(response.headers.get('content-type')).toMatch(/^application\/jsonl/)
    const rows = (await response.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rows.filter(({ operation }) => operation === 'many')).toHaveLength(2_500)
    expect(new Set(rows.map(({ team_id }) => team_id))).toEqual(new Set([world.camden.id]))
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
    expect(rows.map(({ at }) => at)).toEqual(rows.map(({ at }) => at).sort())
  })

  it('gives admins all entries as CSV, of the time that was asked for', async () => {
    const admin = await signIn(world, world.admin)
    const all = (await (await download('?format=csv', admin)).text()).trimEnd().split('\r\n')
    const { rows } = await world.database.pool.query('select count(*)::int as n from audit_entries')
    expect(all[0]).toMatch(/^at,id,team_id,/)
    // The heading, and without what the download itself was recorded as or not.
    expect(Math.abs(all.length - 1 - rows[0].n)).toBeLessThanOrEqual(1)
    const none = await (await download('?format=csv&from=2001-01-01&to=2001-01-02T00:00:00Z', admin)).text()
    expect(none.trimEnd().split('\r\n')).toHaveLength(1)
  })

  it.each([
    ['?format=xml', 400, /csv or jsonl/],
    ['?from=yesterday', 400, /must be a time such as/],
  ])('refuses %s', async (query, status, message) => {
    const response = await download(query, editor)
    expect(response.status).toBe(status)
    expect(await response.text()).toMatch(message)
  })

  it('is not for API keys or viewers', async () => {
    expect((await download('', basic(world.camden.granted.consumer))).status).toBe(403)
    expect((await download('', await signIn(world, world.camden.viewer))).status).toBe(403)
  })

  it.each([
    ['=1+1', "'=1+1"],
    ['@cmd', "'@cmd"],
    ['-2', "'-2"],
    ['\t=x', "'\t=x"],
    ['a "b", c', '"a ""b"", c"'],
    [{ a: '=1' }, '"{""a"":""=1""}"'],
    [['a', 'b'], 'a b'],
    [null, ''],
  ])('writes %j so that no spreadsheet runs it', (value, cell) => {
    expect(csvCell(value)).toBe(cell)
  })
})
