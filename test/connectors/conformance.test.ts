/** Every connector that is shipped keeps the rules of all connectors, and does what its fixtures recorded. */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { connectorCommand } from '../../src/cli/connector.ts'
import { createSandboxPool } from '../../src/connectors/sandbox/pool.ts'
import { checkConnector } from '../../src/connectors/vendor/check.ts'

const folder = path.join(import.meta.dirname, '../../connectors')
const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []))
const sandboxes = createSandboxPool({ maxProcesses: 2 })
afterAll(() => sandboxes.close())

test.each(names)('connectors/%s keeps every rule', async (name) => {
  const findings = await checkConnector(path.join(folder, name), sandboxes)
  expect(findings.length).toBeGreaterThan(6)
  expect(findings.filter(({ fault, level }) => fault && level === 'must')).toEqual([])
})

test.each(names.filter((name) => existsSync(path.join(folder, name, 'fixtures'))))(
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
    await command.parseAsync(['test', path.join(folder, name)], { from: 'user' })
    expect({ failed, lines }).toEqual({ failed: false, lines })
  },
)
