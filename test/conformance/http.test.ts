/** "GraphQL over HTTP", by the audits of graphql-http, with every protection on. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { serverAudits } from 'graphql-http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildWorld, type World } from '../ground/world.ts'
import { signIn, signInDocument } from './sign-in.ts'

/** What the audits send; while trusted documents are on, nothing else runs. */
const sentByAudits = [
  signInDocument,
  '{ __typename }',
  'query Query { __typename }',
  'query Type($name: String!) { __type(name: $name) { name } }',
]

describe.each([
  ['caps', {}],
  ['trusted documents, too', { trusted: true }],
])('with %s', (_, { trusted }: { trusted?: boolean }) => {
  let world: World
  let folder: string
  let authorization: string
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sluice-documents-'))
    const file = path.join(folder, 'documents.json')
    await writeFile(file, JSON.stringify(Object.fromEntries(sentByAudits.entries())))
    world = await buildWorld({
      config: { INTROSPECTION: 'people', MAX_COST: '1000', ...(trusted ? { TRUSTED_DOCUMENTS: file } : {}) },
    })
    authorization = await signIn(world, world.camden.editor)
  })
  afterAll(async () => {
    await world?.close()
    await rm(folder, { recursive: true })
  })

  const audits = serverAudits({
    url: () => `${world.url}/graphql`,
    fetchFn: (url: string, init: RequestInit = {}) =>
      fetch(url, {
        ...init,
        headers: { ...init.headers, authorization } as Record<string, string>,
      }),
  })
  test.each(audits.map((audit) => [audit.id, audit.name, audit] as const))('%s: %s', async (_id, _name, audit) => {
    const result = await audit.fn()
    expect('reason' in result ? result.reason : '').toBe('')
    expect(result.status).toBe('ok')
  })
})
