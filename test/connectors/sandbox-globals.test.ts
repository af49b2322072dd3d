import { runInNewContext } from 'node:vm'
import { afterAll, expect, test } from 'vitest'
import { createSandboxPool } from '../../src/connectors/sandbox/pool.ts'
import { sandboxGlobals } from '../../src/connectors/vendor/globals.ts'

/** What a realm without a platform has. V8 puts a console there, which the sandbox replaces. */
const language = new Set<string>([...runInNewContext('Object.getOwnPropertyNames(globalThis)'), 'Temporal'])
language.delete('console')
const pool = createSandboxPool({ maxProcesses: 1 })
afterAll(() => pool.close())

test('the types that `check` compiles against name what the sandbox has beside the language, and nothing else', async () => {
  const outcome = await pool.run({
    key: 'globals',
    bundle: `export const names = () => Object.getOwnPropertyNames(globalThis)`,
    method: 'names',
    input: {},
    host: { log: () => undefined, call: async () => null },
    timeoutMs: 5000,
  })
  const there = outcome.ok ? (outcome.value as string[]) : []
  const platform = there.filter((name) => !language.has(name)).sort()
  const declared = [...sandboxGlobals.matchAll(/^declare (?:const|function) (\w+)/gm)].map(([, name]) => name).sort()
  expect(declared).toEqual(platform)
})
