import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { s3Url } from '../../src/connectors/s3.ts'
import { type TestStorage, testStorage } from '../ground/storage.ts'
import { type ShippedGround, shippedGround } from './peers/ground.ts'
import { type PowerAutomatePeer, startPowerAutomate } from './peers/power-automate.ts'

let ground: ShippedGround
/** The council's own S3, beside that of the installation. */
let council: TestStorage
beforeAll(async () => {
  ;[ground, council] = await Promise.all([shippedGround(), testStorage()])
})
afterAll(() => Promise.all([ground.close(), council.close()]))

let flow: PowerAutomatePeer
let connection: string
beforeEach(async () => {
  flow = await startPowerAutomate()
  connection = await connected()
  return () => flow.close()
})

const settingsOf = () => ({
  endpoint: council.config.S3_ENDPOINT,
  region: council.config.S3_REGION,
  bucket: council.config.S3_BUCKET,
  access_key_id: council.config.S3_ACCESS_KEY,
  secret_access_key: council.config.S3_SECRET_KEY,
  prefix: 'planning/',
  notify_url: `${flow.url}/workflows/1/triggers/manual/paths/invoke?sig=in-the-address`,
  notify_key: flow.key,
})
const connected = (settings: object = {}) => ground.connected('s3-notify', { ...settingsOf(), ...settings })

const data = { passport: { data: { 'applicant.name.first': 'Ada' } } }

test('session and files lie in the council’s bucket, and the flow is told where', async () => {
  const delivery = await ground.delivery(connection, {
    data,
    files: { 'Site plan (1).pdf': '%PDF a plan', 'Grundriß.pdf': '%PDF another', 'bad.pdf': { status: 'quarantined' } },
  })
  const { outcome, run } = await ground.attempt(delivery)
  expect(outcome).toBe('succeeded')
  expect(run?.log.map(({ message }) => message)).toEqual(['Uploaded the session and 2 files.'])

  const keys: string[] = []
  for await (const { key } of council.files.list(`planning/${delivery.session_id}/`)) keys.push(key)
  expect(keys.toSorted()).toEqual(
    ['files/Grundriß.pdf', 'files/Site plan (1).pdf', 'session.json'].map(
      (name) => `planning/${delivery.session_id}/${name}`,
    ),
  )
  const [notice] = flow.notices
  expect(notice).toEqual({
    message: 'New submission from Sluice',
    service: 'Apply for <planning>',
    environment: 'staging',
    file: expect.stringContaining(`/planning/${delivery.session_id}/session.json?X-Amz-Algorithm=`),
    payload: 'Discretionary',
    id: delivery.session_id,
    revision: 1,
  })
  expect(flow.requests[0]?.headers['idempotency-key']).toBe(delivery.id)
  expect(JSON.stringify(notice)).not.toContain('Ada')

  const fetched = await fetch(notice?.file ?? '')
  expect(await fetched.json()).toEqual(data)
  const tampered = await fetch((notice?.file ?? '').replace('session.json', 'files/Grundri%C3%9F.pdf'))
  expect(tampered.status).toBe(403)
  const said = JSON.stringify(run)
  for (const secret of [flow.key, council.config.S3_SECRET_KEY ?? '?', 'in-the-address', 'X-Amz-Signature']) {
    expect(said).not.toContain(secret)
  }
})

test('a delivery that is made again uploads nothing and tells nobody', async () => {
  const delivery = await ground.delivery(connection, { data })
  await ground.attempt(delivery)
  const again = await ground.attempt(delivery, 2)
  expect(again.outcome).toBe('succeeded')
  expect(again.run?.calls.filter(({ kind }) => kind === 'request')).toEqual([])
  expect(flow.notices).toHaveLength(1)
})

test('after a failure the same keys are written again', async () => {
  const delivery = await ground.delivery(connection, { data, files: { 'a.pdf': '%PDF' } })
  flow.trouble(/^POST/, 503, 429)
  const first = await ground.attempt(delivery)
  expect(first).toMatchObject({ outcome: 'failed', final: false })
  expect(first.run?.message).toBe('The endpoint for notifications answered 503. It is tried again.')
  expect(await ground.attempt(delivery, 2)).toMatchObject({ outcome: 'failed', final: false })
  expect(await ground.attempt(delivery, 3)).toMatchObject({ outcome: 'succeeded' })
  const keys: string[] = []
  for await (const { key } of council.files.list(`planning/${delivery.session_id}/`)) keys.push(key)
  expect(keys).toHaveLength(2)
  expect(flow.notices.filter(({ id }) => id === delivery.session_id)).toHaveLength(1)
})

test('a notification whose answer was lost comes again under the same key and id', async () => {
  const delivery = await ground.delivery(connection, { data })
  flow.trouble(/^POST/, 'lost')
  expect(await ground.attempt(delivery)).toMatchObject({ outcome: 'failed', final: false })
  expect(await ground.attempt(delivery, 2)).toMatchObject({ outcome: 'succeeded' })
  expect(new Set(flow.requests.map(({ headers }) => headers['idempotency-key']))).toEqual(new Set([delivery.id]))
  expect(new Set(flow.notices.map(({ id, revision }) => `${id}/${revision}`)).size).toBe(1)
})

test('a wrong key of either side can be mended; a missing bucket is final', async () => {
  const wrongKey = await ground.attempt(await ground.delivery(await connected({ notify_key: 'not-this' }), { data }))
  expect(wrongKey).toMatchObject({ outcome: 'failed', final: false })
  expect(wrongKey.run?.message).toMatch(
    /answered 401: The key is wrong\.\. Check the credential|answered 401: The key is wrong/,
  )
  const secret_access_key = 'not-the-secret-at-all'
  const wrongSecret = await ground.attempt(await ground.delivery(await connected({ secret_access_key }), { data }))
  expect(wrongSecret.run?.message).toMatch(/^The storage answered 403: SignatureDoesNotMatch/)
  expect(wrongSecret.final).toBe(false)
  const noBucket = await ground.attempt(await ground.delivery(await connected({ bucket: 'no-such-bucket' }), { data }))
  expect(noBucket).toMatchObject({ outcome: 'failed', final: true })
  expect(noBucket.run?.message).toBe('The storage answered 404: NoSuchBucket. It is not tried again.')
})

test('without an endpoint it only uploads; without days the link is an address', async () => {
  const silent = await ground.attempt(await ground.delivery(await connected({ notify_url: '' }), { data }))
  expect(silent.outcome).toBe('succeeded')
  expect(flow.requests).toEqual([])
  const delivery = await ground.delivery(await connected({ link_days: 0 }), { data })
  await ground.attempt(delivery)
  expect(flow.notices[0]?.file).toBe(
    s3Url(
      { endpoint: settingsOf().endpoint ?? '', bucket: settingsOf().bucket },
      `planning/${delivery.session_id}/session.json`,
    ),
  )
})
