import { parse } from 'graphql'
import { expect, it } from 'vitest'
import { examples, socketUrl } from './examples.ts'

const values = {
  origin: 'https://sluice.example',
  consumerKey: 'sluice_local_consumer',
  sourceKey: 'sluice_local_source',
  team: 'camden',
  flow: 'apply',
}

it("examples are filled in with the team's own names, and with no secret", () => {
  expect(examples.read(values)).toContain('--user "sluice_local_consumer:$SLUICE_SECRET"')
  expect(examples.submit(values)).toContain('"team": "camden", "flow": "apply"')
  for (const example of Object.values(examples)) expect(example(values)).not.toMatch(/sluicesecret_|undefined/)
})

it('what curl sends is JSON, and GraphQL inside of it', () => {
  for (const name of ['read', 'token', 'submit'] as const) {
    const [, body = ''] = /--data '(\{[\s\S]*\})'\n/.exec(examples[name](values)) ?? []
    expect(parse(JSON.parse(body).query).definitions).toHaveLength(1)
  }
})

it('sockets go where the gateway is, by its own protocol', () => {
  expect(socketUrl('https://sluice.example')).toBe('wss://sluice.example/graphql')
  expect(socketUrl('http://localhost:4000')).toBe('ws://localhost:4000/graphql')
})
