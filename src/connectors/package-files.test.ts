import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readPackageFiles } from './package-files.ts'

let folder: string
let number = 0
beforeAll(async () => {
  folder = await realpath(await mkdtemp(path.join(tmpdir(), 'sluice-package-')))
})
afterAll(() => rm(folder, { recursive: true }))

const minimal = {
  implementation: 'org.example.hello',
  name: 'Hello',
  author: 'Example Ltd',
  version: '1.0.0',
  description: 'Greets.',
  privacyPolicyUrl: 'https://example.org/privacy',
}

async function packageOf(files: Readonly<Record<string, string | Buffer>>, manifest: object = {}): Promise<string> {
  const root = path.join(folder, String(++number))
  for (const [name, content] of Object.entries({
    'connector.json': JSON.stringify({ ...minimal, ...manifest }),
    ...files,
  })) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true })
    await writeFile(path.join(root, name), content)
  }
  return root
}

/** The head of a PNG: all that its size is read from. */
function png(width: number, height: number): Buffer {
  const head = Buffer.from('89504e470d0a1a0a0000000d4948445200000000000000000806000000', 'hex')
  head.writeUInt32BE(width, 16)
  head.writeUInt32BE(height, 20)
  return head
}

test('a logo of 70 by 70 pixels becomes a data URL', async () => {
  const { logo } = await readPackageFiles(await packageOf({ 'art/logo.png': png(70, 70) }, { logo: 'art/logo.png' }))
  expect(logo).toBe(`data:image/png;base64,${png(70, 70).toString('base64')}`)
})

test.each<[string, Buffer | string, RegExp]>([
  ['is too wide', png(71, 70), /logo\.png has 71 by 70 pixels\. A logo has 70 by 70 at most/],
  ['is too high', png(10, 700), /has 10 by 700 pixels/],
  ['is too large a file', Buffer.concat([png(70, 70), Buffer.alloc(40_000)]), /It may have 32768 at most/],
  ['is an SVG that calls itself PNG', '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>', /not a PNG/],
  ['is no picture', 'hello', /not a PNG, JPEG or GIF picture/],
])('a logo that %s is refused', async (_, content, message) => {
  await expect(readPackageFiles(await packageOf({ 'logo.png': content }, { logo: 'logo.png' }))).rejects.toThrow(
    message,
  )
})

test('a logo that is a link to another file is refused', async () => {
  const root = await packageOf({}, { logo: 'logo.png' })
  await symlink('/etc/hostname', path.join(root, 'logo.png'))
  await expect(readPackageFiles(root)).rejects.toThrow('logo.png in')
})

test("the licence is the manifest's, else that of package.json", async () => {
  const file = { 'package.json': '{"license": "MIT"}' }
  expect((await readPackageFiles(await packageOf(file))).license).toBe('MIT')
  expect((await readPackageFiles(await packageOf(file, { license: 'EUPL-1.2' }))).license).toBe('EUPL-1.2')
  expect((await readPackageFiles(await packageOf({}))).license).toBeNull()
})

test.each<[string, string, RegExp]>([
  ['locales/german.json', '{}', /name the file by a language/],
  ['locales/de.json', '[]', /one object of keys and texts/],
  ['locales/de.json', '{"a": 1}', /one object of keys and texts/],
  ['locales/de.json', '{', /is not JSON/],
])('a catalogue that cannot be used is refused: %s with %s', async (file, content, message) => {
  await expect(readPackageFiles(await packageOf({ [file]: content }))).rejects.toThrow(message)
})

test("the guide's manifest is read with its texts", async () => {
  const root = await packageOf({ 'locales/en.json': '{"name": "Confirmation E-mails"}' })
  await rm(path.join(root, 'connector.json'))
  await writeFile(
    path.join(root, 'funnel-extension.json'),
    JSON.stringify({
      Implementation: 'ch.want.funnel.extension.email.EmailExtension',
      Name: '%name%',
      Author: 'WaNT GmbH',
      Version: '1.0.0',
      Description: 'Reads mails.',
      PrivacyPolicyURL: 'http://www.want.ch/privacy.html',
      Permissions: [{ Socket: 'my.datahub.com' }],
    }),
  )
  const { manifest, locales } = await readPackageFiles(root)
  expect(manifest).toMatchObject({ name: 'Confirmation E-mails', permissions: [{ socket: 'my.datahub.com' }] })
  expect(locales.en?.name).toBe('Confirmation E-mails')
})
