import { spawn } from 'node:child_process'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { checkPassword } from '../access/people.ts'
import { setPassword } from './admin.ts'

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground?.close())

async function sluice(args: readonly string[], input = '') {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '../main.ts'), 'admin', ...args], {
    env: { PATH: process.env.PATH ?? '', DATABASE_URL: ground.url },
    cwd: import.meta.dirname,
  })
  child.stdin.end(input)
  const code = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, out, error }
}

it('makes an admin with a password from a pipe, and lets them in again with a new one', async () => {
  const email = 'First@admin.test'
  const made = await sluice(['create', '--email', email, '--name', 'First'], 'a piped password\n')
  expect(made).toMatchObject({ code: 0, out: 'first@admin.test administers this installation now.\n' })
  expect(await checkPassword(ground.database, email, 'a piped password')).toMatchObject({ right: true })
  const row = await ground.database.prisma.user.findUniqueOrThrow({ where: { email: 'first@admin.test' } })
  expect(row).toMatchObject({ name: 'First', is_admin: true })

  const again = await sluice(['create', '--email', email, '--generate'])
  expect(again).toMatchObject({
    code: 1,
    out: '',
    error: expect.stringContaining('reset-password --email first@admin.test'),
  })

  const reset = await sluice(['reset-password', '--email', email, '--generate'])
  const [, password = ''] = /shown this once: (\S+)/.exec(reset.out) ?? []
  expect(await checkPassword(ground.database, email, password)).toMatchObject({ right: true })
  expect(await checkPassword(ground.database, email, 'a piped password')).toMatchObject({ right: false })
  const after = await ground.database.prisma.user.findUniqueOrThrow({ where: { id: row.id } })
  expect(after.tokens_valid_from).toBeInstanceOf(Date)
})

it('holds the rules of passwords, and knows whom it is asked about', async () => {
  const { prisma } = ground.database
  await prisma.user.create({ data: { email: 'rules@admin.test', name: 'Rules' } })
  await expect(setPassword(ground.database, 'rules@admin.test', 'password123')).rejects.toThrow(/one of the first/)
  await expect(setPassword(ground.database, 'nobody@admin.test', 'a password of length')).rejects.toThrow(
    /no person nobody@admin.test/,
  )
})
