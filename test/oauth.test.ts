/** OAuth 2 as a client library that is not ours speaks it, by discovery alone. */
import { createHash, randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKeylessCredential } from '../src/access/credentials.ts'
import { basic, buildWorld, type World } from './ground/world.ts'

let world: World
beforeAll(async () => {
  // The issuer is part of what a client checks, so the port is known before.
  const port = await freePort()
  world = await buildWorld({ config: { GATEWAY_PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}` } })
})
afterAll(() => world?.close())

const plain = { [oauth.allowInsecureRequests]: true }

async function discover(): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(world.url)
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plain })
  return oauth.processDiscoveryResponse(issuer, response)
}

async function getToken(client: oauth.Client, auth: oauth.ClientAuth): Promise<oauth.TokenEndpointResponse> {
  const server = await discover()
  const response = await oauth.clientCredentialsGrantRequest(server, client, auth, new URLSearchParams(), plain)
  return oauth.processClientCredentialsResponse(server, client, response)
}

const whoami = (token: string) =>
  world.graphql<{ whoami: { role: string; integration_id: string } }>('{ whoami { role integration_id } }', {
    authorization: `Bearer ${token}`,
  })

/** Asks until the answer is a refusal: within a second. */
async function isRefused(token: string): Promise<void> {
  await expect.poll(async () => (await whoami(token)).status, { timeout: 30_000, interval: 20 }).toBe(401)
}

describe('an OAuth client library', () => {
  it('discovers, and gets and uses a token by key and secret, by Basic and in the form', async () => {
    const { key, secret } = world.camden.granted.consumer
    for (const auth of [oauth.ClientSecretBasic(secret), oauth.ClientSecretPost(secret)]) {
      const result = await getToken({ client_id: key }, auth)
      expect(result).toMatchObject({ token_type: 'bearer', expires_in: 900, scope: 'consumer' })
      expect((await whoami(result.access_token)).data.whoami.integration_id).toBe(world.camden.granted.id)
    }
  })

  it('validates our access tokens as RFC 9068 says, with our JWKS', async () => {
    const { key, secret } = world.camden.granted.consumer
    const { access_token } = await getToken({ client_id: key }, oauth.ClientSecretBasic(secret))
    const request = new Request(`${world.url}/anything`, { headers: { authorization: `Bearer ${access_token}` } })
    const claims = await oauth.validateJwtAccessToken(await discover(), request, world.url, plain)
    expect(claims).toMatchObject({ iss: world.url, aud: world.url, client_id: key, scope: 'consumer' })
    expect(claims.jti).toMatch(/^[0-9a-f-]{36}$/)
  })

  it.each(['EdDSA', 'ES256', 'RS256'])(
    'gets and uses a token with a key of its own (%s), without any secret',
    async (alg) => {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
      const { key } = await keyless([{ ...(await exportJWK(publicKey)), kid: 'mine', alg }])
      const result = await getToken(
        { client_id: key },
        oauth.PrivateKeyJwt({ key: privateKey as CryptoKey, kid: 'mine' }),
      )
      expect((await whoami(result.access_token)).data.whoami.role).toBe('consumer')
    },
  )

  it('revokes a token, which then opens nothing, and is told the same when there was none', async () => {
    const { key, secret } = world.camden.granted.consumer
    const client = { client_id: key }
    const { access_token } = await getToken(client, oauth.ClientSecretBasic(secret))
    const server = await discover()
    for (const token of [access_token, access_token, 'no token at all']) {
      const response = await oauth.revocationRequest(server, client, oauth.ClientSecretBasic(secret), token, plain)
      await oauth.processRevocationResponse(response)
    }
    await isRefused(access_token)
    const { access_token: next } = await getToken(client, oauth.ClientSecretBasic(secret))
    expect((await whoami(next)).status).toBe(200)
  })

  it('cannot revoke the token of another client', async () => {
    const { key, secret } = world.camden.granted.consumer
    const other = world.lambeth.granted.consumer
    const { access_token } = await getToken({ client_id: key }, oauth.ClientSecretBasic(secret))
    const response = await post('/oauth/revoke', { token: access_token }, basic(other))
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: 'unauthorized_client' })
    expect((await whoami(access_token)).status).toBe(200)
  })
})

describe('a signed assertion', () => {
  let client: Awaited<ReturnType<typeof signer>>
  beforeAll(async () => {
    client = await signer()
  })

  it('is good once', async () => {
    const assertion = await client.sign({})
    expect((await client.send(assertion)).status).toBe(200)
    const again = await client.send(assertion)
    expect(again.status).toBe(401)
    expect(await again.json()).toMatchObject({
      error: 'invalid_client',
      error_description: expect.stringMatching(/used before/),
    })
  })

  it.each([
    ['for another server', { aud: 'https://elsewhere.test' }, /"aud" must be/],
    ['for several servers', { aud: ['ours', 'https://elsewhere.test'] }, /"aud" must be/],
    ['that has ended', { exp: -120 }, /has ended/],
    ['that lives for hours', { exp: 7200 }, /lives too long/],
    ['without an end', { exp: undefined }, /needs "exp"/],
    ['without an id', { jti: undefined }, /needs "jti"/],
    ['of another subject', { sub: 'sluice_test_0000000000000000_000000' }, /needs "iss" and "sub"/],
  ])('%s is refused', async (_, changes, message) => {
    const response = await client.send(await client.sign(changes))
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({
      error: 'invalid_client',
      error_description: expect.stringMatching(message),
    })
  })

  it('by a key that is not registered, for an unknown client, or without signature, is refused alike', async () => {
    const stranger = await signer()
    const { newKey } = await import('../src/access/key-format.ts')
    const unknown = newKey('test')
    const answers = await Promise.all([
      client.send(await stranger.sign({ iss: client.key, sub: client.key })),
      client.send(await client.sign({ iss: unknown, sub: unknown })),
      client.send((await client.sign({})).replace(/\.[^.]*$/, '.')),
    ])
    const bodies = await Promise.all(answers.map((answer) => answer.text()))
    expect(new Set(bodies).size).toBe(1)
    expect(bodies[0]).toMatch(/not signed with a key of this credential/)
  })

  it('does not go together with a secret', async () => {
    const response = await client.send(await client.sign({}), { client_secret: 'x' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: 'invalid_request' })
  })
})

describe('the token endpoint', () => {
  it.each([
    ['two of a field', 'grant_type=client_credentials&grant_type=password', 'invalid_request'],
    ['a scope that is not the client’s', 'grant_type=client_credentials&scope=admin', 'invalid_scope'],
    ['no grant type', 'scope=consumer', 'invalid_request'],
  ])('refuses %s with an error of RFC 6749 that is not stored', async (_, body, error) => {
    const response = await fetch(`${world.url}/oauth/token`, {
      method: 'POST',
      headers: {
        authorization: basic(world.camden.granted.consumer),
        'content-type': 'application/x-www-form-urlencoded',
      },
      body,
    })
    expect(response.status).toBe(400)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toMatchObject({ error, error_description: expect.any(String) })
  })

  it('takes no other method than POST', async () => {
    const response = await fetch(`${world.url}/oauth/token`)
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
  })

  it('does not claim to be an OpenID provider', async () => {
    expect((await fetch(`${world.url}/.well-known/openid-configuration`)).status).toBe(404)
  })
})

function post(path: string, fields: Record<string, string>, authorization?: string): Promise<Response> {
  return fetch(`${world.url}${path}`, {
    method: 'POST',
    headers: authorization ? { authorization } : {},
    body: new URLSearchParams(fields),
  })
}

function keyless(keys: readonly object[]) {
  return createKeylessCredential(
    world.database,
    {
      role: 'consumer',
      name: `signer ${createHash('sha256').update(JSON.stringify(keys)).digest('hex').slice(0, 6)}`,
      environment: 'test',
      teamId: world.camden.id,
      integrationId: world.camden.granted.id,
    },
    { keys },
  )
}

/** A client that signs, correctly unless told otherwise. */
async function signer() {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true })
  const { key } = await keyless([await exportJWK(publicKey)])
  return {
    key,
    sign(changes: Record<string, unknown>): Promise<string> {
      const now = Math.floor(Date.now() / 1000)
      const { exp = 60, aud = world.url, ...others } = changes
      const claims = {
        iss: key,
        sub: key,
        jti: randomUUID(),
        aud: Array.isArray(aud) ? [world.url, aud[1]] : aud,
        ...('exp' in changes && changes.exp === undefined ? {} : { exp: now + Number(exp) }),
        ...others,
      }
      return new SignJWT(claims as Record<string, unknown>).setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey)
    },
    send(assertion: string, fields: Record<string, string> = {}): Promise<Response> {
      return post('/oauth/token', {
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
        ...fields,
      })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
