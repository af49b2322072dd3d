import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleConnector } from './bundle.ts'
import { bundleApart } from './bundle-apart.ts'

let folder: string
let number = 0
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-apart-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function packageOf(code: string): Promise<string> {
  const root = path.join(folder, String(++number))
  await mkdir(root)
  await writeFile(
    path.join(root, 'connector.json'),
    JSON.stringify({
      implementation: 'org.example.test',
      name: 'Test',
      author: 'Example Ltd',
      version: '1.0.0',
      description: 'Tests.',
      privacyPolicyUrl: 'https://example.org/privacy',
    }),
  )
  await writeFile(path.join(root, 'index.js'), code)
  return root
}

test('a package comes out as it does in the process itself', async () => {
  const root = await packageOf(`export default () => 'success'`)
  expect(await bundleApart(root)).toEqual(await bundleConnector(root))
})

test('what is refused is refused with the same words, and without the name of the folder', async () => {
  const error = await bundleApart(await packageOf(`import '../../secrets.js'`)).catch((thrown) => thrown)
  expect(error).toMatchObject({ code: 'VALIDATION_FAILED', message: expect.stringContaining('cannot be bundled') })
  expect(error.message).not.toContain(folder)
})

test('a source that takes all memory ends the child and nothing else', async () => {
  const root = await packageOf(`export default ${'['.repeat(4_000_000)}`)
  await expect(bundleApart(root)).rejects.toMatchObject({
    code: 'VALIDATION_FAILED',
    message: expect.stringMatching(/could not be bundled|cannot be/),
  })
})

test('a bundling that takes too long is ended', async () => {
  const root = await packageOf(`export default () => 'success'`)
  await expect(bundleApart(root, { timeoutMs: 5 })).rejects.toThrow('could not be bundled within 0.005 s')
})
