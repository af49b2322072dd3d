import { lstat, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { packageTarball, tarballOf } from './tarball.fixture.ts'
import { tarballLimits, unpackTarball } from './tarball.ts'

let outer: string
let folder: string
beforeEach(async () => {
  outer = await mkdtemp(path.join(tmpdir(), 'sluice-tarball-'))
  folder = path.join(outer, 'inner')
  await mkdir(folder)
})
afterEach(() => rm(outer, { recursive: true }))

test('a package as npm packs it is unpacked, and its own folder found', async () => {
  const root = await unpackTarball(await packageTarball({ 'connector.json': '{}', 'lib/send.js': 'x' }), folder)
  expect(root).toBe(path.join(folder, 'package'))
  expect(await readFile(path.join(root, 'lib/send.js'), 'utf8')).toBe('x')
})

test('files may lie at the top, and the archive be uncompressed', async () => {
  const packed = await tarballOf([
    { name: './connector.json', content: '{}' },
    { name: 'src/', type: 'directory' },
  ])
  expect(await unpackTarball(gunzipSync(packed), folder)).toBe(folder)
})

test.each([
  ['climbs out', '../evil.js'],
  ['climbs out further in', 'package/lib/../../../evil.js'],
  ['is absolute', '/tmp/evil.js'],
  ['has a backslash', 'package\\..\\evil.js'],
  ['has a drive', 'C:evil.js'],
  ['is very long', `package/${'a'.repeat(60)}/${'b'.repeat(60)}/${'c'.repeat(80)}.js`],
])('a name that %s is refused, and nothing is written outside', async (_, name) => {
  const packed = await tarballOf([{ name, content: 'evil' }])
  await expect(unpackTarball(packed, folder)).rejects.toMatchObject({
    code: 'VALIDATION_FAILED',
    message: expect.stringContaining('stay inside of the package'),
  })
  expect(await readdir(outer)).toEqual(['inner'])
  expect(await readdir(folder)).toEqual([])
})

test.each(['symlink', 'link', 'fifo', 'character-device'] as const)('a %s is refused', async (type) => {
  const packed = await tarballOf([{ name: 'package/key', type, linkname: '/etc/passwd' }])
  await expect(unpackTarball(packed, folder)).rejects.toThrow(`"package/key", a ${type}. Only plain files`)
  await expect(lstat(path.join(folder, 'package/key'))).rejects.toThrow('ENOENT')
})

test('a name that comes twice is refused', async () => {
  const packed = await tarballOf([
    { name: 'a.js', content: '1' },
    { name: './a.js', content: '2' },
  ])
  await expect(unpackTarball(packed, folder)).rejects.toThrow('holds one name twice')
})

test('a package that is too large, packed or unpacked, or has too many files, is refused', async () => {
  await expect(unpackTarball(Buffer.alloc(tarballLimits.packed + 1), folder)).rejects.toMatchObject({
    code: 'TOO_LARGE',
  })
  const bomb = gzipSync(Buffer.alloc(tarballLimits.unpacked + 1))
  expect(bomb.length).toBeLessThan(50_000)
  await expect(unpackTarball(bomb, folder)).rejects.toThrow('when it is unpacked')
  const many = await tarballOf(Array.from({ length: tarballLimits.files + 1 }, (_, n) => ({ name: `${n}.js` })))
  await expect(unpackTarball(many, folder)).rejects.toThrow('more than 2000 files')
})

test.each([
  ['no archive', Buffer.from('hello')],
  ['damaged', Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3])],
  ['cut off', (await packageTarball({ 'connector.json': 'x'.repeat(5000) })).subarray(0, 60)],
])('what is %s is refused with a reason', async (_, bytes) => {
  await expect(unpackTarball(bytes, folder)).rejects.toMatchObject({
    code: 'VALIDATION_FAILED',
    message: expect.stringContaining('Make it with npm pack'),
  })
})
