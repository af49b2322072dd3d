import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleConnector } from '../../src/connectors/bundle.ts'
import { createSandboxPool, type SandboxPool } from '../../src/connectors/sandbox/pool.ts'
import { checkConnector } from '../../src/connectors/vendor/check.ts'
import { shippedFolder } from './peers/ground.ts'

let sandboxes: SandboxPool
beforeAll(() => {
  sandboxes = createSandboxPool({ maxProcesses: 2 })
})
afterAll(() => sandboxes.close())

test.each(['email', 'bops', 'uniform', 's3-notify', 'http-json'])(
  '%s keeps every rule for connectors',
  async (name) => {
    const findings = await checkConnector(path.join(shippedFolder, name), sandboxes)
    expect(findings.length).toBeGreaterThan(5)
    expect(findings.filter(({ level, fault }) => level === 'must' && fault !== undefined)).toEqual([])
  },
)

describe.each(['bops', 'uniform', 's3-notify', 'http-json'])('%s', (name) => {
  const folder = path.join(shippedFolder, name)

  test('is a whole package: licence, logo, English and German, a README that names every setting', async () => {
    const { manifest, locales, logo, license } = await bundleConnector(folder)
    expect(license).toMatch(/Apache-2\.0/)
    expect(logo).toMatch(/^data:image\/png;base64,/)
    expect(Object.keys(locales)).toEqual(['de', 'en'])
    expect(Object.keys(locales.de?.texts ?? {})).toEqual(Object.keys(locales.en?.texts ?? {}))
    const readme = await readFile(path.join(folder, 'README.md'), 'utf8')
    for (const { key, type } of manifest.settings) {
      expect(locales.de?.settings[key]?.label).toMatch(/^[A-ZÄÖÜ]/)
      if (type !== 'INTERNAL') expect(readme).toContain(`\`${key}\``)
    }
  })

  test('names no host of its own: whoever installs it approves them', async () => {
    const { manifest } = await bundleConnector(folder)
    expect(manifest.permissions.filter((permission) => typeof permission !== 'string')).toEqual([])
  })
})

test('what an answer means is the same in all of them', async () => {
  const texts = await Promise.all(
    ['bops', 'uniform', 's3-notify', 'http-json'].map((name) =>
      readFile(path.join(shippedFolder, name, 'answers.ts'), 'utf8'),
    ),
  )
  expect(new Set(texts).size).toBe(1)
})
