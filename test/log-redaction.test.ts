/** Secrets in every place where somebody might put them, and no line of the log that repeats one. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { newSecret } from '../src/access/key-format.ts'
import { createLog, withoutSecrets } from '../src/log.ts'
import { basic, buildWorld, type World } from './ground/world.ts'

const lines: string[] = []
let world: World
beforeAll(async () => {
  const destination = { write: (line: string) => void lines.push(line) }
  world = await buildWorld({ log: createLog({ name: 'test', level: 'trace', destination }) })
})
afterAll(() => world?.close())

const graphql = (headers: Record<string, string>, body: string, query = '') =>
  fetch(`${world.url}/graphql${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  }).then((response) => response.text())

function refusedSocket(parameters: unknown, path = '/graphql'): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${world.url.replace('http', 'ws')}${path}`, 'graphql-transport-ws')
    socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: parameters })))
    socket.on('message', () => socket.close())
    socket.on('error', () => undefined)
    socket.on('close', () => resolve())
  })
}

it('no secret, token or password that came with a request is in the log', async () => {
  const { key, secret } = world.camden.granted.consumer
  const wrong = newSecret('test')
  const { email, password } = world.camden.editor
  const wrongPassword = 'a wrong password 4711'
  const signIn = 'mutation ($e: String!, $p: String!) { sign_in(email: $e, password: $p) { token } }'
  const signedIn = await world.graphql<{ sign_in: { token: string } }>(signIn, { variables: { e: email, p: password } })
  const { token } = signedIn.data.sign_in
  const whoami = '{"query":"{ whoami { role } }"}'

  // Where they belong.
  await graphql({ authorization: basic({ key, secret }) }, whoami)
  await graphql({ authorization: basic({ key, secret: wrong }) }, whoami)
  await graphql({ authorization: `Bearer ${token}` }, whoami)
  await graphql({}, JSON.stringify({ query: signIn, variables: { e: email, p: wrongPassword } }))
  // Where they do not.
  await graphql({ authorization: secret }, whoami)
  await graphql({ authorization: `${secret} ${wrong}` }, whoami)
  await graphql({ 'x-hasura-role': secret, authorization: basic({ key, secret }) }, whoami)
  await graphql({}, secret)
  await graphql({}, JSON.stringify({ query: secret }))
  await graphql({}, JSON.stringify({ query: `{ ${token} }` }))
  await graphql(
    { cookie: `token=${token}` },
    whoami,
    `?access_token=${token}&secret=${secret}&password=${wrongPassword}`,
  )
  await fetch(`${world.url}/oauth/token?client_secret=${secret}`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: secret, client_secret: wrong, token }),
  })
  await fetch(`${world.url}/oauth/revoke`, {
    method: 'POST',
    headers: { authorization: basic({ key, secret }) },
    body: new URLSearchParams({ token }),
  })
  await fetch(`${world.url}/${secret}/${token}`)
  await refusedSocket({ authorization: `Bearer ${token}x`, password: wrongPassword })
  await refusedSocket({ headers: { Authorization: basic({ key, secret: wrong }) } })
  await refusedSocket({}, `/graphql?token=${token}&secret=${secret}`)
  // While something is broken on our side, so that errors are logged with what they know.
  await world.database.pool.query('alter table api_credentials rename to api_credentials_away')
  await world.database.pool.query('alter table users rename to users_away')
  try {
    await graphql({ authorization: basic({ key, secret: wrong }) }, whoami, `?access_token=${token}`)
    await graphql({}, JSON.stringify({ query: signIn, variables: { e: email, p: password } }))
    await fetch(`${world.url}/oauth/token?client_secret=${secret}`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials', client_id: key, client_secret: wrong }),
    })
  } finally {
    await world.database.pool.query('alter table api_credentials_away rename to api_credentials')
    await world.database.pool.query('alter table users_away rename to users')
  }

  expect(lines.some((line) => line.includes('failed'))).toBe(true)
  const encoded = basic({ key, secret }).slice('Basic '.length)
  const encodedWrong = basic({ key, secret: wrong }).slice('Basic '.length)
  const log = lines.join('')
  const sent = { secret, wrong, token, password, wrongPassword, encoded, encodedWrong }
  for (const [name, text] of Object.entries(sent)) {
    expect(log.includes(text), `${name} is in the log`).toBe(false)
    expect(log.includes(encodeURIComponent(text)), `${name} is in the log, encoded`).toBe(false)
  }
  for (const line of lines) expect(() => JSON.parse(line)).not.toThrow()
})

it.each([
  ['postgres://sluice:pass-word@host:5432/db', 'postgres://sluice:[redacted]@host:5432/db'],
  ['{"a":"Bearer abcdefghijkl","b":1}', '{"a":"Bearer [redacted]","b":1}'],
  ['{"path":"/x?access_token=abc&y=1"}', '{"path":"/x?access_token=[redacted]&y=1"}'],
  ['{"message":"a basic mistake"}', '{"message":"a basic mistake"}'],
])('%s is logged as %s', (line, logged) => {
  expect(withoutSecrets(line)).toBe(logged)
})
