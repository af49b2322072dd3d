import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { createAttempts } from '../access/attempts.ts'
import { createCredentialVerifier } from '../access/credentials.ts'
import { silentLog } from '../log.ts'

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase()
  const { prisma } = ground.database
  const team = await prisma.team.create({ data: { slug: 'camden', name: 'Camden' } })
  await prisma.integration.create({ data: { team_id: team.id, slug: 'back-office', name: 'Back office' } })
})
afterAll(() => ground?.close())

async function sluice(...args: readonly string[]): Promise<string> {
  const env = {
    PATH: process.env.PATH,
    DATABASE_URL: ground.url,
    SLUICE_ENVIRONMENT: 'test',
    SLUICE_SECRET_KEY: randomBytes(32).toString('base64'),
    // Of whole processes, which end before they ask for any of it.
    S3_ENDPOINT: 'http://127.0.0.1:1',
    S3_ACCESS_KEY: 'nobody',
    S3_SECRET_KEY: 'nothing',
    SMTP_URL: 'smtp://127.0.0.1:1',
  }
  const main = path.join(import.meta.dirname, '../main.ts')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, ...args], { env }).catch(
    (error) => error,
  )
  return stdout + stderr
}

it('makes, rotates, lists and revokes a credential that works', async () => {
  const { database } = ground
  const attempts = createAttempts(database)
  const verifier = createCredentialVerifier({ database, environment: 'test', attempts, log: silentLog })
  const made = await sluice(
    'credential',
    'create',
    '--name',
    'BOPS',
    '--team',
    'camden',
    '--integration',
    'back-office',
  )
  const key = /key +(\S+)/.exec(made)?.[1] as string
  const secret = /secret +(\S+)/.exec(made)?.[1] as string
  expect(await verifier.verify(key, secret)).toMatchObject({ role: 'consumer' })

  const next = /secret +(\S+)/.exec(await sluice('credential', 'rotate', key, '--overlap', '0'))?.[1] as string
  verifier.forget()
  await expect(verifier.verify(key, secret)).rejects.toThrow(/secret is wrong/)
  expect(await verifier.verify(key, next)).toMatchObject({ role: 'consumer' })

  const list = await sluice('credential', 'list')
  expect(list).toContain('camden/back-office')
  expect(list).toContain(`…${next.slice(-6)}`)
  expect(list).not.toContain(next)

  expect(await sluice('credential', 'revoke', key)).toMatch(/ended at/)
  expect(await sluice('credential', 'rotate', key)).toMatch(/has ended; make a new one/)
  expect(await sluice('credential', 'create', '--name', 'x', '--team', 'nowhere')).toMatch(/There is no team "nowhere"/)
  expect(await sluice('keys', 'rotate', '--now')).toMatch(/The new key is \S+\. Every token from before is void/)
  await verifier.close()
})

it('with another secret key than the installation has no gateway and no worker starts, and no key is added', async () => {
  await sluice('keys', 'rotate', '--now') // with a key that nobody has any more
  const said = await Promise.all([sluice('gateway'), sluice('worker'), sluice('keys', 'rotate')])
  for (const text of said) {
    expect(text).toContain('SLUICE_SECRET_KEY is not the key it was sealed with. Bring that one back')
    expect(text).not.toMatch(/is ready|The new key| at /)
  }
})
