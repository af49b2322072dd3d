import { createHmac, randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { type Receiver, startReceiver } from '../../test/ground/receiver.ts'
import { readConfig } from '../config.ts'
import { createEgress, type Egress } from '../egress/egress.ts'
import { SluiceError } from '../errors.ts'
import { withOidc } from './oidc.ts'
import { createPerson } from './people.ts'

const namespace = 'https://hasura.io/jwt/claims'
const team = randomUUID()

interface Key {
  readonly alg: string
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  readonly jwk: JWK
}

async function newKey(alg: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  return { alg, kid, privateKey, publicKey, jwk: { ...jwk, kid, alg, use: 'sig' } }
}

let ground: TestDatabase
let egress: Egress
let server: Receiver
let key: Key
let published: JWK[]
let answers = true
beforeAll(async () => {
  ground = await testDatabase()
  egress = createEgress({ allow: ['127.0.0.0/8'] })
  key = await newKey('EdDSA')
  server = await startReceiver({
    handler({ path }, response) {
      if (!answers) return void response.writeHead(503).end()
      const body = path.endsWith('/openid-configuration')
        ? { issuer: server.url, jwks_uri: `${server.url}/keys` }
        : { keys: published }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    },
  })
})
beforeEach(() => {
  answers = true
  published = [key.jwk]
})
afterAll(async () => {
  await server?.close()
  await egress?.close()
  await ground?.close()
})

function verifier(settings: Record<string, unknown> = {}, cooldownMs = 0) {
  const { OIDC_ISSUERS: issuers } = readConfig({
    ...needed,
    OIDC_ISSUERS: JSON.stringify([{ issuer: server.url, audience: 'sluice', ...settings }]),
  })
  const ours = { verify: () => Promise.reject(new SluiceError('UNAUTHENTICATED', 'not ours')) }
  return withOidc(ours, { database: ground.database, egress, issuers, cooldownMs })
}

const needed = {
  DATABASE_URL: 'postgres://unused',
  SLUICE_SECRET_KEY: Buffer.alloc(32).toString('base64'),
  S3_ENDPOINT: 'http://127.0.0.1:1',
  S3_ACCESS_KEY: 'unused',
  S3_SECRET_KEY: 'unused',
  SMTP_URL: 'smtp://127.0.0.1:1',
}

function token(claims: Record<string, unknown> = {}, by: Key = key): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const { iss = server.url, aud = 'sluice', sub = 'subject', exp = now + 600, ...rest } = claims
  return new SignJWT({ iss, aud, sub, exp, iat: now, ...rest } as never)
    .setProtectedHeader({ alg: by.alg, kid: by.kid })
    .sign(by.privateKey)
}

const editorClaims = {
  'x-hasura-default-role': 'editor',
  'x-hasura-allowed-roles': ['editor', 'viewer'],
  'x-hasura-team-ids': `{${team}}`,
}

describe("Hasura's claims", () => {
  it.each([
    ['an object', editorClaims],
    ['JSON text', JSON.stringify(editorClaims)],
    ['a list of teams', { ...editorClaims, 'x-hasura-team-ids': [team] }],
    ['capitals', Object.fromEntries(Object.entries(editorClaims).map(([name, value]) => [name.toUpperCase(), value]))],
  ])('are read as %s', async (_, claims) => {
    const principal = await verifier().verify(await token({ [namespace]: claims }))
    expect(principal).toMatchObject({
      kind: 'person',
      role: 'editor',
      variables: { 'x-hasura-team-ids': [team], 'x-hasura-user-id': principal.id },
      otherRoles: { viewer: { 'x-hasura-team-ids': [team] } },
    })
    expect(principal.id).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('are found where the operator says', async () => {
    const principal = await verifier({ claims_namespace: 'urn:sluice' }).verify(
      await token({ 'urn:sluice': editorClaims }),
    )
    expect(principal.role).toBe('editor')
  })

  it('cannot speak for another user', async () => {
    const claims = { ...editorClaims, 'x-hasura-user-id': randomUUID(), 'x-hasura-integration-id': randomUUID() }
    const principal = await verifier().verify(await token({ [namespace]: claims }))
    expect(principal.variables).toEqual({ 'x-hasura-user-id': principal.id, 'x-hasura-team-ids': [team] })
    expect(principal.integrationId).toBeNull()
  })

  it.each([
    ['a default role outside the allowed ones', { ...editorClaims, 'x-hasura-allowed-roles': ['viewer'] }, /not among/],
    [
      'a role that the issuer may not give',
      { ...editorClaims, 'x-hasura-default-role': 'admin', 'x-hasura-allowed-roles': ['admin'] },
      /none that its issuer may give here \(editor, viewer\)/,
    ],
    [
      'a role of machines',
      { ...editorClaims, 'x-hasura-default-role': 'source', 'x-hasura-allowed-roles': ['source'] },
      /none that its issuer/,
    ],
    ['no roles', { 'x-hasura-default-role': 'editor' }, /need x-hasura-default-role and a list/],
    ['team ids that are none', { ...editorClaims, 'x-hasura-team-ids': '{camden}' }, /must be a list of team ids/],
    ['no team ids', { ...editorClaims, 'x-hasura-team-ids': undefined }, /must be a list of team ids/],
    ['text that is no JSON', 'editor', /neither an object nor JSON/],
  ])('with %s are refused', async (_, claims, message) => {
    const refused = verifier().verify(await token({ [namespace]: claims }))
    await expect(refused).rejects.toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringMatching(message) })
  })

  it('give admin only where the operator allows it', async () => {
    const claims = { 'x-hasura-default-role': 'admin', 'x-hasura-allowed-roles': ['admin'] }
    const principal = await verifier({ roles: ['admin'] }).verify(await token({ [namespace]: claims }))
    expect(principal).toMatchObject({ role: 'admin', otherRoles: {} })
  })
})

describe('a token', () => {
  it.each(['RS256', 'ES256', 'EdDSA'])('signed with %s is accepted', async (alg) => {
    const own = await newKey(alg)
    published = [key.jwk, own.jwk]
    const principal = await verifier().verify(await token({ [namespace]: editorClaims }, own))
    expect(principal.role).toBe('editor')
  })

  it('without a signature is refused', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const now = Math.floor(Date.now() / 1000)
    const payload = { iss: server.url, aud: 'sluice', sub: 's', iat: now, exp: now + 600, [namespace]: editorClaims }
    const unsigned = `${part({ alg: 'none' })}.${part(payload)}.`
    await expect(verifier().verify(unsigned)).rejects.toThrow(/must be signed with RS256, ES256, EdDSA/)
  })

  it.each(['RS256', 'EdDSA'])('signed as HS256 with the public key of %s is refused', async (alg) => {
    const own = await newKey(alg)
    published = [own.jwk]
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const now = Math.floor(Date.now() / 1000)
    const payload = { iss: server.url, aud: 'sluice', sub: 's', iat: now, exp: now + 600, [namespace]: editorClaims }
    const text = `${part({ alg: 'HS256', kid: own.kid })}.${part(payload)}`
    const signature = createHmac('sha256', await exportSPKI(own.publicKey))
      .update(text)
      .digest('base64url')
    await expect(verifier().verify(`${text}.${signature}`)).rejects.toThrow(/must be signed with RS256/)
  })

  it.each([
    ['for another audience', { aud: 'somebody-else' }, /it is for somebody else; its audience must be sluice/],
    ['that has ended', { exp: Math.floor(Date.now() / 1000) - 60 }, /it has ended; get a new one there/],
    ['that begins later', { nbf: Math.floor(Date.now() / 1000) + 600 }, /claim "nbf"/],
    ['without a subject', { sub: undefined }, /claim "sub"/],
  ])('%s is refused', async (_, claims, message) => {
    const signed = new SignJWT({
      iss: server.url,
      aud: 'sluice',
      sub: 's',
      iat: Math.floor(Date.now() / 1000),
      exp: Math.floor(Date.now() / 1000) + 600,
      [namespace]: editorClaims,
      ...claims,
    } as never).setProtectedHeader({ alg: key.alg, kid: key.kid })
    await expect(verifier().verify(await signed.sign(key.privateKey))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringMatching(message),
    })
  })

  it('of another issuer is left to our own', async () => {
    await expect(verifier().verify(await token({ iss: 'https://elsewhere.test' }))).rejects.toThrow('not ours')
    await expect(verifier().verify('nonsense')).rejects.toThrow('not ours')
  })

  it('changed after it was signed is refused', async () => {
    const [header, , signature] = (await token()).split('.')
    const now = Math.floor(Date.now() / 1000)
    const payload = { iss: server.url, aud: 'sluice', sub: 'other', iat: now, exp: now + 600 }
    const changed = `${header}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.${signature}`
    await expect(verifier().verify(changed)).rejects.toThrow(/its signature is wrong/)
  })
})

describe('keys', () => {
  it('that are new are fetched once an unknown one is named', async () => {
    const tokens = verifier()
    const before = server.requests.length
    await tokens.verify(await token({ [namespace]: editorClaims }))
    const next = await newKey('ES256')
    published = [key.jwk, next.jwk]
    expect((await tokens.verify(await token({ [namespace]: editorClaims }, next))).role).toBe('editor')
    await tokens.verify(await token({ [namespace]: editorClaims }, next))
    expect(server.requests.slice(before).map(({ path }) => path)).toEqual([
      '/.well-known/openid-configuration',
      '/keys',
      '/keys',
    ])
  })

  it('are not fetched for every unknown one', async () => {
    const tokens = verifier({ jwks_uri: `${server.url}/keys` }, 30_000)
    await tokens.verify(await token({ [namespace]: editorClaims }))
    const before = server.requests.length
    for (const forged of [await newKey('EdDSA'), await newKey('EdDSA')]) {
      await expect(tokens.verify(await token({}, forged))).rejects.toThrow(/publishes no key/)
    }
    expect(server.requests).toHaveLength(before)
  })

  it('of an issuer that does not answer make its tokens unavailable, not wrong', async () => {
    answers = false
    await expect(verifier().verify(await token())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/could not be fetched.*answered 503/),
    })
  })

  it('are not fetched from a private network that the operator did not name', async () => {
    const strict = createEgress({ allow: [] })
    const { OIDC_ISSUERS: issuers } = readConfig({
      ...needed,
      OIDC_ISSUERS: JSON.stringify([{ issuer: server.url, audience: 'sluice' }]),
    })
    const ours = { verify: () => Promise.reject(new Error('not ours')) }
    const tokens = withOidc(ours, { database: ground.database, egress: strict, issuers })
    const before = server.requests.length
    await expect(tokens.verify(await token())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(server.requests).toHaveLength(before)
    await strict.close()
  })
})

describe('people without claims', () => {
  async function person(changes: { isAdmin?: boolean; role?: 'editor' | 'viewer' } = {}) {
    const { id: teamId } = await ground.database.prisma.team.create({ data: { slug: randomUUID(), name: 'Team' } })
    const email = `${randomUUID()}@people.test`
    const { id } = await createPerson(ground.database, {
      email,
      name: 'Somebody',
      password: 'a password of some length',
      isAdmin: changes.isAdmin ?? false,
      memberships: changes.role ? [{ teamId, role: changes.role }] : [],
    })
    return { id, email, teamId, sub: randomUUID() }
  }

  it('are linked by a verified address at first, by their subject from then on', async () => {
    const { id, email, teamId, sub } = await person({ role: 'editor' })
    const tokens = verifier()
    await expect(tokens.verify(await token({ sub, email }))).rejects.toThrow(/names no verified e-mail address/)
    await expect(tokens.verify(await token({ sub, email, email_verified: 'true' }))).rejects.toThrow(/no verified/)
    const first = await tokens.verify(await token({ sub, email: email.toUpperCase(), email_verified: true }))
    expect(first).toMatchObject({ id, role: 'editor', variables: { 'x-hasura-team-ids': [teamId] } })
    expect((await tokens.verify(await token({ sub }))).id).toBe(id)
    const thief = tokens.verify(await token({ sub: randomUUID(), email, email_verified: true }))
    await expect(thief).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringMatching(/use another account/),
    })
  })

  it('are not linked by address where the operator forbids it', async () => {
    const { email, sub } = await person({ role: 'editor' })
    const signed = await token({ sub, email, email_verified: true })
    await expect(verifier({ link_by_email: false }).verify(signed)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  it('are admins only where the operator allows it of this issuer', async () => {
    const { email, sub, teamId } = await person({ isAdmin: true, role: 'viewer' })
    const signed = await token({ sub, email, email_verified: true })
    const plain = await verifier().verify(signed)
    expect(plain).toMatchObject({ role: 'viewer', variables: { 'x-hasura-team-ids': [teamId] }, otherRoles: {} })
    expect((await verifier({ roles: ['admin', 'editor', 'viewer'] }).verify(signed)).role).toBe('admin')
    await expect(verifier({ roles: ['editor'] }).verify(signed)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  it('who are disabled are refused, with claims too', async () => {
    const { id, email, sub } = await person({ role: 'editor' })
    await verifier().verify(await token({ sub, email, email_verified: true }))
    await ground.database.pool.query('update users set disabled_at = now() where id = $1', [id])
    await expect(verifier().verify(await token({ sub }))).rejects.toThrow(/no access any more/)
    await expect(verifier().verify(await token({ sub, [namespace]: editorClaims }))).rejects.toThrow(/no access/)
  })
})

it.each([
  ['no JSON', 'login.example.org', /must be JSON/],
  ['no audience', '[{"issuer":"https://login.example.org"}]', /0\.audience/],
  ['an unknown key', '[{"issuer":"https://login.example.org","audience":"a","admin":true}]', /admin/],
  ['a role of machines', '[{"issuer":"https://a.test","audience":"a","roles":["source"]}]', /0\.roles\.0/],
])('OIDC_ISSUERS with %s is refused by name', (_, text, message) => {
  expect(() => readConfig({ ...needed, OIDC_ISSUERS: text })).toThrow(message)
})
