import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { relinked } from '../../connectors/bops/payload.ts'
import { type Receiver, startReceiver } from '../ground/receiver.ts'
import { type BopsPeer, type OdpDocument, startBops } from './peers/bops.ts'
import { type ShippedGround, shippedFolder, shippedGround } from './peers/ground.ts'

let ground: ShippedGround
let fileHost: Receiver
let sample: OdpDocument
beforeAll(async () => {
  ;[ground, fileHost] = await Promise.all([
    shippedGround(),
    startReceiver({
      handler({ headers }, response) {
        response.writeHead(headers['api-key'] === 'of-the-council' ? 200 : 401).end('%PDF-1.7 a plan')
      },
    }),
  ])
  sample = JSON.parse(await readFile(path.join(shippedFolder, 'bops/samples/session.json'), 'utf8'))
})
afterAll(() => Promise.all([ground.close(), fileHost.close()]))

let bops: BopsPeer
let connection: string
beforeEach(async () => {
  bops = await startBops()
  connection = await connected()
  return () => bops.close()
})

const connected = (settings: object = {}) => ground.connected('bops', { url: bops.url, token: bops.token, ...settings })

const documentOf = (type = 'ldc.proposed', id: string = crypto.randomUUID()) => ({
  ...sample,
  data: { ...sample.data, application: { type: { value: type } } },
  files: [{ name: `${fileHost.url}/file/private/abcd1234/Site%20plan.pdf`, type: [{ value: 'sitePlan.proposed' }] }],
  metadata: { ...sample.metadata, id },
})

test('BOPS gets the document with a bearer token, and fetches the files by itself', async () => {
  const data = documentOf()
  const delivery = await ground.delivery(connection, { data })
  const { outcome, run } = await ground.attempt(delivery)

  expect(outcome).toBe('succeeded')
  expect(run?.message).toBe('BOPS reference: 26-00100-LDCP')
  expect(bops.applications.map(({ submission }) => submission)).toEqual([data])
  expect(bops.requests[0]?.headers['x-request-id']).toBe(delivery.session_id)
  expect(await bops.fetchFiles({ 'api-key': 'of-the-council' })).toEqual([
    { name: 'Site plan.pdf', content: Buffer.from('%PDF-1.7 a plan') },
  ])
  expect(JSON.stringify(run)).not.toContain(bops.token)
  expect(JSON.stringify(run)).not.toMatch(/Byron|ada@/)
})

test('a report of a breach becomes a submission and not an application', async () => {
  const { run } = await ground.attempt(await ground.delivery(connection, { data: documentOf('breach') }))
  expect(bops.applications).toEqual([])
  expect(run?.message).toBe(`BOPS reference: ${bops.submissions[0]?.uuid}`)
})

test('a delivery that is made again is no second application', async () => {
  const delivery = await ground.delivery(connection, { data: documentOf() })
  await ground.attempt(delivery)
  const again = await ground.attempt(delivery, 2)
  expect(again.outcome).toBe('succeeded')
  expect(again.run?.message).toBe('BOPS has it already: 26-00100-LDCP')
  expect(bops.applications).toHaveLength(1)
  expect(bops.requests).toHaveLength(1)
})

test('an application whose answer was lost is found again among the newest', async () => {
  await ground.attempt(await ground.delivery(connection, { data: documentOf() }))
  const delivery = await ground.delivery(connection, { data: documentOf() })
  bops.trouble(/^POST/, 'lost')
  expect(await ground.attempt(delivery)).toMatchObject({ outcome: 'failed', final: false })
  expect(bops.applications).toHaveLength(2)

  const again = await ground.attempt(delivery, 2)
  expect(again.outcome).toBe('succeeded')
  expect(again.run?.message).toBe('BOPS has it already: 26-00101-LDCP')
  expect(bops.applications).toHaveLength(2)
})

test('after a failure before anything was saved it is sent again, once', async () => {
  const delivery = await ground.delivery(connection, { data: documentOf() })
  bops.trouble(/^POST/, 503)
  const first = await ground.attempt(delivery)
  expect(first).toMatchObject({ outcome: 'failed', final: false })
  expect(first.run?.message).toBe('BOPS answered 503. It is tried again.')
  expect((await ground.attempt(delivery, 2)).run?.message).toBe('BOPS reference: 26-00100-LDCP')
  expect(bops.applications).toHaveLength(1)
})

test('where BOPS may have it and cannot be asked, a person decides', async () => {
  const delivery = await ground.delivery(connection, { data: documentOf('breach') })
  bops.trouble(/^POST/, 'lost')
  await ground.attempt(delivery)
  const asked = await ground.attempt(delivery, 2)
  expect(asked).toMatchObject({ outcome: 'failed', final: true })
  expect(asked.run?.message).toMatch(/BOPS may have received this session.*set "when_unsure" to "send"/)
  expect(bops.submissions).toHaveLength(1)

  bops.rights.read = false
  const other = await ground.delivery(connection, { data: documentOf() })
  bops.trouble(/^POST/, 503)
  await ground.attempt(other)
  expect(await ground.attempt(other, 2)).toMatchObject({ outcome: 'failed', final: true })

  const sending = await connected({ when_unsure: 'send' })
  const sent = await ground.delivery(sending, { data: documentOf() })
  bops.trouble(/^POST/, 503)
  await ground.attempt(sent)
  expect(await ground.attempt(sent, 2)).toMatchObject({ outcome: 'succeeded' })
})

test('what BOPS refuses is final and says why; a wrong token can be mended', async () => {
  const { metadata, ...rest } = documentOf()
  const strange = { ...rest, metadata: { ...metadata, schema: 'https://example.org/other.json' } }
  const refused = await ground.attempt(await ground.delivery(connection, { data: strange }))
  expect(refused).toMatchObject({ outcome: 'failed', final: true })
  expect(refused.run?.message).toMatch(/^BOPS answered 400: Bad Request, We couldn't process your request/)

  const wrong = await connected({ token: 'bops_another' })
  const unauthorised = await ground.attempt(await ground.delivery(wrong, { data: documentOf() }))
  expect(unauthorised).toMatchObject({ outcome: 'failed', final: false })
  expect(unauthorised.run?.message).toMatch(/^BOPS answered 401: .* Check the credential in the settings\.$/)
})

test('a session that is no document is not sent', async () => {
  const { run, ...report } = await ground.attempt(
    await ground.delivery(connection, { data: { passport: { data: {} }, breadcrumbs: {} } }),
  )
  expect(report).toMatchObject({ outcome: 'failed', final: true })
  expect(run?.message).toBe('The session is not an Open Digital Planning document: it has no "data".')
  expect(bops.requests).toEqual([])
})

test('a BOPS that never answers is given up in time', async () => {
  bops.trouble(/^POST/, 'hangs')
  const delivery = await ground.delivery(connection, { data: documentOf(), timeout_ms: 1500 })
  expect(await ground.attempt(delivery)).toMatchObject({ outcome: 'failed', final: false })
})

test('the document may lie inside of the session, and its files be fetched at the gateway', async () => {
  const inner = await connected({ payload_pointer: '/odp', gateway_url: 'https://gateway.example' })
  const delivery = await ground.delivery(inner, {
    data: { odp: documentOf() },
    files: { 'Site plan.pdf': '%PDF-1.7 a plan' },
  })
  expect(await ground.attempt(delivery)).toMatchObject({ outcome: 'succeeded' })
  const file = await ground.database.prisma.sessionFile.findFirst({ where: { session_id: delivery.session_id } })
  expect(bops.applications[0]?.submission.files?.[0]?.name).toBe(
    `https://gateway.example/v1/sessions/${delivery.session_id}/files/${file?.id}`,
  )
})

test('addresses of files that the session does not have stay, and are counted', () => {
  const document = {
    data: {},
    metadata: { id: '1', schema: 's' },
    files: [{ name: 'https://a.example/%zz' }, { name: 'b' }],
  }
  const { payload, unknown } = relinked(document, [{ id: '7', name: 'b' }], {
    gateway: 'https://g.example/',
    session: 's',
  })
  expect(payload.files?.map(({ name }) => name)).toEqual([
    'https://a.example/%zz',
    'https://g.example/v1/sessions/s/files/7',
  ])
  expect(unknown).toBe(1)
})

const published = path.join(import.meta.dirname, '../../../shared/data/odp')
const real = ['breach.json', 'lawfulDevelopmentCertificate.proposed.json', 'preApp.json']
test.skipIf(!existsSync(published)).each(real)('the published example %s arrives as it is', async (file) => {
  const data = JSON.parse(await readFile(path.join(published, file), 'utf8'))
  expect(await ground.attempt(await ground.delivery(connection, { data }))).toMatchObject({ outcome: 'succeeded' })
  const [arrived] = [
    ...bops.applications.map(({ submission }) => submission),
    ...bops.submissions.map((each) => each.document),
  ]
  expect(arrived).toEqual(data)
})
