/** Every connector that is shipped keeps the rules of all connectors, and does what its fixtures recorded. */
import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { connectorCommand } from '../../src/cli/connector.ts'
import { bundleConnector } from '../../src/connectors/bundle.ts'
import { createSandboxPool } from '../../src/connectors/sandbox/pool.ts'
import { checkConnector } from '../../src/connectors/vendor/check.ts'

const shipped = path.join(import.meta.dirname, '../../connectors')
const names = readdirSync(shipped, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []))
const sandboxes = createSandboxPool({ maxProcesses: 2 })
afterAll(() => sandboxes.close())

/** Types are checked too, which takes a second: once for each connector. */
const found = new Map<string, ReturnType<typeof checkConnector>>()
function findingsOf(name: string): ReturnType<typeof checkConnector> {
  const findings = found.get(name) ?? checkConnector(path.join(shipped, name), sandboxes)
  found.set(name, findings)
  findings.catch(() => found.delete(name))
  return findings
}

test.each(names)('connectors/%s keeps every rule', async (name) => {
  const findings = await findingsOf(name)
  expect(findings.length).toBeGreaterThan(6)
  const faults = findings.filter(({ fault, level }) => fault && level === 'must')
  // Another try looks again.
  if (faults.length > 0) found.delete(name)
  expect(faults).toEqual([])
})

test.each(names.filter((name) => existsSync(path.join(shipped, name, 'fixtures'))))(
  'connectors/%s does what was recorded',
  async (name) => {
    const lines: string[] = []
    let failed = false
    const command = connectorCommand(
      {},
      {
        print: (line) => lines.push(line),
        fail: () => {
          failed = true
        },
      },
    )
    await command.parseAsync(['test', path.join(shipped, name)], { from: 'user' })
    expect({ failed, lines }).toEqual({ failed: false, lines })
  },
)

describe.each([
  ['bops', ['url']],
  ['uniform', ['token_url', 'submission_url']],
  ['s3-notify', ['endpoint', 'notify_url']],
  ['http-json', ['url', 'token_url']],
  ['accounting-csv', ['sftp_host', 'endpoint']],
])('%s', (name, hostSettings) => {
  const folder = path.join(shipped, name)

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
    expect(named).toEqual(hostSettings.map((setting) => ({ setting })))
    const { what, fault } =
      (await findingsOf(name)).find((each) => each.what.startsWith('a setting that names a host')) ?? {}
    expect({ what, fault }).toEqual({ what: 'a setting that names a host stands in its permissions', fault: undefined })
  })
})

test('what an answer means is the same in all of them', async () => {
  const texts = await Promise.all(
    ['bops', 'uniform', 's3-notify', 'http-json', 'accounting-csv'].map((name) =>
      readFile(path.join(shipped, name, 'answers.ts'), 'utf8'),
    ),
  )
  expect(new Set(texts).size).toBe(1)
})
