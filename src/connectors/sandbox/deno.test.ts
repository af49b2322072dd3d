import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { denoBinary, prepareSandbox, type SandboxFiles } from './deno.ts'

let files: SandboxFiles
beforeEach(async () => {
  files = await prepareSandbox(denoBinary())
})
afterEach(() => files.remove())

const atOnce = 40

/** What a process would find if it were started the moment it may be. */
async function found(): Promise<{ readonly program: string; readonly cwd: boolean }> {
  const { parameters, cwd } = await files.command(128)
  return { program: readFileSync(parameters.at(-1) ?? '', 'utf8'), cwd: existsSync(cwd) }
}

test('of many processes that start at once, each finds the whole program, also after a cleaner emptied the folder', async () => {
  for (let round = 0; round < 20; round++) {
    const all = await Promise.all(Array.from({ length: atOnce }, found))
    expect(all[0]?.program).toContain('main()')
    expect(all.filter(({ program, cwd }) => program !== all[0]?.program || !cwd)).toEqual([])
    const { cwd } = await files.command(128)
    await rm(path.dirname(cwd), { recursive: true })
  }
})
