import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleConnector } from '../../src/connectors/bundle.ts'
import { createSandboxPool, type SandboxPool } from '../../src/connectors/sandbox/pool.ts'
import { checkConnector } from '../../src/connectors/vendor/check.ts'
import { shippedFolder } from './peers/ground.ts'

const hostSettings: Readonly<Record<string, readonly string[]>> = {
  bops: ['url'],
  uniform: ['token_url', 'submission_url'],
  's3-notify': ['endpoint', 'notify_url'],
  'http-json': ['url', 'token_url'],
  'accounting-csv': ['sftp_host', 'endpoint'],
}

let sandboxes: SandboxPool
beforeAll(() => {
  sandboxes = createSandboxPool({ maxProcesses: 2 })
})
afterAll(() => sandboxes.close())

/** Types are checked too, which takes seconds: once for each connector. */
const found = new Map<string, ReturnType<typeof checkConnector>>()
function findingsOf(name: string): ReturnType<typeof checkConnector> {
  const findings = found.get(name) ?? checkConnector(path.join(shippedFolder, name), sandboxes)
  found.set(name, findings)
  return findings
}

test.each(['email', 'bops', 'uniform', 's3-notify', 'http-json', 'accounting-csv'])(
  '%s keeps every rule for connectors',
  async (name) => {
    const findings = await findingsOf(name)
    expect(findings.length).toBeGreaterThan(5)
    expect(findings.filter(({ level, fault }) => level === 'must' && fault !== undefined)).toEqual([])
  },
)

describe.each(['bops', 'uniform', 's3-notify', 'http-json', 'accounting-csv'])('%s', (name) => {
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

  test('names no host of its own: settings do, as its README says', async () => {
    const { manifest } = await bundleConnector(folder)
    const named = manifest.permissions.filter((permission) => typeof permission !== 'string')
    expect(named).toEqual(hostSettings[name]?.map((setting) => ({ setting })))
    const { what, fault } =
      (await findingsOf(name)).find((each) => each.what.startsWith('a setting that names a host')) ?? {}
    expect({ what, fault }).toEqual({ what: 'a setting that names a host stands in its permissions', fault: undefined })
  })
})

test('what an answer means is the same in all of them', async () => {
  const texts = await Promise.all(
    ['bops', 'uniform', 's3-notify', 'http-json', 'accounting-csv'].map((name) =>
      readFile(path.join(shippedFolder, name, 'answers.ts'), 'utf8'),
    ),
  )
  expect(new Set(texts).size).toBe(1)
})
