/** Extension data as readers see it: connector_data, and annotations with labels that a worker asks the connector for. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { installConnector, reviewConnector } from '../../src/connectors/registry.ts'
import { createFileStore } from '../../src/files/store.ts'
import { silentLog } from '../../src/log.ts'
import { startWorkerParts } from '../../src/worker/worker.ts'
import { aSession, basic, buildWorld, type World } from '../ground/world.ts'

const implementation = 'org.example.labels'
const segment = 'c8ec4565-d7d1-4c48-8ff7-a5eac3a5778f'

let world: World
let folder: string
let worker: Awaited<ReturnType<typeof startWorkerParts>>
let consumer: string
let editor: string
let id: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-annotations-'))
  world = await buildWorld()
  const { config, database, sealer } = world
  const files = createFileStore(config)
  worker = await startWorkerParts({ config, database, sealer, files, log: silentLog, schedules: [] })
  const manifest = {
    implementation,
    name: 'Labels',
    author: 'Example Ltd',
    version: '1.0.0',
    description: 'Tests.',
    privacyPolicyUrl: 'https://example.org/privacy',
  }
  await writeFile(path.join(folder, 'connector.json'), JSON.stringify(manifest))
  await writeFile(
    path.join(folder, 'index.ts'),
    `export default {
      consume: () => 'success',
      getLabelForKey: (key: string, locale: string) => (key === 'co2' ? (locale === 'de' ? 'Ausstoss' : 'Emissions') : undefined),
    }`,
  )
  const connector = await installConnector({ database }, folder)
  await reviewConnector({ database }, connector.id, 'approved')
  consumer = basic(world.camden.granted.consumer)
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: world.camden.editor },
  )
  editor = `Bearer ${data.sign_in.token}`
  id = randomUUID()
  const segments = [{ uuid: segment }]
  const booking = {
    referenceNumber: 'R1',
    travelservices: [{ travelServiceType: 'FLIGHT', segmentedLegs: [{ segments }] }],
  }
  const { errors } = await world.graphql(
    'mutation ($object: submit_session_input!) { submit_session(object: $object) { id } }',
    {
      variables: { object: aSession(world.camden, { id, kind: 'booking', data: booking }) },
      authorization: basic(world.source),
    },
  )
  expect(errors).toBeUndefined()
  const node = { contextType: 'SEGMENT', contextUuid: segment, labelKey: 'co2', valueType: 'INT', value: 84 }
  const ui = [
    node,
    { ...node, value: 'many' },
    { ...node, contextType: 'BOOKING', contextUuid: id, labelKey: 'other.key' },
  ]
  const connector_data = { [implementation]: { ui, own: { a: 1 } }, 'org.example.gone': { ui: [node] } }
  await database.prisma.session.update({ where: { id }, data: { connector_data } })
})
afterAll(async () => {
  await worker?.close()
  await world?.close()
  await rm(folder, { recursive: true })
})

interface Annotated {
  readonly annotations: { readonly connector: string; readonly label: string; readonly value: unknown }[]
}
const ask = (authorization: string, locale: string | null = null) =>
  world.graphql<Annotated>(
    `query ($id: uuid!, $locale: String) {
       annotations(session_id: $id, locale: $locale) { connector context_type context_uuid label label_key value_type value }
     }`,
    { variables: { id, locale }, authorization },
  )

test('good ones are shown, with labels in the reader’s language; wrong ones hide none', async () => {
  await vi.waitFor(
    async () => {
      const { data } = await ask(consumer, 'de')
      expect(data.annotations).toEqual([
        expect.objectContaining({ connector: 'org.example.gone', label: 'co2' }),
        {
          connector: implementation,
          context_type: 'SEGMENT',
          context_uuid: segment,
          label: 'Ausstoss',
          label_key: 'co2',
          value_type: 'INT',
          value: 84,
        },
        expect.objectContaining({ context_type: 'BOOKING', context_uuid: id, label: 'other.key' }),
      ])
    },
    { timeout: 20_000 },
  )
  const { rows } = await world.database.pool.query('select locale, key, label from connector_labels order by key')
  expect(rows).toEqual([
    { locale: 'de', key: 'co2', label: 'Ausstoss' },
    { locale: 'de', key: 'other.key', label: 'other.key' },
  ])
})

test('an editor sees them too; kept labels need no worker', async () => {
  await world.database.pool.query(`insert into connector_labels (connector_id, locale, key, label)
    select connector_id, 'fr', key, 'kept ' || key from connector_labels where locale = 'de'`)
  const { data } = await ask(editor, 'fr')
  expect(data.annotations.map(({ label }) => label)).toEqual(['co2', 'kept co2', 'kept other.key'])
})

test('for an integration it is a retrieval: audited, and the short clock starts', async () => {
  await ask(consumer)
  const { rows } = await world.database.pool.query(
    `select a.outcome, g.first_retrieved_at is not null as started
       from audit_entries a
       join session_grants g on g.session_id = $1 and g.integration_id = a.integration_id
      where a.operation = 'annotations' and a.session_ids = array[$1::uuid] and a.integration_id = $2 limit 1`,
    [id, world.camden.granted.id],
  )
  expect(rows).toEqual([{ outcome: 'granted', started: true }])
})

test('an integration reads connector_data of sessions that it may have, and nobody else’s', async () => {
  const query = 'query ($id: uuid!) { sessions_by_pk(id: $id) { connector_data } }'
  const { data } = await world.graphql<{ sessions_by_pk: { connector_data: Record<string, unknown> } }>(query, {
    variables: { id },
    authorization: consumer,
  })
  expect(Object.keys(data.sessions_by_pk.connector_data)).toEqual(expect.arrayContaining([implementation]))
  const stranger = basic(world.lambeth.granted.consumer)
  const { errors } = await ask(stranger)
  expect(errors?.[0]?.extensions.code).toBe('NOT_FOUND')
  const wrong = await ask(consumer, 'tlh-klingon')
  expect(wrong.errors?.[0]?.message).toContain('locale: write a language')
})
