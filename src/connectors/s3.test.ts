import { Client } from 'minio'
import { expect, test } from 'vitest'
import { testStorage } from '../../test/ground/storage.ts'
import { presignedS3Url, s3Url } from './s3.ts'

const accessKeyId = 'AKIAIOSFODNN7EXAMPLE'
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'

test('the example that AWS gives is signed as it says', async () => {
  const bucket = {
    endpoint: 'https://examplebucket.s3.amazonaws.com',
    region: 'us-east-1',
    accessKeyId,
    secretAccessKey,
  }
  const now = new Date('2013-05-24T00:00:00Z')
  expect(await presignedS3Url(bucket, { method: 'GET', key: 'test.txt', seconds: 86_400, now })).toBe(
    'https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256' +
      '&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z' +
      '&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
      '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  )
})

test.each(['test.txt', "a b/c'd(e)!*~é+&=%2F.json"])('the signature of %s is that of another client', async (key) => {
  const now = new Date('2026-01-31T09:30:00Z')
  const own = { endpoint: 'https://s3.example:9000', region: 'eu-west-2', bucket: 'camden' }
  const theirs = new Client({
    endPoint: 's3.example',
    port: 9000,
    region: own.region,
    accessKey: accessKeyId,
    secretKey: secretAccessKey,
    pathStyle: true,
  })
  for (const method of ['PUT', 'DELETE'] as const) {
    const url = await presignedS3Url({ ...own, accessKeyId, secretAccessKey }, { method, key, seconds: 900, now })
    const other = await theirs.presignedUrl(method, own.bucket, key, 900, {}, now)
    expect(new URL(url).searchParams.get('X-Amz-Signature')).toBe(new URL(other).searchParams.get('X-Amz-Signature'))
  }
})

test('an S3 opens what it names for the method it names, and nothing else', async () => {
  const { files, config, close } = await testStorage()
  const bucket = {
    endpoint: `${config.S3_ENDPOINT}/`,
    region: config.S3_REGION,
    bucket: config.S3_BUCKET,
    accessKeyId: config.S3_ACCESS_KEY ?? '',
    secretAccessKey: config.S3_SECRET_KEY ?? '',
  }
  const access = { key: 'plans/Grundriß 1.pdf', seconds: 60 }
  try {
    const put = await presignedS3Url(bucket, { ...access, method: 'PUT' })
    expect((await fetch(put, { method: 'PUT', body: 'a plan' })).status).toBe(200)
    expect(put.startsWith(`${s3Url(bucket, access.key)}?`)).toBe(true)
    const get = await presignedS3Url(bucket, { ...access, method: 'GET' })
    expect(await (await fetch(get)).text()).toBe('a plan')
    expect((await fetch(get.replace('Grundri', 'Umri'))).status).toBe(403)
    expect((await fetch(put)).status).toBe(403)
    const late = await presignedS3Url(bucket, { ...access, method: 'GET', now: new Date(Date.now() - 120_000) })
    expect((await fetch(late)).status).toBe(403)
    const removal = await presignedS3Url(bucket, { ...access, method: 'DELETE' })
    expect((await fetch(removal, { method: 'DELETE' })).status).toBe(204)
    expect(await files.stat(access.key)).toBeUndefined()
  } finally {
    await close()
  }
})

test('a time that S3 does not take is refused before it is asked', async () => {
  const bucket = { endpoint: 'https://s3.example', region: 'a', bucket: 'b', accessKeyId, secretAccessKey }
  for (const seconds of [0, 1.5, 604_801]) {
    await expect(presignedS3Url(bucket, { method: 'GET', key: 'k', seconds })).rejects.toThrow(
      `An address of S3 lasts 1 to 604800 seconds, not ${seconds}.`,
    )
  }
})
