import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { auditSigningKey } from '../access/audit-keys.ts'
import { createSealer } from '../access/seal.ts'
import { rotateSigningKeys } from '../access/signing-keys.ts'
import { openDatabase } from '../database/database.ts'
import { silentLog } from '../log.ts'
import { ensureWebhookKey } from '../webhooks/signing-keys.ts'
import { droppedTable, newSecretKey, reseal, sealedColumns } from './reseal.ts'

let ground: TestDatabase
const old = newSecretKey()
const sealer = createSealer(old)
const sealed = (purpose: string) => new Uint8Array(sealer.seal(`a secret for ${purpose}`, purpose))
const purposeOf = (table: string, column: string) =>
  sealedColumns.find((each) => each.table === table && each.column === column)?.purpose as string

beforeAll(async () => {
  ground = await testDatabase()
  const { database } = ground
  const { prisma } = database
  await rotateSigningKeys(database, sealer, { retireOld: true })
  await auditSigningKey(database.pool, sealer)
  await ensureWebhookKey(database, sealer)
  const team = await prisma.team.create({ data: { slug: 'camden', name: 'Camden' } })
  const { id: integration_id } = await prisma.integration.create({
    data: { team_id: team.id, slug: 'back-office', name: 'Back office' },
  })
  await prisma.webhook.create({
    data: {
      integration_id,
      name: 'Office',
      url: 'https://office.example.org',
      sealed_headers: sealed(purposeOf('webhooks', 'sealed_headers')),
      // More than a batch.
      secrets: {
        create: Array.from({ length: 501 }, () => ({ sealed: sealed(purposeOf('webhook_secrets', 'sealed')) })),
      },
    },
  })
  const { id: connector_id } = await prisma.connector.create({
    data: {
      implementation: 'com.example.mail',
      version: '1.0.0',
      name: 'Mail',
      author: 'Example',
      description: 'Mails',
      manifest: {},
      bundle: '',
      bundle_sha256: '',
    },
  })
  await prisma.connection.create({
    data: {
      integration_id,
      connector_id,
      name: 'Mail room',
      sealed_settings: sealed(purposeOf('connections', 'sealed_settings')),
      inbound_secrets: { create: { sealed: sealed(purposeOf('inbound_secrets', 'sealed')) } },
      raw_sources: { create: { team_id: team.id, sealed_headers: sealed(purposeOf('raw_sources', 'sealed_headers')) } },
    },
  })
})
afterAll(() => ground?.close())

/** What each sealed value says, opened with a key. */
async function opened(key: string): Promise<readonly string[]> {
  const texts: string[] = []
  for (const { table, column, where, purpose } of sealedColumns) {
    const { rows } = await ground.database.pool.query<{ sealed: Buffer }>(
      `select ${column} as sealed from ${table} where ${column} is not null and (${where})`,
    )
    expect(rows.length, `${table} where ${where}`).toBeGreaterThan(0)
    texts.push(...rows.map((row) => createSealer(key).open(row.sealed, purpose)))
  }
  return texts.sort()
}

it('knows every column that holds sealed values', async () => {
  const { rows } = await ground.database.pool.query<{ name: string }>(
    `select table_name || '.' || column_name as name from information_schema.columns
      where table_schema = 'public' and data_type = 'bytea' and column_name like 'sealed%' and table_name <> $1`,
    [droppedTable],
  )
  const known = new Set(sealedColumns.map(({ table, column }) => `${table}.${column}`))
  expect(rows.map(({ name }) => name).sort()).toEqual([...known].sort())
})

it('seals all that there is with the new key, and nothing is lost', async () => {
  const { database } = ground
  const before = await opened(old)
  const to = newSecretKey()
  const lines: string[] = []
  expect(await reseal({ database, from: old, to, print: (line) => lines.push(line) })).toBe(before.length)
  expect(await opened(to)).toEqual(before)
  await expect(opened(old)).rejects.toThrow('is not the key it was sealed with')
  expect(lines).toContain('  webhook_secrets.sealed (webhook-secret): 501')
  await reseal({ database, from: to, to: old, print: () => undefined })
})

it('changes nothing with a wrong key, one that is none, or while a gateway or worker runs', async () => {
  const { database } = ground
  const before = await opened(old)
  const quiet = { database, print: () => undefined }
  await expect(reseal({ ...quiet, from: newSecretKey(), to: newSecretKey() })).rejects.toMatchObject({
    code: 'CONFIGURATION',
  })
  await expect(reseal({ ...quiet, from: old, to: randomBytes(16).toString('base64') })).rejects.toThrow(
    'SLUICE_NEW_SECRET_KEY must be 32 random bytes',
  )
  // One value that nobody can open: the ones before it stay as they were.
  await database.pool.query(
    `insert into inbound_secrets (connection_id, sealed) select id, '\\x01'::bytea from connections`,
  )
  await expect(reseal({ ...quiet, from: old, to: newSecretKey() })).rejects.toMatchObject({ code: 'CONFIGURATION' })
  await database.pool.query(`delete from inbound_secrets where sealed = '\\x01'::bytea`)

  const worker = openDatabase({ url: ground.url, poolSize: 2, log: silentLog, applicationName: 'sluice worker' })
  await worker.pool.query('select 1')
  await expect(reseal({ ...quiet, from: old, to: newSecretKey() })).rejects.toThrow('sluice worker still run')
  await worker.close()
  expect(await opened(old)).toEqual(before)
})
