import { createClient } from 'graphql-ws'
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { MailCatcher } from '../src/egress/mail-catcher.ts'
import { testMail } from './ground/mail.ts'
import { type Receiver, startReceiver } from './ground/receiver.ts'
import { basic, buildWorld, type GraphQLAnswer, type World } from './ground/world.ts'

let mail: MailCatcher
let world: World
let issuer: Receiver
let issuerKey: CryptoKey
beforeAll(async () => {
  mail = await testMail()
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'first', alg: 'ES256' }
  issuer = await startReceiver({
    handler: (_request, response) => void response.writeHead(200).end(JSON.stringify({ keys: [jwk] })),
  })
  issuerKey = privateKey
  const settings = { issuer: issuer.url, audience: 'sluice', jwks_uri: `${issuer.url}/keys` }
  world = await buildWorld({
    config: {
      SMTP_URL: mail.url,
      PUBLIC_URL: 'https://gateway.test',
      OIDC_ISSUERS: JSON.stringify([settings]),
    },
  })
})
afterAll(async () => {
  await world?.close()
  await issuer?.close()
  await mail?.close()
})

interface SignedIn {
  readonly token: string
  readonly expires_in: number
  readonly role: string
  readonly allowed_roles: string[]
  readonly refresh_token: string
  readonly refresh_expires_in: number
}

const parts = '{ token expires_in role allowed_roles refresh_token refresh_expires_in }'

type Answer = GraphQLAnswer<Record<string, never>>

function ask(
  query: string,
  variables: Record<string, unknown> = {},
  token?: string,
  role?: string,
): Promise<GraphQLAnswer<Record<string, unknown>>> {
  return world.graphql(query, {
    variables,
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    ...(role ? { headers: { 'x-hasura-role': role } } : {}),
  })
}

async function signIn(person: { email: string; password: string }): Promise<SignedIn> {
  const { data, errors } = await ask(
    `mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) ${parts} }`,
    person,
  )
  if (errors) throw new Error(errors[0]?.message)
  return data.sign_in as SignedIn
}

const refresh = (token: string) =>
  ask(`mutation ($token: String!) { refresh(refresh_token: $token) ${parts} }`, { token })

const whoami = (token: string, role?: string) =>
  ask('{ whoami { kind role allowed_roles name email team_ids } }', {}, token, role)

/** Until a token is refused: what another process has committed arrives by the change feed. */
async function ended(token: string, ms = 30_000): Promise<number> {
  const start = performance.now()
  for (;;) {
    const { status } = await whoami(token)
    if (status === 401) return performance.now() - start
    if (performance.now() - start > ms) throw new Error(`the token still works after ${ms} ms`)
  }
}

let made = 0
async function newPerson(...memberships: { team: string; role: 'editor' | 'viewer' }[]) {
  const { createPerson } = await import('../src/access/people.ts')
  made += 1
  const person = { email: `person${made}@people.test`, password: `the password of ${made}` }
  const { id } = await createPerson(world.database, {
    ...person,
    name: `Person ${made}`,
    memberships: memberships.map(({ team, role }) => ({ teamId: team, role })),
  })
  return { ...person, id }
}

const first = ({ errors }: Pick<Answer, 'errors'>) => errors?.[0]

describe('signing in', () => {
  it('gives an access token, the roles, and a refresh token', async () => {
    const { id, ...person } = await newPerson({ team: world.camden.id, role: 'editor' })
    const answer = await signIn({ ...person, email: ` ${person.email.toUpperCase()} ` })
    expect(answer).toMatchObject({ expires_in: 900, role: 'editor', allowed_roles: ['editor', 'viewer'] })
    expect(answer.refresh_expires_in).toBe(14 * 86_400)
    expect(decodeJwt(answer.token)['https://hasura.io/jwt/claims']).toEqual({
      'x-hasura-default-role': 'editor',
      'x-hasura-allowed-roles': ['editor', 'viewer'],
      'x-hasura-user-id': id,
      'x-hasura-team-ids': [world.camden.id],
    })
    const { data } = await whoami(answer.token)
    expect(data.whoami).toEqual({
      kind: 'person',
      role: 'editor',
      allowed_roles: ['editor', 'viewer'],
      name: `Person ${made}`,
      email: person.email,
      team_ids: [world.camden.id],
    })
  })

  it('is slowed down for who guesses, and tells nothing of who exists', async () => {
    const { email } = await newPerson({ team: world.camden.id, role: 'viewer' })
    for (const address of [email, 'nobody-at-all@people.test']) {
      const answers = await Promise.all(
        Array.from({ length: 12 }, async () =>
          first(
            await ask('mutation ($email: String!) { sign_in(email: $email, password: "guess") { token } }', {
              email: address,
            }),
          ),
        ),
      )
      const later = first(
        await ask('mutation ($email: String!) { sign_in(email: $email, password: "guess") { token } }', {
          email: address,
        }),
      )
      expect(
        answers.every(
          (error) => error?.extensions.code === 'UNAUTHENTICATED' || error?.extensions.code === 'RATE_LIMITED',
        ),
      ).toBe(true)
      expect(later?.extensions.code).toBe('RATE_LIMITED')
    }
    // The world's other people are not shut out from here: the count of this address is far from full.
    await world.database.pool.query('delete from rate_limits')
  })

  it('keeps no token in the database', async () => {
    const { id, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const { refresh_token } = await signIn(person)
    const { rows } = await world.database.pool.query('select t::text as text from sign_ins t where user_id = $1', [id])
    expect(rows).toHaveLength(1)
    expect(rows[0].text).not.toContain(refresh_token.slice(14))
    expect(rows[0].text).not.toContain(Buffer.from(refresh_token).toString('hex'))
  })
})

describe('refreshing', () => {
  it('rotates the refresh token at each use and gives the roles of now', async () => {
    const { id, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const one = await signIn(person)
    await world.database.prisma.teamMember.create({
      data: { user_id: id, team_id: world.lambeth.id, role: 'editor' },
    })
    expect((await whoami(one.token)).status).toBe(200)
    const { data } = await refresh(one.refresh_token)
    const two = data.refresh as SignedIn
    expect(two.refresh_token).not.toBe(one.refresh_token)
    expect(two).toMatchObject({ role: 'editor', allowed_roles: ['editor', 'viewer'] })
    // Nothing was taken away, so the earlier token goes on.
    expect((await whoami(one.token)).status).toBe(200)
  })

  it('gives a lost answer again, word for word, also to two who ask at once', async () => {
    const { id: _, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const { refresh_token } = await signIn(person)
    const answers = await Promise.all([refresh(refresh_token), refresh(refresh_token), refresh(refresh_token)])
    const next = new Set(answers.map(({ data }) => (data.refresh as SignedIn).refresh_token))
    expect(next.size).toBe(1)
    expect((await refresh([...next][0] as string)).errors).toBeUndefined()
  })

  it('ends the sign-in, its access tokens and its sockets when an old refresh token comes back', async () => {
    const { id, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const one = await signIn(person)
    const two = (await refresh(one.refresh_token)).data.refresh as SignedIn
    const three = (await refresh(two.refresh_token)).data.refresh as SignedIn
    const error = first(await refresh(one.refresh_token))
    expect(error?.extensions).toMatchObject({ code: 'UNAUTHENTICATED', details: { reason: 'reused' } })
    expect(error?.message).toMatch(/somebody else may have a copy/)
    for (const { token } of [one, two, three]) await ended(token)
    expect(first(await refresh(three.refresh_token))?.message).toMatch(/This sign-in has ended/)
    const { rows } = await world.database.pool.query(
      `select outcome, detail->>'reason' as reason from audit_entries where actor_id = $1 and operation = 'refresh' and outcome = 'refused'`,
      [id],
    )
    expect(rows).toContainEqual({ outcome: 'refused', reason: 'reused' })
  })

  it('ends the sign-in when the token before comes back after the grace', async () => {
    const { id, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const one = await signIn(person)
    const two = (await refresh(one.refresh_token)).data.refresh as SignedIn
    await world.database.pool.query(
      `update sign_ins set last_used_at = last_used_at - interval '11 seconds' where user_id = $1`,
      [id],
    )
    expect(first(await refresh(one.refresh_token))?.extensions).toMatchObject({ details: { reason: 'reused' } })
    expect(first(await refresh(two.refresh_token))?.extensions.code).toBe('UNAUTHENTICATED')
  })

  it.each([
    ['made up', `sluicerefresh_${'A'.repeat(76)}`],
    ['of another form', 'hello'],
    ['empty', ''],
  ])('refuses a token that is %s, and ends nothing', async (_, token) => {
    expect(first(await refresh(token))?.extensions.code).toBe('UNAUTHENTICATED')
  })

  it('slides, but never beyond the longest life', async () => {
    const { id, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const { refresh_token } = await signIn(person)
    await world.database.pool.query(
      `update sign_ins set created_at = created_at - interval '89 days' where user_id = $1`,
      [id],
    )
    const { data } = await refresh(refresh_token)
    const answer = data.refresh as SignedIn
    expect(answer.refresh_expires_in).toBeGreaterThan(86_000)
    expect(answer.refresh_expires_in).toBeLessThanOrEqual(86_400)
    await world.database.pool.query('update sign_ins set expires_at = now() where user_id = $1', [id])
    expect(first(await refresh(answer.refresh_token))?.message).toMatch(/has ended/)
  })
})

describe('signing out', () => {
  it('ends this sign-in at once, with its sockets, and no other', async () => {
    const { id: _, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const here = await signIn(person)
    const there = await signIn(person)
    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: `Bearer ${here.token}` },
      lazy: false,
      retryAttempts: 0,
      onNonLazyError: () => undefined,
    })
    const connected = new Promise((resolve) => client.on('connected', resolve))
    const closed = new Promise<{ code: number }>((resolve) =>
      client.on('closed', (event) => resolve(event as { code: number })),
    )
    await connected
    expect((await ask('mutation { sign_out }', {}, here.token)).data).toEqual({ sign_out: true })
    expect((await closed).code).toBe(4403)
    await ended(here.token)
    expect(first(await refresh(here.refresh_token))?.extensions.code).toBe('UNAUTHENTICATED')
    expect((await whoami(there.token)).status).toBe(200)
    expect((await refresh(there.refresh_token)).errors).toBeUndefined()
  })

  it('everywhere ends all of them; a new one in the same second is good', async () => {
    const { id: _, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const here = await signIn(person)
    const there = await signIn(person)
    await ask('mutation { sign_out_everywhere }', {}, here.token)
    const again = await signIn(person)
    await Promise.all([ended(here.token), ended(there.token)])
    for (const { refresh_token } of [here, there]) {
      expect(first(await refresh(refresh_token))?.extensions.code).toBe('UNAUTHENTICATED')
    }
    expect((await whoami(again.token)).status).toBe(200)
  })

  it('does not void what is issued after it, however close', async () => {
    const { id, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    await world.database.pool.query(
      `update users set tokens_valid_from = clock_timestamp() + interval '2 seconds' where id = $1`,
      [id],
    )
    const { token } = await signIn(person)
    const { rows } = await world.database.pool.query('select tokens_valid_from from users where id = $1', [id])
    expect(decodeJwt(token).iat_ms).toBe(rows[0].tokens_valid_from.getTime())
    expect((await whoami(token)).status).toBe(200)
  })

  it('is not for API keys', async () => {
    const { errors } = await world.graphql('mutation { sign_out }', { authorization: basic(world.source) })
    expect(errors?.[0]?.message).toMatch(/Cannot query field "sign_out"/)
  })
})

describe('roles', () => {
  it('over teams: as editor those that one edits, as viewer all of them, on every transport', async () => {
    const { id: _, ...person } = await newPerson(
      { team: world.camden.id, role: 'editor' },
      { team: world.lambeth.id, role: 'viewer' },
    )
    const { token, allowed_roles } = await signIn(person)
    expect(allowed_roles).toEqual(['editor', 'viewer'])
    const teams = '{ teams(order_by: { slug: asc }) { slug } }'
    const own = [{ slug: 'camden' }]
    const both = [{ slug: 'camden' }, { slug: 'lambeth' }]
    expect((await ask(teams, {}, token)).data).toEqual({ teams: own })
    expect((await ask(teams, {}, token, 'editor')).data).toEqual({ teams: own })
    expect((await ask(teams, {}, token, 'viewer')).data).toEqual({ teams: both })

    const events = await fetch(`${world.url}/graphql`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'text/event-stream',
        'x-hasura-role': 'viewer',
      },
      body: JSON.stringify({ query: teams }),
    })
    const [, data = ''] = /^data: (.+)$/m.exec(await events.text()) ?? []
    expect(JSON.parse(data)).toEqual({ data: { teams: both } })

    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { headers: { Authorization: `Bearer ${token}`, 'X-Hasura-Role': 'viewer' } },
    })
    for await (const { data } of client.iterate({ query: `subscription ${teams}` })) {
      expect(data).toEqual({ teams: both })
      break
    }
    await client.dispose()
  })

  it('that one does not have are refused with those that one has', async () => {
    const { id: _, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const { token } = await signIn(person)
    const answer = await whoami(token, 'editor')
    expect(answer.status).toBe(403)
    expect(first(answer)?.message).toBe(
      'Your role is "viewer", and x-hasura-role asks for "editor". Leave it out, or send your own.',
    )
    for (const odd of ['__proto__', 'constructor', 'toString']) {
      expect((await whoami(token, odd)).status).toBe(403)
    }
    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: `Bearer ${token}`, 'x-hasura-role': 'admin' },
      retryAttempts: 0,
    })
    const refused = client.iterate({ query: '{ whoami { role } }' }).next()
    await expect(refused).rejects.toMatchObject({ code: 4403, reason: expect.stringContaining('asks for "admin"') })
  })

  it('of a platform admin are admin, editor and viewer, over every team', async () => {
    const { token, allowed_roles } = await signIn(world.admin)
    expect(allowed_roles).toEqual(['admin', 'editor', 'viewer'])
    for (const role of ['admin', 'editor', 'viewer']) {
      const { data } = await ask('{ teams { slug } whoami { role allowed_roles } }', {}, token, role)
      expect(data.teams).toHaveLength(2)
      expect(data.whoami).toEqual({ role, allowed_roles })
    }
    const { errors } = await ask('{ sessions { data } }', {}, token, 'viewer')
    expect(errors?.[0]?.message).toMatch(/Cannot query field "data"/)
  })

  it('end with the membership they come from, whoever takes it away', async () => {
    const { id, ...person } = await newPerson(
      { team: world.camden.id, role: 'editor' },
      { team: world.lambeth.id, role: 'viewer' },
    )
    const one = await signIn(person)
    const admin = await signIn(world.admin)
    const { errors } = await ask(
      'mutation ($id: uuid!) { update_team_members(where: { user_id: { _eq: $id }, role: { _eq: editor } }, _set: { role: viewer }) { affected_rows } }',
      { id },
      admin.token,
    )
    expect(errors).toBeUndefined()
    await ended(one.token)
    const two = (await refresh(one.refresh_token)).data.refresh as SignedIn
    expect(two.allowed_roles).toEqual(['viewer'])
    await world.database.pool.query('delete from team_members where user_id = $1 and team_id = $2', [
      id,
      world.camden.id,
    ])
    await ended(two.token)
    const three = (await refresh(two.refresh_token)).data.refresh as SignedIn
    expect((await ask('{ teams { slug } }', {}, three.token)).data).toEqual({ teams: [{ slug: 'lambeth' }] })
  })

  it('that were lowered end on every transport; the sign-in goes on, with what is left', async () => {
    const { id, ...person } = await newPerson({ team: world.camden.id, role: 'editor' })
    const { token, refresh_token } = await signIn(person)
    const document = 'subscription { webhooks { id url } }'
    const events = await fetch(`${world.url}/graphql`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'text/event-stream',
      },
      body: JSON.stringify({ query: document }),
    })
    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: `Bearer ${token}` },
      retryAttempts: 0,
    })
    const results = client.iterate({ query: document })
    expect((await results.next()).value?.data).toEqual({ webhooks: [] })
    const closed = results.next()
    await world.database.pool.query(`update team_members set role = 'viewer' where user_id = $1`, [id])
    await expect(closed).rejects.toMatchObject({ code: 4403 })
    // Its whole text is there when it has ended.
    expect(await events.text()).toMatch(/"code":"UNAUTHENTICATED".*event: complete/s)
    await ended(token)
    const next = (await refresh(refresh_token)).data.refresh as SignedIn
    expect(next.allowed_roles).toEqual(['viewer'])
    await client.dispose()
  })

  it('that were raised are heard of over an open socket, and are in the next token', async () => {
    const { id, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const one = await signIn(person)
    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: `Bearer ${one.token}` },
      retryAttempts: 0,
    })
    const own = client.iterate<{ team_members: { team_id: string; role: string }[] }>({
      query: 'subscription ($id: uuid!) { team_members(where: { user_id: { _eq: $id } }) { team_id role } }',
      variables: { id },
    })
    expect((await own.next()).value?.data?.team_members).toEqual([{ team_id: world.camden.id, role: 'viewer' }])
    await world.database.prisma.teamMember.create({
      data: { user_id: id, team_id: world.lambeth.id, role: 'editor' },
    })
    // Nothing was taken away, so what is open stays open; it tells of one more.
    expect((await own.next()).value?.data?.team_members).toContainEqual({ team_id: world.lambeth.id, role: 'editor' })
    expect((await ask('{ teams { slug } }', {}, one.token)).data).toEqual({ teams: [{ slug: 'camden' }] })
    const two = (await refresh(one.refresh_token)).data.refresh as SignedIn
    expect(two.allowed_roles).toEqual(['editor', 'viewer'])

    // A role that is changed, also upwards, asks for a new token.
    const closed = own.next()
    await world.database.pool.query(`update team_members set role = 'editor' where user_id = $1 and team_id = $2`, [
      id,
      world.camden.id,
    ])
    await expect(closed).rejects.toMatchObject({ code: 4403 })
    const three = (await refresh(two.refresh_token)).data.refresh as SignedIn
    expect((await ask('{ teams(order_by: { slug: asc }) { slug } }', {}, three.token)).data).toEqual({
      teams: [{ slug: 'camden' }, { slug: 'lambeth' }],
    })
    await client.dispose()
  })

  it('are never read before a change and issued after it', async () => {
    const { id, ...person } = await newPerson({ team: world.camden.id, role: 'editor' })
    const client = await world.database.pool.connect()
    try {
      await client.query('begin')
      await client.query('delete from team_members where user_id = $1', [id])
      // It waits for the change, so it cannot carry what the change takes away.
      const pending = signIn(person)
      const { pool } = world.database
      for (;;) {
        const { rows } = await pool.query(
          `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'select is_admin%' and datname = current_database()`,
        )
        if (rows.length > 0) break
      }
      await client.query('commit')
      const { allowed_roles, token } = await pending
      expect(allowed_roles).toEqual(['viewer'])
      expect((await whoami(token)).data.whoami).toMatchObject({ team_ids: [] })
    } finally {
      client.release()
    }
  })
})

describe('invitations', () => {
  const inviting =
    'mutation ($team: uuid!, $email: String!, $role: String!) { invite_member(team_id: $team, email: $email, role: $role) { id email role expires_at } }'
  const accepting = `mutation ($token: String!, $name: String, $password: String) { accept_invitation(token: $token, name: $name, password: $password) ${parts} }`

  async function mailedToken(to: string, seen: number): Promise<{ token: string; number: number; text: string }> {
    const { text, number } = await mail.waitFor((one) => one.to.includes(to) && one.number > seen)
    const [, token] = /https:\/\/gateway\.test\/console\/invitation#([\w-]{43})$/m.exec(text) ?? []
    if (!token) throw new Error(`no link in ${text}`)
    return { token, number, text }
  }

  it('bring a new person into a team by a link in a mail, once', async () => {
    const editor = await signIn(world.camden.editor)
    const email = 'new.colleague@people.test'
    const { data, errors } = await ask(
      inviting,
      { team: world.camden.id, email: 'New.Colleague@people.test', role: 'viewer' },
      editor.token,
    )
    expect(errors).toBeUndefined()
    expect(data.invite_member).toMatchObject({ email, role: 'viewer' })
    const { token, text } = await mailedToken(email, 0)
    expect(text).toContain('camden')
    const { rows } = await world.database.pool.query('select i::text as text from invitations i where email = $1', [
      email,
    ])
    expect(rows[0].text).not.toContain(token)

    expect(first(await ask(accepting, { token }))?.message).toMatch(/is new here: give a name/)
    expect(first(await ask(accepting, { token, name: 'New', password: 'short' }))?.message).toMatch(/too short/)
    const accepted = await ask(accepting, { token, name: 'New Colleague', password: 'four random words here' })
    expect(accepted.data.accept_invitation).toMatchObject({ role: 'viewer', allowed_roles: ['viewer'] })
    const { token: access } = accepted.data.accept_invitation as SignedIn
    expect((await ask('{ teams { slug } }', {}, access)).data).toEqual({ teams: [{ slug: 'camden' }] })
    expect((await signIn({ email, password: 'four random words here' })).role).toBe('viewer')

    const again = first(await ask(accepting, { token, name: 'Thief', password: 'another long password' }))
    expect(again?.extensions.code).toBe('GONE')
    const twice = first(await ask(inviting, { team: world.camden.id, email, role: 'editor' }, editor.token))
    expect(twice?.extensions.code).toBe('CONFLICT')
  })

  it('add a membership to a known person, who is signed in or gives their password', async () => {
    const { id: _, ...known } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const other = await newPerson({ team: world.camden.id, role: 'viewer' })
    const editor = await signIn(world.lambeth.editor)
    await ask(inviting, { team: world.lambeth.id, email: known.email, role: 'editor' }, editor.token)
    const { token } = await mailedToken(known.email, 0)
    const stranger = await signIn(other)
    expect(first(await ask(accepting, { token }, stranger.token))?.message).toMatch(/Sign in as them/)
    expect(first(await ask(accepting, { token, password: 'a wrong one' }))?.extensions.code).toBe('UNAUTHENTICATED')
    const { token: own } = await signIn(known)
    const { data, errors } = await ask(accepting, { token }, own)
    expect(errors).toBeUndefined()
    expect(data.accept_invitation).toMatchObject({ allowed_roles: ['editor', 'viewer'] })
  })

  it('are made by editors for their own teams and up to their own role', async () => {
    const editor = await signIn(world.camden.editor)
    const viewer = await signIn(world.camden.viewer)
    const admin = await signIn(world.admin)
    const to = { email: 'somebody@people.test', role: 'viewer' }
    const elsewhere = first(await ask(inviting, { team: world.lambeth.id, ...to }, editor.token))
    expect(elsewhere?.extensions.code).toBe('NOT_FOUND')
    const above = first(await ask(inviting, { team: world.camden.id, ...to, role: 'admin' }, editor.token))
    expect(above?.extensions.code).toBe('FORBIDDEN')
    const odd = first(await ask(inviting, { team: world.camden.id, ...to, role: 'king' }, editor.token))
    expect(odd?.extensions.code).toBe('VALIDATION_FAILED')
    const junk = first(await ask(inviting, { team: world.camden.id, ...to, email: 'a@b\nBcc: c@d' }, editor.token))
    expect(junk?.extensions.code).toBe('VALIDATION_FAILED')
    expect(first(await ask(inviting, { team: world.camden.id, ...to }, viewer.token))?.message).toMatch(/Cannot query/)
    const { errors } = await ask(inviting, { team: world.lambeth.id, ...to, role: 'admin' }, admin.token)
    expect(errors).toBeUndefined()
  })

  it('are sent again with a new link, and revoked, by those who may invite', async () => {
    const editor = await signIn(world.camden.editor)
    const stranger = await signIn(world.lambeth.editor)
    const email = 'late@people.test'
    const { data } = await ask(inviting, { team: world.camden.id, email, role: 'viewer' }, editor.token)
    const { id } = data.invite_member as { id: string }
    const one = await mailedToken(email, 0)
    const resend = 'mutation ($id: uuid!) { resend_invitation(id: $id) { id } }'
    const revoke = 'mutation ($id: uuid!) { revoke_invitation(id: $id) }'
    expect(first(await ask(resend, { id }, stranger.token))?.extensions.code).toBe('NOT_FOUND')
    expect(first(await ask(revoke, { id }, stranger.token))?.extensions.code).toBe('NOT_FOUND')
    expect(first(await ask(resend, { id }, editor.token))?.extensions.code).toBe('RATE_LIMITED')
    await world.database.pool.query(`update invitations set created_at = now() - interval '2 minutes' where id = $1`, [
      id,
    ])
    expect((await ask(resend, { id }, editor.token)).errors).toBeUndefined()
    const two = await mailedToken(email, one.number)
    const person = { name: 'Late', password: 'four random words here' }
    expect(first(await ask(accepting, { token: one.token, ...person }))?.extensions.code).toBe('GONE')
    expect((await ask(revoke, { id }, editor.token)).data).toEqual({ revoke_invitation: true })
    expect(first(await ask(accepting, { token: two.token, ...person }))?.extensions.code).toBe('GONE')
  })

  it('expire', async () => {
    const editor = await signIn(world.camden.editor)
    const email = 'too-late@people.test'
    await ask(inviting, { team: world.camden.id, email, role: 'viewer' }, editor.token)
    const { token } = await mailedToken(email, 0)
    await world.database.pool.query('update invitations set expires_at = now() where email = $1', [email])
    const answer = await ask(accepting, { token, name: 'Late', password: 'four random words here' })
    expect(first(answer)?.extensions.code).toBe('GONE')
  })
})

describe('passwords', () => {
  const changing = `mutation ($old: String!, $new: String!) { change_password(old_password: $old, new_password: $new) ${parts} }`

  it('are changed with the old one; every other sign-in ends, and this one goes on', async () => {
    const { id: _, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const here = await signIn(person)
    const there = await signIn(person)
    const wrong = first(await ask(changing, { old: 'not it at all', new: 'a whole new password' }, here.token))
    expect(wrong?.message).toBe('The old password is wrong.')
    const { data, errors } = await ask(changing, { old: person.password, new: 'a whole new password' }, here.token)
    expect(errors).toBeUndefined()
    const now = data.change_password as SignedIn
    await Promise.all([ended(here.token), ended(there.token)])
    expect(first(await refresh(there.refresh_token))?.extensions.code).toBe('UNAUTHENTICATED')
    expect((await whoami(now.token)).status).toBe(200)
    expect((await refresh(now.refresh_token)).errors).toBeUndefined()
    await expect(signIn(person)).rejects.toThrow(/is wrong/)
    expect((await signIn({ ...person, password: 'a whole new password' })).role).toBe('viewer')
    await mail.waitFor(({ to, subject }) => to.includes(person.email) && subject === 'Your password was changed')
  })

  it('that were forgotten are set by a link in a mail, once; the answer tells nobody who exists', async () => {
    const { id: _, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const before = await signIn(person)
    const request = 'mutation ($email: String!) { request_password_reset(email: $email) }'
    const known = await ask(request, { email: person.email })
    const unknown = await ask(request, { email: 'nobody@people.test' })
    expect(known).toEqual(unknown)
    const { text } = await mail.waitFor(({ to, subject }) => to.includes(person.email) && /new password/.test(subject))
    const [, token] = /https:\/\/gateway\.test\/console\/reset-password#([\w-]{43})$/m.exec(text) ?? []
    const reset = `mutation ($token: String!, $password: String!) { reset_password(token: $token, password: $password) ${parts} }`
    expect(first(await ask(reset, { token, password: 'short' }))?.message).toMatch(/too short/)
    const { data, errors } = await ask(reset, { token, password: 'a fresh new password' })
    expect(errors).toBeUndefined()
    expect((await whoami((data.reset_password as SignedIn).token)).status).toBe(200)
    await ended(before.token)
    expect(first(await refresh(before.refresh_token))?.extensions.code).toBe('UNAUTHENTICATED')
    expect(first(await ask(reset, { token, password: 'a second new password' }))?.extensions.code).toBe('GONE')
    expect((await signIn({ ...person, password: 'a fresh new password' })).role).toBe('viewer')
    expect(mail.messages().some(({ to }) => to.includes('nobody@people.test'))).toBe(false)
  })
})

describe('an OpenID Connect token', () => {
  const tokenOf = (claims: Record<string, unknown>) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'first' })
      .setIssuer(issuer.url)
      .setAudience('sluice')
      .setIssuedAt()
      .setExpirationTime('5 minutes')
      .sign(issuerKey)

  it('is used as it is, with the roles of the memberships of whom it is linked to', async () => {
    const { id, email } = await newPerson({ team: world.camden.id, role: 'editor' })
    const token = await tokenOf({ sub: 'robin', email, email_verified: true })
    const { data } = await whoami(token)
    expect(data.whoami).toMatchObject({ role: 'editor', allowed_roles: ['editor', 'viewer'], email })
    expect((await ask('{ teams { slug } }', {}, token, 'viewer')).data).toEqual({ teams: [{ slug: 'camden' }] })
    expect(first(await ask('mutation { sign_out }', {}, token))?.message).toMatch(/of no sign-in here/)
    await world.database.pool.query('update users set disabled_at = now() where id = $1', [id])
    await ended(token)
  })

  it("opens a socket with Hasura's claims", async () => {
    const token = await tokenOf({
      sub: 'kim',
      'https://hasura.io/jwt/claims': {
        'x-hasura-default-role': 'viewer',
        'x-hasura-allowed-roles': ['viewer'],
        'x-hasura-team-ids': `{${world.lambeth.id}}`,
      },
    })
    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: `Bearer ${token}` },
    })
    for await (const { data } of client.iterate({ query: 'subscription { teams { slug } }' })) {
      expect(data).toEqual({ teams: [{ slug: 'lambeth' }] })
      break
    }
    await client.dispose()
    expect(first(await whoami(token, 'editor'))?.message).toMatch(/asks for "editor"/)
    expect(first(await ask('mutation { sign_out_everywhere }', {}, token))?.message).toMatch(/by your issuer only/)
  })
})

describe('administration', () => {
  it('disables a person at once and lets them in again with a new sign-in', async () => {
    const { id, ...person } = await newPerson({ team: world.camden.id, role: 'editor' })
    const { token, refresh_token } = await signIn(person)
    const admin = await signIn(world.admin)
    const disable = 'mutation ($id: uuid!) { disable_person(id: $id) }'
    expect(first(await ask(disable, { id }, token))?.message).toMatch(/Cannot query field/)
    expect((await ask(disable, { id }, admin.token)).data).toEqual({ disable_person: true })
    await ended(token)
    await expect(signIn(person)).rejects.toThrow('The e-mail address or the password is wrong.')
    await ask('mutation ($id: uuid!) { enable_person(id: $id) }', { id }, admin.token)
    expect((await signIn(person)).role).toBe('editor')
    expect((await whoami(token)).status).toBe(401)
    expect(first(await refresh(refresh_token))?.extensions.code).toBe('UNAUTHENTICATED')
  })

  it('cannot be used against oneself, or for nobody', async () => {
    const admin = await signIn(world.admin)
    const disable = 'mutation ($id: uuid!) { disable_person(id: $id) }'
    const self = decodeJwt(admin.token).sub
    expect(first(await ask(disable, { id: self }, admin.token))?.extensions.code).toBe('CONFLICT')
    const nobody = '00000000-0000-4000-8000-000000000000'
    expect(first(await ask(disable, { id: nobody }, admin.token))?.extensions.code).toBe('NOT_FOUND')
  })

  it('is not needed to change one’s own name', async () => {
    const { id: _, ...person } = await newPerson({ team: world.camden.id, role: 'viewer' })
    const { token } = await signIn(person)
    const update = 'mutation ($name: String!) { update_profile(name: $name) { name email } }'
    expect((await ask(update, { name: ' Robin ' }, token)).data).toEqual({
      update_profile: { name: 'Robin', email: person.email },
    })
    expect(first(await ask(update, { name: 'a\nb' }, token))?.extensions.code).toBe('VALIDATION_FAILED')
    expect((await whoami(token)).data.whoami).toMatchObject({ name: 'Robin' })
  })

  it('leaves an audit entry of every action, with no secret in it', async () => {
    const { rows } = await world.database.pool.query<{ operation: string; text: string }>(
      `select operation, a::text as text from audit_entries a where operation in
       ('sign_in', 'refresh', 'sign_out', 'sign_out_everywhere', 'invite_member', 'accept_invitation',
        'change_password', 'reset_password', 'request_password_reset', 'disable_person')`,
    )
    expect(new Set(rows.map(({ operation }) => operation)).size).toBe(10)
    for (const { text } of rows) expect(text).not.toMatch(/sluicerefresh_|password of|random words/)
  })
})
