import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Receiver, startReceiver } from '../../test/ground/receiver.ts'
import { createEgress } from '../egress/egress.ts'
import { fetchNpmPackage, parseNpmReference } from './npm-package.ts'

const egress = createEgress({ allow: ['127.0.0.0/8'] })
const tarball = Buffer.from('the package')
const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
let registry: Receiver
let stated: object
beforeAll(async () => {
  registry = await startReceiver({
    handler({ path }, response) {
      if (path.endsWith('.tgz')) response.writeHead(200).end(tarball)
      else if (path === '/npm/@example%2fbops/1.2.0') response.writeHead(200).end(JSON.stringify(stated))
      else response.writeHead(404).end('{}')
    },
  })
})
afterAll(async () => {
  await egress.close()
  await registry.close()
})

const reference = { name: '@example/bops', version: '1.2.0' }
const fetchIt = (dist: object, more: object = {}) => {
  stated = { ...reference, ...more, dist: { tarball: `${registry.url}/npm/bops-1.2.0.tgz`, integrity, ...dist } }
  return fetchNpmPackage(egress, `${registry.url}/npm`, reference)
}

test('an exact version is fetched, and its hash checked', async () => {
  expect(await fetchIt({})).toEqual(tarball)
  expect(await fetchIt({ integrity: `sha1-abc ${integrity}` })).toEqual(tarball)
})

test('a mirror is asked for what the public registry names', async () => {
  expect(await fetchIt({ tarball: 'https://registry.npmjs.org/bops-1.2.0.tgz' })).toEqual(tarball)
})

test.each<[string, object, object, string]>([
  ['another hash', { integrity: integrity.replace(/.==$/, 'x==') }, {}, 'does not have the SHA-512'],
  ['only a weak hash', { integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, {}, 'does not have the SHA-512'],
  ['another host', { tarball: 'https://elsewhere.example/x.tgz' }, {}, 'fetched from elsewhere.example'],
  ['another version', {}, { version: '9.9.9' }, 'does not describe @example/bops@1.2.0'],
  ['another name', {}, { name: 'bops' }, 'does not describe'],
])('%s is refused', async (_, dist, more, message) => {
  await expect(fetchIt(dist, more)).rejects.toThrow(message)
})

test('without a registry, and for a version that is not there, the message says what to do', async () => {
  await expect(fetchNpmPackage(egress, undefined, reference)).rejects.toMatchObject({
    code: 'FORBIDDEN',
    message: expect.stringContaining('CONNECTOR_REGISTRY_URL'),
  })
  await expect(
    fetchNpmPackage(egress, `${registry.url}/npm`, { ...reference, version: '3.0.0' }),
  ).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('a registry in a network that may not be called is not asked', async () => {
  const guarded = createEgress({ allow: [] })
  await expect(fetchNpmPackage(guarded, registry.url, reference)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await guarded.close()
})

test('references are exact', () => {
  expect(parseNpmReference('npm:@example/bops@1.2.0-beta.1')).toEqual({ ...reference, version: '1.2.0-beta.1' })
  for (const wrong of [
    'bops@1.0.0',
    'npm:bops',
    'npm:bops@latest',
    'npm:bops@^1.0.0',
    'npm:../x@1.0.0',
    'npm:a/b@1.0.0',
  ]) {
    expect(() => parseNpmReference(wrong), wrong).toThrow('write npm:name@version')
  }
})
